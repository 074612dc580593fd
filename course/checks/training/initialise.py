"""How initialise is checked."""

import math

import torch

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.symptoms import few, number
from autograder.engine.trial import Answer, Call, StandIn, Trial

from .learning_rate import SECOND


def fill(draw, calls, width, hidden, vocab, **options):
    sizes = {"width": width, "hidden": hidden, "vocab": vocab, "seed": draw.integer(0, 10**6)}
    model = StandIn("parts", sizes | options)
    made = [Call({"model": model}, returns=("model",)) for _ in range(calls)]
    bound = number(math.sqrt(6 / (width + hidden)))
    given = {"width": width, "hidden": hidden, "vocab": vocab, "bound": bound}
    return Trial(made, sizes=given, digest=how_filled, tolerance=5.5e4)  # 5.5 %, six deviations


def fill_twice(draw):
    return fill(draw, 2, width=70, hidden=90, vocab=80)


def fill_in_float64(draw):
    return fill(draw, 1, width=90, hidden=60, vocab=100, dtype=torch.float64)


def how_filled(answer):
    """Of random numbers: how far they reach, how they are spread, and whether they are new.

    With 5000 numbers and more in a matrix, each of these is the same for all right answers, but
    for less than one check in a million.
    """
    arrays = {name: x for name, x in answer.arrays.items() if x.dim() == 2}
    spreads, facts = [], dict(answer.facts)
    lists = ("reach too far", "do not reach far enough", "are not even", "are not around 0")
    found = {what: [] for what in (*lists, "repeat themselves", "came again")}
    for name, x in arrays.items():
        x = x.double()
        bound = math.sqrt(6 / sum(x.shape))
        size = float(x.square().mean().sqrt())
        spreads.append(size / bound * math.sqrt(3))
        farthest = float(x.abs().max()) / bound
        found["reach too far"] += [name] * (farthest > 1.0001)
        found["do not reach far enough"] += [name] * (farthest < 0.995)
        # The mean fourth power over the squared mean square: 1.8 if all numbers are as likely.
        found["are not even"] += [name] * (not float(x.square().square().mean()) < 2.2 * size**4)
        found["are not around 0"] += [name] * (not abs(float(x.mean())) < 0.1 * size)
        found["repeat themselves"] += [name] * (x.flatten()[:600].unique().numel() < 400)
        other = arrays.get(name + SECOND)
        found["came again"] += [name] * (other is not None and bool((other == x).all()))
    facts |= {f"matrices whose numbers {what}": names for what, names in found.items()}
    return Answer({"spread": torch.tensor(spreads, dtype=torch.float64)} if spreads else {}, facts)


def not_as_even(seen):
    """A symptom: the numbers are too large or too small."""
    spread = seen.yours.get("spread")
    if spread is None or spread.numel() == 0:
        return None
    return (
        f"The standard deviation of the numbers in your matrices is {few(spread)} times what it is "
        f"to be, a / √3; a itself is {seen['bound']} for the weight of an nn.Linear("
        f"{seen['width']}, {seen['hidden']})."
    )


ALL_OF_THEM = "for parameter in model.parameters():"
ONLY_MATRICES = "if parameter.dim() == 2:"
FILL = "nn.init.xavier_uniform_(parameter)"
THE_MODEL = "return model"
# The lines of the loop, up to the return.
LOOP = (
    f"{ALL_OF_THEM}\n        {ONLY_MATRICES}\n            {FILL}\n    {THE_MODEL}",
    "",
)
LOOK_AT_BOUND = "Compare with a in the docstring: what is under the root, and what is a, the bound?"
LOOK_AT_WHICH = "Which parameters are meant: which have exactly two dimensions?"


def filled_with(mistake_id, new, says, look=LOOK_AT_BOUND, line=r"init|uniform|normal|rand"):
    return Mistake(mistake_id, ((FILL, new),), says, look, line)


def looped_as(text):
    return ((LOOP[0], text + "\n    return model"),)


