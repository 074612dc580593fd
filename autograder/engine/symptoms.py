"""Say what is wrong with an answer of no known kind, with the numbers of the learner's own run."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import torch

from .compare import KEPT, TOLERANCE, Difference, close, near
from .exercise import Exercise
from .trial import Answer, Trial

# How many digits of a number a dtype keeps, the coarsest first.
DIGITS = {
    torch.bfloat16: "2 or 3",
    torch.float16: "3",
    torch.float32: "7",
    torch.float64: "16",
}
# To describe an answer its own dtype will do; but what is called right is right: closer than what
# a check lets pass, as wrong numbers can be near.
alike = functools.partial(close, tolerance=0.3, roughly=True)


class Words(NamedTuple):
    """What a library calls things."""

    array: str
    axis: str
    in_place: str


TORCHS = Words("tensor", "dimension", "a name that ends in `_`")
NUMPYS = Words("array", "axis", "`.sort()`, `out=`")


def words(seen: Seen) -> Words:
    """The words of the library that the exercise is written in."""
    return NUMPYS if seen.trial.numpy else TORCHS


class Seen(dict[str, Any]):
    """What a message may speak of: the trial, the learner's answer, the expected one.

    As a mapping it answers {braces} in messages: first sizes, then the exercise's measures.
    """

    def __init__(self, exercise: Exercise, trial: Trial, answer: Answer, expected: Answer):
        super().__init__(trial.sizes)
        self.exercise, self.trial = exercise, trial
        self.answer, self.expected = answer, expected
        self.yours, self.theirs = answer.arrays, expected.arrays
        self.arguments: dict[str, Any] = {}
        failed = trial.calls[max(answer.begun, 1) - 1 :][:1] if answer.problem else []
        for call in [*reversed(trial.calls), *failed]:  # the first one, or the one that failed
            self.arguments |= (trial.build or {}) | trial.options | call.arguments | call.options

    def __missing__(self, name: str) -> Any:
        if name in self.exercise.measures:
            return self.exercise.measures[name](self)
        value = self.arguments[name]
        return shape(value) if isinstance(value, torch.Tensor) else value

    def fill(self, text: str) -> str:
        """A message with its {braces} filled in; a measure that fails must not cost the message."""
        try:
            return text.format_map(self)
        except Exception:
            return re.sub(r"\{\w+\}", "…", text)


def number(x: float | torch.Tensor, digits: int = 3) -> str:
    """A number as one would write it down."""
    x = float(x)
    if x != x:
        return "NaN"
    if x in (float("inf"), float("-inf")):
        return "inf" if x > 0 else "-inf"
    if x == int(x) and abs(x) < 1e6:
        return str(int(x))
    return f"{x:.{digits}g}"


def few(x: torch.Tensor, count: int = 4, digits: int = 3) -> str:
    """The first numbers of a tensor."""
    flat = x.detach().flatten()
    listed = ", ".join(number(value, digits) for value in flat[:count].tolist())
    return listed + (", …" if flat.numel() > count else "")


def apart(x: torch.Tensor, y: torch.Tensor, count: int = 1) -> tuple[str, str]:
    """The first numbers of two tensors that differ, with as many digits as it takes to see it."""
    one, other = few(x, count), few(y, count)
    digits = 4
    while one == other and digits <= 17:
        one, other = few(x, count, digits), few(y, count, digits)
        digits += 1
    return one, other


def shape(x: torch.Tensor) -> str:
    return f"({', '.join(map(str, x.shape))}{',' if x.dim() == 1 else ''})"


def dtype(x: torch.Tensor) -> str:
    return str(x.dtype).removeprefix("torch.")


def explain(seen: Seen, difference: Difference) -> str:
    """One difference as sentences."""
    return EXPLAIN[difference.aspect](seen, difference) + which_call(seen, difference)


def which_call(seen: Seen, difference: Difference) -> str:
    """If a trial makes several calls: what was special about the one that went wrong?"""
    raised = difference.aspect == "error" and difference.yours is not None
    number = seen.answer.begun if raised else call_number(difference.name)
    if number <= 1:
        return ""
    if seen.trial.build is None:
        return f" (This was call {number} of several.)"
    mode = ", in training mode" if seen.trial.calls[number - 1].training else ""
    return f" (This was call {number} to the same object{mode}.)"


def explain_built(seen: Seen, difference: Difference) -> str:
    return (
        f"Calling {seen.exercise.name}(…) gave {difference.yours}, but it is to be a class derived "
        f"from nn.Module, whose __init__ begins with super().__init__()."
    )


def explain_names(seen: Seen, difference: Difference) -> str:
    names, expected = difference.yours, difference.expected
    if difference.name == "missing":
        return f"Your module has no parameter called {listing(names)}. {why_missing(seen, names)}"
    if difference.name == "extra":
        return f"Your module has parameters that are not asked for: {listing(names)}."
    if difference.name == "shapes":
        name, size = next(iter(names.items()))
        asked = tuple(seen.trial.state[name].shape)
        return f"Your parameter {name} has shape {size}; expected {asked}."
    if difference.name == "shared":
        if len(names) > len(expected or ()):
            groups = [group for group in names if group not in (expected or ())]
            return f"One and the same parameter stands under several names: {listing(groups[0])}."
        missing = [group for group in expected if group not in names]
        return f"{listing(missing[0])} are to be one and the same parameter, and yours are not."
    return f"Training cannot change {listing(names)}: requires_grad is False."


def why_missing(seen: Seen, names: list[str]) -> str:
    """What may have become of parameters that are not there."""
    extra = seen.answer.facts.get("extra") or []
    if extra:
        return f"It has {listing(extra)} instead: is it only the name that is different?"
    weights = [re.sub(r"(^|\.)bias$", r"\1weight", name) for name in names]
    if all(
        w != name and w in seen.trial.state and w not in names for w, name in zip(weights, names)
    ):
        return "The weight beside it is there: is there a bias=False somewhere?"
    layer, tensor = "a layer in a plain Python list", "a tensor that is no nn.Parameter"
    kinds = {layer if "." in name else tensor for name in names}
    return (
        f"Either it is not made, or torch cannot see it: {', or '.join(sorted(kinds))}, is neither "
        f"trained nor saved."
    )


def explain_error(seen: Seen, difference: Difference) -> str:
    problem = difference.yours
    if problem is None:
        return f"Your code raised no error, but it should have: {difference.expected.message}."
    if problem.kind == "NotImplementedError":
        return "Nothing is written here yet: replace `raise NotImplementedError` with your lines."
    if "Memory" in problem.kind or "allocate memory" in problem.message:
        wanted = re.search(r"allocate (\d+) bytes", problem.message)
        much = f"{int(wanted[1]) / 1e9:.1f} GB of memory at once," if wanted else "memory,"
        return (
            f"Your code asked for {much} more than it may have, for inputs as small as these "
            f"{with_inputs(seen, seen.answer.begun)}. Which {words(seen).array} in it is so large?"
        )
    message = problem.message.strip().splitlines()[0] if problem.message.strip() else "no message"
    message = message.partition(", but expected one of")[0]  # a list that stood on other lines
    return f"Your code raised {problem.kind}: {message} {with_inputs(seen, seen.answer.begun)}"


def with_inputs(seen: Seen, number: int = 1) -> str:
    """What the learner's code was called with, the first time or later."""
    call = seen.trial.calls[max(number, 1) - 1]
    called = f"`{call.method}` called with" if call.method else "called with"
    given = [
        f"{name} {shape(value)}" if isinstance(value, torch.Tensor) else f"{name}={value}"
        for name, value in (call.arguments | call.options).items()
        if value is not None and not hasattr(value, "arguments")
    ]
    if seen.trial.build:
        build = seen.trial.build | seen.trial.options
        made = ", ".join(f"{name}={value}" for name, value in build.items())
        if seen.answer.problem and not seen.answer.begun:
            return f"(made with {made}; not yet called)"
        return f"(made with {made}; {called} {', '.join(given)}{in_dtype(seen)})"
    return f"({called} {', '.join(given)}{in_dtype(seen)})"


