"""Canaries: cells that must fail, sent before and after a cell whose own asserts decide.

Such asserts run where the learner's code runs, which may have changed whatever they rest on. So the
judge sends cells between them that fail wherever asserting and comparing still work. One that does
not fail proves that a wrong answer would not have failed either.

To whoever looks on from inside, a canary comes as any cell does, and looks like the one it flies
beside: it begins with that one's imports, fails where something is compared as it is there, with
other numbers each time, and goes on with the whole of its text, which is never reached. Who knows
that text by heart can still tell them apart; so a canary that fails proves nothing.
"""

import ast
import random
import re
from functools import cached_property

from ..engine.files import names_defined, tree_of
from ..notebooks.cell_names import UNREADABLE

MOST = 5  # canaries on each side of a cell
RAISES = "TypeError", "ValueError", "KeyError", "IndexError", "ZeroDivisionError"
ALIASES = {"np": "numpy", "numpy": "numpy", "torch": "torch", "math": "math", "pytest": "pytest"}
MAGIC = re.compile(r"^[ \t]*[%!].*$", re.MULTILINE)
NAME = re.compile(r"[A-Za-z][\w. ]{0,60}", re.ASCII)
MOST_NAMES = 8

# An error is told again by the cell itself: a traceback through a library's files takes IPython a
# hundred times as long.
QUICKLY = "try:\n    {line}\nexcept:\n    raise AssertionError from None"
# Lines that must fail, by what is compared with: {f} as the cell calls it; {a} and {b} are two
# numbers far from each other, {x} and {y} lists of such.
NUMBERS = "assert {f}({a}, {b})", "assert {f}({x}, {y})"
TENSORS = (
    "assert {f}({torch}.tensor({a}), {torch}.tensor({b}))",
    "assert {f}({torch}.tensor({x}), {torch}.tensor({y})).all()",
)
CALLED = "{f}({a}, {b})", "{f}({x}, {y})"
LINES = {
    "numpy.allclose": NUMBERS,
    "numpy.array_equal": NUMBERS,
    "numpy.array_equiv": NUMBERS,
    "numpy.isclose": NUMBERS[:1],
    "numpy.equal": NUMBERS[:1],
    "numpy.all": ("assert {f}([{a} < {b}, {a} > {b}])",),
    "numpy.any": ("assert {f}([{a} == {b}, {a} > {b}])",),
    "numpy.testing.assert_array_less": ("{f}({b}, {a})", "{f}({y}, {x})"),
    "numpy.testing.assert_raises": ("with {f}({error}): {a} - {b}",),
    "numpy.testing.assert_": ("{f}({a} > {b})",),
    "math.isclose": NUMBERS[:1],
    "torch.allclose": TENSORS[:1],
    "torch.equal": TENSORS[:1],
    "torch.isclose": TENSORS,
    "torch.eq": TENSORS,
    "torch.all": ("assert {f}({torch}.tensor([{a} < {b}, {a} > {b}]))",),
    "torch.any": ("assert {f}({torch}.tensor([{a} == {b}, {a} > {b}]))",),
    "torch.testing.assert_close": (
        "{f}({torch}.tensor({a}), {torch}.tensor({b}))",
        "{f}({torch}.tensor({x}), {torch}.tensor({y}))",
    ),
    "pandas.testing.assert_frame_equal": ("{f}({pandas}.DataFrame({x}), {pandas}.DataFrame({y}))",),
    "pandas.testing.assert_series_equal": ("{f}({pandas}.Series({x}), {pandas}.Series({y}))",),
    "pytest.approx": ("assert {a} == {f}({b})",),
    "pytest.raises": ("with {f}({error}): {a} - {b}",),
    "nose.tools.assert_true": ("{f}({a} > {b})",),
    "nose.tools.ok_": ("{f}({a} > {b})",),
    "nose.tools.eq_": CALLED,
    "nose.tools.assert_equal": CALLED,
    "nose.tools.assert_equals": CALLED,
    "nose.tools.assert_almost_equal": CALLED[:1],
    "unittest.TestCase.assertEqual": CALLED,
    "unittest.TestCase.assertAlmostEqual": CALLED[:1],
    "unittest.TestCase.assertTrue": ("{f}({a} > {b})",),
    "unittest.TestCase.assertFalse": ("{f}({a} < {b})",),
    "unittest.TestCase.assertIn": ("{f}({a}, {y})",),
    "unittest.TestCase.assertIsInstance": ("{f}({a}, list)",),
    "unittest.TestCase.assertRaises": ("with {f}({error}): {a} - {b}",),
    "abs": ("assert {f}({a} - {b}) < 1",),
    "all": ("assert {f}([{a} < {b}, {a} > {b}])",),
    "any": ("assert {f}([{a} == {b}, {a} > {b}])",),
    "bool": ("assert {f}({a} > {b})",),
    "float": ("assert {f}({a}) == {b}",),
    "int": ("assert {f}({a}) == {f}({b})",),
    "isinstance": ("assert {f}({a}, list)", "assert {f}({x}, float)"),
    "issubclass": ("assert {f}(float, list)",),
    "callable": ("assert {f}({a})",),
    "hasattr": ('assert {f}({a}, "append")',),
    "len": ("assert {f}({x}) == 7",),
    "list": ("assert {f}({x}) == {y}",),
    "max": ("assert {f}({x}) == {b}",),
    "min": ("assert {f}({x}) == {b}",),
    "round": ("assert {f}({a}) == {f}({b})",),
    "set": ("assert {f}({x}) == {f}({y})",),
    "sorted": ("assert {f}({x}) == {y}",),
    "str": ("assert {f}({a}) == {f}({b})",),
    "sum": ("assert {f}({x}) > 99 + {a}",),
    "tuple": ("assert {f}({x}) == {f}({y})",),
    "type": ("assert {f}({a}) == list",),
}
for name in ("equal", "allclose", "array_equal", "almost_equal", "array_almost_equal"):
    LINES[f"numpy.testing.assert_{name}"] = CALLED
