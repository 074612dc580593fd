"""How smoothed_cross_entropy is checked."""

import torch

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.ready_made import CROSS_ENTROPY
from autograder.engine.symptoms import number, shape
from autograder.engine.trial import Answer, call

from ..shared import CUTS, LOOK_FOR_CUTS


def loss(draw, batch=3, length=5, vocab=11, pad=0, smoothing=0.1, padded=False, spread=2.0):
    """A trial with logits for a few tokens, some of them padding."""
    targets = draw.tokens(batch, length, vocab, pad, padded)
    targets[0, 0] = 0 if pad else 1  # token 0 is one like all others, unless it is padding
    trial = call(
        ("loss",),
        {"batch": batch, "length": length, "vocab": vocab, "tokens": int((targets != pad).sum())},
        logits=draw.normal(batch, length, vocab, scale=spread),
        targets=targets,
        smoothing=smoothing,
        pad=pad,
    )
    trial.sizes["padding"] = batch * length - trial.sizes["tokens"]
    return trial


def loss_of_a_batch(draw):
    return loss(draw)


def loss_by_default(draw):
    """Smoothing 0.1 and padding 0 are meant if nothing is said."""
    trial = loss(draw, batch=4, length=3, vocab=7, padded=True)
    del trial.calls[0].arguments["smoothing"], trial.calls[0].arguments["pad"]
    return trial


def loss_of_one_token(draw):
    return loss(draw, batch=1, length=1, vocab=5)


def loss_of_a_list(draw):
    """One leading dimension: as after a reshape to (batch · length, vocab)."""
    trial = loss(draw, batch=2, length=4, padded=True)
    arguments = trial.calls[0].arguments
    arguments["logits"], arguments["targets"] = (
        arguments["logits"].flatten(0, 1),
        arguments["targets"].flatten(),
    )
    return trial


def loss_of_many_dimensions(draw):
    trial = loss(draw, batch=6, length=4, padded=True)
    arguments = trial.calls[0].arguments
    arguments["logits"] = arguments["logits"].unflatten(0, (2, 3))
    arguments["targets"] = arguments["targets"].unflatten(0, (2, 3))
    return trial


def loss_strided(draw):
    trial = loss(draw, batch=2, length=6, padded=True)
    trial.strided = True
    return trial


def loss_without_smoothing(draw):
    return loss(draw, smoothing=0.0)


def loss_with_much_smoothing(draw):
    return loss(draw, smoothing=draw.integer(40, 90) / 100)


def loss_of_smoothing_alone(draw):
    return loss(draw, smoothing=1.0)


def loss_with_padding(draw):
    return loss(draw, batch=4, length=6, padded=True)


def loss_with_other_padding(draw):
    return loss(draw, batch=4, length=6, padded=True, pad=draw.integer(2, 10))


def loss_with_padding_outside(draw):
    """Padding that is no token of the vocabulary at all."""
    return loss(draw, batch=4, length=6, padded=True, pad=-100)


def loss_of_large_logits(draw):
    return loss(draw, spread=1e4)


def loss_of_nothing(draw):
    trial = loss(draw)
    trial.calls[0].arguments["targets"].fill_(0)
    trial.gradients = True
    trial.digest = nothing_at_all
    return trial


def nothing_at_all(answer):
    """Whether a loss of 0 hangs on the graph is free, but what comes back must be numbers."""
    gradients = [x for name, x in answer.arrays.items() if name.startswith("gradient")]
    facts = {name: fact for name, fact in answer.facts.items() if "gradient" not in name}
    facts["gradients are numbers"] = all(bool(x.isfinite().all()) for x in gradients)
    return Answer({name: x for name, x in answer.arrays.items() if name == "loss"}, facts)


def loss_gradients(draw):
    trial = loss(draw, padded=True)
    trial.gradients = True
    return trial


def loss_in_float64(draw):
    trial = loss(draw, padded=True)
    trial.dtype = torch.float64
    return trial


def loss_in_bfloat16(draw):
    trial = loss(draw, padded=True)
    trial.dtype = torch.bfloat16
    return trial


def your_loss(seen):
    return number(seen.yours["loss"])


def right_loss(seen):
    return number(seen.theirs["loss"])


def loss_times_probability(seen):
    """A symptom: how far off, as a share."""
    yours, theirs = seen.yours.get("loss"), seen.theirs["loss"]
    if yours is None or yours.numel() != 1 or not yours.isfinite():
        return None
    smoothing = seen.arguments.get("smoothing", 0.1)
    return (
        f"With smoothing={smoothing} your loss is {number(yours)}; expected {number(theirs)}, "
        f"the mean over {seen['tokens']} tokens that are not padding."
    )