def in_dtype(seen: Seen) -> str:
    """The dtype of what was handed over, if it is no ordinary one."""
    return "" if seen.trial.dtype == torch.float32 else f", in {str(seen.trial.dtype)[6:]}"


def call_number(name: str) -> int:
    """The 2 of "output (call 2)"."""
    found = re.search(r"\(call (\d+)\)$", name)
    return int(found[1]) if found else 1


def explain_returned(seen: Seen, difference: Difference) -> str:
    said = f"Your code returned {difference.yours}; expected is {difference.expected}."
    if "an array" in str(difference.yours) and not seen.trial.numpy:
        said += (
            " An array is NumPy's, and no gradient flows through it: work with torch's own "
            "functions (torch.exp for np.exp), from beginning to end."
        )
    return said


def explain_absent(seen: Seen, difference: Difference) -> str:
    if difference.yours is None:
        return f"`{difference.name}` is missing from what your code gives."
    return f"Your code gives `{difference.name}`, which is not asked for."


def explain_shape(seen: Seen, difference: Difference) -> str:
    yours, expected = difference.yours, difference.expected
    text = (
        f"Your {difference.name} has shape {shape(yours)}; "
        f"expected {shape(expected)} {with_inputs(seen, call_number(difference.name))}."
    )
    if sorted(yours.shape) == sorted(expected.shape):
        text += " The sizes are right, their order is not."
    elif yours.numel() == expected.numel():
        text += " There are as many numbers as there should be, in another arrangement."
    return text


