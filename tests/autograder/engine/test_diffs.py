"""A diff finds its lines however the model answer is laid out, and changes as little as it can."""

import ast
import textwrap

import pytest

from autograder.engine.diffs import Diff, DiffError, SignedLine
from autograder.engine.mistakes import one_by_one
from autograder.engine.spans import applied

SOURCE = '''\
def attention(query, key, mask=None):
    """Look around."""
    d_k = query.shape[-1]
    scores = query @ key.transpose(-2, -1) / math.sqrt(d_k)  # (..., query, key)
    if mask is not None:
        # Hide it.
        scores = scores.masked_fill(~mask, -1e9)
    weights = softmax(scores, dim=-1)
    if mask is not None:
        weights = weights.masked_fill(~mask, 0.0)
    return weights
'''
OTHERWISE = """\
def attention(
    query,
    key,
    mask=None,
):
    '''Look around.'''
    d_k = query.shape[ -1 ]  # features
    scores = (
        query
        @ key.transpose(-2, -1)  # the other way round
        / math.sqrt(d_k)
    )
    if (mask is not None):

        scores = scores.masked_fill(
            ~mask,
            -1e9,
        )
    weights = softmax(scores, dim=-1,)
    # And now?
    if mask is not None:
        weights = weights.masked_fill(~mask, 0.0)
    return weights
"""


def diff(text, whole=False):
    """A Diff, as a file of mistakes has it."""
    lines = []
    if text.startswith("\n"):
        text = textwrap.dedent(text).strip("\n")
    for number, line in enumerate(text.splitlines(), start=10):
        if whole:
            lines.append(SignedLine("+", line, number))
        elif line.strip() == "...":
            lines.append(SignedLine("...", "", number))
        else:
            lines.append(SignedLine(line[:1] or " ", line[1:], number))
    return Diff(tuple(lines), whole, 9)


def made(text, source=SOURCE, whole=False):
    return applied(source, [diff(text, whole).edits(source)])


def told(text, source=SOURCE, whole=False):
    with pytest.raises(DiffError) as found:
        diff(text, whole).edits(source, "solutions/attention.py", 100)
    return found.value.line, found.value.sentence


def same(one, other):
    return ast.dump(ast.parse(one)) == ast.dump(ast.parse(other))


NO_SCALE = """
- scores = query @ key.transpose(-2, -1) / math.sqrt(d_k)
+ scores = query @ key.transpose(-2, -1)
"""
NOT_TURNED = """
- scores = query @ key.transpose(-2, -1) / math.sqrt(d_k)
+ scores = query @ key / math.sqrt(d_k)
"""
HIDDEN_BY_ZERO = """
- scores = scores.masked_fill(~mask, -1e9)
+ scores = scores.masked_fill(~mask, 0)
"""
WRITTEN_OUT = """
- weights = softmax(scores, dim=-1)
+ exponentials = scores.exp()
+ weights = exponentials / exponentials.sum(-1, keepdim=True)
"""
NEVER_HIDDEN = """
  if mask is not None:
-     scores = scores.masked_fill(~mask, -1e9)
+     pass
"""
CUT_OFF = """
- return weights
+ return weights.detach()
"""
AS_FLOAT = """
- return weights
+ return weights.float()
"""


def test_a_line_is_replaced():
    changed = made(NO_SCALE)
    assert same(changed, SOURCE.replace(" / math.sqrt(d_k)", ""))
    assert "transpose(-2, -1)  # (..., query, key)" in changed  # comments stay


@pytest.mark.parametrize(
    "text", [NO_SCALE, NOT_TURNED, HIDDEN_BY_ZERO, WRITTEN_OUT, NEVER_HIDDEN, CUT_OFF]
)
def test_how_the_model_answer_is_laid_out_does_not_matter(text):
    assert same(made(text, OTHERWISE), made(text))
    assert not same(made(text), SOURCE)


def test_how_the_diff_is_laid_out_does_not_matter():
    text = """
    - scores = (query @
    -     key.transpose(-2, -1,) / math.sqrt(d_k))
    + scores = (
    +     query @ key.transpose(-2, -1)
    + )
    """
    assert same(made(text), made(NO_SCALE))


def test_quotes_do_not_matter():
    source = "def f(x):\n    return x['a']\n"
    assert "y" in made('- return x["a"]\n+ return y["a"]\n', source)


def test_unchanged_lines_say_which_one_is_meant():
    line, sentence = told("- if mask is not None:\n+ if True:\n")
    assert line == 10
    assert sentence == (
        "`if mask is not None:` stands in solutions/attention.py 2 times (lines 104 and 108): "
        "add a line above or below it, unchanged, with a space in front"
    )
    changed = made("  weights = softmax(scores, dim=-1)\n- if mask is not None:\n+ if True:\n")
    assert changed.index("if True") > changed.index("softmax")


def test_unchanged_lines_may_be_a_part_of_a_statement():
    text = """
      scores = (
          query @ key.transpose(-2, -1)
    -     / math.sqrt(d_k)
      )
    """
    assert same(made(text), made(NO_SCALE))


def test_lines_can_be_put_in_and_taken_out():
    above = made("+ print(1)\n  weights = softmax(scores, dim=-1)\n")
    below = made("      scores = scores.masked_fill(~mask, -1e9)\n+ print(1)\n")
    assert same(above, below)
    assert "print" not in made("- d_k = query.shape[-1]\n", above.replace("print", "pr"))
    assert "query.shape" not in made("- d_k = query.shape[-1]\n")
    deeper = made("      scores = scores.masked_fill(~mask, -1e9)\n+     print(1)\n")
    assert not same(deeper, below)