for name in ("md5", "sha1", "sha256"):
    LINES[f"hashlib.{name}"] = (
        "assert {f}(str({a}).encode()).hexdigest() == {f}(str({b}).encode()).hexdigest()",
    )
ASSERT = (
    "assert {a} == {b}",
    "assert {a} > {b}",
    "assert {x} == {y}",
    "assert not {a} < {b}, {what!r}",
)


class Canaries:
    """What flies beside the cells of one notebook.

    Args:
        plan: whose names for learners' own functions are left alone.
        seconds: what one cell may take.
    """

    def __init__(self, plan, seconds):
        self.plan, self.seconds = plan, seconds
        self.survived, self.changed = {}, {}

    @cached_property
    def asked(self):
        """What learners are to define."""
        answers = (cell.source for cell in self.plan.cells if cell.solution)
        return frozenset(name for source in answers for name in names_defined(source))

    def fly(self, box, grade_id, source):
        """Send some into a box, beside the cell of this text, and leave no trace of them."""
        self.notice(box.request("look", 5))
        for what, canary in canaries(source, self.plan.setup, self.asked):
            said = box.request("cell", self.seconds, source=canary, seconds=self.seconds)
            if not has_failed(said):
                self.survived.setdefault(grade_id, {})[what] = True
        box.request("back", 5)

    def notice(self, said):
        said = said if isinstance(said, list) else []
        names = [name for name in said if isinstance(name, str) and NAME.fullmatch(name)]
        self.changed |= dict.fromkeys(names)

    @property
    def events(self):
        """What came of it, in sentences."""
        for grade_id, kinds in self.survived.items():
            yield (
                f"beside {grade_id} a check passed that must fail ({listed(kinds)}): so would a "
                f"wrong answer"
            )
        if self.changed:
            yield f"the notebook changed what asserts rely on: {listed(self.changed)}"


def listed(names):
    names = list(names)
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def has_failed(said):
    """Would a cell that answers so have earned nothing?"""
    if not isinstance(said, dict):
        return False
    shown = said.get("outputs")
    shown = shown if isinstance(shown, list) else []
    errors = (isinstance(each, dict) and each.get("output_type") == "error" for each in shown)
    return said.get("failed") is True or any(errors)