SURPRISE = "surprise = -torch.log_softmax(logits, dim=-1)"
LOOKED_UP = "looked_up = targets.masked_fill(~counts, 0)"
COUNTS = "counts = targets != pad"
ONE_LOOKED_UP = "right = surprise.gather(-1, looked_up[..., None]).squeeze(-1)"
RIGHT = "loss = (1 - smoothing) * right"
SHARED = "loss = loss + smoothing * surprise.mean(dim=-1)"
IF_SMOOTHED = "if smoothing > 0:"
MEAN = "return loss.masked_fill(~counts, 0.0).sum() / counts.sum().clamp(min=1)"
LOOK_AT_SHARES = (
    "Write down, for a vocabulary of 5 and smoothing 0.1, what probability each token is to get; "
    "they add up to 1."
)
LOOK_AT_DIVISOR = "What is added up, and how many of them are there? The mean is over tokens."
LOOK_AT_PADDING = "Padding is to have no part in the sum, and none in the number of tokens."


def shared_as(what):
    return ((SHARED, f"loss = loss + smoothing * ({what})"),)


def small_number(number):
    return ((SURPRISE, f"surprise = -torch.log(torch.softmax(logits, dim=-1) + {number})"),)


OTHERS = "surprise.sum(dim=-1) - right"
OF_PAD = "(surprise[..., pad] if 0 <= pad < logits.shape[-1] else 0.0)"

