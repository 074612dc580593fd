"""Installed from wheels, in an empty folder, all of the course is there, and no other name."""

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from course.published import ARCHIVE

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def run(*command, cwd):
    said = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder into which both wheels are installed, built from a copy of what git knows."""
    place = tmp_path_factory.mktemp("wheels")
    source, site = place / "source", place / "site"
    for name in run("git", "ls-files", "-z", cwd=ROOT).split("\0"):
        if name and (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    pip = sys.executable, "-m", "pip", "--disable-pip-version-check"
    build = "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(place / "dist")
    run(*pip, *build, str(source), str(source / "autograder"), cwd=place)
    wheels = sorted(map(str, (place / "dist").glob("*.whl")))
    assert len(wheels) == 2
    run(*pip, "install", "--no-deps", "--target", str(site), *wheels, cwd=place)
    return site


@pytest.fixture
def python(site, tmp_path):
    """Runs code in an empty folder that finds the wheels first."""

    def run_code(code):
        code = f"import sys\nsys.path.insert(0, {str(site)!r})\n{textwrap.dedent(code)}"
        return run(sys.executable, "-I", "-c", code, cwd=tmp_path)

    return run_code


def test_they_claim_no_other_names(site):
    names = {path.name for path in site.iterdir() if not path.name.endswith(".dist-info")}
    assert names - {"bin"} == {"autograder", "course"}


def test_the_imports_that_lessons_show_are_as_short_as_ever(python, site):
    said = python("""
        from autograder import check
        from course.quiz import check_quiz
        from course.mine import softmax
        from solutions.arguments import check_attention
        from translation.number_words import the_task
        import solutions, torch
        check(softmax, "attention.softmax")
        print(check_quiz("01_attention", {1: "A"}))
        print(solutions.__file__)
        """)
    assert str(site / "course" / "beside" / "solutions") in said
    assert "of 6 points" in said or "points" in said


def test_the_commands_are_there(python, tmp_path):
    said = python("""
        from autograder.doors.terminal import main
        assert main(["progress"]) == 0
        assert main(["course", "class"]) == 0
        assert main(["lessons", "mine"]) == 0
        """)
    assert "0 of 36 exercises are done" in said
    lessons = sorted((ROOT / "notebooks").glob("*.ipynb"))
    for path in lessons:
        assert (tmp_path / "class" / "source" / path.stem / path.name).is_file()
        mine = tmp_path / "mine" / "notebooks" / path.name
        assert mine.read_text("utf-8") == path.read_text("utf-8")
    for path in (ROOT / "exercises").glob("*.py"):
        assert (tmp_path / "mine" / "exercises" / path.name).is_file()


def test_one_lesson_is_put_where_one_types_it_and_opened(python, tmp_path):
    said = python("""
        import os
        os.execv = lambda program, words: print(next(w for w in words if "default_url" in w))
        from autograder.doors.terminal import main
        assert main(["lesson", "1"]) == 0
        """)
    assert said.splitlines()[-1].endswith("=/lab/tree/notebooks/01_attention.ipynb")
    there = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert there == {"notebooks/01_attention.ipynb", "exercises/attention.py"}


def test_all_packages_are_named(site):
    """What has been added to the tree, and not to pyproject.toml, would be missing."""
    templates = list((ROOT / "autograder").rglob("*.j2"))
    assert templates
    for path in templates:
        assert (site / path.relative_to(ROOT)).is_file(), path
    for path in (ROOT / "course" / "jupyter").rglob("*.json"):
        assert (site / path.relative_to(ROOT)).is_file(), path
    for top in ("autograder", "course"):
        for path in (ROOT / top).rglob("*.py"):
            assert (site / path.relative_to(ROOT)).is_file(), path
    for top in ("solutions", "translation"):
        for path in (ROOT / top).rglob("*.py"):
            assert (site / "course" / "beside" / path.relative_to(ROOT)).is_file(), path


def test_the_students_edition_can_be_made_from_it_and_holds_no_answer(python, tmp_path):
    python("""
        from autograder.doors.terminal import main
        from autograder.engine.sealed.mistakes import Sealed
        from course import edition
        edition.seal = lambda exercise, package: Sealed()  # that would take a while
        assert main(["release", "edition", "--lessons", "1"]) == 0
        """)
    shutil.unpack_archive(tmp_path / "edition" / ARCHIVE, tmp_path)
    made = tmp_path / Path(ARCHIVE).stem
    given = {path.name for path in (made / "notebooks").iterdir()}
    assert given == {"01_attention.ipynb"}
    shown = "\n".join(path.read_text("utf-8") for path in made.rglob("*.py"))
    assert "weights = softmax(scores, dim=-1)" not in shown
    assert "from course.stand_bys.attention import softmax" in shown
