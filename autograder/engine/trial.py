"""One run of an implementation on inputs that were drawn for it, and what came of it.

A Trial is plain data, and `run` knows nothing of the reference: so a trial can be run wherever the
learner's code lives, and its Answer (arrays, facts, or an error) be compared somewhere else.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy
import torch
from torch import nn

from .course import current
from .dtypes import DTYPE, KIND, ORDINARY, is_number, is_ordinary, kind_of, wider_dtype
from .limits import OutOfTime
from .pieces import Calls, watch_for_pieces
from .ready_made import watch_for_ready_made

if TYPE_CHECKING:
    from .drawing import Draw

# What a change of code may speak of, whatever the module imports that the code comes from.
EVERYDAY = {"math": math, "np": numpy, "torch": torch, "F": torch.nn.functional, "nn": nn}
Implementation = Callable[..., Any]  # what a learner writes: a function, or a class
Probe: TypeAlias = "Callable[[Draw], Trial]"
Digest: TypeAlias = "Callable[[Answer], Answer]"
Modules = dict[tuple[Any, ...], Any]  # {(class, its arguments …): what it gave for them}


@dataclass(frozen=True)
class Call:
    """Call the implementation once.

    Args:
        arguments: by the contract's names, in the contract's order; handed over by position.
        options: arguments that are handed over by name.
        method: which method of a module; "" is the module or function itself.
        training: the mode that a module is put into before.
        returns: names for what comes back.
        reads: attributes to read afterwards.
    """

    arguments: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)
    method: str = ""
    training: bool = False
    returns: tuple[str, ...] = ("output",)
    reads: tuple[str, ...] = ()


@dataclass(frozen=True)
class StandIn:
    """An argument that is made where it is needed: a small model, by the name that it has in
    the course's stand_ins."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass
class Trial:
    """Build if there is something to build, load weights, and make the calls in their order.

    Args:
        calls: one or more.
        build: the constructor's arguments, if the exercise is a class; names as for a Call.
        options: the constructor's arguments that are handed over by name.
        state: weights by name.
        dtype: what floating-point inputs and weights are turned into.
        gradients: ask for those of all floating-point inputs and weights, too.
        strided: hand over inputs that do not lie in memory in the order of their dimensions.
        sizes: the dimensions by name, for messages.
        digest: a function of the Answer that makes something comparable of it where the answer is
            random; it never travels with the trial.
        constant: whatever is drawn, the digest of a right answer is the same: the reference is
            asked once, and ready-made functions are not watched for.
        tolerance: how much more than usual numbers may differ.
        numpy: hand arrays over as NumPy's, and expect NumPy's back.
        raises: an error is the right answer: the same one as the model answer's.
    """

    calls: list[Call]
    build: dict[str, Any] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    state: dict[str, torch.Tensor] = field(default_factory=dict)
    dtype: torch.dtype = torch.float32
    gradients: bool = False
    strided: bool = False
    sizes: dict[str, int] = field(default_factory=dict)
    digest: Digest | None = None
    constant: bool = False
    tolerance: float = 1.0
    numpy: bool = False
    raises: bool = False

    @property
    def cost(self) -> int:
        """Roughly how long it runs. (A clock would tell better, and differ from run to run.)"""
        return len(self.calls) * (3 if self.gradients else 1) * (2 if self.digest else 1)

    def but(self, **changes: Any) -> Trial:
        """The same trial with other arguments: `trial.but(gradients=True)`."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Problem:
    """An exception that the learner's code raised, and where."""

    kind: str
    message: str
    frames: tuple[tuple[str, int, str], ...] = ()  # (file, line number, function), outermost first


@dataclass
class Answer:
    """What came of a trial: arrays, facts that are no arrays, and perhaps an error."""

    arrays: dict[str, torch.Tensor] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    problem: Problem | None = None
    begun: int = 0  # so many of the calls


def call(
    returns: tuple[str, ...] = ("output",), sizes: dict[str, int] | None = None, **arguments: Any
) -> Trial:
    """The Trial of a function that is called once."""
    return Trial([Call(arguments, returns=returns)], sizes=sizes or {})


def numpy_call(sizes: dict[str, int] | None = None, **arguments: Any) -> Trial:
    """A trial with one call, as `call` makes it, with NumPy's arrays in its usual float64."""
    return call(sizes=sizes, **arguments).but(numpy=True, dtype=torch.float64)


def probe(name: str, make: Callable[..., Trial], *given: Any, **named: Any) -> Probe:
    """The probe that draws make(draw, …) with these arguments, the same ones each time.

    Args:
        name: the probe's own, which is a part of the seed of what is drawn.
    """

    def drawn(draw):
        return make(draw, *given, **named)

    drawn.__name__ = name
    return drawn


