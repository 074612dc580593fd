"""The students' edition: it works, it says the same, and no answer is in it."""

import ast
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from itertools import pairwise
from pathlib import Path

import pytest

from autograder.audit import bank
from autograder.doors.terminal import main
from autograder.engine import course
from autograder.engine.exam import ALWAYS, Exam
from autograder.engine.isolation import undisturbed
from autograder.engine.mistakes import edited_source
from autograder.engine.sealed.mistakes import Sealed
from course import COURSE, edition
from course.checks import LESSONS, all_exercises, find
from course.lesson import lessons
from course.places import HOME
from course.published import ARCHIVE, arrival
from course.stubs import REGION, stub_of
from translation.number_words import in_words, the_task

# What stands in an answer and anywhere else.
NOTHING_SAID = {
    "if mask is not None:",
    "if cache is not None:",
    "if self.norm_first:",
    "if temperature == 0:",
    "if parameter.dim() == 2:",
    'if self.positions == "rotary":',
    'elif name.endswith("bias"):',
    "for _ in range(max_length):",
    "for module in model.modules():",
    "with torch.no_grad():",
    "count = math.prod(shape)",
    "raise ValueError(",
    "return F.scaled_dot_product_attention(",
    "return written[:, 1:]",
    "self.output = nn.Linear(d_model, vocab)",
    "def forward(self, x):",
    "parameter.requires_grad_(False)",
    "self.num_heads = num_heads",
    "self.dropout = nn.Dropout(dropout)",
    "self.norm = nn.LayerNorm(d_model)",
    "self.weights = weights.detach()",
    "self.position = PositionalEncoding(d_model, max_length, dropout)",
}
QUICK = ("attention", "multi_head")  # to seal all takes a minute and a half


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What `autograder release` writes. Known mistakes of the later lessons are left out."""
    place = tmp_path_factory.mktemp("an edition")
    seal = edition.seal
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            edition,
            "seal",
            lambda e, package: seal(e, package) if e.module in QUICK else Sealed(),
        )
        names = [lesson.stem for lesson in lessons()]
        edition.make(place / "out", names)
    return place / "out"


@pytest.fixture(scope="module")
def unpacked(made):
    """The archive, as a student has it."""
    shutil.unpack_archive(made / ARCHIVE, made.parent / "unpacked")
    return made.parent / "unpacked" / Path(ARCHIVE).stem


@pytest.fixture(scope="module")
def texts(unpacked):
    """{path: what is in it}, unpacked and decompressed."""
    found = {}
    for path in unpacked.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            data = zlib.decompress(data) if path.suffix == ".sealed" else data
            found[path.relative_to(unpacked).as_posix()] = data.decode("utf-8")
    return found


@pytest.fixture(scope="module")
def lines(texts):
    """{a line: the files in which it stands}; those of a notebook's cells are lines, too."""
    found = {}
    for name, text in texts.items():
        if name.endswith(".ipynb"):
            text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
        for line in text.splitlines():
            found.setdefault(plain(line), set()).add(name)
    return found


def plain(line):
    """Without spaces and a comment."""
    return re.sub(r"\s+", "", line.split("  # ")[0])


def telling(source):
    """The lines in a source that say something."""
    common = {plain(line) for line in NOTHING_SAID}
    return {p for line in source.splitlines() if len(p := plain(line)) >= 16 and p not in common}


def solutions_of(exercise):
    """What stands between the marks."""
    regions = [match[0].splitlines()[1:-1] for match in REGION.finditer(exercise.source)]
    return telling("\n".join(line for region in regions for line in region))


# --- No answer is in it ---------------------------------------------------------------------------


def test_no_line_of_a_model_answer_is_in_it(lines):
    hidden = {line: e.id for e in all_exercises().values() for line in solutions_of(e)}
    assert len(hidden) > 150
    assert {line: where for line in hidden if (where := shown(line, lines))} == {}


def test_no_line_of_a_known_mistake_is_in_it(lines):
    hidden = {
        line: mistake.id
        for exercise in all_exercises().values()
        for mistake in exercise.mistakes
        for line in telling(edited_source(exercise, (mistake.id,))) - telling(exercise.source)
    }
    assert len(hidden) > 500
    assert {line: where for line in hidden if (where := shown(line, lines))} == {}


def shown(line, lines):
    """Where a line stands that tells something of an answer. What a lesson says to everybody tells
    nothing."""
    where = lines.get(line, set())
    return set() if any("/given/" in name for name in where) else where


