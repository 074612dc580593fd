"""Teach a Transformer to translate numbers, with the paper's recipe (section 5).

Adam with β2 = 0.98, the warm-up schedule, label smoothing, and at the end the mean of the last
weights in place of the very last, as in section 6.1. Two things the paper does not say: the weights
begin as Xavier's, and the model norms first, which learns more in few steps. The sizes are such
that two CPU cores need about a minute.
"""

import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from solutions.fast import fast
from solutions.training import (
    beam_search,
    greedy_decode,
    initialise,
    learning_rate,
    shift_right,
    smoothed_cross_entropy,
)
from solutions.transformer import Transformer

from .checkpoint import load_checkpoint, save_checkpoint
from .number_words import END, LANGUAGES, PAD, START, NumberTranslation, in_words, trimmed

MODEL = {"d_model": 128, "num_heads": 4, "d_ff": 512, "num_layers": 2, "norm_first": True}
LONGEST = 20  # tokens of the longest translation that decoding may try
AVERAGED = 0.4  # the share of the steps, at the end, whose weights are averaged
SAMPLES = ((97, "fr"), (42, "de"))
SAMPLE_EVERY = SAVE_EVERY = 100  # steps


@dataclass(frozen=True)
class Parts:
    """What a training is made of: the reference's pieces, or somebody's own in their places."""

    transformer: type = Transformer
    initialise: Callable = initialise
    learning_rate: Callable = learning_rate
    shift_right: Callable = shift_right
    smoothed_cross_entropy: Callable = smoothed_cross_entropy


@dataclass
class Training:
    """A model that is being trained, and all that is needed to go on with it."""

    model: Transformer
    average: AveragedModel
    optimiser: torch.optim.Optimizer
    step: int = 0
    losses: list = field(default_factory=list)
    exact_match: dict = field(default_factory=dict)
    seconds: float = 0.0


def new_training(task, device, seed, parts, sizes):
    """An untrained model with Xavier's weights, and Adam with the paper's settings."""
    torch.manual_seed(seed)
    vocabularies = len(task.source_words), len(task.target_words)
    model = parts.transformer(*vocabularies, max_length=64, **sizes)
    if parts.transformer is Transformer:  # somebody's own is trained as it was written
        model = fast(model)
    model = parts.initialise(model).to(device)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.0, betas=(0.9, 0.98), eps=1e-9)
    return Training(model, AveragedModel(model), optimiser)


def train(
    steps=400,
    batch_size=128,
    warmup=200,
    device=None,
    seed=0,
    checkpoint=None,
    progress=True,
    task=None,
    parts=None,
    sizes=None,
    watch=None,
):
    """Train, show how it goes, and say how many held-out numbers are translated without a fault.

    Args:
        steps: of training, counted from the very beginning also when it is resumed.
        batch_size, warmup: pairs a step, and steps until the learning rate falls.
        device: the GPU if there is one, otherwise the CPU.
        seed: for weights, dropout and the order of the pairs.
        checkpoint: a file to resume from, if it exists, and to save to. With the same steps, a
            resumed training ends with the weights that it would have had; with others the losses
            are the same, and the weights are averaged over another stretch.
        progress: show a bar with the loss, and samples.
        task: a NumberTranslation; by default all numbers up to 9,999.
        parts: the Parts to train with; by default the reference's.
        sizes: of the model, as in MODEL.
        watch: called after every step with the Training and the number of steps, in place of the
            bar, the samples and the examination at the end.
    Returns:
        A Training. One interrupt (Ctrl-C, or the notebook's stop button) ends it after the step
        it is in, and keeps what was trained.
    """
    device = device_for(device)
    task, parts, sizes = task or NumberTranslation(), parts or Parts(), sizes or MODEL
    source, target = (x.to(device) for x in task.pairs(task.train_numbers))
    # How the run was made: one that differs in these cannot be gone on with.
    recipe = sizes | {"batch_size": batch_size, "warmup": warmup, "seed": seed}
    recipe["the task"] = task.description  # another would have been trained on what is held out
    progress = progress and watch is None
    first_averaged = (1 - AVERAGED) * steps
    began = time.perf_counter()
    gpus = list(range(torch.cuda.device_count()))
    with torch.random.fork_rng(gpus):  # the caller's random numbers stay as they were
        training = new_training(task, device, seed, parts, sizes)
        if checkpoint is not None:
            load_checkpoint(checkpoint, training, recipe)
        if training.step <= first_averaged:  # averaged, if at all, towards the end of fewer steps
            training.average = AveragedModel(training.model)
        with bar_for(training, steps, progress) as bar, interrupt_waits() as interrupted:
            while training.step < steps and not interrupted:
                chosen = batch_of(training.step, len(source), batch_size, seed).to(device)
                pairs_now = trimmed(source[chosen]), trimmed(target[chosen])
                one_step(training, *pairs_now, warmup, parts, sizes["d_model"])
                if training.step > first_averaged:
                    training.average.update_parameters(training.model)
                move(bar, training, task)
                if watch is not None:
                    watch(training, steps)
                if checkpoint is not None and training.step % SAVE_EVERY == 0:
                    save_checkpoint(checkpoint, training, recipe)
        if checkpoint is not None:
            save_checkpoint(checkpoint, training, recipe)
    if training.average.n_averaged > 0:
        training.model.load_state_dict(training.average.module.state_dict())
    training.seconds = time.perf_counter() - began
    if progress and training.step < steps:
        print(f"Stopped after step {training.step} of {steps}; what was trained is kept.")
    if watch is None:
        training.exact_match = exact_match(training.model, task)
    if progress:
        print(report(training, task))
    return training


