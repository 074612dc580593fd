"""What an exercise leaves free, and what it asks for, with its price."""

import inspect

import pytest
import torch
from torch import nn

from autograder.engine.examine import examine
from course.checks import find
from solutions import transformer
from tests.autograder.implementations import Heads

HEADS, MODEL = find("multi_head.MultiHeadAttention"), find("transformer.Transformer")
TABLE = find("positional_encoding.PositionalEncoding")


def verdict(exercise, subject):
    return examine(exercise, subject, seed=1)


class Attached(Heads):
    """Its weights hang on the graph."""

    def forward(self, query, key, value, mask=None):
        output = super().forward(query, key, value, mask)
        self.weights = self.weights.clone().requires_grad_()
        return output


def test_weights_that_are_not_detached_cost_one_promise():
    found = verdict(HEADS, Attached)
    assert found.score == found.max_score - 1
    assert found.missing == ["`weights` hang on no graph when they are kept"]
    assert found.diagnosis == "weights_not_detached"


def test_beside_another_mistake_they_are_told_and_hide_nothing():
    class Unscaled(Attached):
        def forward(self, query, key, value, mask=None):
            output = super().forward(query, key, value, mask)
            return output + self.w_output.bias

    found = verdict(HEADS, Unscaled)
    assert found.score < found.max_score - 1
    assert "Your `weights` still hang on torch's graph" not in found.explanation[0]


def rewritten(*changes):
    """The reference with other text, made a learner's."""
    source = inspect.getsource(transformer.Transformer)
    for old, new in changes:
        assert old in source
        source = source.replace(old, new)
    names = dict(vars(transformer)) | {"__name__": "answer"}
    exec(source, names)
    return names["Transformer"]


def test_a_model_must_say_which_token_is_padding():
    found = verdict(MODEL, rewritten(("self.pad", "self.no_token")))
    assert found.score == found.max_score - 1
    assert found.diagnosis == "pad_not_kept"
    assert "ask it for `model.pad`" in found.explanation[0]


def test_that_a_model_lacks_pad_does_not_hide_that_it_ignores_it():
    found = verdict(
        MODEL, rewritten(("self.pad = pad\n", "self.no_token = pad\n"), ("self.pad", "0"))
    )
    assert found.diagnosis == "pad_fixed_to_0"
    assert "`model.pad` is 3" in found.explanation[-1]


def test_padding_may_be_a_number_in_a_tensor():
    kept = "self.register_buffer('pad', torch.tensor(pad), persistent=False)"
    subject = rewritten(("self.pad = pad", kept))
    subject.__init__.__globals__["torch"] = torch
    assert verdict(MODEL, subject).passed


@pytest.mark.parametrize("trouble", [ValueError("odd"), None])
def test_an_odd_width_of_the_module_is_free(trouble):
    """An error will do, and so will an encoding; sinusoidal_encoding alone promises one."""

    class Encoding(TABLE.reference):
        def __init__(self, d_model, *more, **options):
            if d_model % 2 and trouble:
                raise trouble
            super().__init__(d_model, *more, **options)

    found = verdict(TABLE, Encoding)
    assert not found.missing
    assert not any("odd" in promise.says for promise in TABLE.properties)
    odd = [each for each in find("sinusoidal_encoding").properties if "odd d_model" in each.says]
    assert odd


@pytest.mark.parametrize("condition", ["> 1", ">= 2", "== 2", "in (2, 3)"])
def test_what_becomes_of_more_than_two_dimensions_is_free(condition):
    names = {"nn": nn}
    exec(
        f"def initialise(model):\n"
        f"    for p in model.parameters():\n"
        f"        if p.dim() {condition}:\n"
        f"            nn.init.xavier_uniform_(p)\n"
        f"    return model\n",
        names,
    )
    found = verdict(find("initialise"), names["initialise"])
    assert found.passed, found.message


@pytest.mark.parametrize(
    ("exercise", "words"),
    [
        ("positional_encoding.PositionalEncoding", "what an odd one gives is up to you"),
        ("training.initialise", "may be filled or left"),
        ("transformer.count_parameters", "a whole number of NumPy's will do"),
        ("transformer.Transformer", "It stays at hand as `pad`"),
        ("multi_head.MultiHeadAttention", "detached, before"),
    ],
)
def test_what_is_free_and_what_is_asked_for_is_in_the_docstring(exercise, words):
    assert words in " ".join(inspect.getdoc(find(exercise).reference).split())
