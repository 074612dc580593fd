"""A newer edition is brought in where somebody has worked, and nothing they wrote is lost."""

import json
import subprocess

import pytest

from course import update
from course.build import ROOT
from course.checks import find
from course.lesson import lessons
from course.notebook import learners, text_of
from course.stubs import file_of, stub_of

[LESSON] = [lesson for lesson in lessons(ROOT / "notebooks" / "lessons") if lesson.number == 1]
BOOK, FILE = "notebooks/01_attention.ipynb", "exercises/attention.py"
MINE = "def softmax(x, dim=-1):\n    return x.softmax(dim)"
STUB = stub_of(find("softmax"))
WHO = ["-c", "user.name=Ana", "-c", "user.email=ana@example.org"]


def git(folder, *words):
    subprocess.run(["git", *WHO, *words], cwd=folder, check=True, capture_output=True)


def edited(path, change):
    """Change the cells of a notebook."""
    notebook = json.loads(path.read_text())
    change(notebook["cells"])
    path.write_text(json.dumps(notebook, indent=1) + "\n")


def cell_of(cells, grade_id):
    [cell] = [c for c in cells if c["metadata"].get("nbgrader", {}).get("grade_id") == grade_id]
    return cell


@pytest.fixture
def publisher(tmp_path):
    """Where new editions come from."""
    folder = tmp_path / "publisher"
    for name, text in ((BOOK, text_of(learners(LESSON))), (FILE, file_of("attention"))):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(text)
    (folder / "README.md").write_text("First edition.\n")
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(folder))
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=first")
    return folder


@pytest.fixture
def home(tmp_path, publisher):
    """A learner's clone."""
    git(tmp_path, "clone", "--quiet", str(publisher), "home with a space")
    return tmp_path / "home with a space"


def publish(folder, change=None, text="Second edition.\n"):
    """A new edition."""
    (folder / "README.md").write_text(text)
    if change:
        edited(folder / BOOK, change)
        (folder / FILE).write_text(f'"""Now with more words."""\n\n{file_of("attention")}')
    git(folder, "commit", "--quiet", "--all", "--message=second")


