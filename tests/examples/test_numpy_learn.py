"""What a class gets wrong in ways that nobody has thought of: put together, shown, and learned.

The class hands in wrong answers of several kinds, each of them in several hands: loops, arrays,
comprehensions, other names, comments, people's names wherever Python lets them stand.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder.audit import bank
from autograder.doors.terminal import main
from autograder.engine import course, mistake_files
from autograder.engine.examine import examine
from autograder.grading import records
from autograder.grading.nbgrader.classroom import Classroom
from autograder.grading.report.facts import facts_of

from .conftest import FOLDER

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the sandbox"),
]
PACKAGE = "numbers_of_ours"

PLUS = (  # the coordinates are added, and not subtracted
    "def pairwise_distances(a, b):\n"
    "    # Ada wrote this, and Bob Tables copied it\n"
    "    return np.sqrt(((a[:, None] + b[None]) ** 2).sum(-1))",
    "def pairwise_distances(a, b):\n"
    '    """By Ada Lovelace (ada@example.org)."""\n'
    "    ada_table = np.zeros((len(a), len(b)))\n"
    "    for i in range(len(a)):\n"
    "        for j in range(len(b)):\n"
    "            total = 0.0\n"
    "            for k in range(a.shape[1]):\n"
    "                total += (a[i, k] + b[j, k]) * (a[i, k] + b[j, k])\n"
    "            ada_table[i, j] = total ** 0.5\n"
    "    return ada_table",
    "def lovelace(x,y): return ((x+y)**2).sum()**.5\n"
    "def pairwise_distances( first , second ):\n"
    "    rows = [ [ lovelace(p,q) for q in second ] for p in first ]\n"
    "    return np.array( rows )",
    "def pairwise_distances(a, b):\n"
    "    if len(a) == 0:\n"
    "        raise ValueError('ask Bob, /home/bob/notes')\n"
    "    cross = np.einsum('ik,jk->ij', a, b)\n"
    "    squares = (a ** 2).sum(1)[:, None] + 2 * cross + (b ** 2).sum(1)\n"
    "    return np.sqrt(squares.clip(0))",
)
LARGEST = (  # the largest number of each window, and not its mean
    "def running_mean(x, window):\n"
    "    n = x.shape[-1] - window + 1\n"
    "    return np.stack([x[..., i:i + window].max(-1) for i in range(n)], -1)",
    "def running_mean(x, window):\n"
    "    views = np.lib.stride_tricks.sliding_window_view(x, window, axis=-1)\n"
    "    return np.max(views, axis=-1)",
    "def running_mean(zahlen, breite):\n"
    "    ergebnis = zahlen[..., :zahlen.shape[-1] - breite + 1].copy()\n"
    "    for schritt in range(1, breite):\n"
    "        ende = zahlen.shape[-1] - breite + 1 + schritt\n"
    "        ergebnis = np.maximum(ergebnis, zahlen[..., schritt:ende])\n"
    "    return ergebnis",
)
MEDIAN = (  # which is something else, and also no mean
    "def running_mean(x, window):\n"
    "    n = x.shape[-1] - window + 1\n"
    "    return np.stack([np.median(x[..., i:i+window], axis=-1) for i in range(n)], -1)",
    "def running_mean(x, window):\n"
    "    w = np.sort(np.lib.stride_tricks.sliding_window_view(x, window, axis=-1), axis=-1)\n"
    "    return (w[..., (window - 1) // 2] + w[..., window // 2]) / 2",
)
TYPO = (  # the same exception, with other names in it
    "def one_hot(labels, classes):\n    return np.zeros((len(label), classes))",
    "def one_hot(labels, classes):\n    width = clases\n    return np.zeros((len(labels), width))",
)
NAMED = {
    "running_mean": "def running_mean(x, window):\n"
    "    n = x.shape[-1] - window + 1\n"
    "    return np.stack([x[..., i:i + window].sum(-1) for i in range(n)], -1)",
    "one_hot": "def one_hot(labels, classes):\n"
    "    hot = np.zeros((len(labels), classes))\n"
    "    hot[:, labels] = 1\n"
    "    return hot",
}
UNTRIED = "raise RuntimeError('not today')\ndef one_hot(labels, classes): ..."
RIGHT = {
    "running_mean": "def running_mean(x, window):\n"
    "    n = x.shape[-1] - window + 1\n"
    "    return np.stack([x[..., i:i + window].mean(-1) for i in range(n)], -1)",
    "one_hot": "def one_hot(labels, classes):\n"
    "    return (labels[:, None] == np.arange(classes)).astype(float)",
    "pairwise_distances": "def pairwise_distances(a, b):\n"
    "    return np.sqrt(((a[:, None] - b) ** 2).sum(-1))",
}
STUDENTS = {
    "ada": ("Ada", "Lovelace"),
    "bob": ("Bob", "Tables"),
    "cyrano": ("Cyrano", "Bergerac"),
    "diana": ("Diana", "Prince"),
    "edward": ("Edward", "Wood"),
    "florence": ("Florence", "Nightingale"),
    "gustav": ("Gustav", "Gans"),
}
HANDED_IN = {
    "ada": {"pairwise_distances": PLUS[0], "running_mean": LARGEST[0]},
    "bob": {"pairwise_distances": PLUS[1], "running_mean": LARGEST[1]},
    "cyrano": {"pairwise_distances": PLUS[2], "running_mean": LARGEST[2]},
    "diana": {"pairwise_distances": PLUS[3], "running_mean": MEDIAN[0], "one_hot": TYPO[0]},
    "edward": {"running_mean": MEDIAN[1], "one_hot": TYPO[1]},
    "florence": NAMED,
    "gustav": {"one_hot": UNTRIED},
}
EXPECTED = {
    ("arrays.pairwise_distances", ("ada", "bob", "cyrano", "diana")),
    ("arrays.running_mean", ("ada", "bob", "cyrano")),
    ("arrays.running_mean", ("diana", "edward")),
    ("arrays.one_hot", ("diana", "edward")),
}
PRIVATE = re.compile(
    "|".join([*STUDENTS, *(n for both in STUDENTS.values() for n in both), "home", "example.org"]),
    re.IGNORECASE,
)


def run(*command, folder):
    path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def hand_in(folder, student, answers):
    release = folder / "release" / "warmup" / "warmup.ipynb"
    notebook = nbformat.read(release, as_version=4)
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.source = (RIGHT | answers).get(name, cell.source)
    place = folder / "submitted" / student / "warmup"
    place.mkdir(parents=True)
    nbformat.write(notebook, place / "warmup.ipynb")


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """(a course of one's own, a class of it that is graded)"""
    place = tmp_path_factory.mktemp("learn")
    package, folder = place / PACKAGE, place / "class"
    shutil.copytree(FOLDER, package, ignore=shutil.ignore_patterns("__pycache__"))
    for path in [*package.rglob("*.py"), *package.rglob("*.ipynb")]:
        path.write_text(path.read_text().replace("numpy_warmup", PACKAGE))
    run("autograder.doors.terminal", "--course", str(package), "course", str(folder), folder=place)
    run("nbgrader", "generate_assignment", "warmup", folder=folder)
    for student, answers in HANDED_IN.items():
        hand_in(folder, student, answers)
    with Gradebook(f"sqlite:///{folder}/gradebook.db", PACKAGE) as book:
        for student, (first, last) in STUDENTS.items():
            book.update_or_create_student(student, first_name=first, last_name=last)
    run("autograder.doors.terminal", "grade", "warmup", folder=folder)
    return package, folder


@pytest.fixture
def classroom(graded, tmp_path, monkeypatch):
    """The same, to be changed; its course is in use."""
    for whole, copy in zip(graded, (tmp_path / PACKAGE, tmp_path / "class")):
        shutil.copytree(whole, copy)
    config = tmp_path / "class" / "nbgrader_config.py"
    config.write_text(config.read_text().replace(str(graded[0]), str(tmp_path / PACKAGE)))
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(course, "CHOSEN", [])
    monkeypatch.setattr(sys, "path", [*sys.path])
    course.use(str(tmp_path / PACKAGE))
    yield tmp_path / "class"
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


@pytest.fixture
def learn(classroom):
    def learn(*options):
        return main(["learn", "warmup", "--course", str(classroom), *map(str, options)])

    return learn


def facts(folder):
    found = Classroom(folder, "warmup")
    try:
        return facts_of(found)
    finally:
        found.close()


# --- The report -----------------------------------------------------------------------------------


def test_answers_that_are_wrong_in_the_same_way_are_put_together(classroom):
    found = facts(classroom).unnamed
    assert {(group.exercise, tuple(group.students)) for group in found} == EXPECTED
    assert [group.number for group in found] == [1, 2, 3, 4]
    assert len(found[0].students) == 4
    assert found[0].of == len(STUDENTS)


def test_what_has_a_name_or_was_not_tried_is_in_no_group(classroom):
    about = facts(classroom)
    grouped = {student for group in about.unnamed for student in group.students}
    assert not grouped & {"florence", "gustav"}
    assert ("sum_not_mean", ["florence"]) in [
        (m.diagnosis, m.students) for m in about.misconceptions
    ]
    [one_hot] = [item for item in about.items if item.name == "arrays.one_hot"]
    assert (one_hot.unexplained, one_hot.untried) == (2, 1)


def test_the_page_shows_one_of_each_and_what_it_cost(classroom):
    assert main(["report", "warmup", "--course", str(classroom)]) == 0
    page = (classroom / "reports" / "warmup.html").read_text()
    section = page[page.index('<h2 id="unnamed">') : page.index('<h2 id="looks">')]
    assert "4 of 7 learners" in section
    assert "every point of a is measured to every point of b" in section
    examples = re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", section, re.S)
    assert len(examples) == 4
    assert "(a[:, None] + b[None]) ** 2" in examples[0]  # the shortest of the four
    assert not any(map(PRIVATE.search, examples))
    assert "autograder learn warmup --group N" in section


def test_records_without_likeness_are_read_and_said_to_be_ungrouped(classroom, learn, capsys):
    path = records.path_of(classroom, "warmup")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for record in lines:
        for cell in record["notebooks"]["warmup"]["cells"]:
            cell.pop("unnamed", None)
    path.write_text("".join(json.dumps(record) + "\n" for record in lines))
    about = facts(classroom)
    assert about.unnamed == []
    assert about.ungrouped == 12
    assert main(["report", "warmup", "--course", str(classroom)]) == 0
    page = " ".join((classroom / "reports" / "warmup.html").read_text().split())
    assert "12 wrong answers without a name can't be put into groups" in page
    capsys.readouterr()
    assert learn() == 1
    assert "`autograder grade warmup --regrade` does." in capsys.readouterr().out


def test_records_stay_small(classroom):
    for record in records.latest(classroom, "warmup").values():
        for cell in record["notebooks"]["warmup"]["cells"]:
            assert len(json.dumps(cell.get("unnamed", {}))) < 1000


# --- What is learned ------------------------------------------------------------------------------


def built(entry):
    """What an answer gives, once somebody has read it."""
    with pytest.raises(bank.EntryError, match="Read it; then write"):
        entry.build()
    return replace(entry, expect="nothing").build()


def filled_in(draft, name):
    text = draft.read_text()
    text = text.replace("### …", f"### {name}", 1).replace("\n…\n", "\nYou add them.\n", 1)
    return text.replace("**Look:** …", "**Look:** How far is 2 from 2?", 1)


def test_a_draft_that_is_filled_in_names_the_answers_it_came_from(classroom, learn, capsys):
    package = classroom.parent / PACKAGE
    assert learn() == 0
    said = capsys.readouterr().out
    draft = package / "drafts" / "arrays" / "pairwise_distances.md"
    wrong = package / "bank" / "wrong" / "arrays.py"
    assert f"{draft}, line 1: the mistake, as a diff of the model answer" in said
    with pytest.raises(mistake_files.MistakeFileError, match="is no name for a mistake"):
        mistake_files.read(draft)
    mistakes = package / "mistakes" / "arrays" / "pairwise_distances.md"
    mistakes.write_text(mistakes.read_text() + "\n" + filled_in(draft, "added_up"))
    *_, learned = mistake_files.read(mistakes)
    assert learned.id == "added_up"
    course.use(str(package))
    course.current().bound.clear()  # as another process would begin
    exercise = course.find("pairwise_distances")
    entry = bank.read("wrong", "arrays")[-1]
    assert entry.expect == "unread"
    assert main(["--course", str(package), "audit", "--seeds", "1", exercise.id]) == 1
    said = capsys.readouterr().out
    assert "is not run: a learner wrote it." in said
    assert "expected nothing, told added_up" in said  # of one that was there
    others = [e for e in bank.read("wrong", "arrays") if f"arrays.py:{e.line} " in said]
    lines = wrong.read_text().splitlines()
    for each in others:
        lines[each.line] = "# expect: added_up"
    wrong.write_text("\n".join(lines) + "\n")
    assert main(["--course", str(package), "audit", "--seeds", "1", exercise.id]) == 0
    for source in (bank.read("wrong", "arrays")[-1].source, *PLUS):
        names = {}
        exec(f"import numpy as np\n{source}", names)
        assert examine(exercise, names["pairwise_distances"], 3).diagnosis == "added_up"


def test_nothing_that_is_written_says_who(classroom, learn, capsys):
    package = classroom.parent / PACKAGE
    before = {path: path.read_bytes() for path in package.rglob("*.*") if path.is_file()}
    for number in (1, 2, 3, 4):
        assert learn("--group", number) == 0
    added = []
    for path in [path for path in package.rglob("*.*") if path.suffix in (".py", ".md")]:
        text = path.read_bytes()
        assert text.startswith(before.get(path, b""))  # what was there is there
        added.append(text[len(before.get(path, b"")) :].decode())
    whole = "".join(added)
    assert whole.count("# expect: unread") == 4
    assert whole.count("### …") == 4
    assert not PRIVATE.search(whole)
    assert "#" not in re.sub(r"^#+ .*$", "", whole, flags=re.MULTILINE)
    assert list(bank.faults(["arrays"])) == []


def test_code_in_which_somebodys_name_is_a_variable_runs_as_before(classroom, learn):
    """Of the largest group without its shortest answer, in which a variable is called so."""
    shutil.rmtree(classroom / "autograded" / "ada")
    shutil.rmtree(classroom / "submitted" / "ada")
    for student in ("cyrano", "diana"):
        shutil.rmtree(classroom / "autograded" / student)
        shutil.rmtree(classroom / "submitted" / student)
    assert learn("--group", 1) == 0
    entry = bank.read("wrong", "arrays")[-1]
    assert "renamed_1 = np.zeros" in entry.source
    assert not PRIVATE.search(entry.source)
    assert not examine(course.find("pairwise_distances"), built(entry), 3).passed


def test_whose_name_cannot_be_known_is_counted(classroom, learn, capsys):
    assert learn() == 0
    assert "no name in the gradebook" not in capsys.readouterr().out
    with Gradebook(f"sqlite:///{classroom}/gradebook.db", PACKAGE) as book:
        for student in ("ada", "bob"):
            book.update_or_create_student(student, first_name=None, last_name=None)
    assert learn("--group", 2) == 0
    assert "But 2 of 7 learners have no name in the gradebook" in capsys.readouterr().out


def test_without_a_small_change_there_is_a_place_for_the_diff(classroom, learn, capsys):
    assert learn("--exercise", "running_mean") == 0
    draft = classroom.parent / PACKAGE / "drafts" / "arrays" / "running_mean.md"
    assert "    - …\n    + …\n" in draft.read_text()
    said = capsys.readouterr().out
    assert said.startswith("Group 2 of 4: arrays.running_mean, 3 of 7 learners.")
    assert "with a blank for the diff" in said


def test_nothing_is_written_twice_nor_over_what_is_there(classroom, learn, capsys):
    assert learn("--group", 1) == 0
    draft = classroom.parent / PACKAGE / "drafts" / "arrays" / "pairwise_distances.md"
    draft.write_text(draft.read_text().replace("### …", "### half_done"))
    before = {path: path.read_bytes() for path in classroom.parent.rglob("*.*") if path.is_file()}
    capsys.readouterr()
    assert learn("--group", 1) == 1
    assert "already (line " in capsys.readouterr().out
    after = {path: path.read_bytes() for path in classroom.parent.rglob("*.*") if path.is_file()}
    assert {p: t for p, t in after.items() if p in before and p.suffix in (".py", ".md")} == {
        p: t for p, t in before.items() if p.suffix in (".py", ".md")
    }


def test_into_a_folder_where_the_course_is_not_ones_own(classroom, learn, monkeypatch, capsys):
    as_if_installed = "autograder.grading.report.learn.NOT_ONES_OWN", {PACKAGE}
    monkeypatch.setattr(*as_if_installed)
    before = set((classroom.parent / PACKAGE).rglob("*.*"))
    assert learn() == 2
    assert "say where to write with --into FOLDER" in capsys.readouterr().err
    into = classroom.parent / "elsewhere"
    assert learn("--into", into) == 0
    assert set((classroom.parent / PACKAGE).rglob("*.*")) == before
    entries = bank.entries_in(into / "bank" / "wrong" / "arrays.py", "there")
    assert [entry.exercise for entry in entries] == ["arrays.pairwise_distances"]
    assert not examine(course.find("pairwise_distances"), built(entries[0]), 3).passed
    assert (into / "drafts" / "arrays" / "pairwise_distances.md").is_file()


def test_what_cannot_be_learned_is_said_in_a_sentence(classroom, learn, capsys):
    assert learn("--group", 9) == 1
    assert "There is no group 9 here; there are: 1, 2, 3, 4." in capsys.readouterr().out
    assert learn("--exercise", "nonsense") == 2
    assert "there is no exercise called 'nonsense'" in capsys.readouterr().err
    path = records.path_of(classroom, "warmup")
    kept = [json.loads(line) for line in path.read_text().splitlines()]
    named = [line for line in kept if line["student"] == "florence"]
    path.write_text("".join(json.dumps(line) + "\n" for line in named))
    assert learn() == 1
    assert "every wrong answer that could be tried has a name" in capsys.readouterr().out
    path.unlink()
    assert learn() == 1
    assert "Nothing of warmup has a record" in capsys.readouterr().out
