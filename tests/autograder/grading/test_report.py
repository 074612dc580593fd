"""The page says what the gradebook and the records hold, and nothing in them can do anything."""

import dataclasses
import html
import itertools
import json
import os
import re
import sqlite3
from collections import Counter
from contextlib import closing
from html.parser import HTMLParser

import pytest

from autograder.doors.terminal import main
from autograder.engine.likeness import Likeness
from autograder.grading import records, seeds
from autograder.grading.nbgrader.classroom import Classroom
from autograder.grading.report import facts as report
from autograder.grading.report.examples import told
from autograder.grading.report.page import TEMPLATES
from autograder.grading.report.page import page as page_from
from autograder.grading.report.similar import Group
from autograder.grading.report.unnamed import Unnamed
from autograder.notebooks.characters import UNSEEN, marked
from course.checks import all_exercises

from .made_up import ASSIGNMENT, EXERCISES, Course

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'`&amp;\u202e\x1b[31m"
VOID = {"meta", "br", "wbr", "rect", "line"}


class Page(HTMLParser):
    """Elements, attributes and text of a page; complains about what is not closed in its place."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.open, self.words, self.tables, self.row = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.words.append(data)
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data

    def table(self, head):
        """{first column: the others} of the table whose first column is called so."""
        [found] = [table for table in self.tables if table[0][0] == head]
        return {row[0].strip(): [text.strip() for text in row[1:]] for row in found[1:]}


def run(course, *more):
    return main(["report", ASSIGNMENT, "--course", str(course.root), *more])


def page_of(course, name="page.html"):
    path = course.root / name
    assert run(course, "--output", str(path)) == 0
    return Page(path.read_text(encoding="utf-8"))


def facts_of(course):
    classroom = Classroom(course.root, ASSIGNMENT)
    try:
        return report.facts_of(classroom)
    finally:
        classroom.close()


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """Ada and Bob right, Cy and Di with a mistake, Ed with everything that can be remarked."""
    made = Course(tmp_path_factory.mktemp("course"))
    made.add("ada", words=5, first_name="Ada", last_name="Lovelace")
    made.record("ada")
    made.add("bob", words=3, quiz=2)
    made.record("bob", seconds=2.0, memory=500 * 2**20)
    wrong = {"softmax": 3}
    for student in ("cy", "di"):
        made.add(student, wrong)
        made.record(student, wrong, {"softmax": ["over_everything"]})
    made.add("ed", {"softmax": 0, "causal_mask": 1}, 0, late=2, by_hand={"check_softmax": 4})
    made.record(
        "ed",
        {"softmax": 0, "causal_mask": 1},
        {"softmax": ["ready_made"]},
        ["softmax"],
        events=["a cell was stopped after 30 seconds", "a cell was stopped after 30 seconds"],
        troubles=["01_attention.ipynb ends in the middle."],
        level=1,
        protection="level 1 (limits, Landlock, seccomp)",
    )
    made.add("nora", {"padding_mask": 0})  # without a record
    with made.book() as book:
        book.add_student("absent")
    right = {name: exercise.source for name, exercise in EXERCISES.items()}
    for student in ("ada", "bob", "ed"):
        made.put("autograded", student, right)
    made.put("autograded", "cy", {})
    made.put("submitted", "late", {})
    return made


@pytest.fixture(scope="module")
def page(course):
    return page_of(course)


def test_stands_alone(page):
    """No script, no address of anything else, and a rule against both."""
    for tag, attributes in page.elements:
        assert tag not in ("script", "link", "img", "iframe", "object", "form", "base")
        assert not any(name.startswith("on") or name == "src" for name in attributes)
        assert attributes.get("href", "#").startswith("#")
    style = page.elements[[tag for tag, _ in page.elements].index("meta") + 1][1]
    assert style["content"].startswith("default-src 'none'")
    assert ("html", {"lang": "en"}) in page.elements


def test_can_be_read_aloud_and_printed(course, page):
    """Tables have heads with a scope, drawings a text, headings an order, anchors a target."""
    tables = [tag for tag, _ in page.elements].count("table")
    assert tables == [tag for tag, _ in page.elements].count("thead") > 4
    heads = [attributes.get("scope") for tag, attributes in page.elements if tag == "th"]
    assert set(heads) == {"row", "col"}
    for tag, attributes in page.elements:
        if tag == "svg":
            assert attributes.get("aria-hidden") == "true" or attributes["aria-label"]
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert all(later - level <= 1 for level, later in itertools.pairwise(levels))
    named = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    wanted = {a["href"][1:] for tag, a in page.elements if tag == "a"}
    assert wanted <= named
    text = (course.root / "page.html").read_text(encoding="utf-8")
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_headline(course, page):
    """Ada 27, Bob 23, Cy and Di 17, Ed 4 + 1 + 6 - 2, Nora 16."""
    facts = facts_of(course)
    points = {"ada": 27, "bob": 23, "cy": 17, "di": 17, "ed": 9, "nora": 16}
    assert facts.points == points
    assert facts.most == 27
    assert facts.mean == pytest.approx(109 / 6)
    assert facts.median == 17
    assert "Graded 6 of 7 handed in; 1 handed in nothing" in page.text
    assert "Mean 18.2 of 27 points" in page.text
    assert "1 submission is not graded yet ( late )" in page.text.replace("(late)", "( late )")
    assert "1 submission lost points for lateness" in page.text


def test_distribution_is_in_numbers_too(page):
    rows = page.table("Points")
    assert sum(int(count) for [count] in rows.values()) == 6
    assert rows["24.3 to 27"] == ["1"]
    assert rows["16.2 to below 18.9"] == ["2"]


def test_points_at_the_edges_fall_into_the_classes_that_name_them(tmp_path):
    """Every tenth of 27 points, half a point below and at the edge."""
    made = Course(tmp_path)
    for number in range(10):
        edge = 27 * number / 10
        made.add(f"at{number}", dict.fromkeys(EXERCISES, 0), quiz=0, by_hand={"in_words": edge})
    rows = page_of(made).table("Points")
    assert list(rows.values()) == [["1"]] * 10


def test_misconceptions_with_what_was_said(page):
    rows = page.table("Exercise and mistake")
    [said] = [row for name, row in rows.items() if "over everything" in name]
    assert said[0] == "2 of 5"
    assert "All your weights together add up to 1," in said[1]
    assert "{" not in page.text
    assert "cy" in said[1]
    monday = page.text.partition("What to talk about on Monday")[2].partition("Points")[0]
    assert "2 learners of 5" in page.text
    assert monday


def test_the_three_most_frequent_come_first(tmp_path):
    made = Course(tmp_path)
    frequent = {
        "over_everything": 4,
        "not_normalised": 3,
        "squared": 3,
        "sigmoid": 2,
        "logarithm": 1,
    }
    for number in range(4):
        student = f"student{number}"
        known = [name for name, count in frequent.items() if number < count]
        made.add(student, {"softmax": 0})
        made.record(student, {"softmax": 0}, {"softmax": known})
    found = [(m.diagnosis, len(m.students)) for m in facts_of(made).misconceptions]
    assert dict(found) == frequent
    assert [count for _, count in found] == [4, 3, 3, 2, 1]
    text = page_of(made).text
    talk = text[text.rindex("What to talk about on Monday") : text.rindex("Points go from")]
    assert re.findall(r"(\d) learners of 4", talk) == ["4", "3", "3"]
    assert "sigmoid" not in talk


def test_all_known_mistakes_can_be_said_without_holes():
    """Of each exercise the first three; a mistake that nobody knows any more is no trouble."""
    for exercise in all_exercises().values():
        for mistake in exercise.mistakes[:3]:
            for before, after in zip((mistake.says, mistake.look), told(exercise.id, mistake.id)):
                assert after
                assert not re.search(r"\{\w+\}", after)
                assert after.count("…") >= before.count("…")
    assert told("attention.softmax", "long_forgotten") == ("", "")
    assert told("nothing.of_it", "x") == ("", "")
    assert "ready-made" in told("attention.softmax", "ready_made")[0]


def test_hardest_exercises_first(course, page):
    rows = page.table("Exercise")
    assert list(rows) == ["attention.softmax", "attention.padding_mask", "attention.causal_mask"]
    full, mean, empty, unknown, untried = rows["attention.softmax"]
    assert (full, mean) == ("50 %", f"{(8 + 8 + 3 + 3 + 4 + 8) / 6:.1f} of 8")
    assert empty == "3"  # Cy's is untouched; of Di and Nora there is nothing
    assert rows["attention.causal_mask"][3] == "1"  # Ed's, of no known kind
    assert unknown == "0"
    assert untried == "0"
    assert rows["attention.causal_mask"][4] == "?"  # an old record does not say
    others = page.table("Beside the exercises")
    assert others["Quiz: quiz_attention"] == ["67 %", "3 of 4", "6"]
    assert others["In words: in_words"] == ["50 %", "4 of 5", "2"]


def test_who_needs_a_look_and_why(course, page):
    looks = facts_of(course).looks
    assert list(looks) == ["ed"]
    assert looks["ed"] == [
        "In the sandbox: a cell was stopped after 30 seconds.",
        "Handed in: 01_attention.ipynb ends in the middle.",
        "A ready-made version, or the course's own, did the work: attention.softmax.",
        "Graded with less protection than others: level 1 (limits, Landlock, seccomp).",
        "check_softmax: the 4 points given by hand hide 0 given automatically.",
    ]
    assert "ed" in page.table("Learner")


def test_those_with_the_same_reason_stand_together(tmp_path):
    made = Course(tmp_path)
    for number in range(5):
        made.add(f"student{number}")
        made.record(f"student{number}", events=["the code took too much memory"])
    [(who, [why])] = page_of(made).table("Learner").items()
    assert who.startswith("5 learners")
    assert "student4" in who
    assert "too much memory" in why


def test_points_by_asserts_are_told_from_those_that_were_judged(tmp_path):
    """Beside the points, at the top, and nothing of it where there are no such cells."""
    made = Course(tmp_path, tests={"mean_test": "assert mean([1]) == 1"})
    made.add("a", {"mean_test": 4}, words=5)
    made.record("a")
    page = page_of(made)
    assert (
        "The points of mean_test come from asserts that ran where the learners' code" in page.text
    )
    rows = page.table("Exercise")
    assert rows["mean_testby asserts that learners can reach"][1] == "4 of 10"
    assert "attention.softmax" in rows
    assert "Nobody was seen to change what asserts rely on" in page.text
    made.record("a", events=["the notebook changed what asserts rely on: numpy.allclose"])
    looks = page_of(made).table("Learner")
    assert "In the sandbox: the notebook changed what asserts rely on" in looks["a"][0]


def test_where_no_asserts_decide_nothing_is_said_of_them(page):
    assert "asserts" not in page.text


def test_answers_that_wait_for_a_person(page):
    count, who = page.table("Cell")["in_words"]
    assert count == "4"
    assert "nora" in who
    assert "4 submissions still have answers that nobody has graded" in page.text


def test_near_identical_and_the_courses_own_solution(course, tmp_path):
    assert [group.students for group in facts_of(course).groups] == [("ada", "bob", "ed")]
    made = Course(tmp_path)
    for student in ("a", "b"):
        made.add(student)
        made.put("submitted", student, {name: e.source for name, e in EXERCISES.items()})
    assert [group.to_the_letter for group in facts_of(made).groups] == [True]
    made.put("source", ".", {name: e.source for name, e in EXERCISES.items()})
    text = page_of(made).text
    assert "2 submissions are nearly the solution in source/" in text
    assert "a hint to look, and no proof" in text


def test_time_and_protection(page):
    assert "5 submissions took 3.6 s in all, half of them at most 0.40 s each" in page.text
    assert "longest: bob 2.0 s" in page.text
    assert "most memory that one took was 500 MB" in page.text
    rows = page.table("Protection")
    assert rows["level 2 (limits, Landlock, seccomp, namespaces)"] == ["4"]


def test_says_how_much_it_does_not_know(page):
    assert "There is no record of how 1 of 6 submissions were graded" in page.text


def test_a_changed_record_is_said(tmp_path):
    made = Course(tmp_path)
    for student in "abc":
        made.add(student)
        made.record(student)
    path = records.path_of(tmp_path, ASSIGNMENT)
    path.write_text(path.read_text().replace('"student": "b"', '"student": "x"'))
    page = page_of(made)
    assert "Line 2 was changed after it was written." in page.text


def test_a_key_that_cannot_be_read_is_said(tmp_path):
    made = Course(tmp_path)
    made.add("a")
    made.record("a")
    (seeds.folder(tmp_path) / "key").write_bytes(b"")
    assert "The course's key can't be read" in page_of(made).text


@pytest.mark.parametrize(
    "line",
    [
        {"student": "a", "notebooks": {"n": {"cells": [{}]}}},
        {"student": "a", "notebooks": {"n": 3}},
        {"student": "a", "notebooks": {}},
    ],
)
def test_records_of_another_form_are_no_trouble(tmp_path, line):
    made = Course(tmp_path)
    made.add("a")
    seeds.folder(tmp_path)
    records.path_of(tmp_path, ASSIGNMENT).write_text(json.dumps(line) + "\n")
    assert "Graded 1 of 1" in page_of(made).text


UNNAMED = {
    "grade_id": "check_softmax",
    "exercise": "attention.softmax",
    "points": 0.0,
    "max_points": 8.0,
    "diagnosis": [],
    "shortcut": False,
    "unnamed": {"broken": ["sums_to_one"], "seen": {"p": ["numbers", 1.5, 2.5]}, "mended": []},
}


@pytest.mark.parametrize(("notebook", "groups"), [(ASSIGNMENT, 1), ("renamed_since", 0)])
def test_only_what_is_still_there_is_shown(tmp_path, notebook, groups):
    made = Course(tmp_path)
    made.add("a")
    made.record("a", notebook=notebook, cells=[UNNAMED])
    assert len(facts_of(made).unnamed) == groups


def test_an_example_that_the_gradebook_has_lost_is_no_trouble(tmp_path):
    made = Course(tmp_path)
    made.add("a")
    made.record("a", cells=[UNNAMED])
    with closing(sqlite3.connect(made.database)) as connection:
        connection.execute("PRAGMA foreign_keys = off")
        connection.execute("DELETE FROM submitted_notebook")
        connection.commit()
    assert not any(group.told for group in facts_of(made).unnamed)


def test_hostile_text_stays_text(tmp_path):
    made = Course(tmp_path)
    names = {"first_name": HOSTILE, "last_name": "</title></style>"}
    for student in ("<b>id</b>", "x onload=1", "y{z}`"):
        made.add(student, {"softmax": 0}, **names)
        made.record(
            student,
            {"softmax": 0},
            {"softmax": [HOSTILE]},
            events=[HOSTILE, "{braces} %s"],
            troubles=[HOSTILE],
            protection=HOSTILE,
        )
        made.put("submitted", student, {"softmax": HOSTILE * 50 + "\n'''"})
    page = page_of(made)
    allowed = {"class", "id", "href", "scope", "role", "lang", "name", "content", "charset"}
    allowed |= {
        "http-equiv",
        "viewbox",
        "x",
        "y",
        "x1",
        "x2",
        "y1",
        "y2",
        "width",
        "height",
        "open",
    }
    allowed |= {"preserveaspectratio", "tabindex"}
    for tag, attributes in page.elements:
        assert tag not in ("script", "img", "b")
        assert all(name in allowed or name.startswith("aria-") for name in attributes)
    assert "<script>alert(1)</script>" in page.text  # shown, as what it is
    raw = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "\u202e" not in raw
    assert "\x1b" not in raw
    assert marked(raw) == raw
    assert html.escape("<b>id</b>") in raw


def all_of_it(facts, text):
    """The facts with this text wherever a learner, a teacher or a record can put one."""

    def each(things, **texts):
        return [dataclasses.replace(thing, **texts) for thing in things]

    mistake = dict.fromkeys(("exercise", "diagnosis", "says", "look"), text)
    return dataclasses.replace(
        facts,
        assignment=text,
        course=text,
        names=dict.fromkeys([*facts.points, text], text),
        ungraded=[text],
        items=each(facts.items, name=text, waiting=[text]),
        misconceptions=each(facts.misconceptions, **mistake, students=[text, text]),
        unnamed=[
            Unnamed(
                *(1, text, Likeness(), [text, text], 3, [1.0, 2.0], 8.0),
                *(Counter({(text, text): 1}), [text], text, text),
            )
        ],
        looks={student: [text] for student in (*facts.points, text)} | {"alone": [text, text]},
        groups=[Group((text, text), 0.9, 30, (("notebook", "cell"),), False)],
        models={text: 0.9},
        cells={("notebook", "cell"): text},
        timing=dataclasses.replace(facts.timing, slowest=[(text, 1.0), (text, 0.5)]),
        protections=[(text, 1)],
        notices=[text],
    )


@pytest.mark.parametrize(
    "text",
    [
        HOSTILE,
        "\"' onload='alert(1)' x=\"",
        "--></style></title></svg></script><script>alert(1)</script>",
        "&lt;script&gt; &#x202e; &#0;",
        "{{ 7 * 7 }}{% raw %}{# {{ facts }}",
    ],
)
def test_no_text_in_any_place_changes_what_is_around_it(course, text):
    """The same elements and attributes as with an x, and the text is there, as it came."""
    facts = facts_of(course)
    raw = page_from(all_of_it(facts, text))
    page, harmless = Page(raw), Page(page_from(all_of_it(facts, "x")))
    assert page.elements == harmless.elements
    shown = re.sub(r"\s+", " ", marked(text))
    assert page.text.count(shown) > 40
    assert marked(raw) == raw


def test_no_character_that_nobody_sees_is_left(course):
    """Each one between two letters, in all places; what writing needs stays."""
    unseen = [chr(code) for code in range(0x110000) if UNSEEN.match(chr(code))]
    text = "".join(f"a{character}" for character in unseen) + "é\u200d\u200f"
    raw = page_from(all_of_it(facts_of(course), text))
    assert not UNSEEN.search(raw)
    assert "a\ufffd" * len(unseen) + "é\u200d\u200f" in raw
    assert raw.encode("utf-8")


def test_no_template_turns_escaping_off():
    assert TEMPLATES.autoescape is True
    names = TEMPLATES.list_templates()
    assert "report.html.j2" in names
    for name in names:
        source = TEMPLATES.loader.get_source(TEMPLATES, name)[0]
        assert not re.search(r"\|\s*safe\b|filter safe|autoescape", source), name


def test_nobody_is_graded_yet(tmp_path, capsys):
    made = Course(tmp_path)
    made.put("submitted", "early", {})
    page = page_of(made)
    assert "Nobody is graded yet" in page.text
    assert "Graded 0 of 1 handed in" in page.text
    assert "nobody is graded yet" in capsys.readouterr().out


def test_all_is_right(tmp_path):
    made = Course(tmp_path)
    made.add("a", words=5)
    made.record("a")
    page = page_of(made)
    assert "No mistake that the autograder knows was made." in page.text
    assert "Nobody: no limit was hit" in page.text
    assert "Full marks 1 100 % of the graded" in page.text


def test_where_it_is_written(tmp_path, capsys):
    made = Course(tmp_path)
    made.add("a")
    assert run(made) == 0
    path = tmp_path / "reports" / f"{ASSIGNMENT}.html"
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert capsys.readouterr().out.startswith(f"{path}: 1 graded, mean 22.0 and median 22.0 of 27")


def test_what_cannot_be_done_is_said_in_a_sentence(tmp_path, capsys):
    made = Course(tmp_path)
    made.add("a")
    (tmp_path / "file").write_text("")
    assert run(made, "--output", str(tmp_path / "file" / "page.html")) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert main(["report", "99_none", "--course", str(tmp_path)]) == 2
    assert "knows no assignment called '99_none'" in capsys.readouterr().err
    assert main(["report", "x", "--course", str(tmp_path / "nowhere")]) == 2
    assert "There is no folder" in capsys.readouterr().err


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="sees open files in /proc")
@pytest.mark.parametrize("readable", [True, False])
def test_a_gradebook_that_is_of_no_use_is_closed_again(tmp_path, capsys, readable):
    made = Course(tmp_path)
    made.add("a")
    if not readable:
        with closing(sqlite3.connect(made.database)) as database:
            database.execute("drop table course")
            database.execute("create table course (other text)")
    assert main(["report", "99_none", "--course", str(tmp_path)]) == 2
    told = "knows no assignment" if readable else "cannot be opened"
    assert told in capsys.readouterr().err
    files = (os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd"))
    assert str(made.database) not in files


def test_the_gradebook_is_left_as_it_was(course):
    before = course.database.read_bytes()
    facts_of(course)
    assert course.database.read_bytes() == before
