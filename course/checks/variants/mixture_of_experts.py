"""How MixtureOfExperts is checked."""

import math

import torch

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.trial import Answer, Call, Trial

from ..shared import CUTS, LOOK_FOR_CUTS, graph_cut
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


def visit_two(draw):
    return visit(draw)


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


def visit_strided(draw):
    return visit(draw, (4, 3), strided=True)


def visit_by_few(draw):
    """Three tokens, and eight experts if nothing else is asked for: some are visited by nobody."""
    return visit(draw, (3,), {"d_model": 6, "d_ff": 9}, gap=0.02, gradients=True)


def visit_gradients(draw):
    return visit(draw, training=True, gradients=True)


def visit_in_float64(draw):
    return visit(draw, dtype=torch.float64)


def visit_in_bfloat16(draw):
    return visit(draw, gap=0.25, dtype=torch.bfloat16)


def balance(draw):
    return visit(draw, reads=("balance_loss",))


PROBABLE = "probabilities = softmax(self.router(tokens), dim=-1)"
TOP = "gates, chosen = probabilities.topk(self.top_k, dim=-1)"
SHARE = "gates = gates / gates.sum(dim=-1, keepdim=True)"
WHO = "token, place = torch.where(chosen == number)"
ANSWER = "answer = gates[token, place, None] * expert(tokens[token])"
ADD = "output = output.index_add(0, token, answer.to(output.dtype))"
START = "output = torch.zeros_like(tokens)"
LOOK_AT_GATES = "Print the gates of one token: how many are there, and what do they add up to?"


def gate(mistake_id, new, says, look=LOOK_AT_GATES, line=r"gate|softmax|/", same_as=""):
    return Mistake(mistake_id, ((SHARE, new),), says, look, line, same_as)


