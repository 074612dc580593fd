"""A trial runs an implementation, and notes everything that came of it."""

import numpy
import pytest
import torch
from torch import nn

from autograder.engine import promises
from autograder.engine.compare import ASPECTS
from autograder.engine.drawing import Draw
from autograder.engine.trial import Answer, Call, StandIn, Trial, ask, call, probe, run
from course import COURSE, stand_ins


def double(x):
    return 2 * x


class Scale(nn.Module):
    """A module with one parameter."""

    def __init__(self, width, start=1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.full((width,), start))

    def forward(self, x):
        self.seen = x
        return x * self.weight

    def twice(self, x):
        return self(self(x))


STATE = {"weight": torch.tensor([1.0, 2.0, 3.0])}
X = torch.tensor([[1.0, 1.0, 1.0]])


def test_what_comes_back_is_noted_under_its_name():
    answer = run(lambda x: (x, x + 1), call(("a", "b"), x=X))
    assert torch.equal(answer.arrays["a"], X)
    assert torch.equal(answer.arrays["b"], X + 1)
    assert answer.facts["returned"] == "a tuple of 2 (a tensor, a tensor)"
    assert answer.problem is None


def test_every_call_gets_copies_and_a_change_is_noted():
    trial = call(x=X.clone())
    answer = run(lambda x: x.add_(1), trial)
    assert answer.facts["changed"] == ["x"]
    assert torch.equal(trial.calls[0].arguments["x"], X)


def test_gradients_are_those_of_one_weighted_sum_for_everybody():
    trial = call(x=X)
    trial.gradients = True
    gradient = run(double, trial).arrays["gradient of x"]
    assert gradient.unique().numel() == 3
    assert torch.equal(gradient, run(lambda x: x + x, trial).arrays["gradient of x"])


def test_a_gradient_that_does_not_arrive_is_a_fact():
    trial = call(x=X, y=X)
    trial.gradients = True
    assert run(lambda x, y: x.detach() + y, trial).facts["no gradient"] == ["x"]
    assert run(lambda x, y: torch.ones(2), trial).facts["no gradient"] == ["x", "y"]


def test_a_module_is_built_loaded_and_called():
    trial = Trial([Call({"x": X})], {"width": 3}, state=STATE, gradients=True)
    answer = run(Scale, trial)
    assert torch.equal(answer.arrays["output"], STATE["weight"][None])
    assert set(answer.arrays) == {"output", "gradient of x", "gradient of weight"}
    assert answer.facts["missing"] == answer.facts["extra"] == answer.facts["frozen"] == []


def test_methods_options_and_attributes():
    calls = [Call({"x": X}, method="twice", reads=("seen", "unheard"))]
    answer = run(Scale, Trial(calls, {"width": 3}, {"start": 5.0}, STATE))
    assert torch.equal(answer.arrays["output"], STATE["weight"][None] ** 2)
    assert torch.equal(answer.arrays["seen"], STATE["weight"][None])
    assert answer.facts["unheard"] == "None"


def test_names_that_are_missing_extra_or_of_another_shape_are_facts():
    class Other(Scale):
        def __init__(self, width):
            super().__init__(width + 1)
            self.more = nn.Parameter(torch.ones(1))

    state = STATE | {"bias": torch.ones(3)}
    facts = run(Other, Trial([Call({"x": X})], {"width": 3}, state=state)).facts
    assert facts["missing"] == ["bias"]
    assert facts["extra"] == ["more"]
    assert facts["shapes"] == {"weight": (4,)}


def test_another_name_for_the_same_parameter_is_not_extra():
    class Alias(Scale):
        def __init__(self, width):
            super().__init__(width)
            self.inner = nn.ParameterList([self.weight])

    assert run(Alias, Trial([Call({"x": X})], {"width": 3}, state=STATE)).facts["extra"] == []


def test_what_is_no_module_is_a_fact():
    answer = run(lambda width: 3, Trial([Call({"x": X})], {"width": 3}, state=STATE))
    assert answer.facts["built"] == "an int"


def test_the_mode_is_set_for_every_call():
    class Mode(nn.Module):
        def forward(self):
            return torch.tensor(self.training)

    calls = [Call({}, training=True), Call({})]
    answer = run(Mode, Trial(calls, {}))
    assert answer.arrays["output"]
    assert not answer.arrays["output (call 2)"]


def test_an_answer_is_not_changed_by_a_later_call():
    class Reuses(nn.Module):
        def forward(self, x):
            self.memory = x if not hasattr(self, "memory") else self.memory.add_(1)
            return self.memory

    answer = run(Reuses, Trial([Call({"x": X}), Call({"x": X})], {}))
    assert torch.equal(answer.arrays["output"], X)
    assert torch.equal(answer.arrays["output (call 2)"], X + 1)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_inputs_and_weights_have_the_dtype_of_the_trial(dtype):
    tokens = torch.tensor([[1, 2, 0]])
    trial = Trial([Call({"x": tokens})], {"width": 3}, state=STATE, dtype=dtype)
    assert run(Scale, trial).arrays["output"].dtype == dtype
    assert run(lambda x: x, Trial(trial.calls, dtype=dtype)).arrays["output"].dtype == torch.int64


def test_strided_inputs_are_equal_and_lie_otherwise():
    trial = call(x=torch.randn(3, 4))
    trial.strided = True
    answer = run(
        lambda x: (x, torch.tensor(x.is_contiguous())),
        Trial([Call(trial.calls[0].arguments, returns=("x", "whole"))], strided=True),
    )
    assert torch.equal(answer.arrays["x"], trial.calls[0].arguments["x"])
    assert not answer.arrays["whole"]