# What is watched for while an implementation runs: nothing; whether the course's own pieces are
# called; or, with a list of fragments of names, ready-made functions and modules as well, which
# doubles the time.
NOTHING, PIECES = range(2)
Watch = int | list[str]
UNCOMPARABLE = "something of the right kind came back"  # the fact that a digest failed
STUB = "NotImplementedError"
NOTED = ("pieces", "pieces inside", "ready made", "unwatched")  # the facts that watching gives


def run(
    subject: Implementation,
    trial: Trial,
    device: str = "cpu",
    watch: Watch = NOTHING,
    made: Modules | None = None,
) -> Answer:
    """Run an implementation on a trial; whatever it raises becomes part of the Answer.

    Args:
        watch: what else to note: NOTHING, PIECES, or a list of what is refused, too.
        made: a dict to keep modules in.
    """
    answer = Answer()
    try:
        perform(subject, trial, device, answer, watch, made)
    except (KeyboardInterrupt, OutOfTime):
        raise
    except BaseException as error:  # sys.exit, and whatever else their code may raise
        answer.problem = describe(error)
    return answer


def is_stub(answer: Answer) -> bool:
    """Was nothing written yet? (A stub's error says nothing; torch's say what torch can't do.)"""
    problem = answer.problem
    return problem is not None and (problem.kind, problem.message) == (STUB, "")


def ask(
    subject: Implementation,
    trial: Trial,
    device: str = "cpu",
    watch: Watch = NOTHING,
    made: Modules | None = None,
) -> Answer:
    """The Answer in a form that can be compared: what is random is turned into what is not."""
    return comparable(run(subject, trial, device, watch, made), trial)


def comparable(answer: Answer, trial: Trial) -> Answer:
    """An Answer as the trial wants to compare it."""
    for name in [name for name, x in answer.arrays.items() if x.dtype not in ORDINARY]:
        note_array(answer, name, answer.arrays.pop(name))  # forged: `run` gives no such arrays
    if trial.digest is None:
        return answer
    if answer.problem is not None:  # what came before may be random, and cannot be compared
        kept = digested(Answer({}, dict(answer.facts)), trial.digest).facts
        facts = {name: fact for name, fact in answer.facts.items() if name in kept}
        return Answer({}, facts, answer.problem, answer.begun)
    digest = digested(answer, trial.digest)
    digest.facts.update({k: v for k, v in answer.facts.items() if k in NOTED})
    return digest


def note_array(answer: Answer, name: str, array: torch.Tensor) -> None:
    """Keep an array, of ordinary numbers. What has no such numbers becomes a fact."""
    with torch._C.DisableTorchFunctionSubclass():  # some classes lie about what they are
        note_tensor(answer, name, array)


def note_tensor(answer: Answer, name: str, array: torch.Tensor) -> None:
    wider = wider_dtype(array.dtype)
    odd = kind_of(array)
    if odd or wider is None:
        answer.facts[KIND + name] = (odd or str(array.dtype)).removeprefix("torch.")
        return
    if array.dtype != wider:
        answer.facts[DTYPE + name] = str(array.dtype).removeprefix("torch.")
    # A copy: a later call may write into the same memory.
    answer.arrays[name] = array.detach().to("cpu", wider, copy=True)


def digested(answer: Answer, digest: Digest) -> Answer:
    """The trial's digest of an answer. Learners' arrays can be of any kind: one that cannot even be
    looked at must not end the check."""
    try:
        return digest(answer)
    except Exception:
        return Answer({}, answer.facts | {UNCOMPARABLE: False})


def perform(
    subject: Implementation,
    trial: Trial,
    device: str,
    answer: Answer,
    watch: Watch = NOTHING,
    made: Modules | None = None,
) -> None:
    """Build, load, call, and note everything in `answer` as soon as it is known."""
    module = None
    if trial.build is not None:
        with watch_for_pieces() if watch else contextlib.nullcontext() as calls:
            built = construct(subject, trial, trial.build, device, made)
        if calls is not None:
            note_calls(answer, calls)
        if not isinstance(built, nn.Module):
            answer.facts["built"] = describe_value(built)
            return
        subject = module = built
        answer.facts.update(load(module, trial.state))
    for number in range(len(trial.calls)):
        answer.begun = number + 1
        make_call(subject, module, trial, number, device, answer, watch)


