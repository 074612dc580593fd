"""How count_parameters is checked."""

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.symptoms import number
from autograder.engine.trial import Answer, Call, StandIn, Trial


def count(draw, **model):
    """A trial with a small network of any sizes; see stand_ins."""
    sizes = {"vocab": draw.integer(7, 12), "d_model": draw.integer(3, 7)}
    model = {**sizes, "d_ff": draw.integer(13, 18), **model}
    return Trial([Call({"model": StandIn("small_network", model)})], digest=whole_number)


def whole_number(answer):
    """A digest: NumPy's whole numbers are as good as Python's."""
    facts = dict(answer.facts)
    if facts.get("returned", "").startswith(("a int", "a uint")):
        facts["returned"] = "an int"
    return Answer({name: x.double() for name, x in answer.arrays.items()}, facts)


def count_all(draw):
    return count(draw)


def count_other_sizes(draw):
    return count(draw)


def count_tied(draw):
    return count(draw, tied=True)


def count_used_twice(draw):
    return count(draw, twice=True)


def count_frozen(draw):
    return count(draw, frozen=("embedding.weight", "body.0.0.bias"))


def count_tied_and_frozen(draw):
    return count(draw, tied=True, frozen=("embedding.weight", "body.1.weight"))


def count_all_frozen(draw):
    return count(draw, frozen=("",))


ADD = "total += parameter.numel()"
EACH = "for parameter in model.parameters():"
TRAINED = "if parameter.requires_grad:"
TOTAL = "return total"
LOOK_AT_SHARED = "Is the same parameter met again under a second name? How can you tell?"
LOOK_AT_NUMEL = "How many numbers are there in a matrix of 3 rows and 4 columns?"


OF_EACH_PART = (
    "for parameter in (p for part in model.modules() for p in part.parameters(recurse=False)):"
)


def counted(mistake_id, new, says, look, line, *variations):
    """The loop goes over something else."""
    variations = tuple((edit,) for edit in variations)
    return Mistake(mistake_id, ((EACH, new),), says, look, line, variations=variations)