def test_a_digest_makes_random_answers_comparable():
    trial = call(x=X)
    trial.digest = lambda answer: Answer({}, {"shape": tuple(answer.arrays["output"].shape)})
    assert ask(torch.rand_like, trial).facts == {"shape": (1, 3)}
    assert ask(lambda x: 1 / 0, trial).problem.kind == "ZeroDivisionError"


def test_modules_that_are_kept_are_made_once():
    made, kept = [], {}

    class Counted(Scale):
        def __init__(self, width):
            made.append(width)
            super().__init__(width)

    trial = Trial([Call({"x": X})], {"width": 3}, state=STATE)
    for _ in range(3):
        ask(Counted, trial, made=kept)
    assert len(made) == 1
    for _ in range(3):
        ask(Counted, trial)
    assert len(made) == 4


def test_a_stand_in_is_made_for_every_call(monkeypatch):
    class Box(nn.Module):
        def __init__(self, size):
            super().__init__()
            self.size = size

        def notes(self):
            return {"size afterwards": self.size}

    monkeypatch.setattr(stand_ins, "box", Box, raising=False)
    assert COURSE.stand_in("box", size=3).size == 3
    trial = Trial([Call({"box": StandIn("box", {"size": 3})})] * 2)

    def grow(box):
        box.size += 1
        return box

    facts = run(grow, trial).facts
    assert facts["size afterwards"] == facts["size afterwards (call 2)"] == 4
    assert facts["gave back the model it was given"] is True


def test_a_trial_can_be_had_with_something_else():
    trial = call(x=X)
    other = trial.but(gradients=True, dtype=torch.float64)
    assert (other.calls, other.gradients, other.dtype) == (trial.calls, True, torch.float64)
    assert not trial.gradients
    assert trial.dtype == torch.float32


def test_a_probe_draws_the_same_as_if_it_were_written_out():
    def make(draw, width, scale=1.0):
        return call(x=draw.normal(width, scale=scale))

    def wide(draw):
        return make(draw, 7, scale=2.0)

    short = probe("wide", make, 7, scale=2.0)
    assert short.__name__ == wide.__name__
    drawn = [each(Draw(1, each.__name__)).calls[0].arguments["x"] for each in (wide, short)]
    assert torch.equal(*drawn)


def test_usual_promises_collect_one_kind_of_difference():
    found = [
        promises.parts("all is there"),
        promises.gradients("they flow", double),
        promises.dtype("it is right", points=2),
        promises.unchanged("nothing changes", look="Where?"),
    ]
    assert [promise.points for promise in found] == [1, 1, 2, 1]
    assert found[1].probes == (double,)
    assert found[3].look == "Where?"
    assert len({promise.name for promise in found}) == 4
    for promise in found:
        assert set(promise.aspects) <= set(ASPECTS)


def test_draws_repeat_with_the_seed_and_differ_between_probes():
    same = [Draw(3, "a").normal(4) for _ in range(2)]
    assert torch.equal(*same)
    assert not torch.equal(same[0], Draw(3, "b").normal(4))
    assert not torch.equal(same[0], Draw(4, "a").normal(4))


def test_every_query_of_a_drawn_mask_sees_something_and_not_everything():
    for seed in range(20):
        mask = Draw(seed).mask(2, 3, 4)
        assert mask.any(-1).all()
        assert not mask.all(-1).any()


@pytest.mark.parametrize("pad", [0, 3])
def test_drawn_tokens_have_padding_at_the_end_of_some(pad):
    for seed in range(20):
        tokens = Draw(seed).tokens(3, 6, 8, pad=pad)
        assert (tokens[0] != pad).all()
        assert (tokens[:, 0] != pad).all()
        assert (tokens[1:, -1] == pad).all()
        assert tokens.max() < 8


def test_drawn_weights_have_the_reference_shapes_and_share_what_is_shared():
    module = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    module.append(module[0])
    state = Draw(1).weights(module)
    assert {name: x.shape for name, x in state.items()} == {
        name: x.shape for name, x in module.named_parameters(remove_duplicate=False)
    }
    assert state["0.weight"] is state["2.weight"]
    assert abs(float(state["1.weight"].mean()) - 1) < 1


def test_arrays_can_be_numpys():
    trial = call(x=torch.arange(6.0).reshape(2, 3), n=2)
    trial.numpy = True

    def first_rows(x, n):
        assert isinstance(x, numpy.ndarray)
        x[0, 0] = 7
        return x[:, ::-1][:n]

    answer = run(first_rows, trial)
    assert answer.facts["returned"] == "an array"
    assert answer.facts["changed"] == ["x"]
    assert answer.arrays["output"].dtype == torch.float32
    assert answer.arrays["output"].tolist() == [[2.0, 1.0, 7.0], [5.0, 4.0, 3.0]]
    assert run(lambda x, n: x.mean(), trial).facts["returned"] == "a float"
    assert run(lambda x, n: numpy.array(["a"]), trial).arrays == {}


class Liar(torch.Tensor):
    """Says of itself whatever it likes."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return "nothing of the kind"


def test_a_tensor_that_lies_about_itself_is_taken_for_what_it_is():
    answer = run(lambda x: (x + 1).as_subclass(Liar), call(x=torch.ones(2, 3)))
    assert answer.arrays["output"].tolist() == [[2.0] * 3] * 2