# --- What they consist of -------------------------------------------------------------------------


def canaries(source, setup=(), asked=frozenset(), draw=None):
    """(what is tried, the cell) for some canaries beside a cell of this text.

    Args:
        setup: the instructor's first cells, which import.
        asked: names that learners are to define.
    """
    draw = draw or random.SystemRandom()
    tree = read(source)
    imports: list[ast.stmt] = [
        each
        for each in tree.body
        if isinstance(each, ast.Import | ast.ImportFrom)
        and getattr(each, "module", "") != "__future__"
    ]
    names = known_names([*map(read, setup), ast.Module(imports, [])])
    used = sorted(compared_with(tree, names, asked))
    draw.shuffle(used)
    tried = [("assert", line_of_asserts(tree, draw))]
    tried += [(full, line_of(full, called, draw)) for full, called in used[: MOST - 1]]
    draw.shuffle(tried)
    head = "".join(f"{ast.unparse(node)}\n" for node in imports)
    tail = "" if source.lstrip().startswith("%%") or "__future__" in source else source
    return [(what, f"{head}{line}\n{tail}") for what, line in tried]


def read(source):
    """The tree of a cell, without its magic lines; an empty one if it cannot be read."""
    try:
        return tree_of(MAGIC.sub("", source))
    except UNREADABLE:
        return ast.Module([], [])


def known_names(trees):
    """{what a cell may call it: what it is} of all that these import."""
    found = dict(ALIASES)
    for node in (node for tree in trees for node in tree.body):
        for alias in node.names if isinstance(node, ast.Import | ast.ImportFrom) else ():
            if isinstance(node, ast.ImportFrom):
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
            elif alias.asname:
                found[alias.asname] = alias.name
            else:
                found.setdefault(alias.name.partition(".")[0], alias.name.partition(".")[0])
    return found


def compared_with(tree, names, asked):
    """{(what it is, how it is called)} of what a cell compares with."""
    found = set()
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        called = dotted(call.func)
        root, dot, rest = called.partition(".")
        if not called or root in asked:
            continue
        last = called.rpartition(".")[2]
        full = f"{names.get(root, root)}{dot}{rest}"
        if full in LINES and (full == called or root in names):
            found.add((full, called))
        elif dot and f"unittest.TestCase.{last}" in LINES:
            found.add((f"unittest.TestCase.{last}", f'__import__("unittest").TestCase().{last}'))
    return found


def dotted(node):
    """The name that stands in a cell, with its dots; "" if it is none."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else f"?.{node.attr}"
    return ""


def line_of(full, called, draw):
    """A line that must fail."""
    line = draw.choice(LINES[full]).format(f=called, **numbers(called, draw))
    return line if line.startswith("assert ") else QUICKLY.format(line=line)


def line_of_asserts(tree, draw):
    """An assert that must fail, mostly one with the cell's own words."""
    own = [ast.unparse(n.test) for n in ast.walk(tree) if isinstance(n, ast.Assert)]
    drawn = numbers("", draw)
    if own and draw.random() < 0.7:
        return "assert {a} > {b} and ({own})".format(own=draw.choice(own), **drawn)
    return draw.choice(ASSERT).format(what=f"{drawn['a']} is wrong", **drawn)


def numbers(called, draw):
    """What the lines are filled with. Each number in b and y is larger than its like in a and x."""
    x = [round(draw.uniform(1, 9), draw.randint(1, 4)) for _ in range(draw.randint(2, 4))]
    y = [round(each + draw.uniform(9, 40), draw.randint(1, 4)) for each in x]
    root = called.partition(".")[0]
    return {
        "a": x[0],
        "b": y[0],
        "x": x,
        "y": y,
        "error": draw.choice(RAISES),
        "torch": root if "." in called and root in ("torch", "th") else '__import__("torch")',
        "pandas": root if "." in called and root in ("pandas", "pd") else '__import__("pandas")',
    }
