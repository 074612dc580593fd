"""What an author may do wrong, and what `audit` and `book` say of it: no slip passes for order."""

import pytest

from autograder.doors.terminal import main

from ..tiny_course import ANSWERS, CHECKS, INIT, MISTAKES, RIGHT, SLIPS, WRONG


@pytest.fixture
def told(tiny, capsys):
    """Run a command with the course as it is now; gives its exit code and what it says."""

    def run(command, *more):
        code = main(["--course", str(tiny.folder), command, *more])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return code, said.out + said.err

    return run


def test_the_course_is_in_order(told):
    code, said = told("audit", "--seeds", "1")
    assert (code, said.splitlines()[-1]) == (0, "No fault was found.")


@SLIPS
@pytest.mark.parametrize("command", ["audit", "book"])
def test_what_cannot_be_tried_ends_it_with_a_sentence(tiny, told, command, file, old, new, words):
    tiny.edit(file, old, new)
    code, said = told(command)
    assert code == 2
    assert words in said


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        (INIT, "/bank", "/banks", "/banks is no folder"),
        (WRONG, "expect: columns", "expect: colums", "`# expect: colums` names no mistake; there"),
        (WRONG, "# expect: columns\n", "", "(the other axis): it does not say what is to be recog"),
        (WRONG, "%% centred:", "%% centered:", "wrong/basics.py:1 there is no exercise called cen"),
        (WRONG, "%% centred:", "%% centred", "wrong/basics.py:1 `# %% centred the other axis` beg"),
        (RIGHT, "(x):", "(x)", "correct/basics.py:2 (the sum, divided) cannot be run: SyntaxError"),
        (RIGHT, "def centred", "def other", "correct/basics.py:1 (the sum, divided) does not def"),
        (RIGHT, "def", "y = z\ndef", "(the sum, divided) cannot be run: NameError: name 'z'"),
        (MISTAKES, "{rows}", "{rws}", "line 3): {rws} is no size, argument or measure; there are"),
        (MISTAKES, "{rows}", "{rows", "its {braces} cannot be read"),
        (MISTAKES, "axis=0", "axis=zero", "its code raises NameError: name 'zero' is not defined"),
        (
            MISTAKES,
            "+ x -= mean\n+ return x",
            "+ return x - 1 * mean",
            "no probe tells it from the",
        ),
        (MISTAKES, "### columns", "## columns", "line 4: this diff belongs to no mistake"),
    ],
)
def test_a_slip_is_a_fault(tiny, told, file, old, new, words):
    tiny.edit(file, old, new)
    code, said = told("audit", "--seeds", "1")
    assert code == 1, said
    assert words in said
    assert "No fault was found." not in said


def test_a_bank_without_answers_is_remarked_upon(tiny, told):
    (tiny.folder / RIGHT).unlink()
    tiny.write(WRONG, "")
    code, said = told("audit", "--seeds", "1")
    assert code == 0
    assert "basics.centred: the bank has no right answer to judge it by" in said
    assert "basics.centred: the bank has no wrong answer to judge it by" in said
    assert "No fault was found." not in said


def test_a_file_of_no_lesson_is_a_fault(tiny, told):
    tiny.write("bank/wrong/basic.py", "")
    code, said = told("audit", "--seeds", "1")
    assert code == 1
    assert "bank: wrong/basic.py belongs to no lesson; there are: basics" in said


def test_a_course_without_a_bank_is_asked_for_none(tiny, told, monkeypatch, tmp_path):
    tiny.edit(INIT, f'    bank="{tiny.name}/bank",\n', "")
    (tmp_path / "correct").mkdir()  # where it is run: none of its business
    (tmp_path / "correct" / "basics.py").write_text("# %% centred: strange\n")
    monkeypatch.chdir(tmp_path)
    code, said = told("audit", "--seeds", "1")
    assert (code, said.splitlines()[-1]) == (0, "No fault was found.")


def test_one_diff_that_does_not_fit_hides_nothing_else(tiny, told):
    tiny.edit(MISTAKES, "- return x - mean", "- return x - means")
    code, said = told("audit", "--seeds", "1")
    assert code == 1
    assert "1 of 2" in said
    assert "is `means` now called `mean`?\n" in said  # and no full stop after it
    code, said = told("book")
    assert code == 2
    assert "of 3 numbers" in said
    assert "You changed x itself." in said
    assert "is `means` now called `mean`?" in said


@pytest.mark.parametrize("seeds", ["0", "-1", "some"])
def test_without_a_seed_nothing_would_be_asked(told, seeds, capsys):
    with pytest.raises(SystemExit):
        told("audit", "--seeds", seeds)
    assert "is no number from 1 on" in capsys.readouterr().err


def test_a_mistake_that_raises_when_it_is_made_ends_nothing(tiny, told):
    """As in the body of a class, or in a default."""
    line = "mean = x.mean(axis=-1, keepdims=True)"
    tiny.edit(MISTAKES, f"- {line}", f"- def centred(x):\n-     {line}\n+ def centred(x, y=z):")
    tiny.edit(MISTAKES, "+ mean", "+     mean")
    assert "with its diff, the code does not run any more" in told("audit", "--seeds", "1")[1]


def test_of_all_that_there_is_the_model_answer_comes_first(tiny, told):
    """Then no diff is complained about that only its slip has made unfit."""
    tiny.edit(ANSWERS, "keepdims", "keepdim")
    said = told("audit")[1]
    assert said.startswith("model answer centred, answers/basics.py line 2")
    assert "does not stand" not in said


def test_points_of_a_property_may_be_in_a_look(tiny, told):
    tiny.edit(CHECKS, '0", (some_rows,))', '0", (some_rows,), look="Are {n} right?")')
    assert "property values: {n} is no size, argument or measure" in told("audit")[1]
