"""`autograder grade`: the same gradebook as nbgrader's own command, whatever happens meanwhile."""

import contextlib
import errno
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from nbgrader.api import Gradebook
from sqlalchemy.exc import OperationalError

from autograder.grading import records
from autograder.grading.runs import command as driver
from course.build import ROOT

from . import classes
from .classes import COURSE, STEM, autograder, gradebook, graded_files, scores

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the sandbox"),
]


@pytest.fixture(scope="session")
def blank(tmp_path_factory):
    """A course in which nothing has been graded, to be copied."""
    folder = tmp_path_factory.mktemp("class") / "a course"
    classes.the_class(classes.new_course(folder))
    (folder / ".autograder").mkdir(exist_ok=True)
    (folder / ".autograder" / "key").write_text("5eed" * 16)  # the same questions in all copies
    return folder


@pytest.fixture(scope="session")
def graded(blank, tmp_path_factory):
    """The course, graded by our command."""
    folder = shutil.copytree(blank, tmp_path_factory.mktemp("graded") / "course")
    done = autograder("grade", STEM, folder=folder)
    assert "5 graded, 0 were graded already." in done.stdout
    return folder


@pytest.fixture
def course(blank, tmp_path):
    return shutil.copytree(blank, tmp_path / "course")


@pytest.fixture
def again(graded, tmp_path):
    return shutil.copytree(graded, tmp_path / "again")


def test_nbgraders_own_command_with_our_configuration_does_the_same(blank, graded, tmp_path):
    folder = shutil.copytree(blank, tmp_path / "course")
    source_says(folder, "check_softmax", 10)  # which is said, and changes nothing
    done = classes.run("nbgrader", "autograde", STEM, folder=folder)
    assert "check_softmax is worth 10 there, and 8 in the gradebook" in done.stderr
    assert gradebook(folder) == gradebook(graded)
    assert graded_files(folder) == graded_files(graded)


def test_everybody_has_what_they_earned(graded):
    assert scores(graded, "ada") == {
        "check_softmax": 8.0,
        "check_scaled_dot_product_attention": 11.0,
        "check_causal_mask": 4.0,
        "check_padding_mask": 6.0,
        "check_self_attention": 7.0,
        "quiz_attention": 0.0,
        "lookup_and_mask": None,
    }
    assert set(scores(graded, "bea").values()) == {0.0}
    assert 0 < scores(graded, "cyd")["check_softmax"] < 8
    assert scores(graded, "dan")["check_softmax"] == 8.0  # it stood in the half that was there
    assert scores(graded, "dan")["check_self_attention"] == 0.0
    assert scores(graded, "eve")["check_causal_mask"] < 4
    comments = {line[:2]: line[2] for line in gradebook(graded) if len(line) == 4}
    assert comments["bea", "softmax"] == "No response."
    assert comments["ada", "softmax"] == "None"
    assert "overflow" in comments["cyd", "softmax"] or "exp" in comments["cyd", "softmax"]


def test_a_second_run_does_nothing(again):
    before = graded_files(again), gradebook(again), records.read(again, STEM)
    done = autograder("grade", STEM, folder=again)
    assert "0 graded, 5 were graded already." in done.stdout
    assert (graded_files(again), gradebook(again), records.read(again, STEM)) == before


def test_what_was_handed_in_anew_is_graded_anew(again):
    classes.hand_in(again, "bea", classes.solved_text())
    done = autograder("grade", STEM, folder=again)
    assert "1 graded, 4 were graded already." in done.stdout
    assert scores(again, "bea")["check_softmax"] == 8.0


