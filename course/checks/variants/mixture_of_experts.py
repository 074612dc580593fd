"""How MixtureOfExperts is checked."""

import math

import torch

from autograder.engine import promises
from autograder.engine.exercise import Exercise, Property
from autograder.engine.trial import Answer, Call, Trial, probe

from .shared import blank

EXPERTS = {"d_model": 6, "d_ff": 9, "num_experts": 4, "top_k": 2}


def visit(draw, leading=(2, 5), build=None, gap=0.05, training=False, reads=(), **trial):
    """A trial with tokens for which the choice of the experts is no close call."""
    build = build or EXPERTS
    state = draw.weights(draw.reference(**build))
    count = math.prod(leading)
    x = clear_cases(draw, state, count, gap).reshape(*leading, build["d_model"])
    sizes = {"tokens": count} | build
    calls = [Call({"x": x}, training=training, reads=reads)]
    trial = Trial(calls, build, {"dropout": 0.0}, state=state, sizes=sizes, **trial)
    trial.digest = about_output
    return trial


def clear_cases(draw, state, count, gap):
    """Tokens whose experts' logits lie at least `gap` apart: rounding must not decide."""
    weight, bias = (
        state["router.weight"].bfloat16().float(),
        state["router.bias"].bfloat16().float(),
    )
    while True:
        x = draw.normal(40 * count + 200, weight.shape[1])
        x = x.bfloat16().float()
        logits = (x @ weight.T + bias).sort(dim=-1).values
        clear = x[(logits.diff(dim=-1) > gap).all(dim=-1)]
        if len(clear) >= count:
            return clear[:count]


def about_output(answer):
    """A parameter that nothing depends on may have no gradient, or one of 0."""
    arrays, facts = dict(answer.arrays), dict(answer.facts)
    if facts.get("missing"):  # then there are weights that nobody has drawn
        return Answer(blank(answer), {n: x for n, x in facts.items() if n != "no gradient"})
    without = set(facts.pop("no gradient", ()))
    for name, array in answer.arrays.items():
        if name.startswith("gradient of ") and not bool(array.any()):
            without.add(name.removeprefix("gradient of "))
            del arrays[name]
    if without:
        facts["no gradient"] = sorted(without)
    return Answer(arrays, {n: x for n, x in facts.items() if "detached" not in n})


visit_two = probe("visit_two", visit)


def visit_three(draw):
    return visit(draw, (7,), {"d_model": 5, "d_ff": 8, "num_experts": 6, "top_k": 3})


def visit_one(draw):
    return visit(draw, (3, 4), EXPERTS | {"top_k": 1})


def visit_all(draw):
    return visit(draw, (8,), {"d_model": 6, "d_ff": 7, "num_experts": 3, "top_k": 3})


def visit_with_more_dimensions(draw):
    """Then a single token: nothing of the first call may be left in the second."""
    trial = visit(draw, (2, 1, 3))
    trial.calls.append(Call({"x": clear_cases(draw, trial.state, 1, 0.05)}))
    return trial


visit_strided = probe("visit_strided", visit, (4, 3), strided=True)


def visit_by_few(draw):
    """Three tokens, and eight experts if nothing else is asked for: some are visited by nobody."""
    return visit(draw, (3,), {"d_model": 6, "d_ff": 9}, gap=0.02, gradients=True)


visit_gradients = probe("visit_gradients", visit, training=True, gradients=True)
visit_in_float64 = probe("visit_in_float64", visit, dtype=torch.float64)
visit_in_bfloat16 = probe("visit_in_bfloat16", visit, gap=0.25, dtype=torch.bfloat16)
balance = probe("balance", visit, reads=("balance_loss",))


START = "output = torch.zeros_like(tokens)"
LOOK_AT_GATES = "Print the gates of one token: how many are there, and what do they add up to?"


MixtureOfExperts = Exercise(
    id="variants.MixtureOfExperts",
    properties=(
        promises.parts("router and experts are there under their names"),
        Property(
            "values",
            4,
            "a token's output is the mixture of its experts' answers",
            (visit_two, visit_three),
            look=LOOK_AT_GATES,
        ),
        Property(
            "top_k",
            2,
            "it works with one expert for a token, and with all",
            (visit_one, visit_all),
            look=LOOK_AT_GATES,
        ),
        Property(
            "dimensions",
            1,
            "any leading dimensions will do",
            (visit_with_more_dimensions, visit_strided),
        ),
        promises.gradients(
            "gradients reach x, the router, and the experts that were visited",
            visit_gradients,
            visit_by_few,
        ),
        Property(
            "balance",
            1,
            "`balance_loss` says how evenly the experts were visited",
            (balance,),
            look="The lines below yours work it out, from `probabilities` (tokens, experts) and "
            "`chosen` (tokens, top_k).",
        ),
        promises.dtype("the result has the dtype of x", visit_in_float64, visit_in_bfloat16),
        promises.unchanged("x stays as it was"),
    ),
    hints=(
        "Follow one token: it asks the router, chooses top_k experts, hears their answers, and "
        "mixes them. What are the shapes on the way?",
        "Probabilities of all experts, the largest top_k of them and their numbers, made to add up "
        "to 1. Then expert by expert: who are its visitors, and with which gate?",
        "A softmax of the router's scores (tokens, experts); topk gives gates and `chosen`, both "
        "(tokens, top_k); in a loop over the experts, torch.where finds the visitors, the expert "
        "answers them all at once, and gate times answer is added to their rows.",
    ),
)
