"""A course of one exercise, which a test may break."""

import itertools

import pytest

from autograder.engine import course

CHECKS, ANSWERS, INIT = "checks/basics.py", "answers/basics.py", "__init__.py"
MISTAKES = "mistakes/basics/centred.md"
RIGHT, WRONG = "bank/correct/basics.py", "bank/wrong/basics.py"
PARTS = {
    INIT: """\
from autograder.engine.course import Course

COURSE = Course(
    id="NAME",
    title="Tiny",
    syllabus={"basics": ("centred",)},
    checks="NAME.checks",
    reference="NAME.answers",
    mistakes="NAME/mistakes",
    bank="NAME/bank",
)
""",
    "answers/__init__.py": "",
    ANSWERS: """\
def centred(x):
    mean = x.mean(axis=-1, keepdims=True)
    return x - mean
""",
    "checks/__init__.py": "",
    CHECKS: """\
from autograder.engine import promises
from autograder.engine.exercise import Exercise, Property
from autograder.engine.trial import call


def some_rows(draw):
    return call(x=draw.normal(3, 5), sizes={"rows": 3}).but(numpy=True)


centred = Exercise(
    "basics.centred",
    properties=(
        Property("values", 2, "each row adds up to 0", (some_rows,)),
        promises.unchanged("x stays as it was"),
    ),
    hints=("a", "b", "c"),
)
""",
    MISTAKES: """\
# centred: what goes wrong

### columns
```diff
- mean = x.mean(axis=-1, keepdims=True)
+ mean = x.mean(axis=0, keepdims=True)
```
You take the mean of each column, of {rows} numbers.
**Look:** How many numbers has a row?

### in_place
```diff
- return x - mean
+ x -= mean
+ return x
```
You changed x itself.
**Look:** What does `-=` do to an array?
""",
    RIGHT: """\
# %% centred: the sum, divided
def centred(x):
    return x - (x.sum(-1) / x.shape[-1])[:, None]
""",
    WRONG: """\
# %% centred: the other axis
# expect: columns
def centred(x):
    return x - x.mean(0)
""",
}
# What an author may do wrong: (file, what stands there, what is written instead, what is told).
SLIPS = pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        (
            CHECKS,
            "return call(",
            "raise ValueError('oops')\n    call(",
            "probe some_rows, checks/basics.py line 7: ValueError: oops.",
        ),
        (CHECKS, "return call(", "call(", "probe some_rows: it gives no Trial, but NoneType."),
        (CHECKS, "(some_rows,)", "(some_rows)", "no tuple; write (some_rows,), with a comma."),
        (CHECKS, "(some_rows,)", "()", "no property of centred has a probe: nothing is tried."),
        (CHECKS, '"basics.c', '"basic.c', "by the syllabus it is 'basics.centred'."),
        (CHECKS, "centred =", "centered =", "checks/basics.py: nothing in it is called centred."),
        (
            CHECKS,
            "rows(draw):",
            "rows(draw)",
            "basics.py line 6: SyntaxError: expected ':'.",
        ),
        (CHECKS, "engine import promises", "engine import vows", "checks/basics.py line 1: Import"),
        (ANSWERS, "def centred", "def centered", "answers/basics.py: nothing in it is called"),
        (
            ANSWERS,
            "keepdims",
            "keepdim",
            "model answer centred, answers/basics.py line 2, asked by probe some_rows: TypeError: ",
        ),
    ],
)

NUMBERS = itertools.count()


class Tiny:
    """A course in a folder. Each has a name of its own: a package is imported only once."""

    def __init__(self, folder):
        self.name = f"tiny{next(NUMBERS)}"
        self.folder = folder / self.name
        for name, text in PARTS.items():
            self.write(name, text.replace("NAME", self.name))

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def edit(self, name, old, new):
        """Change one place of a file."""
        text = (self.folder / name).read_text(encoding="utf-8")
        assert text.count(old) == 1, old
        self.write(name, text.replace(old, new))

    def use(self):
        return course.use(str(self.folder))