def test_a_block_may_be_indented_anew():
    text = """
    - if mask is not None:
    -     scores = scores.masked_fill(~mask, -1e9)
    + scores = scores.masked_fill(~mask, -1e9)
    """
    changed = made(text)
    assert "\n    scores = scores.masked_fill" in changed
    assert changed.count("if mask is not None") == 1


def test_places_far_apart_are_parted_by_dots():
    text = NO_SCALE + "...\n" + CUT_OFF.strip()
    changed = made(text)
    assert "sqrt" not in changed
    assert "detach" in changed
    line, sentence = told(NO_SCALE + CUT_OFF.strip("\n"))
    assert line == 12
    assert sentence.endswith("if there are lines in between, write `...` there")


def test_a_line_that_is_not_there_is_told_with_the_nearest():
    line, sentence = told("- scores = query @ key.transpose(-1, -2) / math.sqrt(d_k)\n")
    assert line == 10
    assert "does not stand in solutions/attention.py" in sentence
    assert "`scores = query @ key.transpose(-2, -1) / math.sqrt(d_k)` (line 103)" in sentence


def test_a_local_name_that_was_changed_is_told():
    _, sentence = told("- return shares\n+ return shares.detach()\n")
    assert sentence.endswith(
        "the nearest line there is `return weights` (line 110): is `shares` now called `weights`?"
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("+ x = 1\n", "where does this belong? Add the line above or below"),
        ("  return weights\n", "no line here begins with - or +"),
        ("- return (weights\n", "`return (weights` is no whole line of Python"),
        ("- math.sqrt(d_k))\n", "is no whole line of Python"),
        ("- return weights\n+ return weights +\n", "`return weights +` is no whole line of Python"),
        (
            "- if mask is not None:\n- weights = weights.masked_fill(~mask, 0.0)\n",
            "these lines do not stand together",
        ),
        (NO_SCALE.strip() + "\n...\n" + NO_SCALE.strip(), "two parts of this diff change the same"),
        (
            "  weights = weights.masked_fill(~mask, 0.0)\n- return weights\n+ return 1\n",
            "do not stand together",
        ),
    ],
)
def test_what_is_no_diff_is_told(text, sentence):
    assert sentence in told(text)[1]


def test_a_whole_function_can_be_written():
    text = """
    def attention(query, key, mask=None):
        scores = query @ key.transpose(-2, -1)
        return softmax(scores, dim=-1)
    """
    changed = made(text, whole=True)
    assert "Look around" in changed  # the docstring stays
    assert same(
        changed,
        SOURCE[: SOURCE.index("    d_k")]
        + "    scores = query @ key.transpose(-2, -1)\n    return softmax(scores, dim=-1)\n",
    )


def test_a_method_can_be_written():
    source = "class A:\n    def f(self):\n        return 1\n\n    def g(self):\n        return 2\n"
    changed = made("def g(self):\n    x = 3\n    return x\n", source, whole=True)
    assert same(changed, source.replace("return 2", "x = 3\n        return x"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("def other():\n    return 1\n", "solutions/attention.py has no functions called other"),
        ("x = 1\n", "a block of python holds a function"),
        ("def attention():\n    return 1\ny = 2\n", "one function, and no more"),
    ],
)
def test_what_is_no_function_is_told(text, sentence):
    assert sentence in told(text, whole=True)[1]


# --- Together -------------------------------------------------------------------------------------


def both(one, other, source=SOURCE):
    edits = [diff(text).edits(source) for text in (one, other)]
    return applied(source, edits)


def test_two_mistakes_in_one_line_go_together():
    changed = both(NO_SCALE, NOT_TURNED)
    assert same(changed, made(NO_SCALE).replace(".transpose(-2, -1)", ""))
    assert same(changed, both(NOT_TURNED, NO_SCALE))


def test_two_that_change_the_same_do_not():
    assert both(HIDDEN_BY_ZERO, HIDDEN_BY_ZERO.replace(", 0)", ", 1)")) is None
    assert both(HIDDEN_BY_ZERO, NEVER_HIDDEN) is None


def test_what_is_put_in_at_one_place_is_put_in_one_after_the_other():
    """As if the second had been made in what the first one left."""
    assert "return weights.float().detach()" in both(CUT_OFF, AS_FLOAT)
    assert "return weights.detach().float()" in both(AS_FLOAT, CUT_OFF)
    wraps = [f"- return weights\n+ return {name}(weights, {name}=1)\n" for name in "fg"]
    assert "return f(g(weights, g=1), f=1)" in both(*wraps)
    above = [f"+ {name} = 1\n  return weights\n" for name in "ab"]
    assert "a = 1\n    b = 1\n    return" in both(*above)


def test_a_mistake_is_found_in_a_line_that_another_has_moved():
    moved = """
    - d_k = query.shape[-1]
    ...
    - return weights
    + d_k = query.shape[-1]
    + return weights
    """
    narrower = "- d_k = query.shape[-1]\n+ d_k = query.shape[-2]\n"
    assert both(moved, narrower) is None
    changed = one_by_one(SOURCE, [diff(text).edits(SOURCE) for text in (moved, narrower)])
    assert same(changed, made(moved).replace("shape[-1]", "shape[-2]"))
    gone = "- d_k = query.shape[-1]\n"
    assert one_by_one(SOURCE, [diff(text).edits(SOURCE) for text in (gone, narrower)]) is None