def make_call(
    subject: Implementation,
    module: nn.Module | None,
    trial: Trial,
    number: int,
    device: str,
    answer: Answer,
    watch: Watch,
) -> None:
    """Make one of a trial's calls, and note what comes of it."""
    call = trial.calls[number]
    suffix = "" if number == 0 else f" (call {number + 1})"
    if module is not None and module.training != call.training:
        module.train(call.training)
    target = getattr(subject, call.method) if call.method else subject
    given = {name: prepare(value, trial, device) for name, value in call.arguments.items()}
    options = {name: prepare(value, trial, device) for name, value in call.options.items()}
    before = {name: value.detach().clone() for name, value in arrays_in(given | options)}
    used, calls = set(), None
    with contextlib.ExitStack() as around:
        if module is not None and not (trial.gradients or call.reads):
            around.enter_context(torch.no_grad())  # nobody asks for them: it saves a quarter
        if watch and number == 0:  # watching doubles the time, and later calls do the same
            calls = around.enter_context(watch_for_pieces())
            if not isinstance(watch, int):
                used = around.enter_context(watch_for_ready_made(calls, watch))
        returned = target(*given.values(), **options)
    if calls is not None:
        answer.facts["ready made"] = sorted(used)
        note_calls(answer, calls)
    outputs = note_returned(answer, returned, call.returns, suffix)
    if isinstance(returned, nn.Module):
        same = any(returned is value for value in given.values())
        answer.facts["gave back the model it was given" + suffix] = same
    for value in given.values():
        if hasattr(value, "notes"):  # a stand-in says what was done with it
            answer.facts |= {what + suffix: note for what, note in value.notes().items()}
    note_changed(answer, before, dict(arrays_in(given | options)))
    for name in call.reads:
        note_attribute(answer, subject, name, suffix)
    if trial.gradients:
        inputs = dict(tensors(given | options))
        if module is not None:
            inputs |= dict(module.named_parameters())
        inputs = {name: x for name, x in inputs.items() if x.requires_grad}
        note_gradients(answer, outputs, inputs, suffix)


def note_calls(answer: Answer, calls: Calls) -> None:
    """Keep which of the course's own pieces were called, and whether that could be seen."""
    lost = ["sys.setprofile"] if calls.lost else []
    for fact, names in zip(
        ("pieces", "pieces inside", "unwatched"), (calls.pieces, calls.inside, lost)
    ):
        answer.facts[fact] = sorted({*answer.facts.get(fact, ()), *names})


def construct(
    kind: Implementation, trial: Trial, build: dict[str, Any], device: str, made: Modules | None
) -> Any:
    """What the class gives for the trial's arguments, with the trial's dtype."""
    key = (kind, *build.items(), *trial.options.items(), trial.dtype)
    if made is not None and key in made:
        return made[key]
    module = kind(*build.values(), **trial.options)
    if isinstance(module, nn.Module):
        wanted = trial.dtype, torch.device(device).type
        own = itertools.chain(module.parameters(), module.buffers())
        if any((x.dtype, x.device.type) != wanted for x in own):  # asking costs less than to()
            module.to(device=device, dtype=trial.dtype)
    if made is not None:
        made[key] = module
    return module


def tensors(arguments: dict[str, Any]) -> list[tuple[str, torch.Tensor]]:
    return [(name, x) for name, x in arguments.items() if isinstance(x, torch.Tensor)]


def arrays_in(arguments: dict[str, Any]) -> Iterator[tuple[str, torch.Tensor]]:
    """The same with NumPy's arrays, as tensors that share their memory."""
    for name, x in arguments.items():
        if isinstance(x, torch.Tensor):
            yield name, x
        elif isinstance(x, numpy.ndarray):
            yield name, torch.from_numpy(x)


def prepare(value: Any, trial: Trial, device: str) -> Any:
    """A fresh copy of an argument, as the trial wants it."""
    if isinstance(value, StandIn):
        return current().stand_in(value.name, **value.arguments).to(device)
    if not isinstance(value, torch.Tensor):
        return value
    if value.is_floating_point():
        value = value.to(trial.dtype)
    value = value.to(device).clone()
    if trial.strided and value.dim() > 1:
        value = value.transpose(-1, -2).contiguous().transpose(-1, -2)
    if trial.gradients and value.is_floating_point():
        value.requires_grad_()
    return value.numpy() if trial.numpy else value


def load(module: nn.Module, state: dict[str, torch.Tensor]) -> dict[str, Any]:
    """Copy weights into a module by name; say which are missing, extra, or of another shape."""
    own = dict(module.named_parameters(remove_duplicate=False))
    wanted_tensors = {id(own[name]) for name in own.keys() & state.keys()}
    shapes = {}
    with torch.no_grad():
        for name in sorted(own.keys() & state.keys()):
            if own[name].shape == state[name].shape:
                own[name].copy_(state[name])
            else:
                shapes[name] = tuple(own[name].shape)
    return {
        "missing": sorted(state.keys() - own.keys()),
        "extra": sorted(n for n in own.keys() - state.keys() if id(own[n]) not in wanted_tensors),
        "shapes": shapes,
        "shared": sorted(shared_groups({n: own[n] for n in own.keys() & state.keys()})),
        "frozen": sorted(n for n in own.keys() & state.keys() if not own[n].requires_grad),
    }


