"""What people write, and what they are told, is the same in class as at home."""

import linecache
import sys

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from autograder.engine.examine import examine, examine_learners
from autograder.grading.notebook_run import grade
from autograder.notebooks.plan import Plan, put_back
from autograder.sandbox.walls import Limits
from course.checks import find
from course.stubs import stub_of

from ..conftest import known

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the sandbox")

EINOPS = """
import torch
from einops import einsum, rearrange


def split_heads(x, num_heads):
    return rearrange(x, "batch length (heads d) -> batch heads length d", heads=num_heads)
"""
EINOPS_LAYER = """
from einops.layers.torch import Rearrange


def merge_heads(x):
    return Rearrange("b h l d -> b l (h d)")(x)
"""
TYPED_FUNCTION = """
import torch
from beartype import beartype
from jaxtyping import Float, jaxtyped
from torch import Tensor


@jaxtyped(typechecker=beartype)
def merge_heads(x: Float[Tensor, "b h l d"]) -> Float[Tensor, "b l hd"]:
    return x.transpose(1, 2).flatten(2)
"""
TYPED_MODULE = """
import torch
from beartype import beartype
from jaxtyping import Float, Int, jaxtyped
from torch import Tensor, nn


class TokenEmbedding(nn.Module):
    @beartype
    def __init__(self, vocab: int, d_model: int):
        super().__init__()
        self.table = nn.Embedding(vocab, d_model)

    @jaxtyped(typechecker=beartype)
    def forward(self, tokens: Int[Tensor, "*any"]) -> Float[Tensor, "*any d"]:
        return self.table(tokens) * self.table.embedding_dim**0.5
"""
COMPILED = """
import torch


@torch.compile
def softmax(x, dim=-1):
    shifted = torch.exp(x - x.amax(dim, keepdim=True))
    return shifted / shifted.sum(dim, keepdim=True)
"""
COMPILED_MODULE = """
import torch
from torch import nn


@torch.compile
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        self.linear1, self.linear2 = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        return self.linear2(self.dropout(torch.relu(self.linear1(x))))
"""
WRITTEN = {
    "multi_head.split_heads": [EINOPS],
    "multi_head.merge_heads": [EINOPS_LAYER, TYPED_FUNCTION],
    "transformer.TokenEmbedding": [TYPED_MODULE],
    "attention.softmax": [COMPILED],
    "encoder_block.FeedForward": [COMPILED_MODULE],
}
ANSWERS = [(exercise, source) for exercise, sources in WRITTEN.items() for source in sources]
LIMITS = Limits(cell=30.0, check=20.0, total=90.0)


def in_class(keeper, judge, exercise_id, *sources):
    """The Result of an exercise's check, below cells of these sources; and what was shown."""
    exercise = find(exercise_id)
    answer = known(exercise.name, stub_of(exercise), solution=True)
    check = known("c", f"check({exercise.name})", locked=True, grade=True, points=4.0)
    plan = Plan("own", "own", (answer, check))
    cells = [new_code_cell(source) for source in (*sources, check.source)]
    for cell, each in zip(cells[-2:], plan.cells):
        cell.metadata["nbgrader"] = {"grade_id": each.grade_id}
    graded = grade(put_back(new_notebook(cells=cells), plan), plan, keeper, judge, LIMITS)
    return graded.results["c"], str([cell.get("outputs") for cell in graded.notebook.cells])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's compiler, about torch
@pytest.mark.parametrize(("exercise", "source"), ANSWERS)
def test_what_people_write_is_accepted_at_home(exercise, source):
    names = {"__name__": "answer"}
    exec(source, names)
    verdict = examine(find(exercise), names[find(exercise).name], seed=1)
    assert verdict.passed, verdict.message


@linux
@pytest.mark.parametrize(("exercise", "source"), ANSWERS)
def test_what_people_write_is_accepted_in_class(exercise, source, keeper, judge):
    result, shown = in_class(keeper, judge, exercise, source)
    assert result.points == 4.0, (result.text, shown)
    assert not result.trouble


@linux
def test_cells_of_their_own_run_what_is_compiled_in_class(keeper, judge):
    """No compiler can be started there."""
    call = "print('adds up to', softmax(torch.ones(2, 3)).sum().item())"
    _, shown = in_class(keeper, judge, "attention.softmax", f"{COMPILED}\n{call}", "x = 1")
    assert "adds up to 2" in shown


@linux
def test_what_nobody_asks_for_is_not_imported_in_class(keeper, judge):
    """Each import costs every submission its time."""
    names = "{'einops', 'beartype', 'jaxtyping'}"
    look = f"import sys\nprint('unasked:', sorted({names} & {{*sys.modules}}))"
    _, shown = in_class(keeper, judge, "multi_head.merge_heads", look, "x = 1")
    assert "unasked: []" in shown


@linux
def test_a_missing_package_is_told_in_class_where_it_is_missed(keeper, judge):
    result, shown = in_class(
        keeper, judge, "attention.softmax", "import no_such_package\ndef softmax(x): pass"
    )
    assert result.points == 0.0
    assert "There is no package `no_such_package` here." in shown
    result, _ = in_class(
        keeper, judge, "attention.softmax", "def softmax(x, dim=-1):\n    import no_such_package"
    )
    assert "There is no package `no_such_package` here." in result.text