smoothed_cross_entropy = Exercise(
    id="training.smoothed_cross_entropy",
    properties=(
        Property(
            "values",
            3,
            "the loss is right where nothing is padding",
            (loss_of_a_batch, loss_of_one_token),
            look=LOOK_AT_SHARES,
        ),
        Property(
            "smoothing",
            1,
            "so it is with any smoothing from 0 to 1",
            (loss_without_smoothing, loss_with_much_smoothing, loss_of_smoothing_alone),
            look=LOOK_AT_SHARES,
        ),
        Property(
            "padding",
            2,
            "padding does not count, whatever its number",
            (
                loss_with_padding,
                loss_by_default,
                loss_with_other_padding,
                loss_with_padding_outside,
            ),
            look=LOOK_AT_PADDING,
        ),
        Property(
            "nothing",
            1,
            "a batch of nothing but padding has a loss of 0",
            (loss_of_nothing,),
            look="What is 0 divided by 0, and how do you keep it from happening?",
        ),
        Property(
            "dimensions",
            1,
            "any leading dimensions will do",
            (loss_of_a_list, loss_of_many_dimensions, loss_strided),
            look="Count dimensions from the right: the vocabulary is the last one.",
        ),
        Property(
            "stable",
            1,
            "logits of any size are no trouble",
            (loss_of_large_logits,),
            look="What is the logarithm of a probability that was rounded to 0?",
        ),
        Property(
            "gradients",
            1,
            "gradients reach the logits, and none those at padding",
            (loss_gradients,),
            aspects=("gradient",),
        ),
        Property(
            "dtype",
            1,
            "the loss has the dtype of the logits",
            (loss_in_float64, loss_in_bfloat16),
            aspects=("dtype",),
        ),
        Property("arguments", 1, "logits and targets stay as they were", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "shared_among_others",
            shared_as(f"({OTHERS}) / (logits.shape[-1] - 1)"),
            "You share the smoothing among the other tokens only, ε / (V - 1) for each of "
            "them. That is one way to do it; here all {vocab} tokens get the same share, the right "
            "one too, as in F.cross_entropy.",
            LOOK_AT_SHARES,
            r"- ?1",
        ),
        Mistake(
            "shared_without_right_and_pad",
            shared_as(f"({OTHERS} - {OF_PAD}) / (logits.shape[-1] - 2)"),
            "You share the smoothing among all tokens but the right one and padding, ε / (V - 2) "
            "for each of them. That is one way to do it; here all {vocab} tokens get the same "
            "share, as in F.cross_entropy.",
            LOOK_AT_SHARES,
            r"- ?2",
        ),
        Mistake(
            "padding_gets_no_share",
            shared_as(f"(surprise.sum(dim=-1) - {OF_PAD}) / logits.shape[-1]"),
            "The token of padding gets no share of your smoothing. That is one way to do it; here "
            "all {vocab} tokens get the same share, as in F.cross_entropy.",
            LOOK_AT_SHARES,
            r"pad",
        ),
        Mistake(
            "shared_without_pad",
            (
                (
                    SHARED,
                    "inside = 0 <= pad < logits.shape[-1]\n"
                    "        loss = loss + smoothing * (surprise.sum(dim=-1) - (surprise[..., pad] "
                    "if inside else 0.0)) / (logits.shape[-1] - inside)",
                ),
            ),
            "You share the smoothing among all tokens but padding. That is one way to do it; here "
            "all {vocab} tokens get the same share, as in F.cross_entropy.",
            LOOK_AT_SHARES,
            r"pad|- ?1",
        ),
        Mistake(
            "right_gets_no_share",
            shared_as(f"({OTHERS}) / logits.shape[-1]"),
            "Your right token is to get 1 - ε and nothing of what is shared, and each other token "
            "ε / V: that does not add up to 1.",
            LOOK_AT_SHARES,
            r"smoothing",
        ),
        Mistake(
            "right_keeps_everything",
            ((RIGHT, "loss = right"),),
            "The right token's part is not multiplied by 1 - ε: the probabilities that the model "
            "is to give add up to more than 1.",
            LOOK_AT_SHARES,
            r"smoothing",
        ),
        Mistake(
            "vocabulary_summed",
            shared_as("surprise.sum(dim=-1)"),
            "You add up the surprise over the vocabulary, where the formula has its mean: the "
            "smoothing weighs {vocab} times too much.",
            LOOK_AT_SHARES,
            r"sum",
        ),
        Mistake(
            "smoothing_ignored",
            ((IF_SMOOTHED, "if False:"), (RIGHT, "loss = right")),
            "Your loss does not depend on `smoothing`: it is the plain cross-entropy.",
            "Where does the formula have an ε?",
            r"return",
        ),
        Mistake(
            "smoothing_swapped",
            (
                (RIGHT, "loss = smoothing * right"),
                (IF_SMOOTHED, "if smoothing < 1:"),
                (SHARED, "loss = loss + (1 - smoothing) * surprise.mean(dim=-1)"),
            ),
            "ε and 1 - ε have changed places: with smoothing=0 your loss does not look at the "
            "targets at all.",
            "What is to be left with smoothing=0?",
            r"smoothing",
        ),
        Mistake(
            "always_a_tenth",
            (
                (RIGHT, "loss = 0.9 * right"),
                (IF_SMOOTHED, "if True:"),
                (SHARED, "loss = loss + 0.1 * surprise.mean(dim=-1)"),
            ),
            "Your loss is always that of smoothing=0.1.",
            "Look for a number that should be `smoothing`.",
            r"0\.1|0\.9",
        ),
        Mistake(
            "second_half_missing",
            ((IF_SMOOTHED, "if False:"),),
            "Only the right token's part is there, (1 - ε) times its surprise: what is shared "
            "among all tokens is missing.",
            "The formula is a sum of two parts.",
            r"smoothing",
        ),
        Mistake(
            "entropy_taken_off",
            (
                (
                    MEAN,
                    "vocab = logits.shape[-1]\n"
                    "    low = smoothing / vocab\n"
                    "    high = 1 - smoothing + low\n"
                    "    entropy = -high * math.log(high)\n"
                    "    if smoothing > 0:\n"
                    "        entropy = entropy - (vocab - 1) * low * math.log(low)\n"
                    "    loss = loss - entropy\n"
                    "    " + MEAN,
                ),
            ),
            "Your loss is too small by the entropy of the smoothed targets: that is the "
            "Kullback-Leibler divergence. Its gradients are the same, but asked for is the "
            "cross-entropy, which does not go down to 0.",
            "Which term is there in the divergence, and not in the formula of the docstring?",
            r"log|div",
        ),
        Mistake(
            "summed",
            ((MEAN, "return loss.masked_fill(~counts, 0.0).sum()"),),
            "Your loss is the sum over all tokens, and not their mean: a larger batch has a larger "
            "loss, and larger gradients.",
            LOOK_AT_DIVISOR,
            r"sum",
        ),
        Mistake(
            "padding_counted",
            ((MEAN, "return loss.masked_fill(~counts, 0.0).sum() / counts.numel()"),),
            "Padding is left out of your sum, but not of what you divide by: here {tokens} tokens "
            "count, and {padding} are padding. The more padding, the smaller your loss.",
            LOOK_AT_PADDING,
            r"mean|numel|size|shape|len",
        ),
        Mistake(
            "padding_not_left_out",
            ((MEAN, "return loss.mean()"), (LOOKED_UP, "looked_up = targets")),
            "Padding counts like every other token: the model is to learn to write it.",
            LOOK_AT_PADDING,
            r"mean|return",
        ),
        Mistake(
            "padding_smoothed",
            (
                (RIGHT, "loss = ((1 - smoothing) * right).masked_fill(~counts, 0.0)"),
                (MEAN, MEAN.replace(".masked_fill(~counts, 0.0)", "")),
            ),
            "You leave padding out of the right tokens' part, but not of what is shared among all "
            "tokens.",
            LOOK_AT_PADDING,
            r"smoothing",
        ),
        Mistake(
            "mean_over_vocabulary",
            ((MEAN, MEAN + " / logits.shape[-1]"),),
            "Your loss is {vocab} times too small: the mean runs over the vocabulary, too, and "
            "not only over the tokens.",
            LOOK_AT_DIVISOR,
            r"mean",
        ),
        Mistake(
            "divided_by_sequences",
            ((MEAN, "return loss.masked_fill(~counts, 0.0).sum() / len(targets)"),),
            "You divide by the {batch} sequences of the batch, and not by the {tokens} tokens that "
            "count: longer sequences have a larger loss.",
            LOOK_AT_DIVISOR,
            r"size|shape|len|batch",
        ),
        Mistake(
            "mean_of_means",
            (
                (
                    MEAN,
                    "return (loss.masked_fill(~counts, 0.0).sum(-1) "
                    "/ counts.sum(-1).clamp(min=1)).mean()",
                ),
            ),
            "You take the mean of every sequence, and then the mean of those: a token in a short "
            "sequence counts more than one in a long one.",
            LOOK_AT_DIVISOR,
            r"mean",
        ),
        Mistake(
            "one_loss_a_token",
            ((MEAN, "return loss.masked_fill(~counts, 0.0)"),),
            "You give a loss for every token, {your_shape}; asked for is one number, their mean.",
            LOOK_AT_DIVISOR,
            r"return",
        ),
        Mistake(
            "logits_taken_for_logarithms",
            ((SURPRISE, "surprise = -logits"),),
            "You use the logits as if they were logarithms of probabilities; they can be any "
            "numbers.",
            "What turns logits into probabilities that add up to 1?",
            r"logits",
        ),
        Mistake(
            "probabilities",
            ((SURPRISE, "surprise = -torch.softmax(logits, dim=-1)"),),
            "You add up probabilities; the loss is made of their logarithms. Your loss lies "
            "between -1 and 0.",
            "How is the surprise at something with probability p written?",
            r"softmax",
        ),
        Mistake(
            "log_of_softmax",
            ((SURPRISE, "surprise = -torch.log(torch.softmax(logits, dim=-1))"),),
            "Small logits come out right, but large ones do not: a probability that is rounded to "
            "0, or an exponential that is too large for a number, has no logarithm.",
            "torch has one function that does both without ever making the probabilities.",
            r"log|exp",
            variations=(
                (
                    (SURPRISE, "surprise = -torch.log(torch.softmax(logits, dim=-1))"),
                    (ONE_LOOKED_UP, "right = (F.one_hot(looked_up, V) * surprise).sum(-1)"),
                    (COUNTS, "V = logits.shape[-1]\n    " + COUNTS),
                ),
                (
                    (
                        SURPRISE,
                        "odds = torch.exp(logits)\n"
                        "    surprise = -torch.log(odds / odds.sum(dim=-1, keepdim=True))",
                    ),
                ),
                (
                    (
                        SURPRISE,
                        "odds = torch.exp(logits)\n"
                        "    surprise = torch.log(odds.sum(dim=-1, keepdim=True)) - logits",
                    ),
                ),
            ),
        ),
        Mistake(
            "small_number_added",
            small_number("1e-9"),
            "A small number is added to your probabilities, or they are kept from falling below "
            "it, so that they have a logarithm. But then no token can cost more than so much, "
            "however unlikely it is: here your loss is {loss}, and the right one {right}.",
            "torch has one function that does both without ever making the probabilities.",
            r"log",
            variations=tuple(map(small_number, ("1e-6", "1e-7", "1e-8", "1e-10", "1e-12"))),
        ),
        Mistake(
            "softmax_twice",
            ((SURPRISE, "surprise = -torch.log_softmax(torch.softmax(logits, -1), dim=-1)"),),
            "You take the softmax of the logits, and then log_softmax once more: the second one "
            "sees only numbers between 0 and 1, and makes all tokens almost equally likely.",
            "Which of the two does what the other does already?",
            r"softmax",
        ),
        Mistake(
            "softmax_over_first",
            ((SURPRISE, "surprise = -torch.log_softmax(logits, dim=0)"),),
            "Your probabilities add up to 1 over the first dimension, and not over the vocabulary, "
            "which is the last one.",
            "Which tokens compete with one another for a place?",
            r"dim|softmax",
        ),
        Mistake(
            "softmax_over_second",
            ((SURPRISE, "surprise = -torch.log_softmax(logits, dim=1)"),),
            "Your probabilities add up to 1 over dimension 1. With (batch, length, vocab) these "
            "are the positions; the vocabulary is the last dimension.",
            "Which tokens compete with one another for a place?",
            r"dim|softmax",
        ),
        Mistake(
            "sign_forgotten",
            ((SURPRISE, "surprise = torch.log_softmax(logits, dim=-1)"),),
            "Your loss has the wrong sign ({loss}): training would make the right tokens less and "
            "less likely.",
            "Is the logarithm of a probability positive or negative?",
            r"log",
        ),
        Mistake(
            "base_two",
            ((MEAN, MEAN + " / math.log(2)"),),
            "Your loss is in bits: the logarithm is to base 2, and not the natural one.",
            "Which logarithm does torch.log_softmax take?",
            r"log2|log\(2",
        ),
        Mistake(
            "perplexity",
            ((MEAN, MEAN.replace("return ", "return torch.exp(") + ")"),),
            "You give the exponential of the loss: that is the perplexity, which one likes to "
            "look at, but does not train with.",
            "Is there an exponential in the formula?",
            r"exp",
        ),
        Mistake(
            "pad_always_zero",
            ((COUNTS, "counts = targets != 0"), (LOOKED_UP, "looked_up = targets.clamp(min=0)")),
            "You always take token 0 for padding; here it is {pad}.",
            "Look for a 0 that should be `pad`.",
            r"0",
        ),
        Mistake(
            "pad_looked_up",
            ((LOOKED_UP, "looked_up = targets"),),
            "With pad=-100, as F.cross_entropy has it, your code stops: it looks up padding, too, "
            "before it leaves it out, and there is no token -100.",
            "Which number could stand at padded places while you look up?",
            r"gather|\[",
        ),
        Mistake(
            "divided_by_no_tokens",
            ((MEAN, MEAN.replace(".clamp(min=1)", "")),),
            "A batch of nothing but padding gives NaN: 0 divided by 0 is no number.",
            "How could the divisor never be 0?",
            r"/|mean",
        ),
        Mistake(
            "viewed",
            ((MEAN, "targets.view(-1), logits.view(-1, logits.shape[-1])\n    " + MEAN),),
            "The numbers are right, but .view() stops if the logits do not lie in memory in the "
            "order of their dimensions, after a transpose for example.",
            "Which function copies where that is needed?",
            r"view",
        ),
        Mistake(
            "graph_cut",
            ((MEAN, "return (" + MEAN.removeprefix("return ") + ").detach()"),),
            "The loss is right, but no gradient gets back to the logits, so it trains nothing.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
        Mistake(
            "a_plain_number",
            ((MEAN, "return (" + MEAN.removeprefix("return ") + ").item()"),),
            "The loss is right, but it is a plain number, which has no .backward(): nothing could "
            "be trained with it.",
            "What makes a number of a tensor in your code?",
            r"item|float\(|tolist",
        ),
        Mistake(
            "always_float32",
            ((SURPRISE, "surprise = -torch.log_softmax(logits.float(), dim=-1)"),),
            "Whatever the dtype of the logits, your loss is float32.",
            "Where does your code name a dtype?",
            r"float",
        ),
        Mistake(
            "changes_targets",
            ((LOOKED_UP, "looked_up = targets.masked_fill_(~counts, 0)"),),
            "The loss is right, but the caller's targets are others afterwards: you write into "
            "them to get rid of padding.",
            "Names that end in `_`, and assignments to targets[…], write into the tensor that came "
            "in.",
            r"fill_|targets\[.*\] ?=|clamp_|where",
        ),
    ),
    hints=(
        "Begin without smoothing and without padding: the loss of a token is minus the logarithm "
        "of the probability that the right one has.",
        "log_softmax gives the logarithms for the whole vocabulary. One number of each row is the "
        "right token's; the mean of each row is what the smoothing adds. Padding is left out last: "
        "of the sum, and of what it is divided by.",
        "Surprise of all tokens (…, vocab); that of the right one (…), looked up along the last "
        "dimension; (1 - ε) times the one plus ε times the mean of the other; 0 at padding, the "
        "sum of it, divided by the number of tokens that count, which must not be 0.",
    ),
    refuses=CROSS_ENTROPY,
    instead="write it with log_softmax.",
    measures={
        "loss": your_loss,
        "right": right_loss,
        "your_shape": lambda seen: shape(seen.yours["loss"]),
        "pad": lambda seen: seen.arguments.get("pad", 0),
    },
    symptoms=(loss_times_probability,),
)