def shared_groups(parameters: dict[str, nn.Parameter]) -> list[tuple[str, ...]]:
    """Names that stand for one and the same parameter, as tuples."""
    names = {}
    for name, parameter in parameters.items():
        names.setdefault(id(parameter), []).append(name)
    return [tuple(sorted(group)) for group in names.values() if len(group) > 1]


def note_changed(
    answer: Answer, before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]
) -> None:
    """Keep the names of the arguments that aren't what they were before the call."""
    for name, value in before.items():
        now = after[name]
        if now.shape != value.shape or not torch.equal(now.detach(), value):
            changed = answer.facts.setdefault("changed", [])
            changed += [name] if name not in changed else []


def note_returned(
    answer: Answer, returned: Any, names: tuple[str, ...], suffix: str
) -> list[torch.Tensor]:
    """Keep what came back under its names, if it is what was asked for; give back the tensors."""
    answer.facts["returned" + suffix] = describe_value(returned)
    values = (returned,) if len(names) == 1 else returned
    if isinstance(values, list):
        values = tuple(values)
    if not isinstance(values, tuple) or len(values) != len(names):
        return []
    outputs = []
    for name, value in zip(names, values):
        if isinstance(value, torch.Tensor):
            note_array(answer, name + suffix, value)
            outputs.append(value)
        elif isinstance(value, numpy.ndarray) and is_ordinary(value):
            note_array(answer, name + suffix, torch.as_tensor(value.copy()))
        elif isinstance(value, bool | int | float) or is_number(value):
            answer.arrays[name + suffix] = torch.as_tensor(value, dtype=torch.float64)
        elif isinstance(value, nn.Module):
            note_module(answer, value, suffix)
    return outputs


def note_module(answer: Answer, module: nn.Module, suffix: str) -> None:
    """A module that came back is looked at through its parameters."""
    for name, parameter in module.named_parameters():
        note_array(answer, name + suffix, parameter)


def note_attribute(answer: Answer, subject: object, name: str, suffix: str) -> None:
    """Keep what an attribute says after a call."""
    value = getattr(subject, name, None)
    if isinstance(value, torch.Tensor):
        answer.facts[f"{name} detached{suffix}"] = not value.requires_grad
        note_array(answer, name + suffix, value)
    else:
        answer.facts[name + suffix] = value if type(value) is int else describe_value(value)


def note_gradients(
    answer: Answer, outputs: list[torch.Tensor], inputs: dict[str, torch.Tensor], suffix: str
) -> None:
    """Keep the gradients of a weighted sum of the outputs."""
    loss = None
    for output in outputs:
        if output.dtype in ORDINARY and output.is_floating_point() and output.requires_grad:
            weigh = torch.arange(1, output.numel() + 1, device=output.device).cos()
            part = (output * weigh.reshape(output.shape).to(output.dtype)).sum()
            loss = part if loss is None else loss + part
    if loss is None:
        gradients = [None] * len(inputs)
    else:
        gradients = torch.autograd.grad(loss, list(inputs.values()), allow_unused=True)
    for name, gradient in sorted(zip(inputs, gradients), key=lambda pair: pair[0]):
        if gradient is None:
            answer.facts.setdefault("no gradient" + suffix, []).append(name)
        else:
            dense = gradient if gradient.layout is torch.strided else gradient.to_dense()
            note_array(answer, f"gradient of {name}{suffix}", dense)


def describe_value(value: object) -> str:
    """What kind of thing came back, in words."""
    if value is None:
        return "None"
    if isinstance(value, torch.Tensor):
        return "a tensor"
    if isinstance(value, numpy.ndarray):
        kind = "texts" if value.dtype.kind in "US" else f"dtype {value.dtype}"
        return "an array" if is_ordinary(value) else f"an array of {kind}"
    if isinstance(value, bool | numpy.bool_):
        return "True or False"
    if isinstance(value, int | numpy.integer):
        return "an int"
    if isinstance(value, float | numpy.floating):
        return "a float"
    if isinstance(value, nn.Module):
        return "a module"
    if isinstance(value, tuple | list):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return f"a {kind} of {len(value)} ({', '.join(map(describe_value, value[:4]))})"
    return f"a {type(value).__name__}"


def describe(error: BaseException) -> Problem:
    """An exception as data: kind, message, and the way through the code."""
    frames = tuple(
        (frame.filename, frame.lineno or 0, frame.name)  # Python need not know the line
        for frame in traceback.extract_tb(error.__traceback__)
    )
    return Problem(type(error).__name__, str(error), frames)