def explain_dtype(seen: Seen, difference: Difference) -> str:
    values = [x for x in seen.arguments.values() if isinstance(x, torch.Tensor)]
    given = str(seen.trial.dtype).removeprefix("torch.")
    start = (
        f"The input is {given}, and your" if any(map(torch.is_floating_point, values)) else "Your"
    )
    return (
        f"{start} {difference.name} is {dtype(difference.yours)}; "
        f"expected {dtype(difference.expected)}."
    )


def explain_not_finite(seen: Seen, difference: Difference) -> str:
    yours = difference.yours
    kind = "NaN" if bool(yours.isnan().any()) else "inf"
    count = int((~yours.isfinite()).sum())
    return (
        f"{count} of the {yours.numel()} numbers in your {difference.name} are {kind}; "
        f"expected are ordinary numbers, such as {few(difference.expected, 3)}."
    )


def explain_fact(seen: Seen, difference: Difference) -> str:
    name, yours, expected = difference.name, difference.yours, difference.expected
    if expected is True:
        return f"This should hold, and does not with your code: {name}."
    if expected is False:
        return f"This should not hold, and does with your code: {name}."
    if expected is None:
        return f"{name}: yours {yours}; nothing of the kind is expected."
    if yours is None:
        return f"{name}: expected {expected}; with your code it cannot even be told."
    return f"{name}: yours {yours}, expected {expected}."


def explain_changed(seen: Seen, difference: Difference) -> str:
    changed, names = listing(difference.yours), " and ".join(difference.yours)
    return (
        f"Your code changed its argument {changed}: whoever called it finds other numbers in "
        f"{names} afterwards. Look for an operation that works in place (`+=`, `/=`, "
        f"{words(seen).in_place}, or writing into a slice)."
    )


def explain_kept(seen: Seen, difference: Difference) -> str:
    kept, detached, _ = difference.name.partition(" detached")
    if not detached:
        return explain_fact(seen, replace(difference, name=kept.removeprefix(KEPT)))
    return (
        f"Your `{kept}` still hang on torch's graph: as long as they are kept, so is the memory of "
        f"everything that they were made of. Detach what is kept only to be looked at."
    )


def explain_gradient(seen: Seen, difference: Difference) -> str:
    if difference.name.startswith("no gradient"):
        expected = difference.expected or []
        missing = [name for name in difference.yours or [] if name not in expected]
        if not missing:
            return f"A gradient reaches {listing(expected)}, where there should be none."
        return (
            f"No gradient reaches {listing(missing)}, so training could never change "
            f"{'it' if len(missing) == 1 else 'them'}: something on the way leaves torch's graph "
            f"(.detach(), .data, .item(), NumPy, torch.no_grad), or it is not used at all."
        )
    what = precision(seen, difference) or describe_relation(seen, difference)
    return f"The numbers may be right, but the {difference.name} is not. {what}"


def explain_value(seen: Seen, difference: Difference) -> str:
    coarse = precision(seen, difference)
    if coarse:
        return coarse
    if "(call " not in difference.name:  # symptoms look at the first call
        for symptom in seen.exercise.symptoms:
            text = symptom(seen)
            if text:
                return text
    return describe_relation(seen, difference)