count_parameters = Exercise(
    id="transformer.count_parameters",
    properties=(
        Property(
            "values",
            2,
            "all parameters of all parts are counted, and nothing else",
            (count_all, count_other_sizes),
            look="Buffers are kept with a model, too, but training does not change them.",
        ),
        Property(
            "shared",
            1,
            "a parameter with several names counts once",
            (count_tied, count_used_twice),
            look=LOOK_AT_SHARED,
        ),
        Property(
            "frozen",
            1,
            "what training cannot change does not count",
            (count_frozen, count_tied_and_frozen, count_all_frozen),
            look="What tells you of a parameter whether training changes it?",
        ),
        Property("int", 1, "the result is an int", aspects=("returned",)),
    ),
    mistakes=(
        Mistake(
            "frozen_counted",
            ((TRAINED, "if True:"),),
            "You count all parameters. Some are frozen (requires_grad is False), and training "
            "leaves those as they are.",
            "What tells you of a parameter whether training changes it?",
            r"\.parameters\(|named_parameters|state_dict|\.modules\(",
        ),
        Mistake(
            "frozen_alone",
            ((TRAINED, "if not parameter.requires_grad:"),),
            "You count the frozen parameters, and those alone.",
            "What does requires_grad say?",
            r"requires_grad",
        ),
        counted(
            "shared_counted_twice",
            "for _, parameter in model.named_parameters(remove_duplicate=False):",
            "You count a shared parameter more than once.",
            LOOK_AT_SHARED,
            r"\.parameters\(|named_parameters|state_dict|\.modules\(",
            (EACH, OF_EACH_PART),
        ),
        Mistake(
            "everything_saved_counted",
            ((EACH, "for parameter in model.state_dict().values():"), (TRAINED, "if True:")),
            "You count everything that is saved with the model: buffers and frozen parameters, "
            "too, and a shared parameter under each of its names.",
            "What is the difference between a parameter and a buffer?",
            r"state_dict",
        ),
        Mistake(
            "shared_and_frozen_counted",
            (
                (EACH, "for _, parameter in model.named_parameters(remove_duplicate=False):"),
                (TRAINED, "if True:"),
            ),
            "You count frozen parameters, and a shared one more than once.",
            LOOK_AT_SHARED,
            r"\.parameters\(|named_parameters|state_dict|\.modules\(",
            variations=(((EACH, OF_EACH_PART), (TRAINED, "if True:")),),
        ),
        Mistake(
            "buffers_counted",
            (
                (
                    EACH,
                    "total += sum(buffer.numel() for buffer in model.buffers())\n    " + EACH,
                ),
            ),
            "You count buffers, too: they are saved with the model, but never trained.",
            "What is the difference between a parameter and a buffer?",
            r"buffers",
        ),
        Mistake(
            "tensors_counted",
            ((ADD, "total += 1"),),
            "You count tensors, {count} of them, and not the numbers in them.",
            LOOK_AT_NUMEL,
            r"len\(|\+= ?1|sum\(",
        ),
        Mistake(
            "first_sizes_added",
            ((ADD, "total += len(parameter)"),),
            "Of every parameter you count the first dimension alone: rows, and not numbers.",
            LOOK_AT_NUMEL,
            r"len\(|shape\[0\]|size\(0\)",
        ),
        Mistake(
            "last_sizes_added",
            ((ADD, "total += parameter.shape[-1]"),),
            "Of every parameter you count the last dimension alone: columns, and not numbers.",
            LOOK_AT_NUMEL,
            r"shape\[-1\]|size\(-1\)",
        ),
        Mistake(
            "sizes_added",
            ((ADD, "total += sum(parameter.shape)"),),
            "You add up the sizes of every parameter's dimensions; a matrix has as many numbers as "
            "their product.",
            LOOK_AT_NUMEL,
            r"sum\(",
        ),
        Mistake(
            "numbers_added_up",
            ((ADD, "total += parameter.sum().item()"),),
            "You add the numbers up, in place of counting them.",
            LOOK_AT_NUMEL,
            r"sum\(",
        ),
        Mistake(
            "bytes_counted",
            ((ADD, "total += parameter.numel() * parameter.element_size()"),),
            "You count bytes: four for every number, in float32.",
            LOOK_AT_NUMEL,
            r"element_size|nbytes|\* ?4",
        ),
        Mistake(
            "in_millions",
            ((TOTAL, "return total / 1e6"),),
            "You give millions, {count}; expected is the plain count, an int.",
            "The paper's table shows millions; the function gives the number itself.",
            r"1e6|1_?000_?000",
        ),
        Mistake(
            "given_as_float",
            ((TOTAL, "return float(total)"),),
            "The number is right, but it is a float; expected is an int.",
            "Where does your code divide, or start from 0.0?",
            r"float|/|0\.0",
        ),
        Mistake(
            "given_as_tensor",
            (("total = 0", "from torch import tensor\n    total = tensor(0)"),),
            "The number is right, but it is a tensor; expected is an int.",
            "What turns a tensor of one number into a plain one?",
            r"tensor|sum",
        ),
        Mistake(
            "matrices_alone",
            ((TRAINED, "if parameter.requires_grad and parameter.dim() > 1:"),),
            "You count matrices alone: biases and the weights of norms are parameters, too.",
            "Which parameters has a Linear, and which has a LayerNorm?",
            r"\.dim\(|ndim|len\(|weight",
        ),
        Mistake(
            "biases_left_out",
            (
                (EACH, "for name, parameter in model.named_parameters():"),
                (TRAINED, 'if parameter.requires_grad and not name.endswith("bias"):'),
            ),
            "You leave the biases out.",
            "Which parameters has a Linear, and which has a LayerNorm?",
            r"bias",
        ),
        Mistake(
            "weights_alone",
            (
                (EACH, "for name, parameter in model.named_parameters():"),
                (TRAINED, 'if parameter.requires_grad and name.endswith("weight"):'),
            ),
            "You count only what is called `weight`. Biases are parameters, too, and a module may "
            "have some with other names.",
            "Which parameters has a Linear, and what may one's own module call its parameters?",
            r"weight",
        ),
        counted(
            "own_parameters_alone",
            "for parameter in model.parameters(recurse=False):",
            "You count only what belongs to the model itself, and not what belongs to its parts.",
            "Where are the parameters of a part of a part?",
            r"recurse|\._parameters",
        ),
        Mistake(
            "parts_alone",
            (
                (
                    EACH,
                    "for parameter in {p for part in model.children() for p in part.parameters()}:",
                ),
            ),
            "You count what belongs to the model's parts, and leave out what is its own.",
            "May a module have parameters beside its parts?",
            r"children",
        ),
        counted(
            "counted_at_every_level",
            "for parameter in (p for part in model.modules() for p in part.parameters()):",
            "You count a parameter once for every module that it lies in: modules() gives the "
            "model itself, its parts, and the parts of its parts.",
            "What does parameters() of the whole model give already?",
            r"modules",
        ),
        counted(
            "linears_alone",
            "for parameter in {p for part in model.modules() if isinstance(part, nn.Linear) "
            "for p in part.parameters()}:",
            "You count the Linears alone. Embeddings and norms have parameters, too, and so may "
            "any module.",
            "What does parameters() of the whole model give?",
            r"Linear",
        ),
        counted(
            "equal_shapes_counted_once",
            "for parameter in {p.shape: p for p in model.parameters() if p.requires_grad}"
            ".values():",
            "You count parameters of the same shape only once. Two different parameters may well "
            "have one shape.",
            LOOK_AT_SHARED,
            r"shape|set\(|\{",
        ),
        Mistake(
            "shared_not_counted",
            (
                (
                    EACH,
                    "names = [id(p) for _, p in model.named_parameters(remove_duplicate=False)]\n"
                    f"    {EACH}",
                ),
                (TRAINED, "if parameter.requires_grad and names.count(id(parameter)) == 1:"),
            ),
            "You leave a shared parameter out altogether; it counts once.",
            LOOK_AT_SHARED,
            r"\.count\(|not in|set\(",
        ),
        Mistake(
            "nothing_returned",
            ((TOTAL, "return None"),),
            "You give nothing back. Printing the number is not enough.",
            "What is the difference between showing a result and returning it?",
            r"print",
        ),
    ),
    hints=(
        "Every module can list its parameters, with those of all its parts.",
        "Go through the parameters once, leave out those that training cannot change, and add up "
        "how many numbers each one has.",
        "A loop or a sum over model.parameters(), a condition on requires_grad, and a method that "
        "says how many numbers a tensor has.",
    ),
    measures={"count": lambda seen: number(seen.yours["output"])},
)