def test_a_run_that_was_killed_is_continued(course, graded):
    for moment in (4.0, 1.0, 0.3):  # after so many seconds, or as soon as one was saved
        process = subprocess.Popen(
            classes.command("grade", STEM, folder=course),
            cwd=ROOT,
            env=classes.ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until = time.monotonic() + 60
        saved = len(records.read(course, STEM))
        while time.monotonic() < until and process.poll() is None:
            if len(records.read(course, STEM)) > saved:
                break
            time.sleep(0.02)
        time.sleep(moment / 20)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert len(records.read(course, STEM)) < 10
    autograder("grade", STEM, folder=course)
    assert gradebook(course) == gradebook(graded)
    assert graded_files(course) == graded_files(graded)
    assert len(records.latest(course, STEM)) == 5


def test_half_a_line_in_the_records_is_no_trouble(again):
    path = records.path_of(again, STEM)
    text = path.read_text()
    path.write_text(text[:-40])
    done = autograder("grade", STEM, folder=again)
    assert "1 graded, 4 were graded already." in done.stdout
    assert len(records.latest(again, STEM)) == 5


def test_a_name_that_no_gradebook_can_take_costs_nobody_else_anything(again):
    shutil.copytree(again / "submitted" / "ada", again / "submitted" / os.fsdecode(b"fr\xe9d"))
    classes.hand_in(again, "bea", classes.solved_text())
    for options in ([], ["--json"]):
        done = autograder("grade", STEM, *options, folder=again)
        assert done.returncode == 1
        assert "was not saved" in done.stdout + done.stderr
    assert scores(again, "bea")["check_softmax"] == 8.0


def test_what_is_no_file_is_not_waited_for(again):
    place = again / "submitted" / "bea" / STEM / f"{STEM}.ipynb"
    place.unlink()
    os.mkfifo(place)
    done = autograder("grade", STEM, "--student", "bea", folder=again)
    assert "is no ordinary file" in done.stderr
    place.unlink()
    place.mkdir()
    done = autograder("grade", STEM, "--student", "bea", folder=again)
    assert "is a folder" in done.stderr


def test_manual_scores_stay_and_what_they_hide_is_told(again):
    with Gradebook(f"sqlite:///{again}/gradebook.db", COURSE) as book:
        grade = book.find_grade("check_softmax", STEM, STEM, "bea")
        grade.manual_score = 3.5
        book.db.commit()
    classes.hand_in(again, "bea", classes.solved_text())
    done = autograder("grade", STEM, folder=again)
    assert "bea: check_softmax now earns 8 (before: 0), which the 3.5 points" in done.stdout
    [line] = [x for x in gradebook(again) if x[:2] == ("bea", "check_softmax")]
    assert line[2:] == (8.0, 3.5, True, 3.5)


def test_only_one_student(again):
    done = autograder("grade", STEM, "--student", "ada", "--regrade", folder=again)
    assert "1 graded" in done.stdout
    done = autograder("grade", STEM, "--student", "zoe", folder=again)
    assert done.returncode == 2
    assert done.stderr.strip() == f"Nothing was handed in by zoe for {STEM}."


def test_a_run_with_less_protection_than_usual_says_so(again):
    config = again / "nbgrader_config.py"
    config.write_text(config.read_text() + "\nc.SandboxedExecute.namespaces = False\n")
    done = autograder("grade", STEM, "--student", "ada", "--regrade", folder=again)
    assert "ran with level 1 (limits, Landlock, seccomp) only" in done.stdout
    about = records.latest(again, STEM)["ada"]["notebooks"][STEM]
    assert (about["level"], about["demanded"]) == (1, 1)


def test_a_dry_run_changes_nothing(course):
    done = autograder("grade", STEM, "--dry-run", folder=course)
    assert "ada would be graded" in done.stdout
    assert not (course / "autograded").exists()


def test_one_line_of_json_for_each(course, monkeypatch):
    monkeypatch.setattr(driver, "WORTH_A_PROCESS", 1)  # and in several processes
    done = autograder("grade", STEM, "--json", "--jobs", "2", folder=course)
    lines = {line["student"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert set(lines) == {"ada", "bea", "cyd", "dan", "eve"}
    assert lines["ada"]["points"] == 36.0
    assert "level" in str(lines["ada"]["notebooks"])
    assert any("ends in the middle" in remark for remark in lines["dan"]["remarks"])
    cells = lines["cyd"]["notebooks"][STEM]["cells"]
    assert {c["grade_id"]: c["diagnosis"] for c in cells}["check_softmax"] == ["not_stable"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["99_nothing"], "knows no assignment called '99_nothing'"),
        ([STEM, "/nowhere/at/all"], "There is no folder called /nowhere/at/all."),
    ],
)
def test_what_is_not_there_is_a_sentence(blank, arguments, sentence):
    folder = Path(arguments[1]) if arguments[1:] else blank
    done = autograder("grade", arguments[0], folder=folder)
    assert done.returncode == 2
    assert sentence in done.stderr


def test_late_penalties_are_the_plugins(again):
    with Gradebook(f"sqlite:///{again}/gradebook.db", COURSE) as book:
        book.update_or_create_assignment(STEM, duedate="2026-01-01 00:00:00 UTC")
    config = again / "nbgrader_config.py"
    config.write_text(
        config.read_text() + '\nc.LateSubmissionPlugin.penalty_method = "zero"\n', encoding="utf-8"
    )
    autograder("grade", STEM, "--student", "ada", "--regrade", folder=again)
    [line] = [x for x in gradebook(again) if x[0] == "ada" and len(x) == 3]
    assert line[2] == 36.0


def test_where_nothing_shuts_it_in_nothing_is_graded(course):
    config = course / "nbgrader_config.py"
    config.write_text(config.read_text() + "\nc.SandboxedExecute.minimum_level = 4\n")
    done = autograder("grade", STEM, folder=course)
    assert done.returncode == 2
    assert "Nothing was graded" in done.stderr
    assert "--trust" in done.stderr
    assert gradebook(course) == []


def test_a_level_that_does_not_exist_is_a_sentence(course):
    config = course / "nbgrader_config.py"
    config.write_text(config.read_text() + '\nc.SandboxedExecute.minimum_level = "good"\n')
    done = autograder("grade", STEM, folder=course)
    assert done.returncode == 2
    assert "nbgrader_config.py has a value that cannot be" in done.stderr
    assert "'best'" in done.stderr


def test_two_runs_do_not_meet(course):
    fresh = course / ".autograder" / "lock"
    with open(fresh, "w") as file:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)
        done = autograder("grade", STEM, folder=course)
    assert done.returncode == 2
    assert "Another `autograder grade` is at work" in done.stderr


