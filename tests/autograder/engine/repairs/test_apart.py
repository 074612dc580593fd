"""Changed code may crash, loop, or take all the memory: it does no harm, and the rest is tried."""

import ast
import signal
import time

import pytest
import torch

from autograder.engine.repairs.apart import apart
from autograder.engine.repairs.everyday import everyday
from autograder.engine.repairs.mend import Mend, Slot, as_one
from autograder.engine.repairs.own_code import own_code
from autograder.engine.trial import call

CODE = "def f(x):\n    return x + 1\n"
TRIAL = call(x=torch.zeros(2))


def changes(*bodies):
    """The code, and a change for each of these bodies."""
    code = own_code(CODE, "f")
    [function] = code.tree.body
    return code, [
        Mend((2,), "value", ((Slot(function, "body"), ast.parse(b).body),)) for b in bodies
    ]


def sums(code, mends, seconds=5.0, names=None):
    """The sum of what each of the changes gives, in a process of its own."""

    def work(workshop):
        answers = workshop.answers(code, mends, TRIAL)
        return [None if a is None else float(a.arrays["output"].sum()) for _, a in answers]

    return apart(names or {}, work, seconds)


def test_each_change_is_made_and_undone():
    code, mends = changes("return x + 2", "return x + 3")
    before = ast.dump(code.tree)
    assert sums(code, mends) == [4.0, 6.0]
    assert ast.dump(code.tree) == before


def test_after_a_crash_it_goes_on_with_the_next_change():
    crash = f"import os\nos.kill(os.getpid(), {int(signal.SIGSEGV)})"
    code, mends = changes("return x + 2", crash, "return x + 3")
    assert sums(code, mends) == [6.0]


def test_after_a_crash_no_change_is_passed_over_for_what_was_asked_of_another():
    """The first change is asked about more trials before the second one crashes."""
    crash = f"import os\nos.kill(os.getpid(), {int(signal.SIGSEGV)})"
    code, mends = changes("return x + 2", crash, "return x + 3", "return x + 4")

    def work(workshop):
        found = []
        for mend, answer in workshop.answers(code, mends, TRIAL):
            again = list(workshop.answers_to(code, mend, [TRIAL, TRIAL, TRIAL]))
            found.append((float(answer.arrays["output"].sum()), len(again)))
        return found

    assert apart({}, work, 5.0) == [[6.0, 3], [8.0, 3]]


def test_a_loop_ends():
    code, mends = changes("while True:\n    pass", "return x + 3")
    started = time.monotonic()
    assert sums(code, mends) == [None, 6.0]
    assert time.monotonic() - started < 5


def test_what_takes_too_long_altogether_is_given_up():
    code, mends = changes(*["while True:\n    pass"] * 20)
    started = time.monotonic()
    assert sums(code, mends, seconds=0.7) is None
    assert time.monotonic() - started < 5


def test_nothing_of_it_stays_here():
    names = {"held": [1]}
    code, mends = changes("global held\nheld.append(2)\nheld = []\nreturn x + 3")
    assert sums(code, mends, names=names) == [6.0]
    assert names == {"held": [1]}


def test_everyday_changes_leave_the_tree_as_it_was():
    text = (
        "class A:\n"
        "    def __init__(self, size, heads=2):\n"
        "        self.size, self.part = size, size // heads\n"
        "        self.layer = Linear(size, size, bias=False)\n"
        "    def forward(self, x, mask=None):\n"
        "        y = self.layer(x)[:, 1:].transpose(1, 2)\n"
        "        for n in range(len(y)):\n"
        "            y += 1.5 if n > 2 and x is not None else -x.sum(-1)\n"
        "        if mask is not None:\n"
        "            y = y.masked_fill(~mask, 0)\n"
        "        return y.view(2, 3, 4), y\n"
    )
    code = own_code(text, "A")
    before, mends = ast.dump(code.tree), everyday(code)
    assert len(mends) > 200
    for mend in mends:
        with mend.made():
            assert ast.dump(code.tree) != before, mend
            compile(code.tree, "<changed>", "exec")
        assert ast.dump(code.tree) == before, mend


@pytest.mark.parametrize(
    "text",
    [
        f"x.reshape({', '.join(['1'] * 5000)})",
        " + ".join(["x"] * 3000),
        f"[{', '.join(['x'] * 5000)}]",
    ],
    ids=["many arguments", "a long sum", "a long list"],
)
def test_what_is_too_large_to_look_through_is_left_alone(text):
    """It is a judge who looks, and others wait."""
    assert own_code(f"def f(x):\n    return {text}\n", "f") is None


def test_looking_through_what_is_as_large_as_it_may_be_takes_no_time():
    lines = [f"    y{n} = x.reshape(a, {n}, b).sum(-1) + y{n - 1} * 2.5" for n in range(1, 80)]
    code = own_code("def f(x, a, b, y0):\n" + "\n".join(lines) + "\n    return y0\n", "f")
    assert code is not None
    started = time.process_time()
    assert len(everyday(code)) > 1000
    assert time.process_time() - started < 10


def test_several_changes_are_one_with_all_their_lines():
    _code, (one, other) = changes("return x + 2", "return x + 3")
    both = as_one([Mend((4, 2), "axis", one.changes), Mend((3,), "axis", other.changes)])
    assert both.lines == (2, 3, 4)
    assert not both.below
