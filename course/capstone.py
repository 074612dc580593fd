"""Lesson 6's capstone: a trained Transformer is graded by what it writes.

What is graded are the weights in a file. They are put into the course's own Transformer, which
then translates numbers that were held out, by the course's own greedy decoding: so it does not
matter where they were trained, a class need not be trained again, and a file that is made up earns
what it translates. As training hides many mistakes, it counts as far as the lesson's checks pass.
"""

import html
from dataclasses import dataclass, field
from pathlib import Path

import torch

from autograder.doors.notebook import notebook_shell
from autograder.engine.course import Earned, PointsCall, Wanted
from course.checks import exercises_of
from solutions.fast import fast
from solutions.training import greedy_decode
from solutions.transformer import Transformer
from translation.number_words import LANGUAGES, in_words, the_task
from translation.train import MODEL, written_alone

from . import COURSE
from .mine import best_version

FILE = "translator.pt"
POINTS = 10
ENOUGH = 0.99  # of the held-out numbers, in the worse of the two languages
SHARE_OF_A_POINT = 0.02
HARDLY = 0.05  # weights that write fewer numbers than that have learned nothing
TRIED_FIRST = 100  # of the held-out numbers, evenly spread: the others only if it is worth it
LONGEST_NAME = 60  # characters of a parameter's name that are shown: it may be anything


@dataclass
class Examination:
    """What a trained model has shown.

    Args:
        shares: {language: how many of the held-out numbers it wrote without a fault}
        sentence: what is wrong, and where to look; "" if nothing is.
        checks: (points, of how many) of the lesson's exercises.
    """

    shares: dict[str, float] = field(default_factory=dict)
    sentence: str = ""
    checks: tuple[float, float] = (1, 1)

    @property
    def for_translating(self):
        lost = max(0.0, ENOUGH - min(self.shares.values(), default=0.0)) / SHARE_OF_A_POINT
        return max(0, round(POINTS - lost))

    @property
    def points(self):
        earned, most = self.checks
        return round(self.for_translating * earned / most, 2)

    @property
    def lines(self):
        """(what, how much) for a table."""
        named = {"fr": "French", "de": "German"}
        for language, share in self.shares.items():
            yield f"held-out numbers without a fault, {named[language]}", f"{share:.1%}"
        yield "points for translating", f"{self.for_translating} of {POINTS}"
        earned, most = self.checks
        yield "points of this lesson's checks that pass", f"{earned:g} of {most:g}"
        product = f"capstone, {self.for_translating} × {earned:g}/{most:g}"
        yield product, f"{self.points:g} of {POINTS}"

    @property
    def sentences(self):
        """What is to be said."""
        earned, most = self.checks
        yield from filter(None, [self.sentence])
        if earned < most:
            yield (
                "The capstone counts only as far as your own exercises above pass: the rest was "
                "trained with working versions of ours."
            )

    def as_text(self):
        rows = [f"{what:47} {how_much}" for what, how_much in self.lines]
        return "\n".join([*rows, *self.sentences])

    def as_card(self):
        rows = "".join(
            f"<tr><td style='text-align:left'>{what}</td><td>{how_much}</td></tr>"
            for what, how_much in self.lines
        )
        told = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in self.sentences)
        return f"<section aria-label='Capstone'><table>{rows}</table>{told}</section>"


def save_translator(model, path=FILE):
    """Write a model's weights into a file, to be handed in beside the notebook."""
    torch.save({name: x.detach().cpu() for name, x in model.named_parameters()}, path)
    size = Path(path).stat().st_size / 2**20
    print(f"{path}: {size:.1f} MB. Hand it in together with this notebook.")


def check_translator(path=FILE):
    """Grade the weights in a file; returns the points as a number."""
    found = examine_file(path)
    found.checks = own_checks()
    if not notebook_shell():
        print(found.as_text())
        return found.points
    from IPython.display import display

    display({"text/html": found.as_card(), "text/plain": found.as_text()}, raw=True)
    return found.points


def own_checks():
    """(points, of how many) of this lesson's exercises that the learner's own versions pass."""
    asked = exercises_of("training")
    passed = [exercise for exercise in asked if is_passed(exercise)]
    return sum(e.max_score for e in passed), sum(e.max_score for e in asked)


def is_passed(exercise):
    """In this session; if nothing of the lesson was checked in it, in another one."""
    session = COURSE.session
    checked = {*session.passed, *session.failed}
    if checked & {each.name for each in exercises_of(exercise.module)}:
        return exercise.name in session.passed and exercise.name not in session.failed
    return best_version(exercise)[1].startswith("yours")


def examine_file(path):
    if not Path(path).is_file():
        return Examination(sentence=missing(path))
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # torch has many ways of saying that a file is none of its own
        return Examination(sentence=unreadable(path))
    return examine_weights(weights)


def missing(path):
    return (
        f"There is no {path} beside this notebook: train, save with save_translator(model), and "
        f"hand the file in together with the notebook."
    )


def unreadable(path):
    return f"{path} holds no weights: write it with save_translator(model)."


def too_much(path):
    return (
        f"{path} holds far more than the lesson's Transformer has, and was not looked at: write it "
        f"with save_translator(model)."
    )