def work(home):
    """Somebody solves the first exercise, answers, runs a cell, and makes a note."""

    def write(cells):
        cell_of(cells, "softmax")["source"] = MINE.splitlines(keepends=True)
        cells[0]["source"].append("\nMy own words on the first page.")
        note = {"id": "note", "cell_type": "markdown", "metadata": {}, "source": ["A note."]}
        cells.insert(3, note)
        first = next(cell for cell in cells if cell["cell_type"] == "code")
        first["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["ran\n"]}]

    edited(home / BOOK, write)
    path = home / FILE
    path.write_text(path.read_text().replace(STUB, MINE) + "\n\ndef own():\n    return 1\n")


def test_what_was_written_is_in_the_new_edition(home, publisher):
    work(home)
    before = (home / BOOK).read_text(), (home / FILE).read_text()

    def change(cells):
        cells[0]["source"] = ["A new first page."]
        cell_of(cells, "causal_mask")["source"].append("\n# better explained")

    publish(publisher, change)
    said = " ".join(update.update(home))
    assert (home / "README.md").read_text() == "Second edition.\n"
    cells = json.loads((home / BOOK).read_text())["cells"]
    assert "".join(cell_of(cells, "softmax")["source"]) == MINE
    assert "# better explained" in "".join(cell_of(cells, "causal_mask")["source"])
    assert cells[0]["source"] == ["A new first page."]
    assert [cell["id"] for cell in cells].index("note") == 3
    assert ["ran\n"] in [out["text"] for cell in cells for out in cell.get("outputs", [])]
    text = (home / FILE).read_text()
    assert MINE in text
    assert "def own():" in text
    assert "Now with more words." in text
    assert "The new edition is here. Your work goes into it." in said
    assert "the new edition's version stands where you changed" in said  # the first page
    assert "01_attention.ipynb: the new edition" in said
    assert f"kept, as it was, in {update.KEPT}" in said.partition("The new edition is here")[0]
    [kept] = (home / update.KEPT).iterdir()
    assert before == ((kept / BOOK).read_text(), (kept / FILE).read_text())


def test_where_nothing_was_written_the_files_are_the_new_editions(home, publisher):
    publish(publisher, lambda cells: cells[0].update(source=["New."]))
    list(update.update(home))
    for name in (BOOK, FILE, "README.md"):
        assert (home / name).read_bytes() == (publisher / name).read_bytes()
    assert not (home / update.KEPT).exists()


def test_what_the_new_edition_does_not_change_stays_untouched(home, publisher):
    work(home)
    before = (home / BOOK).read_bytes(), (home / FILE).read_bytes()
    publish(publisher)
    list(update.update(home))
    assert before == ((home / BOOK).read_bytes(), (home / FILE).read_bytes())
    assert (home / "README.md").read_text() == "Second edition.\n"


def test_twice_is_once(home, publisher):
    publish(publisher)
    list(update.update(home))
    assert list(update.update(home)) == ["You have the newest edition."]


@pytest.mark.parametrize(
    "data",
    [
        b"half a notebook",
        b"\xff\xfe",
        b'{"cells": [{"id": "x", "source": "", "metadata": []}]}',
        b"7",
    ],
)
@pytest.mark.parametrize("name", [BOOK, FILE])
def test_a_file_that_cannot_be_read_stays_as_it_was(home, publisher, name, data):
    (home / name).write_bytes(data)
    publish(publisher, lambda cells: cells[0].update(source=["New."]))
    list(update.update(home))
    assert (home / "README.md").read_text() == "Second edition.\n"
    [kept] = (home / update.KEPT).iterdir()
    assert (kept / name).read_bytes() == data


def test_a_notebook_whose_metadata_is_a_list_stays_as_it_was(home, publisher):
    def break_it(cells):
        cell_of(cells, "softmax").update(metadata=[], source=MINE)

    edited(home / BOOK, break_it)
    before = (home / BOOK).read_bytes()
    publish(publisher, lambda cells: cell_of(cells, "softmax").update(source=["New."]))
    assert f"{BOOK} stays as you had it" in " ".join(update.update(home))
    assert (home / BOOK).read_bytes() == before


def test_half_a_character_is_carried_over(home, publisher):
    edited(home / BOOK, lambda cells: cell_of(cells, "softmax").update(source="# \ud83d"))
    publish(publisher, lambda cells: cells[0].update(source=["New."]))
    list(update.update(home))
    cells = json.loads((home / BOOK).read_text())["cells"]
    assert cell_of(cells, "softmax")["source"] == "# \ud83d"
    assert cells[0]["source"] == ["New."]


def test_where_nothing_can_be_kept_nothing_is_changed(home, publisher):
    work(home)
    (home / update.KEPT).write_text("a file of mine")
    publish(publisher, lambda cells: cells[0].update(source=["New."]))
    assert f"Is there something else called {update.KEPT}?" in refused(home)


def test_of_a_file_it_is_said_which_version_stays(home, publisher):
    work(home)
    path = home / FILE
    path.write_text(path.read_text().replace("import torch", "import torch  # mine", 1))
    new = file_of("attention").replace("import torch", "import math\nimport torch", 1)
    (publisher / FILE).write_text(new.replace(STUB, f"{STUB}  # harder"))
    git(publisher, "commit", "--quiet", "--all", "--message=second")
    said = list(update.update(home))
    assert f"{FILE}: your softmax stays, though the new edition has changed its stub." in said
    assert f"{FILE}: your first lines stay, though the new edition has changed them." in said
    assert MINE in path.read_text()


def files_of(home):
    """{path: bytes} of all that is not git's own."""
    paths = [path for path in home.rglob("*") if path.is_file() and ".git" not in path.parts]
    return {path: path.read_bytes() for path in paths}


def refused(home):
    """What is said; and nothing was changed."""
    before = files_of(home)
    with pytest.raises(update.CannotUpdateError) as told:
        list(update.update(home))
    assert before.items() <= files_of(home).items()
    return str(told.value)


def test_a_change_of_the_course_itself_is_for_git(home, publisher):
    (home / "README.md").write_text("Mine.\n")
    publish(publisher)
    said = refused(home)
    assert "You have changed README.md, and the new edition has as well." in said
    assert "`git stash push -- README.md`" in said


def test_commits_of_ones_own_are_for_git(home, publisher):
    (home / "more.txt").write_text("x")
    git(home, "add", "more.txt")
    git(home, "commit", "--quiet", "--message=own")
    publish(publisher)
    assert "commits of your own" in refused(home)


def test_a_file_in_the_way_loses_nothing(home, publisher):
    work(home)
    (home / "new.txt").write_text("mine")
    (publisher / "new.txt").write_text("theirs")
    git(publisher, "add", "new.txt")
    publish(publisher, lambda cells: cells[0].update(source=["New."]))
    assert "`git merge` failed" in refused(home)
    assert (home / "new.txt").read_text() == "mine"


def test_without_a_clone_or_somewhere_to_fetch_from_it_says_what_to_do(tmp_path, home, publisher):
    bare = tmp_path / "bare"
    bare.mkdir()
    assert "installed with pip" in refused(bare)
    (bare / "Makefile").touch()
    assert "unpacked from an archive" in refused(bare)
    publisher.rename(tmp_path / "gone")
    assert "The new edition could not be fetched: " in refused(home)
    git(home, "branch", "--unset-upstream")
    assert "follows no other" in refused(home)


def test_a_disk_that_does_not_answer_is_a_sentence(home, publisher, monkeypatch, capsys):
    def fails(path, data):
        raise OSError(28, "No space left on device", str(path))

    work(home)
    publish(publisher, lambda cells: cells[0].update(source=["New."]))
    monkeypatch.setattr(update, "HOME", home)
    monkeypatch.setattr(update, "write_bytes", fails)
    assert update.main() == 2
    said = capsys.readouterr().err
    assert "(No space left on device), so nothing was changed." in said
    assert "something else" not in said
