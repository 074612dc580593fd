"""`autograder grade`: the same gradebook as nbgrader's own command, whatever happens meanwhile."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from autograder.grading import driver, records
from course.release import ROOT

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
    (folder / ".autograder" / "key").write_text("the same questions in all copies")
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
    classes.run("nbgrader", "autograde", STEM, folder=folder)
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


def test_a_cluster_needs_dask(course, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    done = autograder("grade", STEM, "--scheduler", "tcp://127.0.0.1:1", folder=course)
    assert done.returncode == 2
    assert "pip install distributed" in done.stderr