MixtureOfExperts = Exercise(
    id="variants.MixtureOfExperts",
    properties=(
        Property(
            "parts",
            1,
            "router and experts are there under their names",
            aspects=("built", "names"),
        ),
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
        Property(
            "gradients",
            1,
            "gradients reach x, the router, and the experts that were visited",
            (visit_gradients, visit_by_few),
            aspects=("gradient",),
        ),
        Property(
            "balance",
            1,
            "`balance_loss` says how evenly the experts were visited",
            (balance,),
            look="The lines below yours work it out, from `probabilities` (tokens, experts) and "
            "`chosen` (tokens, top_k).",
        ),
        Property(
            "dtype",
            1,
            "the result has the dtype of x",
            (visit_in_float64, visit_in_bfloat16),
            aspects=("dtype",),
        ),
        Property("arguments", 1, "x stays as it was", aspects=("changed",)),
    ),
    mistakes=(
        gate(
            "gates_not_shared_out",
            "pass",
            "Your gates are the router's probabilities as they are: those of the chosen experts "
            "do not add up to 1.",
        ),
        gate(
            "gates_through_softmax_again",
            "gates = softmax(gates, dim=-1)",
            "The gates of the chosen experts go through a second softmax. They add up to 1, but "
            "are nearly equal: probabilities are no scores.",
        ),
        gate(
            "gates_equal",
            "gates = torch.full_like(gates, 1 / self.top_k)",
            "You average the answers of the chosen experts: what the router thinks of each makes "
            "no difference.",
            "What is the router's probability of a chosen expert for?",
            r"mean|/",
        ),
        gate(
            "no_gates",
            "gates = torch.ones_like(gates)",
            "You add up the answers of the chosen experts: what the router thinks of each makes no "
            "difference.",
            "What is the router's probability of a chosen expert for?",
            r"\+|sum",
        ),
        gate(
            "gates_shared_out_over_tokens",
            "gates = gates / gates.sum(dim=0, keepdim=True)",
            "Your gates add up to 1 over all tokens, and not over the experts of a token.",
            LOOK_AT_GATES,
            r"sum|softmax",
        ),
        gate(
            "gates_divided_by_all",
            "gates = gates / gates.sum()",
            "Your gates of all tokens together add up to 1.",
            LOOK_AT_GATES,
            r"sum|softmax",
        ),
        gate(
            "gates_squared",
            "gates = gates.square() / gates.square().sum(dim=-1, keepdim=True)",
            "Your gates are those of squared probabilities: each is counted twice.",
        ),
        gate(
            "gates_cut_off",
            "gates = (gates / gates.sum(dim=-1, keepdim=True)).detach()",
            "The numbers are right, but no gradient reaches the router: it could never learn where "
            "to send a token.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
        Mistake(
            "gates_from_scores",
            ((TOP, "gates, chosen = self.router(tokens).topk(self.top_k, dim=-1)"),),
            "Your gates are the router's bare scores, divided by their sum: they can be negative, "
            "or above 1.",
            "What turns scores into shares?",
            r"topk|router",
        ),
        Mistake(
            "softmax_over_tokens",
            ((PROBABLE, PROBABLE.replace("dim=-1", "dim=0")),),
            "The router's softmax runs over the tokens, and not over the experts.",
            "Among whom does each token choose?",
            r"softmax",
        ),
        Mistake(
            "sigmoid",
            ((PROBABLE, "probabilities = torch.sigmoid(self.router(tokens))"),),
            "Your router gives each expert a sigmoid of its own, and no share of a whole.",
            "What turns scores into shares?",
            r"sigmoid",
        ),
        Mistake(
            "every_expert_visited",
            (
                (
                    SHARE,
                    "every = torch.arange(len(self.experts), device=x.device).expand_as("
                    "probabilities)",
                ),
                (WHO, "token, place = torch.where(every == number)"),
                (ANSWER, ANSWER.replace("gates[", "probabilities[")),
            ),
            "Every token visits every expert: `top_k` makes no difference to the output.",
            "What is saved, if a token visits only top_k of num_experts?",
            r"for|softmax",
        ),
        Mistake(
            "only_the_first_choice",
            ((WHO, "token, place = torch.where(chosen[:, :1] == number)"),),
            "Each token visits only its first expert; the answers of the others are missing.",
            "How many of the experts' answers does a token get?",
            r"argmax|max|\[:?, ?0|where",
        ),
        Mistake(
            "first_choice_takes_all",
            (
                (WHO, "token, place = torch.where(chosen[:, :1] == number)"),
                (SHARE, "gates = torch.ones_like(gates)"),
            ),
            "Each token gets the answer of its first expert, as if top_k were 1.",
            "How many of the experts' answers does a token get?",
            r"argmax|max|\[:?, ?0",
        ),
        Mistake(
            "unlikeliest_experts",
            ((TOP, TOP.replace("dim=-1", "dim=-1, largest=False")),),
            "Each token visits the experts that the router thinks least of.",
            "Which end of the sorted probabilities do you take?",
            r"sort|topk",
        ),
        Mistake(
            "first_experts",
            (
                (
                    TOP,
                    "gates = probabilities[:, : self.top_k]\n"
                    "        chosen = torch.arange(self.top_k, device=x.device).expand_as(gates)",
                ),
            ),
            "Every token visits the first top_k experts, whatever the router says.",
            "Which experts are chosen, and by whom?",
            r"\[",
        ),
        Mistake(
            "all_go_with_the_first_token",
            (
                (
                    TOP,
                    "chosen = probabilities[:1].topk(self.top_k, dim=-1).indices.expand("
                    "len(tokens), -1)\n        gates = probabilities.gather(-1, chosen)",
                ),
            ),
            "All tokens visit the experts that the first token has chosen.",
            "Each token chooses for itself.",
            r"\[0\]|topk",
        ),
        Mistake(
            "all_go_together",
            (
                (
                    TOP,
                    "chosen = probabilities.mean(0, keepdim=True).topk(self.top_k, dim=-1)"
                    ".indices.expand(len(tokens), -1)\n"
                    "        gates = probabilities.gather(-1, chosen)",
                ),
            ),
            "All tokens visit the same experts, those that are likeliest on average.",
            "Each token chooses for itself.",
            r"mean|sum",
        ),
        Mistake(
            "overwritten",
            (
                (
                    ADD,
                    "output = output.index_copy(0, token, answer.to(output.dtype))",
                ),
            ),
            "Each expert's answer overwrites what the experts before have said: only the last one "
            "is left.",
            "Several experts write to the same token. What should happen to what is there?",
            r"=",
        ),
        Mistake(
            "gate_of_the_first_choice",
            ((ANSWER, ANSWER.replace("place", "0")),),
            "All answers are multiplied by the gate of a token's first choice.",
            "Which of a token's gates belongs to this expert?",
            r"gate",
        ),
        Mistake(
            "gates_in_other_order",
            (
                (
                    WHO,
                    f"{WHO}\n            place = self.top_k - 1 - place",
                ),
            ),
            "Gates and experts do not go together: the first choice gets the last one's gate.",
            "Which of a token's gates belongs to this expert?",
            r"gate|sort|flip",
        ),
        Mistake(
            "gate_before_the_expert",
            ((ANSWER, "answer = expert(gates[token, place, None] * tokens[token])"),),
            "You multiply what goes into the expert by the gate, and not what comes out.",
            "Compare with the formula: where does the gate stand?",
            r"expert\(|experts\[",
        ),
        Mistake(
            "gate_as_a_row",
            ((ANSWER, ANSWER.replace("gates[token, place, None]", "gates[token, place]")),),
            "Your gates have one number for each visitor, and torch lines them up with the "
            "features.",
            "What shape must the gates have, so that each multiplies one row?",
            r"gate",
        ),
        Mistake(
            "residual_inside",
            ((START, "output = tokens"),),
            "You add x to the output. The residual belongs to the block, which adds it once more.",
            "Compare with the formula: is x itself in the sum?",
            r"\+|clone|output = ",
        ),
        Mistake(
            "one_expert_does_it_all",
            ((ANSWER, ANSWER.replace("expert(", "self.experts[0](")),),
            "All answers come from the first expert.",
            "Which expert is whose turn in your loop?",
            r"experts\[",
        ),
        Mistake(
            "one_expert_many_times",
            (
                (
                    "self.experts = nn.ModuleList(experts)",
                    "self.experts = nn.ModuleList([next(experts)] * num_experts)",
                ),
            ),
            "Your list holds one and the same expert, num_experts times.",
            "How many feed-forwards are made?",
            r"ModuleList|\*",
        ),
        Mistake(
            "router_without_bias",
            (
                (
                    "self.router = nn.Linear(d_model, num_experts)",
                    "self.router = nn.Linear(d_model, num_experts, bias=False)",
                ),
            ),
            "Your router has no bias; asked for is nn.Linear(d_model, num_experts), which has one.",
            "How does the docstring write the router?",
            r"bias",
        ),
        Mistake(
            "always_two",
            ((TOP, TOP.replace("self.top_k", "min(2, len(self.experts))")),),
            "Every token visits two experts, whatever `top_k` is.",
            "Which of your lines should speak of `top_k`?",
            r"2",
        ),
        Mistake(
            "noise_in_training",
            (
                (
                    PROBABLE,
                    "scores = self.router(tokens)\n"
                    "        scores = scores + 3 * scores.detach() * self.training\n"
                    "        probabilities = softmax(scores, dim=-1)",
                ),
            ),
            "In training your router's scores are not those of eval mode.",
            "Does the formula say anything of noise?",
            r"training|rand",
        ),
        Mistake(
            "balance_of_the_gates",
            (
                (
                    SHARE,
                    f"{SHARE}\n"
                    "        probabilities = torch.zeros_like(probabilities).scatter("
                    "-1, chosen, gates)",
                ),
            ),
            "The output is right, but when balance_loss is worked out, `probabilities` are no "
            "longer those of the router: experts that were not chosen have 0.",
            "Which of your names do the lines below yours use?",
            r"probabilities",
        ),
        Mistake(
            "balance_missing",
            (("self.balance_loss = len(self.experts) *", "balance_loss = len(self.experts) *"),),
            "The output is right, but `balance_loss` holds nothing after a call.",
            "Which lines below yours were there for you?",
            r"return",
        ),
        Mistake(
            "experts_in_a_list",
            (("self.experts = nn.ModuleList(experts)", "self.experts = list(experts)"),),
            "Your experts stand in a plain Python list, where torch cannot see them: they are "
            "neither trained, nor saved, nor moved to another device.",
            "What is nn.ModuleList for?",
            r"experts ?=",
        ),
        graph_cut((ADD, f"{ADD}.detach()"), whom="x, router and experts"),
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
