"""How count_parameters is checked."""

from autograder.engine.exercise import Exercise, Property
from autograder.engine.symptoms import number
from autograder.engine.trial import Answer, Call, StandIn, Trial, probe


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


count_all = probe("count_all", count)
count_other_sizes = probe("count_other_sizes", count)
count_convolution = probe("count_convolution", count, convolution=True)
count_tied = probe("count_tied", count, tied=True)
count_used_twice = probe("count_used_twice", count, twice=True)
count_frozen = probe("count_frozen", count, frozen=("embedding.weight", "body.0.0.bias"))
count_tied_and_frozen = probe(
    "count_tied_and_frozen", count, tied=True, frozen=("embedding.weight", "body.1.weight")
)
count_all_frozen = probe("count_all_frozen", count, frozen=("",))


LOOK_AT_SHARED = "Is the same parameter met again under a second name? How can you tell?"


count_parameters = Exercise(
    id="transformer.count_parameters",
    properties=(
        Property(
            "values",
            2,
            "all parameters of all parts are counted, and nothing else",
            (count_all, count_other_sizes, count_convolution),
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
    hints=(
        "Every module can list its parameters, with those of all its parts.",
        "Go through the parameters once, leave out those that training cannot change, and add up "
        "how many numbers each one has.",
        "A loop or a sum over model.parameters(), a condition on requires_grad, and a method that "
        "says how many numbers a tensor has.",
    ),
    measures={"count": lambda seen: number(seen.yours["output"])},
)