# --- The books ------------------------------------------------------------------------------------


def state(folder):
    return graded_files(folder), gradebook(folder), records.read(folder, STEM)


def hand_in_again(folder):
    """All five have done something since they were graded."""
    for student in ("ada", "bea", "cyd", "dan", "eve"):
        classes.hand_in(folder, student, classes.solved_text() + "\n")


@pytest.fixture
def stopped(again, monkeypatch):
    """A regrade that was stopped after two submissions."""

    def tell(run, *_):
        if run.counts["graded"] == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(driver.ClassRun, "tell", tell)
        done = autograder("grade", STEM, "--regrade", folder=again)
    assert done.stderr.startswith("Stopped. What is graded is saved; the same command goes on.")
    return again


@pytest.mark.parametrize("options", [["--regrade"], [], ["--resume"], ["--regrade", "--resume"]])
def test_a_regrade_that_was_stopped_goes_on_as_a_regrade(stopped, options):
    done = autograder("grade", STEM, *options, folder=stopped)
    assert "Going on with the regrade that began" in done.stderr
    assert "2 of 5 are done." in done.stderr
    assert "3 graded, 2 were graded already." in done.stdout
    assert [r["student"] for r in records.read(stopped, STEM)[5:]] == [
        *("ada", "bea", "cyd", "dan", "eve")
    ]
    done = autograder("grade", STEM, folder=stopped)
    assert "Going on" not in done.stderr
    assert "0 graded, 5 were graded already." in done.stdout


def test_one_student_of_a_regrade_that_was_stopped(stopped):
    done = autograder("grade", STEM, "--student", "eve", folder=stopped)
    assert "1 graded, 0 were graded already." in done.stdout
    done = autograder("grade", STEM, "--regrade", "--student", "ada", folder=stopped)
    assert "1 graded, 0 were graded already." in done.stdout  # though she was done
    done = autograder("grade", STEM, folder=stopped)
    assert "2 graded, 3 were graded already." in done.stdout


def test_whoever_could_not_be_regraded_is_tried_again(again, monkeypatch):
    def save(classroom, handed, *_):
        raise ValueError("not today")

    with monkeypatch.context() as context:
        context.setattr(driver.Classroom, "save", save)
        done = autograder("grade", STEM, "--regrade", "--student", "ada", folder=again)
    assert "ada: was not saved: not today." in done.stderr
    done = autograder("grade", STEM, folder=again)
    assert "1 graded, 4 were graded already." in done.stdout