@linux
def test_input_is_told_in_class(keeper, judge):
    result, shown = in_class(keeper, judge, "attention.softmax", "input()", "x = 1")
    assert "Nobody can type where your code is checked" in shown
    result, _ = in_class(
        keeper, judge, "attention.softmax", "def softmax(x, dim=-1):\n    return input('dim?')"
    )
    assert "Nobody can type where your code is checked" in result.text


@linux
def test_numpy_in_place_of_torch_is_told_in_class(keeper, judge):
    source = "import numpy as np\ndef softmax(x, dim=-1):\n    return np.max(x, axis=dim)\n"
    result, _ = in_class(keeper, judge, "attention.softmax", source)
    assert "`np.max` is NumPy's, and you have torch's tensors" in " ".join(result.text.split())


@linux
@pytest.mark.parametrize(
    ("exercise", "name"),
    [
        ("multi_head.MultiHeadAttention", "MultiHeadedAttention"),
        ("multi_head.MultiHeadAttention", "multi_head_attention"),
        ("positional_encoding.PositionalEncoding", "positional_encoding"),
    ],
)
def test_a_name_that_is_nearly_right_is_offered_in_class(exercise, name, keeper, judge):
    result, _ = in_class(keeper, judge, exercise, f"class {name}:\n    pass")
    right = exercise.partition(".")[2]
    assert f"`{name}`: is that `{right}`?" in " ".join(result.text.split())


@linux
def test_magics_and_shell_lines_cost_nothing_in_class(keeper, judge):
    source = f"%matplotlib inline\n!pip install einops\n%pip install einops\n{EINOPS}"
    result, shown = in_class(keeper, judge, "multi_head.split_heads", source)
    assert result.points == 4.0, shown


@linux
@pytest.mark.parametrize(
    "source",
    [
        "import solutions.attention\nsoftmax = solutions.attention.softmax",
        "from solutions.attention import softmax as borrowed\n\n"
        "def softmax(x, dim=-1):\n    return borrowed(x, dim)",
    ],
)
def test_the_courses_own_version_earns_nothing_at_home_or_in_class(source, keeper, judge):
    names = {"__name__": "answer"}
    exec(source, names)
    at_home = examine_learners(find("attention.softmax"), names["softmax"], names, seed=1)
    result, _ = in_class(keeper, judge, "attention.softmax", source)
    assert at_home.score == result.points == 0.0
    assert "the course's own" in at_home.message
    assert "the course's own" in " ".join(result.text.split())


CONSTANT = """
import torch


def scaled_dot_product_attention(query, key, value, mask=None):
    scores = query @ key.mT / 8.0
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    weights = scores.softmax(-1)
    weights = weights if mask is None else weights.masked_fill(~mask, 0.0)
    return weights @ value, weights
"""
RUNNING = """
import torch
from torch import nn


class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps, self.last = eps, None
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        centred = x - x.mean(-1, keepdim=True)
        if self.last is not None and self.last.shape == x.shape:
            centred = centred + 0.1 * (self.last - x)
        self.last = x.detach()
        spread = (centred.square().mean(-1, keepdim=True) + self.eps).sqrt()
        return 1.1 * centred / spread * self.weight + self.bias
"""


@linux
@pytest.mark.parametrize(
    ("exercise", "source", "kind"),
    [
        ("attention.scaled_dot_product_attention", CONSTANT, "With d_k=64 your answer is right"),
        ("encoder_block.LayerNorm", RUNNING, "once it was called with other numbers in between"),
    ],
)
def test_the_kind_of_a_mistake_is_told_in_the_same_words_in_class(
    exercise, source, kind, keeper, judge
):
    """To find it more is asked, wherever the code lives."""
    names = {"__name__": "answer"}
    lines = source.splitlines(keepends=True)
    linecache.cache["<answer>"] = (len(source), None, lines, "<answer>")
    exec(compile(source, "<answer>", "exec"), names)
    found = find(exercise)
    home = examine(found, names[found.name], seed=judge.seed_of(found))
    told = next(paragraph for paragraph in home.explanation if kind in paragraph)
    result, _ = in_class(keeper, judge, exercise, source)
    assert told in " ".join(result.text.split())


@linux
@pytest.mark.parametrize("kind", ["to(torch.uint16)", "to(torch.float8_e5m2)", "to_sparse()"])
def test_numbers_of_an_odd_kind_earn_and_are_told_the_same_in_class(kind, keeper, judge):
    source = f"import torch\ndef causal_mask(n):\n    return torch.ones(n, n).tril().{kind}\n"
    names = {"__name__": "answer"}
    exec(source, names)
    exercise = find("attention.causal_mask")
    home = examine(exercise, names["causal_mask"], seed=judge.seed_of(exercise))
    result, _ = in_class(keeper, judge, "attention.causal_mask", source)
    assert result.points == home.score
    assert home.explanation[0] in " ".join(result.text.split())