def device_for(name):
    """The device of this name; without one the GPU if there is one, otherwise the CPU."""
    device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError("device=cuda, but torch sees no GPU here: leave device out, or say cpu")
    return device


def bar_for(training, steps, shown):
    return tqdm(
        total=steps,
        initial=training.step,
        desc="training",
        file=sys.stdout,  # nbgrader counts anything on stderr as a failure
        mininterval=0.5,
        disable=not shown,
    )


def move(bar, training, task):
    """One step further, with the loss, and now and then a sample."""
    bar.set_postfix_str(f"loss {training.losses[-1]:.3f}", refresh=False)
    bar.update()
    if not bar.disable and training.step % SAMPLE_EVERY == 0:
        bar.write(sample(training.model, task, training.step), file=sys.stdout)


def batch_of(step, pairs, batch_size, seed):
    """Which pairs this step sees: every epoch has an order of its own, known from its number."""
    steps_per_epoch = max(pairs // batch_size, 1)
    epoch, place = divmod(step, steps_per_epoch)
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    order = torch.randperm(pairs, generator=generator)
    return order[place * batch_size : (place + 1) * batch_size]


def one_step(training, source, target, warmup, parts, d_model):
    """Predict every target token from those before it, and move the weights a little."""
    training.step += 1
    for group in training.optimiser.param_groups:
        group["lr"] = parts.learning_rate(training.step, d_model, warmup)
    logits = training.model(source, parts.shift_right(target, START))  # (batch, target, vocab)
    loss = parts.smoothed_cross_entropy(logits, target, smoothing=0.1, pad=PAD)
    training.optimiser.zero_grad()
    loss.backward()
    training.optimiser.step()
    training.losses.append(loss.item())


@contextmanager
def interrupt_waits():
    """Collect the first interrupt in a list, so that a step is never left half done."""
    interrupted = []
    if threading.current_thread() is not threading.main_thread():
        yield interrupted  # signals reach the main thread only
        return

    def remember(_number, _frame):
        interrupted.append(True)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # the second one is not to wait

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def translate(model, task, text, language, decode=greedy_decode):
    """ "forty-two" → "quarante-deux" or "zweiundvierzig", as far as the model knows."""
    device = next(model.parameters()).device
    source = torch.tensor([task.read(text, language)], device=device)
    return task.text(decode(model, source, START, END, LONGEST)[0].tolist())


def sample(model, task, step):
    """Two translations, to watch it learn."""
    shown = []
    for number, language in SAMPLES:
        if number >= task.limit:
            continue
        text = in_words(number, "en")
        found = translate(model, task, text, language)
        mark = "✓" if found == in_words(number, language) else "✗"
        shown.append(f"{text} → {found} {mark}")
    return f"step {step}: " + "   ".join(shown)


def exact_match(model, task, numbers=None, at_once=500):
    """The share of held-out numbers translated without a fault: {(decoder, language): share}."""
    numbers = task.held_out_numbers if numbers is None else numbers
    return {
        (name, language): exact(
            written_alone(model, task, numbers, language, decode, at_once), numbers, language
        )
        for name, decode in (("greedy", greedy_decode), ("beam", beam_search))
        for language in LANGUAGES
    }


def written_alone(model, task, numbers, language, decode, at_once=500):
    """The texts that a model writes for these numbers."""
    device = next(model.parameters()).device
    source, _ = task.pairs(numbers, [language])
    found = []
    for part in source.to(device).split(at_once):
        found += [task.text(tokens) for tokens in decode(model, part, START, END, LONGEST).tolist()]
    return found


def exact(texts, numbers, language):
    """The share of texts without a fault."""
    return sum(a == in_words(n, language) for a, n in zip(texts, numbers)) / len(texts)


def report(training, task):
    """The result as a small table."""
    lines = [
        f"{training.step} steps in {training.seconds:.0f} s; "
        f"{len(task.held_out_numbers)} held-out numbers translated without a fault:",
        "            French    German",
    ]
    for name in ("greedy", "beam"):
        shares = [training.exact_match[name, language] for language in LANGUAGES]
        lines.append(f"  {name:8}" + "".join(f"{share:8.2%}  " for share in shares).rstrip())
    return "\n".join(lines)