def test_no_line_of_a_stand_by_is_in_it(lines):
    """A copy of most of them would pass."""
    folder = Path(COURSE.module(COURSE.stand_bys).__file__).parent
    paths = [*folder.rglob("*.py"), *(HOME / "solutions" / f"{n}.py" for n in edition.SHOWN)]
    sources = [path.read_text("utf-8") for path in paths if path.stem != "table"]
    hidden = {line for source in sources for line in telling(bodies_in(source))}
    assert len(hidden) > 300
    assert {line: where for line in hidden if (where := shown(line, lines))} == {}


def bodies_in(source):
    """The lines of its functions, without what is said of them."""
    lines, found = source.splitlines(), []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            found += lines[body[0].lineno - 1 : body[-1].end_lineno] if body else []
    return "\n".join(found)


def test_no_answer_of_the_bank_is_in_it(texts):
    whole = re.sub(r"\s+", "", "\n".join(texts.values()))
    for entry in bank.everything("correct") + bank.everything("wrong"):
        [*_, last] = ast.parse(entry.source).body
        body = re.sub(r"\s+", "", ast.get_source_segment(entry.source, last))
        assert body not in whole, entry.title


def test_no_reply_of_a_quiz_and_no_key_is_in_it(texts):
    whole = "\n".join(texts.values())
    replies = [
        choice.why
        for lesson in lessons()
        for part in lesson.of_kind("quiz")
        for question in part.quiz
        for choice in question.choices
    ]
    assert len(replies) > 150
    assert [why for why in replies if why in whole] == []


def test_no_criterion_of_a_question_in_words_is_in_it(texts):
    whole = "\n".join(texts.values())
    asked = [part.text for lesson in lessons() for part in lesson.of_kind("question")]
    assert asked
    assert [text for text in asked if text.strip() in whole] == []


def test_no_held_out_number_is_in_it_in_words(texts):
    task = the_task()
    whole = "\n".join(texts.values())
    numbers = [n for n in task.held_out_numbers if n > 1000][:50]
    assert [n for n in numbers for language in ("fr", "de") if in_words(n, language) in whole] == []


def test_no_expected_numbers_are_in_it(texts):
    """Of six digits two in a row: that is no chance."""
    known = set()
    for name, text in texts.items():
        if name.endswith(".sealed"):
            known |= set(pairwise(digits(x) for x in re.findall(r"-?\d+\.\d{5,}", text)))
    assert len(known) > 1000
    stand_bys = COURSE.stand_bys
    for exercise in (e for e in all_exercises().values() if e.module in QUICK):
        exam = Exam(dataclasses.replace(exercise, package=stand_bys), ALWAYS)
        with undisturbed(ALWAYS):
            expected = [question.expected for question in exam.questions()]
        for array in (x for answer in expected for x in answer.arrays.values()):
            if array.is_floating_point():
                row = [digits(f"{x:.8g}") for x in array.double().flatten().tolist()]
                assert not known & {both for both in pairwise(row) if min(map(len, both)) > 4}


def digits(number):
    """The first six that say something."""
    return number.replace("-", "").replace(".", "").lstrip("0")[:6]


# --- It works -------------------------------------------------------------------------------------

CHECKS = """
import json, sys
from autograder.engine import limits
from autograder.engine.examine import examine_learners
from course.checks import find

limits.MENDING, limits.PATIENCE = 0.0, 60.0
for exercise_id, source in json.load(sys.stdin):
    exercise, names = find(exercise_id), {}
    exec(source, names)
    verdict = examine_learners(exercise, names[exercise.name], names, seed=7)
    print(json.dumps([verdict.score, verdict.diagnosis, verdict.text(hints=3)]))
"""
HEAD = "import math\nimport torch\nimport torch.nn.functional as F\nfrom torch import nn\n"


