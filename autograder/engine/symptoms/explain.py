"""One difference as sentences."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import torch

from ..compare import KEPT, Difference, close
from ..dtypes import DTYPE
from ..trial import is_stub
from .numbers import call_number, dtype, few, listing, shape
from .precision import precision
from .relations import describe_relation, simple_relation
from .seen import Seen, words


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
        f"Calling {seen.exercise.name}(…) gave {difference.yours}. It must be a subclass of "
        f"nn.Module, whose __init__ begins with super().__init__()."
    )


def explain_names(seen: Seen, difference: Difference) -> str:
    names, expected = difference.yours, difference.expected
    if difference.name == "missing":
        return f"Your module has no parameter called {listing(names)}. {why_missing(seen, names)}"
    if difference.name == "extra":
        if names == [""]:  # a digest has taken its name away
            return "Your module has a parameter that is not asked for."
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
        return f"{listing(missing[0])} must be one and the same parameter, and yours are not."
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
    if is_stub(seen.answer):
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


def explain_returned(seen: Seen, difference: Difference) -> str:
    if not difference.name.startswith("returned"):
        return explain_kind(seen, difference)
    said = f"Your code returned {difference.yours}; expected {difference.expected}."
    if "an array" in str(difference.yours) and not seen.trial.numpy:
        said += (
            " An array is NumPy's, and no gradient flows through it: work with torch's own "
            "functions (torch.exp for np.exp), from beginning to end."
        )
    return said


def explain_kind(seen: Seen, difference: Difference) -> str:
    """Of an array whose numbers are of a kind that is not compared."""
    name, kind, expected = difference.name, difference.yours, difference.expected
    asked = f" of dtype {dtype(expected)}" if torch.is_tensor(expected) else ""
    return f"Your {name} is of the kind {kind}; expected an ordinary {words(seen).array}{asked}."


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
    yours, expected = difference.yours, difference.expected
    right = bool(expected.any()) and close(yours.to(expected.dtype), expected)
    named = seen.answer.facts.get(DTYPE + difference.name) or dtype(yours)
    return (
        f"{start} {difference.name} is {named}; expected {dtype(expected)}."
        f"{' Its numbers are right.' if right else ''}"
    )


def explain_not_finite(seen: Seen, difference: Difference) -> str:
    yours = difference.yours
    counts = {"NaN": int(yours.isnan().sum()), "inf": int(yours.isinf().sum())}
    [first, *others] = [(kind, count) for kind, count in counts.items() if count]
    more = "".join(f", and {count} {are(count)} {kind}" for kind, count in others)
    return (
        f"{first[1]} of the {yours.numel()} numbers in your {difference.name} {are(first[1])} "
        f"{first[0]}{more}; expected ordinary numbers, such as {few(difference.expected, 3)}."
    )


def are(count: int) -> str:
    return "is" if count == 1 else "are"


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
            f"No gradient reaches {listing(missing)}{what_follows(seen, missing)}: something on "
            f"the way leaves torch's graph (.detach(), .data, .item(), NumPy, torch.no_grad), or "
            f"{'it is' if len(missing) == 1 else 'they are'} not used at all."
        )
    what = precision(seen, difference) or describe_relation(seen, difference)
    return f"The numbers may be right, but the {difference.name} is not. {what}"


def what_follows(seen: Seen, names: list[str]) -> str:
    """What it means for training that no gradient gets there."""
    it = "it" if len(names) == 1 else "them"
    if all(name in seen.trial.state for name in names):
        return f", so training could never change {it}"
    if any(name in seen.trial.state for name in names):
        return ""
    return f", so whatever made {it} could never be trained"


def explain_value(seen: Seen, difference: Difference) -> str:
    coarse = precision(seen, difference)
    if coarse:
        return coarse
    if "(call " not in difference.name:  # symptoms look at the first call
        for symptom in seen.exercise.symptoms:
            text = symptom(seen)
            if text:
                return " ".join(filter(None, (text, simple_relation(seen, difference))))
    return describe_relation(seen, difference)


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