def test_resume_goes_on_only_with_what_was_stopped(again, monkeypatch):
    assert autograder("grade", STEM, "--resume", folder=again).returncode == 0
    done = autograder("grade", STEM, "--resume", "--regrade", folder=again)
    assert done.returncode == 2
    assert "There is no regrade to resume." in done.stderr
    hand_in_again(again)
    before = state(again)
    done = autograder("grade", STEM, "--resume", folder=again)
    assert done.returncode == 2
    assert "no run was stopped. 5 submissions wait to be graded" in done.stderr
    assert state(again) == before
    with monkeypatch.context() as context:
        context.setattr(driver.ClassRun, "tell", stop)
        autograder("grade", STEM, "--student", "bea", folder=again)
    done = autograder("grade", STEM, "--resume", folder=again)
    assert "1 of 1 are done." in done.stderr
    assert autograder("grade", STEM, "--resume", folder=again).returncode == 2


def stop(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize("content", ["", "5eed"])
def test_with_a_damaged_key_nobody_is_graded(again, content):
    hand_in_again(again)
    (again / ".autograder" / "key").write_text(content)
    before = state(again)
    done = autograder("grade", STEM, folder=again)
    assert done.returncode == 2
    assert "key is damaged" in done.stderr
    assert state(again) == before


def test_nor_by_nbgraders_own_command(again):
    (again / ".autograder" / "key").write_text("")
    before = state(again)
    done = classes.run("nbgrader", "autograde", STEM, "--force", folder=again, check=False)
    assert done.returncode == 1
    assert "key is damaged" in done.stderr
    assert "Traceback" not in done.stderr
    assert state(again) == before


def test_the_command_that_looks_at_the_records(again):
    done = autograder("records", STEM, folder=again)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{STEM}: 5 lines, as they were written.")
    path = records.path_of(again, STEM)
    text = path.read_text()
    path.write_text(text.replace('"points": 8.0', '"points": 9.0', 1))
    done = autograder("records", STEM, folder=again)
    assert done.returncode == 1
    assert "Line 1 was changed after it was written." in done.stdout
    path.write_text("".join(text.splitlines(keepends=True)[:3]))
    assert "2 lines are missing at the end." in autograder("records", STEM, folder=again).stdout
    assert autograder("records", "99_nothing", folder=again).returncode == 2
    (again / ".autograder" / "key").write_text("")
    done = autograder("records", STEM, folder=again)
    assert done.returncode == 2
    assert "key is damaged" in done.stderr


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def no_room_in_the_database(*_):
    raise OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))


@pytest.mark.parametrize(
    ("owner", "name", "fails", "sentence"),
    [
        (driver.shutil, "copyfile", full, "The disk is full"),
        (driver.aside.Exchange, "move_in", full, "The disk is full"),
        (driver.Classroom, "save", no_room_in_the_database, "The disk that the gradebook is on"),
    ],
)
def test_a_full_disk_ends_the_run_and_leaves_nothing_half(
    again, monkeypatch, owner, name, fails, sentence
):
    hand_in_again(again)
    before = state(again)
    with monkeypatch.context() as context:
        context.setattr(owner, name, fails)
        done = autograder("grade", STEM, folder=again)
    assert done.returncode == 2
    assert done.stderr.startswith(sentence)
    assert done.stderr.endswith("Nothing was graded.\n")
    assert state(again) == before
    assert not list((again / "autograded").rglob(".*"))
    assert "5 graded" in autograder("grade", STEM, folder=again).stdout


def test_a_full_disk_after_the_first(again, monkeypatch):
    hand_in_again(again)

    def append(*_, append=records.append):
        monkeypatch.setattr(records, "append", full)
        append(*_)

    monkeypatch.setattr(records, "append", append)
    done = autograder("grade", STEM, folder=again)
    assert done.returncode == 2
    assert "1 submission is graded and saved; the same command goes on." in done.stderr
    monkeypatch.undo()
    assert "4 graded, 1 were graded already." in autograder("grade", STEM, folder=again).stdout
    assert autograder("records", STEM, folder=again).returncode == 0


def test_a_course_that_may_only_be_read(again, monkeypatch):
    def read_only(path, *_, **__):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    before = state(again)
    monkeypatch.setattr("builtins.open", partial(only_in, again, read_only, open))
    done = autograder("grade", STEM, "--regrade", folder=again)
    monkeypatch.undo()
    assert done.returncode == 2
    assert "lock can't be written: this file system is read-only." in done.stderr
    assert state(again) == before