def precision(seen: Seen, difference: Difference) -> str | None:
    """A sentence if nothing but digits that were lost is wrong with an array's numbers, or None."""
    if difference.aspect not in ("value", "gradient") or not torch.is_tensor(difference.yours):
        return None
    return too_coarse(seen, difference) or rough(difference)


def too_coarse(seen: Seen, difference: Difference) -> str | None:
    """A sentence if the numbers are right as far as the digits of a coarser dtype go, or None."""
    yours, expected, name = difference.yours, difference.expected, difference.name
    kind = coarser_dtype(yours, expected.dtype)
    if kind is None or not alike(yours.to(kind), expected):
        return None
    if yours.dtype != expected.dtype:
        return (
            f"Your {name} is {dtype(yours)}, which keeps only {DIGITS[kind]} digits of a number; "
            f"expected {dtype(expected)}, which keeps {DIGITS[expected.dtype]}. As far as its "
            f"digits go it is right."
        )
    return (
        f"Your {name} has the right dtype, but only the {DIGITS[kind]} digits that "
        f"{dtype(yours.to(kind))} keeps; as far as they go it is right. Somewhere on the way your "
        f"numbers were {dtype(yours.to(kind))}, and the digits lost there never come back."
    )


def coarser_dtype(x: torch.Tensor, wanted: torch.dtype) -> torch.dtype | None:
    """The dtype coarser than `wanted` that all numbers of x fit into, or None."""
    if wanted not in DIGITS or x.dtype not in DIGITS:
        return None
    coarser = list(DIGITS)[: list(DIGITS).index(wanted)]
    if x.dtype != wanted:
        return x.dtype if x.dtype in coarser else None
    if x.numel() < 4:  # a few numbers fit by chance
        return None
    return next((kind for kind in coarser if torch.equal(x.to(kind).to(x.dtype), x)), None)


ROUGH = 2e-2  # how far half precision on the way may lead, relative to the largest number


def rough(difference: Difference) -> str | None:
    """A sentence if the numbers are right to some digits, and what is wrong with them looks like
    rounding: it goes up and down, whatever the right numbers are. None otherwise."""
    a, b = difference.yours.to(torch.float64), difference.expected.to(torch.float64)
    if a.numel() < 8 or not bool(a.isfinite().all() and b.isfinite().all()):
        return None
    wrong = (a - b).flatten()
    if not 1e-4 < float(wrong.abs().max() / b.abs().max().clamp(min=1e-12)) < ROUGH:
        return None
    if is_steady(wrong, torch.ones_like(wrong)) or is_steady(wrong, b.flatten()):
        return None
    if int((wrong.abs() > 0.05 * wrong.abs().max()).sum()) < wrong.numel() / 4:
        return None  # a few are wrong, and the others right
    one, other = apart(a.flatten()[wrong.abs().argmax()], b.flatten()[wrong.abs().argmax()])
    return (
        f"Your {difference.name} is right to 2 or 3 digits, and no further: where it is farthest "
        f"off it is {one}, expected {other}. Is a part of it worked out in half precision "
        f"(autocast, .half(), .bfloat16()), whose digits end there?"
    )


def is_steady(wrong: torch.Tensor, what: torch.Tensor) -> bool:
    """Does an error go with something, as rounding does not?"""
    size = float(wrong.norm() * what.norm())
    return size > 0 and abs(float(wrong @ what)) > 0.5 * size


def describe_relation(seen: Seen, difference: Difference) -> str:
    """How the learner's numbers relate to the expected ones."""
    yours, expected, name = difference.yours, difference.expected, difference.name
    a, b = yours.to(torch.float64), expected.to(torch.float64)
    if not bool(a.isfinite().all() and b.isfinite().all()):
        return f"Your {name} is {few(a)}; expected {few(b)}."
    if a.numel() > 1 and float(a.abs().max()) == 0:
        return f"All numbers of your {name} are 0; expected are numbers such as {few(b, 3)}."
    for argument, value in seen.arguments.items():
        if isinstance(value, torch.Tensor) and value.shape == a.shape and alike(yours, value):
            return f"Your {name} is just `{argument}`, unchanged."
    if a.numel() > 2:
        if float(a.max() - a.min()) == 0:
            return f"All numbers of your {name} are {number(a.flatten()[0])}, whatever goes in."
        text = proportional(yours, expected, name) or rearranged(
            yours, expected, name, words(seen).axis
        )
        if text:
            return text
    wrong = (a - b).abs()
    where = int(wrong.argmax())
    at = place_of(where, a.shape)
    count = max(1, int((wrong > allowed(seen, expected)).sum()))
    how_many = f"{count} of {a.numel()} numbers are off; the worst" if a.numel() > 1 else "It"
    one, other = apart(a.flatten()[where], b.flatten()[where])
    return (
        f"Your {name} is not right: {how_many} {f'at {at} ' if a.dim() else ''}is {one}, "
        f"expected {other}."
    )