@torch.no_grad()
def examine_weights(weights, task=None, sizes=MODEL):
    """The Examination of a trained model.

    Args:
        weights: {name of a parameter: tensor}
    """
    task = task or the_task()
    model = Transformer(len(task.source_words), len(task.target_words), max_length=64, **sizes)
    parameters = dict(fast(model).named_parameters())
    if not isinstance(weights, dict) or not all(map(is_array, weights.values())):
        return Examination(sentence=unreadable("This file"))
    if trouble := misfit({name: x.shape for name, x in parameters.items()}, weights):
        return Examination(sentence=trouble)
    for name, parameter in parameters.items():
        parameter.copy_(weights[name])
    if trouble := not_finite(parameters):
        return Examination(sentence=trouble)
    model.eval()  # on the CPU, wherever it was trained: home and class agree
    shares, faults = {}, []
    for language in LANGUAGES:
        texts = written_if_worth_it(model, task, language)
        wrong = [(n, text) for n, text in texts.items() if text != in_words(n, language)]
        shares[language] = 1 - len(wrong) / len(texts)
        faults += [(n, language, text) for n, text in wrong[:1]]
    return Examination(shares, what_is_wrong(min(shares.values()), faults))


def written_if_worth_it(model, task, language):
    """{number: what the model writes for it}, for the held-out numbers in their order.

    If hardly one of the first hundred is right, the others are not tried: they could not earn
    anything, and what has learned nothing writes on and on, which takes longest.
    """
    numbers = task.held_out_numbers
    first = numbers[:: -(-len(numbers) // TRIED_FIRST)]
    texts = dict(zip(first, written_alone(model, task, first, language, greedy_decode)))
    right = sum(text == in_words(n, language) for n, text in texts.items())
    rest = [n for n in numbers if n not in texts]
    if rest and right >= HARDLY * len(first):
        texts |= zip(rest, written_alone(model, task, rest, language, greedy_decode))
    return dict(sorted(texts.items()))


def is_array(value):
    """Is this an ordinary tensor of real numbers, on the CPU?"""
    return (
        torch.is_tensor(value)
        and value.is_floating_point()
        and value.layout == torch.strided
        and value.device.type == "cpu"
    )


def not_finite(parameters):
    """A sentence if there are numbers among the weights with which nothing can be computed."""
    broken = [name for name, x in parameters.items() if not torch.isfinite(x).all()]
    if not broken:
        return ""
    return (
        f"{len(broken)} of the {len(parameters)} weight tensors hold NaN or infinity "
        f"({broken[0]}, …), and nothing can be computed with these. Did the loss become NaN while "
        f"it was trained? Look for a division by zero or an exponential of something large, and "
        f"train again."
    )


def misfit(shapes, weights):
    """A sentence if these are the weights of another model."""
    absent = [name for name in shapes if name not in weights]
    unknown = [name for name in weights if name not in shapes]
    other = [name for name in shapes if name in weights and weights[name].shape != shapes[name]]
    if not absent and not unknown and not other:
        return ""
    found = [f"{len(absent)} are missing ({absent[0]}, …)"] if absent else []
    found += [f"{len(unknown)} have other names ({shown(unknown[0])}, …)"] if unknown else []
    if other:
        name = other[0]
        there, wanted = tuple(weights[name].shape), tuple(shapes[name])
        found += [f"{len(other)} have another shape ({name}: {there}, not {wanted})"]
    return (
        f"These weights do not fit the lesson's Transformer: {'; '.join(found)}. Are its sizes "
        f"those of the lesson, and does your Transformer pass its check?"
    )


def shown(name):
    """A parameter's name as it can be shown anywhere, without what a terminal would obey."""
    if not isinstance(name, str):
        return f"one is no text, but of type {type(name).__name__}"
    return repr(name[:LONGEST_NAME])[1:-1]


def what_is_wrong(share, faults):
    if share >= ENOUGH:
        return ""
    number, language, text = faults[-1]
    fault = (
        f"For example: {in_words(number, 'en')} became {text[:80] or 'nothing'!r} in place of "
        f"{in_words(number, language)!r}."
    )
    if share < HARDLY:
        return (
            f"{fault} Hardly a number is right. If its loss was low all the same, training saw "
            f"something that writing does not: look at the mask and at the shift first. If its "
            f"loss was not low, it was not trained, or not to the end."
        )
    return f"{fault} It has learned a part: train it to the end, as in the lesson."


class TranslatorCall(PointsCall):
    """`check_translator("translator.pt")` where a class is graded.

    The weights are tried here, in the course's own Transformer: what a learner's code says that it
    translates proves nothing.
    """

    kind, label = "weights", "Trained model"

    def asked(self, call):
        name = getattr(call.args[0], "value", None) if len(call.args) == 1 else None
        return Wanted("weights", name) if isinstance(name, str) else None

    def judged(self, wanted, found, checks):
        if isinstance(found, dict):
            seen = examine_weights(found)
        else:
            why = missing if found is None else too_much if found is True else unreadable
            seen = Examination(sentence=why(wanted.name))
        seen.checks = checks
        return Earned(seen.points / POINTS, seen.as_text(), seen.as_card())


CAPSTONE = TranslatorCall()
