"""The lines that a learner writes: marked as nbgrader asks, few, and with a docstring above."""

import ast
import re
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell
from nbgrader.preprocessors import ClearSolutions

SOLUTIONS = Path(__file__).parent.parent.parent / "solutions"
LESSONS = (
    "attention",
    "multi_head",
    "positional_encoding",
    "encoder_block",
    "transformer",
    "training",
    "variants",
)
CONTRACT = {
    "attention": [
        "softmax",
        "scaled_dot_product_attention",
        "causal_mask",
        "padding_mask",
        "self_attention",
    ],
    "multi_head": ["split_heads", "merge_heads", "MultiHeadAttention"],
    "positional_encoding": ["sinusoidal_encoding", "shift_matrix", "PositionalEncoding"],
    "encoder_block": ["LayerNorm", "FeedForward", "EncoderBlock", "Encoder"],
    "transformer": [
        "TokenEmbedding",
        "DecoderBlock",
        "Decoder",
        "Transformer",
        "count_parameters",
    ],
    "training": [
        "learning_rate",
        "smoothed_cross_entropy",
        "shift_right",
        "initialise",
        "greedy_decode",
        "beam_search",
    ],
}
REGION = re.compile(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", re.DOTALL)


def source_of(lesson):
    return (SOLUTIONS / f"{lesson}.py").read_text()


def exercises(lesson):
    """The top-level functions and classes in which there is something to write."""
    source = source_of(lesson)
    nodes = ast.parse(source).body
    ends = [following.lineno - 1 for following in nodes[1:]] + [len(source.splitlines())]
    for node, end in zip(nodes, ends):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            text = "\n".join(source.splitlines()[node.lineno - 1 : end])
            if "### BEGIN SOLUTION" in text:
                yield node, text


def lines_to_write(text):
    regions = REGION.findall(text)
    return [[line for line in region.splitlines() if line.strip()] for region in regions]


@pytest.mark.parametrize("lesson", CONTRACT)
def test_every_exercise_of_the_contract_has_lines_to_write(lesson):
    assert [node.name for node, _ in exercises(lesson)] == CONTRACT[lesson]


@pytest.mark.parametrize("lesson", LESSONS)
def test_marks_come_in_pairs_and_regions_are_short(lesson):
    for node, text in exercises(lesson):
        begins, ends = text.count("### BEGIN SOLUTION"), text.count("### END SOLUTION")
        assert begins == ends, f"{node.name}: {begins} begins, {ends} ends"
        regions = lines_to_write(text)
        code = [[x for x in region if not x.strip().startswith("#")] for region in regions]
        assert all(1 <= len(region) <= 15 for region in code), f"{node.name}: {code}"
        assert 2 <= sum(map(len, code)) <= 25, f"{node.name} is too long to be one exercise"


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_docstring_says_what_a_learner_needs(lesson):
    for node, _ in exercises(lesson):
        docstring = ast.get_docstring(node)
        assert docstring, f"{node.name} has no docstring"
        where = r"\b(sections?|table|figure|algorithm) \d|, \d{4}\)"
        assert re.search(where, docstring), f"{node.name} does not say where it is in a paper"
        if isinstance(node, ast.FunctionDef):
            assert "Returns:" in docstring, f"{node.name} does not say what it returns"
            assert "Args:" in docstring, f"{node.name} does not say what it takes"
        else:
            methods = [part for part in node.body if isinstance(part, ast.FunctionDef)]
            forward = next(method for method in methods if method.name == "forward")
            assert "→" in ast.get_docstring(forward), f"{node.name}.forward does not give shapes"


@pytest.mark.parametrize("lesson", LESSONS)
def test_nbgrader_turns_the_file_into_stubs_that_are_python(lesson):
    cell = new_code_cell(
        source_of(lesson), metadata={"nbgrader": {"solution": True, "grade": False}}
    )
    ClearSolutions().preprocess_cell(cell, {"language": "python"}, 0)
    ast.parse(cell.source)
    assert "### BEGIN SOLUTION" not in cell.source
    assert cell.source.count("raise NotImplementedError()") == len(
        REGION.findall(source_of(lesson))
    )


@pytest.mark.parametrize("path", sorted(SOLUTIONS.glob("*.py")), ids=lambda path: path.stem)
def test_solutions_know_nothing_but_torch_and_each_other(path):
    allowed = {"math", "contextlib", "torch"}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [] if node.level else [node.module]
        else:
            continue
        assert {module.split(".")[0] for module in modules} <= allowed, f"{path.name}: {modules}"


def test_the_list_of_exercises_is_that_of_the_code():
    listed = re.findall(
        r"^\| `(\w+\.\w+)\(", (SOLUTIONS.parent / "docs/exercises.md").read_text(), re.M
    )
    assert listed == [
        f"{lesson}.{node.name}" for lesson in LESSONS for node, _ in exercises(lesson)
    ]