initialise = Exercise(
    id="training.initialise",
    properties=(
        Property(
            "values",
            3,
            "every matrix is filled by Xavier's rule, with new numbers every time",
            (fill_twice,),
            look=LOOK_AT_BOUND,
        ),
        Property("dtype", 1, "in float64, too", (fill_in_float64,), aspects=("dtype",)),
        Property(
            "others",
            2,
            "matrices are filled and nothing else is touched, and all is as trainable and as "
            "shared as before",
            aspects=("fact",),
            look=LOOK_AT_WHICH,
        ),
        Property(
            "model",
            1,
            "it works in place, and gives back the model",
            aspects=("returned",),
        ),
    ),
    mistakes=(
        Mistake(
            "every_parameter",
            ((ONLY_MATRICES, "if True:"),),
            "Xavier's rule needs inputs and outputs: a bias or the weight of a norm has only one "
            "dimension, and nn.init stops there.",
            LOOK_AT_WHICH,
            r"xavier",
        ),
        Mistake(
            "more_than_two_dimensions",
            ((ONLY_MATRICES, "if parameter.dim() > 1:"),),
            "You also fill parameters with three dimensions, as a convolution has; asked for are "
            "those with two.",
            LOOK_AT_WHICH,
            r"> ?1|>= ?2",
        ),
        Mistake(
            "only_linears",
            looped_as(
                "for module in model.modules():\n        if isinstance(module, nn.Linear):\n"
                "            nn.init.xavier_uniform_(module.weight)"
            ),
            "Only the weights of nn.Linear are filled; embeddings, and matrices that a module "
            "holds as a parameter of its own, keep their numbers.",
            LOOK_AT_WHICH,
            r"Linear",
        ),
        Mistake(
            "linears_with_zero_biases",
            looped_as(
                "for module in model.modules():\n        if isinstance(module, nn.Linear):\n"
                "            nn.init.xavier_uniform_(module.weight)\n"
                "            if module.bias is not None:\n"
                "                nn.init.zeros_(module.bias)"
            ),
            "Only nn.Linear is looked at: its weight is filled and its bias set to 0. Asked for is "
            "every matrix, wherever it is, and biases stay as they are.",
            LOOK_AT_WHICH,
            r"Linear|bias",
        ),
        Mistake(
            "linears_and_embeddings",
            looped_as(
                "for module in model.modules():\n"
                "        if isinstance(module, (nn.Linear, nn.Embedding)):\n"
                "            nn.init.xavier_uniform_(module.weight)"
            ),
            "The weights of nn.Linear and nn.Embedding are filled, but a matrix that a module "
            "holds as a parameter of its own keeps its numbers.",
            "A model can be asked for all its parameters, wherever they are.",
            r"Linear|Embedding",
        ),
        Mistake(
            "embeddings_left_out",
            looped_as(
                "tables = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}\n"
                "    for parameter in model.parameters():\n"
                "        if parameter.dim() == 2 and id(parameter) not in tables:\n"
                "            nn.init.xavier_uniform_(parameter)"
            ),
            "Embeddings keep their numbers; their tables have two dimensions, and are meant, too.",
            LOOK_AT_WHICH,
            r"Embedding|embed",
        ),
        Mistake(
            "by_name",
            (
                (ALL_OF_THEM, "for name, parameter in model.named_parameters():"),
                (ONLY_MATRICES, 'if parameter.dim() == 2 and "weight" in name:'),
            ),
            "Only parameters with `weight` in their name are filled; other matrices keep their "
            "numbers.",
            "What makes a matrix is its dimensions, and not its name.",
            r"weight|name",
        ),
        Mistake(
            "only_own_parameters",
            ((ALL_OF_THEM, "for parameter in model.parameters(recurse=False):"),),
            "Only parameters of the model itself are filled; those of its parts keep their "
            "numbers.",
            "A model has parts, and these have parts.",
            r"recurse|_parameters|__dict__|vars",
        ),
        Mistake(
            "returns_too_early",
            ((FILL, FILL + "\n            return model"),),
            "Only the first matrix is filled: your function returns before it has looked at the "
            "others.",
            "How far is your `return` indented?",
            r"return",
        ),
        Mistake(
            "buffers_too",
            ((ALL_OF_THEM, "for parameter in model.state_dict().values():"),),
            "You also fill a buffer, which belongs to the model but is not trained: a table of "
            "positions, for example.",
            "What is in a state_dict that is no parameter?",
            r"state_dict|buffers",
        ),
        Mistake(
            "frozen_left_out",
            ((ONLY_MATRICES, "if parameter.dim() == 2 and parameter.requires_grad:"),),
            "A matrix that is not to be trained, with requires_grad=False, keeps its numbers; it "
            "is a matrix like all others, and its first numbers are all it will ever have.",
            LOOK_AT_WHICH,
            r"requires_grad",
        ),
        Mistake(
            "replaced",
            looped_as(
                "for module in model.modules():\n"
                "        for name, p in list(module.named_parameters(recurse=False)):\n"
                "            if p.dim() == 2:\n"
                "                fresh = nn.Parameter(torch.empty_like(p), p.requires_grad)\n"
                "                setattr(module, name, nn.init.xavier_uniform_(fresh))"
            ),
            "You put new parameters in the place of the old ones: a matrix that two modules shared "
            "is two matrices afterwards, and an optimiser that has been made before goes on "
            "with the old ones.",
            "How can a tensor get other numbers while it stays the same tensor?",
            r"setattr|Parameter\(",
        ),
        Mistake(
            "others_set_to_zero",
            ((FILL, FILL + "\n        else:\n            nn.init.zeros_(parameter)"),),
            "The matrices are right, but biases and the weights of norms are set to 0. For a norm "
            "that is fatal: nothing gets through.",
            "What stays as it is?",
            r"zero|fill|else",
            variations=(
                (
                    (
                        FILL,
                        FILL + "\n        elif parameter.dim() == 1:\n"
                        "            nn.init.zeros_(parameter)",
                    ),
                ),
            ),
        ),
        Mistake(
            "biases_set_to_zero",
            (
                (ALL_OF_THEM, "for name, parameter in model.named_parameters():"),
                (
                    FILL,
                    FILL + '\n        elif name.endswith("bias"):\n'
                    "            nn.init.zeros_(parameter)",
                ),
            ),
            "The matrices are right, but all biases are set to 0; asked for is to leave them as "
            "they are.",
            "What stays as it is?",
            r"zero|fill|bias",
        ),
        Mistake(
            "others_made_normal",
            (
                (
                    FILL,
                    FILL + "\n        else:\n            nn.init.normal_(parameter, std=0.02)",
                ),
            ),
            "The matrices are right, but all other parameters get new numbers, too.",
            "What stays as it is?",
            r"else|normal|uniform",
        ),
        filled_with(
            "xavier_normal",
            "nn.init.xavier_normal_(parameter)",
            "Your numbers have the right standard deviation, but come from a normal distribution: "
            "they reach farther than a. Asked for is the uniform one.",
            "There are two kinds of Xavier's rule.",
            r"normal|randn",
        ),
        filled_with(
            "kaiming",
            'nn.init.kaiming_uniform_(parameter, nonlinearity="relu")',
            "Your numbers reach as far as √(6 / inputs): that is Kaiming's rule, which does not "
            "look at the outputs.",
        ),
        filled_with(
            "torch_default",
            "nn.init.kaiming_uniform_(parameter, a=5**0.5)",
            "Your numbers reach as far as 1 / √inputs: that is how torch fills an nn.Linear by "
            "itself.",
        ),
        filled_with(
            "standard_normal",
            "nn.init.normal_(parameter)",
            "Your numbers come from a normal distribution with standard deviation 1, whatever the "
            "size of the matrix.",
        ),
        filled_with(
            "small_normal",
            "nn.init.normal_(parameter, std=0.02)",
            "Your numbers come from a normal distribution with standard deviation 0.02, whatever "
            "the size of the matrix.",
        ),
        filled_with(
            "between_0_and_1",
            "nn.init.uniform_(parameter)",
            "Your numbers lie between 0 and 1, whatever the size of the matrix.",
        ),
        filled_with(
            "only_positive",
            "nn.init.uniform_(parameter, 0.0, math.sqrt(6 / sum(parameter.shape)))",
            "Your numbers lie between 0 and a: none is negative.",
            "From where to where does U(-a, a) go?",
        ),
        filled_with(
            "deviation_as_bound",
            "bound = math.sqrt(2 / sum(parameter.shape))\n"
            "            nn.init.uniform_(parameter, -bound, bound)",
            "Your numbers reach as far as √(2 / (inputs + outputs)). That is the standard "
            "deviation they are to have; a uniform distribution reaches √3 times as far.",
        ),
        filled_with(
            "three_under_the_root",
            "bound = math.sqrt(3 / sum(parameter.shape))\n"
            "            nn.init.uniform_(parameter, -bound, bound)",
            "Your numbers reach as far as √(3 / (inputs + outputs)), and so √2 times too little.",
        ),
        filled_with(
            "root_forgotten",
            "bound = 6 / sum(parameter.shape)\n"
            "            nn.init.uniform_(parameter, -bound, bound)",
            "Your numbers reach as far as 6 / (inputs + outputs), without the root.",
        ),
        filled_with(
            "bound_of_inputs",
            "bound = math.sqrt(6 / parameter.shape[0])\n"
            "            nn.init.uniform_(parameter, -bound, bound)",
            "Your numbers reach as far as the root of 6 over the first dimension alone; inputs and "
            "outputs count, both of them.",
        ),
        filled_with(
            "gain_of_relu",
            'nn.init.xavier_uniform_(parameter, nn.init.calculate_gain("relu"))',
            "Your numbers reach √2 times too far: there is a gain, as for ReLU.",
            line=r"gain|xavier",
        ),
        filled_with(
            "all_zero",
            "nn.init.zeros_(parameter)",
            "All your matrices are 0: nothing gets through, and no gradient comes back.",
            line=r"zero|fill",
        ),
        filled_with(
            "always_the_same",
            "torch.manual_seed(0)\n            nn.init.xavier_uniform_(parameter)",
            "Your matrices get the same numbers at every call: either they are not random, or a "
            "seed is set in your function, and whatever is random after a call is always the same, "
            "too.",
            "Setting a seed is up to whoever calls you.",
            r"seed|linspace|arange",
        ),
        Mistake(
            "nothing_changed",
            ((FILL, "parameter = nn.init.xavier_uniform_(torch.empty_like(parameter))"),),
            "No parameter has changed: `parameter = …` gives a new tensor that name, and the "
            "model keeps its own.",
            "How can a tensor get other numbers while it stays the same tensor?",
            r"parameter ?=|param ?=|p ?=|return",
        ),
        Mistake(
            "nothing_returned",
            ((THE_MODEL, "return None"),),
            "The matrices are filled, but your function gives back None; asked for is the model.",
            "So that one can write model = initialise(Transformer(…)).",
            r"def|return",
        ),
        Mistake(
            "a_copy",
            ((ALL_OF_THEM, "model = __import__('copy').deepcopy(model)\n    " + ALL_OF_THEM),),
            "You fill a copy and give that back: the model that was handed in is as it was.",
            "In place means: the caller's own model.",
            r"copy",
        ),
        filled_with(
            "frozen",
            "parameter.requires_grad_(False)\n            nn.init.xavier_uniform_(parameter)",
            "The numbers are right, but your matrices cannot be trained any more: requires_grad is "
            "False.",
            "nn.init needs no such preparation.",
            r"requires_grad|Parameter",
        ),
    ),
    hints=(
        "nn.init has a function for Xavier's rule; which parameters may it be given?",
        "A model's .parameters() are those of all its parts, a shared one only once. Fill those "
        "that have two dimensions, in place.",
        "A loop, a question about the number of dimensions, and a function of nn.init whose name "
        "ends in `_`; the model comes back at the end.",
    ),
    symptoms=(not_as_even,),
)