def place_of(flat_index: int, size: torch.Size) -> str:
    index = []
    for length in reversed(size):
        index.append(flat_index % length)
        flat_index //= length
    return f"[{', '.join(map(str, reversed(index)))}]"


def allowed(seen: Seen, expected: torch.Tensor) -> float:
    """How far a number may lie from the expected one in a check."""
    share = seen.trial.tolerance * TOLERANCE.get(expected.dtype, 0.0)
    return share * max(1e-3, float(expected.to(torch.float64).abs().max()))


def proportional(yours: torch.Tensor, expected: torch.Tensor, name: str) -> str | None:
    """Is it the right answer but for a factor, or but for a number added to all?"""
    a, b = yours.to(torch.float64), expected.to(torch.float64)
    rough = 0.3 * max(TOLERANCE.get(x.dtype, 1e-6) for x in (yours, expected))
    visible = b.abs() > 0.1 * b.abs().max()
    factor = float((a[visible] / b[visible]).median())
    if factor and near(a, factor * b, rough):
        times = apart(torch.tensor(factor), torch.tensor(1.0))[0]
        return f"Every number of your {name} is {times} times what is expected."
    more = float((a - b).median())
    if more and near(a, b + more, rough):
        way = "large" if more > 0 else "small"
        return f"Every number of your {name} is too {way} by {number(abs(more))}."
    return None


def rearranged(a: torch.Tensor, b: torch.Tensor, name: str, axis: str = "dimension") -> str | None:
    """Is it the right answer in another order?"""
    plural = {"dimension": "dimensions", "axis": "axes"}
    for dim in range(a.dim()):
        if a.shape[dim] > 1 and alike(a.flip(dim), b):
            return f"Your {name} is right, but in reverse order along {axis} {dim}."
        for step in (1, -1):
            inner = a.shape[dim] - 1
            if inner > 1 and alike(
                a.narrow(dim, max(step, 0), inner), b.narrow(dim, max(-step, 0), inner)
            ):
                way = "later" if step > 0 else "earlier"
                return f"Your {name} is right, but one place {way} along {axis} {dim}."
    if 2 <= a.dim() <= 4:
        for order in itertools.permutations(range(a.dim())):
            moved = a.permute(order)
            if order != tuple(range(a.dim())) and moved.shape == b.shape and alike(moved, b):
                return f"Your {name} is right but for the order of its {plural[axis]}."
    if alike(a.flatten().sort().values, b.flatten().sort().values) and a.numel() > 3:
        return f"Your {name} has the right numbers in the wrong places."
    right = [row for row in range(len(a)) if alike(a[row], b[row])] if a.dim() > 1 else []
    if 0 < len(right) < len(a):
        where = ", ".join(map(str, right))
        return f"Your {name} is right only for index {where} of its first dimension."
    return None


def listing(names: Iterable[str]) -> str:
    """`a`, `b` and `c`; of many, the first three and how many more."""
    quoted = [f"`{name}`" for name in names]
    if len(quoted) > 4:
        return f"{', '.join(quoted[:3])} and {len(quoted) - 3} more"
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


EXPLAIN: dict[str, Callable[[Seen, Difference], str]] = {
    "built": explain_built,
    "names": explain_names,
    "error": explain_error,
    "returned": explain_returned,
    "shape": explain_shape,
    "dtype": explain_dtype,
    "not finite": explain_not_finite,
    "value": explain_value,
    "fact": explain_fact,
    "absent": explain_absent,
    "gradient": explain_gradient,
    "changed": explain_changed,
    "kept": explain_kept,
}