def only_in(folder, fails, real, path, mode="r", *arguments, **options):
    """Opens files, but none in a folder to be written to."""
    if str(folder) in str(path) and not set(mode) <= set("rbt"):
        fails(path)
    return real(path, mode, *arguments, **options)


def locked(folder):
    other = sqlite3.connect(folder / "gradebook.db")
    other.execute("BEGIN EXCLUSIVE")
    return contextlib.closing(other)


def test_a_locked_gradebook_is_a_sentence(again, monkeypatch):
    before = state(again)
    with locked(again):
        done = autograder("grade", STEM, "--regrade", folder=again)
    assert done.returncode == 2
    assert done.stderr.startswith("The gradebook is locked: another program is writing into it")
    assert state(again) == before


def test_also_if_it_is_locked_while_a_run_goes_on(again, monkeypatch):
    hand_in_again(again)
    with contextlib.ExitStack() as stack, monkeypatch.context() as context:
        context.setattr(driver.ClassRun, "tell", lambda *_: stack.enter_context(locked(again)))
        done = autograder("grade", STEM, folder=again)
    assert done.returncode == 2
    assert done.stderr.startswith("The gradebook is locked: another program is writing into it")
    assert "1 submission is graded and saved" in done.stderr
    texts = [path.read_text() for path in sorted((again / "autograded").rglob("*.ipynb"))]
    assert ["8 of 8 points" in text for text in texts] == [True, False, False, True, True]
    assert scores(again, "ada")["check_softmax"] == 8.0
    assert scores(again, "bea")["check_softmax"] == 0.0
    assert "4 graded" in autograder("grade", STEM, folder=again).stdout


def test_autograded_may_lie_on_another_disk(course, graded):
    other = Path("/dev/shm")
    if not os.access(other, os.W_OK) or other.stat().st_dev == course.stat().st_dev:
        pytest.skip("no other file system at hand")
    with tempfile.TemporaryDirectory(dir=other) as elsewhere:
        (course / "autograded").symlink_to(elsewhere)
        done = autograder("grade", STEM, folder=course)
        assert "5 graded" in done.stdout
        assert graded_files(course) == graded_files(graded)
        done = autograder("grade", STEM, "--regrade", "--student", "ada", folder=course)
        assert "1 graded" in done.stdout
        assert graded_files(course) == graded_files(graded)


def source_says(folder, name, points):
    """Change what a cell is worth in source/, as an instructor might, and generate nothing."""
    path = folder / "source" / STEM / f"{STEM}.ipynb"
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        marks = cell["metadata"].get("nbgrader", {})
        if marks.get("grade_id") == name:
            marks["points"] = points
    path.write_text(json.dumps(notebook))


def test_points_changed_in_source_are_said_before_grading(again):
    source_says(again, "check_softmax", 10)
    said = "check_softmax is worth 10 there, and 8 in the gradebook"
    done = autograder("grade", STEM, "--regrade", "--student", "ada", folder=again)
    assert said in done.stderr
    assert scores(again, "ada")["check_softmax"] == 8.0
    classes.run("nbgrader", "generate_assignment", STEM, "--force", folder=again)
    done = autograder("grade", STEM, "--student", "ada", folder=again)
    assert said not in done.stderr
    assert scores(again, "ada")["check_softmax"] == 10.0


class Blind:
    """A cluster whose only worker sees nothing of what was handed in."""

    def __init__(self, address, timeout):
        pass

    def submit(self, function, batch, orders, **_):
        blind = [
            replace(job, notebooks={name: away(path) for name, path in job.notebooks.items()})
            for job in batch
        ]
        task = Future()
        task.set_result(function(blind, orders))
        task.status = "finished"
        return task

    def close(self):
        pass


def away(path):
    return path.parent.with_name("not here") / path.name


def test_a_worker_that_sees_no_files_costs_nobody_points(again, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", SimpleNamespace(Client=Blind))
    hand_in_again(again)
    before = state(again)
    done = autograder("grade", STEM, "--scheduler", "tcp://127.0.0.1:1", folder=again)
    assert done.returncode == 1
    assert done.stderr.count("was not graded:") == 5
    assert "all machines need the same shared folder" in done.stderr
    assert "missing" not in done.stderr
    assert state(again) == before


def test_a_cluster_needs_dask(course, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    done = autograder("grade", STEM, "--scheduler", "tcp://127.0.0.1:1", folder=course)
    assert done.returncode == 2
    assert "pip install distributed" in done.stderr