def python(*words, place, **given):
    """What a Python prints that knows the packages that are installed, and nothing of ours."""
    known = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    installed = [path for path in sys.path if path.endswith("site-packages")]
    known |= {"PYTHONPATH": os.pathsep.join([str(place), *installed]), "HOME": str(place.parent)}
    command = [sys.executable, "-S", *words]  # -S: without what an editable installation adds
    done = subprocess.run(
        command, env=known, capture_output=True, text=True, timeout=300, check=False, **given
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_right_answers_stubs_and_known_mistakes_are_told_in_the_same_words(unpacked):
    """But for the lines, of which the edition knows fewer."""
    answers = []
    for name in ("softmax", "padding_mask", "self_attention", "split_heads"):
        exercise = find(name)
        solved = HEAD + "from solutions.attention import *\nfrom solutions.arguments import *\n"
        sources = [exercise.source, stub_of(exercise)]
        sources += [edited_source(exercise, (mistake.id,)) for mistake in exercise.mistakes]
        answers += [(exercise.id, solved + source) for source in sources]
    asked = json.dumps(answers)
    here = python("-c", CHECKS, place=HOME, input=asked, cwd=HOME).splitlines()
    there = python("-c", CHECKS, place=unpacked, input=asked, cwd=unpacked).splitlines()
    assert len(here) == len(answers) > 40
    for (exercise_id, _), one, other in zip(answers, here, there):
        assert json.loads(other) == json.loads(one), exercise_id


def test_wheels_can_be_installed_and_give_notebooks_and_stubs(made, tmp_path):
    wheels = [str(path) for path in made.glob("*.whl")]
    assert len(wheels) == 2
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", str(tmp_path / "site"), *wheels], check=True, timeout=120)
    place = tmp_path / "a course"
    python("-m", "autograder", "lessons", str(place), place=tmp_path / "site", cwd=tmp_path)
    for folder in ("notebooks", "exercises"):
        for path in (HOME / folder).glob("0*.ipynb" if folder == "notebooks" else "*.py"):
            if path.stem in (*LESSONS, *(lesson.stem for lesson in lessons())):
                assert (place / folder / path.name).read_text("utf-8") == path.read_text("utf-8")
    shown = python("-m", "autograder", "progress", place=tmp_path / "site", cwd=place)
    assert "Next: softmax" in shown
    offered = python("-m", "autograder", "--help", place=tmp_path / "site", cwd=place)
    words = re.findall(r"^    (\w+) +\w", offered, re.MULTILINE)
    assert words == ["check", "doctor", "progress", "reset", "lesson", "lessons"]


def test_the_first_cell_finds_it_above_a_notebook_or_packed_beside_it(made, unpacked, tmp_path):
    cell = f"{arrival(lessons()[1])}\nimport course\nprint(course.__file__)"
    nothing = tmp_path / "nothing of ours"
    nothing.mkdir()
    found = python("-c", cell, place=nothing, cwd=unpacked / "notebooks")
    assert Path(found.strip()).is_relative_to(unpacked)
    fetched = tmp_path / "01_attention"
    fetched.mkdir()
    shutil.copy(made / ARCHIVE, fetched)
    found = python("-c", cell, place=nothing, cwd=fetched)
    assert Path(found.strip()).is_relative_to(tmp_path / ".cache")
    assert [path.name for path in fetched.iterdir()] == [ARCHIVE]  # what is handed in stays small


def test_every_module_can_be_imported(unpacked):
    names = [
        ".".join(path.relative_to(unpacked).with_suffix("").parts)
        for path in (unpacked / "course").rglob("*.py")
        if "beside" not in path.parts and "jupyter" not in path.parts
        if path.stem not in ("__init__", "bridge")
    ]
    assert len(names) > 50
    python("-c", "\n".join(f"import {name}" for name in names), place=unpacked, cwd=unpacked)


def test_it_is_small(made):
    assert sum(path.stat().st_size for path in made.iterdir()) < 15 * 2**20


# --- The command ----------------------------------------------------------------------------------


def test_only_the_lessons_that_were_chosen_are_given(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(edition, "seal", lambda exercise, package: Sealed())
    assert main(["release", str(tmp_path / "out"), "--lessons", "1"]) == 0
    assert "holds the students' edition of 01_attention:" in capsys.readouterr().out
    with zipfile.ZipFile(tmp_path / "out" / ARCHIVE) as packed:
        names = packed.namelist()
    given = [name for name in names if name.endswith(".ipynb") and "/given/" not in name]
    assert given == [f"{Path(ARCHIVE).stem}/notebooks/01_attention.ipynb"]
    assert not [name for name in names if "mistakes/multi_head" in name]
    place = tmp_path / "unpacked"
    shutil.unpack_archive(tmp_path / "out" / ARCHIVE, place)
    place /= Path(ARCHIVE).stem
    hints = "from course.checks import find\nprint(find('split_heads').hints)"
    assert python("-c", hints, place=place, cwd=place).strip() == "('', '', '')"
    shown = python("-m", "autograder", "progress", place=place, cwd=place)
    assert "attention" in shown
    assert "multi_head" not in shown


def test_what_cannot_be_is_a_sentence(tmp_path, capsys):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").write_text("mine")
    assert main(["release", str(tmp_path / "taken")]) == 2
    assert "is there already, and not empty" in capsys.readouterr().err
    assert main(["release", str(tmp_path / "new"), "--lessons", "9"]) == 1
    assert "there is no lesson 9" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_course_without_an_edition_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(course, "CHOSEN", [])
    warmup = str(HOME / "examples" / "numpy_warmup")
    assert main(["--course", warmup, "release", str(tmp_path / "new")]) == 2
    assert "says nothing of an edition for students" in capsys.readouterr().err
