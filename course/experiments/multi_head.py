"""Experiments of lesson 2: a small reader, errands for two, a list and its stalls, a fair die.

Everything is trained in float64 and from seeded numbers, so that everybody's attention, if it is
right, gives the same curves. `Attention` is always the class under test: the learner's
MultiHeadAttention, the reference, or a broken one.
"""

import contextlib
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib import rc_context
from matplotlib.patches import Rectangle
from torch import nn

from course.figures import LOOK, WEIGHTS, Picture, describe, new_figure, numbers

# ------------------------------------------------------------------------------------------------
# The language: two people, what befell them, and what one of them does next
# ------------------------------------------------------------------------------------------------

GIRLS = ["Ana", "Mia", "Zoe", "Eva", "Lea", "Ida", "Pia", "Kim"]
BOYS = ["Tom", "Ben", "Leo", "Max", "Jan", "Sam", "Tim", "Rob"]
PLEASANT = ["found", "won", "loved", "made"]
SAD = ["lost", "broke", "hated", "dropped"]
COLOURS = ["red", "blue", "green", "black", "white", "brown"]
THINGS = ["ball", "kite", "hat", "book", "drum", "boat", "lamp", "cup"]
VERBS = ["give", "show", "sell", "lend"]  # their ending is missing, and is to be written
OTHERS = ["she", "he", "they", "her", "his", "the", "today", "good", "bad"]
WORDS = [".", *GIRLS, *BOYS, *PLEASANT, *SAD, *COLOURS, *THINGS, *VERBS]
WORDS += [verb + "s" for verb in VERBS] + OTHERS
NUMBER = {word: number for number, word in enumerate(WORDS)}
LENGTH = 18  # words of a story

JOBS = {  # name: the words at which it is to be done
    "people": ["she", "he", "her", "his"],  # who is meant?
    "endings": VERBS,  # she gives, they give
    "feelings": ["."],  # was that good or bad?
}
ANA = "Ana lost her red ball . Tom found his blue kite . today she give the ball ."


@dataclass
class Stories:
    """Stories as numbers.

    Args:
        tokens: (stories, LENGTH)
        targets: (stories, LENGTH), what the reader is to say at each word; mostly the word itself.
        source: (stories, LENGTH), at which place stands what decides that; -1 for ordinary words.
    """

    tokens: torch.Tensor
    targets: torch.Tensor
    source: torch.Tensor

    def queries(self, job):
        """(story, place) of all words at which a job is to be done."""
        words = torch.tensor([NUMBER[word] for word in JOBS[job]])
        return (torch.isin(self.tokens, words) & (self.source >= 0)).nonzero(as_tuple=True)


def held_out(girl, boy):
    """Is this one of the 16 pairs, of 64, that are never seen in training?"""
    return (3 * girl + 5 * boy) % 8 < 2


def make_stories(count, seed=0, unseen=False):
    """Stories drawn from a seed; with `unseen`, only of pairs that are never trained on."""
    generator = torch.Generator().manual_seed(seed)

    def draw(choices):
        return int(torch.randint(choices, (), generator=generator))

    rows = []
    while len(rows) < count:
        girl, boy = draw(8), draw(8)
        if held_out(girl, boy) == unseen:
            rows.append(one_story(GIRLS[girl], BOYS[boy], draw))
    tokens, targets, source = zip(*rows)
    return Stories(as_numbers(tokens), as_numbers(targets), torch.tensor(source))


def one_story(girl, boy, draw):
    """(words, what to say at each, where that stands) of one story."""
    words, says, source = [], [], []

    def write(word, say=None, because=-1):
        words.append(word)
        says.append(say or word)
        source.append(because)

    people = [girl, boy] if draw(2) else [boy, girl]
    today = draw(3)  # "today" opens one of the sentences, so that places alone tell nothing
    place, things = {}, []
    for sentence, person in enumerate(people):
        if today == sentence:
            write("today")
        place[person] = len(words)
        write(person)
        pleasant, verb = draw(2), len(words)
        write((PLEASANT if pleasant else SAD)[draw(4)])
        write("her" if person == girl else "his", person, place[person])
        write(COLOURS[draw(6)])
        things.append(THINGS[draw(8)])
        write(things[-1])
        write(".", "good" if pleasant else "bad", verb)
    if today == 2:
        write("today")
    who, subject = draw(3), len(words)
    if who == 2:
        write("they")
    else:
        person = (girl, boy)[who]
        write(("she", "he")[who], person, place[person])
    verb = VERBS[draw(4)]
    write(verb, verb if who == 2 else verb + "s", subject)
    write("the")
    write(things[draw(2)])
    write(".")
    return words, says, source


def as_numbers(sentences):
    return torch.tensor([[NUMBER[word] for word in words] for words in sentences])


# ------------------------------------------------------------------------------------------------
# The reader: two layers of nothing but attention
# ------------------------------------------------------------------------------------------------


class Reader(nn.Module):
    """Says at each word what it stands for.

    Words and places become vectors; each layer adds to a token what its heads bring back; a Linear
    says a word. (The sums and norms are those of lesson 4.)
    """

    def __init__(self, Attention, d_model=48, num_heads=4, num_layers=2):
        super().__init__()
        self.num_heads = num_heads
        self.words = nn.Embedding(len(WORDS), d_model)
        self.places = nn.Embedding(LENGTH, d_model)
        self.attention = nn.ModuleList(Attention(d_model, num_heads) for _ in range(num_layers))
        self.norms = nn.ModuleList(nn.LayerNorm(d_model) for _ in range(num_layers + 1))
        self.says = nn.Linear(d_model, len(WORDS))

    def forward(self, tokens):
        """(batch, LENGTH) → logits (batch, LENGTH, words)"""
        return self.read_vectors(self.words(tokens))

    def read_vectors(self, x):
        """The same from vectors of words (batch, LENGTH, d_model), so that one can be zeroed."""
        x = x + self.places.weight
        for attention, norm in zip(self.attention, self.norms):
            normed = norm(x)
            x = x + attention(normed, normed, normed)
        return self.says(self.norms[-1](x))

    def weights(self):
        """The weights of the last call, (batch, all heads, query, key), layer after layer."""
        return torch.cat([attention.weights for attention in self.attention], dim=1)

    def heads(self):
        """The names of all heads: layer and number."""
        layers = range(1, len(self.attention) + 1)
        return [f"L{layer} H{head}" for layer in layers for head in range(self.num_heads)]


def prepare(model, seed):
    """Start from numbers that depend on a seed and on the parameters' names alone."""
    generator = torch.Generator().manual_seed(seed)
    model.double()
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            if parameter.dim() == 2:
                table = name.startswith(("words", "places"))
                reach = 0.9 if table else parameter.shape[1] ** -0.5
                parameter.uniform_(-reach, reach, generator=generator)
            elif name.endswith("bias"):
                parameter.zero_()
    return model, generator


def steps_of(model, steps, rate):
    """Count steps; between two of them, the optimiser moves. Warm-up, then down to nothing."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 30, (steps - step) / (0.3 * steps))
        optimiser.zero_grad()
        yield step
        optimiser.step()


def train_reader(Attention, seed=0, steps=300, batch=32):
    """(the trained reader, its loss at every step)"""
    stories = make_stories(2500)
    reader, generator = prepare(Reader(Attention), seed)
    losses = []
    for _ in steps_of(reader, steps, rate=3e-3):
        chosen = torch.randint(len(stories.tokens), (batch,), generator=generator)
        logits = reader(stories.tokens[chosen])  # (batch, LENGTH, words)
        loss = F.cross_entropy(logits.flatten(0, 1), stories.targets[chosen].flatten())
        loss.backward()
        losses.append(loss.item())
    return reader.eval(), losses


@torch.no_grad()
def read_story(reader, story):
    """What the reader says at each word, and the weights (heads, query, key)."""
    said = reader(as_numbers([story.split()]))[0].argmax(-1)
    return [WORDS[number] for number in said], reader.weights()[0]


@torch.no_grad()
def how_well(reader, stories):
    """{job: share of right answers}, and under "loss" the mean loss over all jobs' words."""
    logits = reader(stories.tokens)
    right = logits.argmax(-1) == stories.targets
    found = {job: right[stories.queries(job)].double().mean().item() for job in JOBS}
    asked = stories.source >= 0
    return found | {"loss": F.cross_entropy(logits[asked], stories.targets[asked]).item()}


# ------------------------------------------------------------------------------------------------
# What each head looks at, and what happens without it
# ------------------------------------------------------------------------------------------------


@torch.no_grad()
def roles(reader, stories):
    """{role: its score for each head}, each from 0 to 1."""
    reader(stories.tokens)
    weights = reader.weights()  # (story, head, query, key)
    found = {"previous word": weights.diagonal(-1, -2, -1).mean((0, 2))}
    for job in JOBS:
        story, place = stories.queries(job)
        found[job] = weights[story, :, place, stories.source[story, place]].mean(0)
    stops = (stories.tokens == NUMBER["."])[:, None, None, :]  # (story, 1, 1, key)
    found["full stops"] = (weights * stops).sum(-1).mean((0, 2))
    found["first word"] = weights[..., 0].mean((0, 2))
    entropy = -torch.special.xlogy(weights, weights).sum(-1).mean((0, 2))
    found["entropy"] = entropy / torch.tensor(float(LENGTH)).log()
    return found


@contextlib.contextmanager
def without(reader, heads):
    """Take heads out: their columns of w_output become 0, so that nothing of them gets through.

    Args:
        heads: numbers, counted through all layers.
    """
    before = [attention.w_output.weight.detach().clone() for attention in reader.attention]
    with torch.no_grad():
        for number in heads:
            layer, head = divmod(number, reader.num_heads)
            weight = reader.attention[layer].w_output.weight  # (d_model, heads · d_head)
            d_head = weight.shape[1] // reader.num_heads
            weight[:, head * d_head : (head + 1) * d_head] = 0
    try:
        yield reader
    finally:
        with torch.no_grad():
            for attention, weight in zip(reader.attention, before):
                attention.w_output.weight.copy_(weight)


def well_without(reader, stories, *heads):
    """how_well, with these heads taken out."""
    with without(reader, heads):
        return how_well(reader, stories)


def prune(reader, stories):
    """Take out one head after the other, always the one that is missed least.

    Returns:
        the heads in this order, and how_well before and after each.
    """
    gone, course = [], [how_well(reader, stories)]
    everybody = range(len(reader.heads()))
    while len(gone) < len(everybody):
        rest = [head for head in everybody if head not in gone]
        tried = {head: well_without(reader, stories, *gone, head) for head in rest}
        least = min(rest, key=lambda head: tried[head]["loss"])
        gone.append(least)
        course.append(tried[least])
    return gone, course


@dataclass
class Blame:
    """For some questions, how much each word of the story is said to matter, and how much it does.

    Args:
        weights: (question, head, key)
        gradient: (question, key), length of the gradient of the right answer's logit.
        damage: (question, key), by how much the right answer's log-probability falls when the
            word's vector is zeroed.
        asked: how many questions there were; kept are those where some word matters.
    The word that is asked about is left out: its own place holds NaN.
    """

    weights: torch.Tensor
    gradient: torch.Tensor
    damage: torch.Tensor
    asked: int


HALVED = 0.693  # nats: the probability of the right answer is half of what it was


def blame(reader, stories, job, most=150, least=HALVED):
    """What weights and gradients blame an answer on, and what it really hangs on.

    Only questions are kept where the loss of some word does a damage of at least `least`: where
    nothing hurts, because the answer can be guessed, no word is the one that matters.
    """
    story, place = (index[:most] for index in stories.queries(job))
    each = torch.arange(len(story))
    answer = stories.targets[story, place]
    vectors = reader.words(stories.tokens[story]).detach().requires_grad_()
    logits = reader.read_vectors(vectors)[each, place]  # (question, words)
    weights = reader.weights()[each, :, place].clone()  # (question, head, key)
    [slopes] = torch.autograd.grad(logits[each, answer].sum(), vectors)
    gradient = slopes.norm(dim=-1)  # (question, key)
    before = logits.log_softmax(-1)[each, answer].detach()
    damage = torch.zeros_like(gradient)
    with torch.no_grad():
        for key in range(LENGTH):
            zeroed = vectors.clone()
            zeroed[:, key] = 0
            after = reader.read_vectors(zeroed)[each, place].log_softmax(-1)
            damage[:, key] = before - after[each, answer]
    for scores in (weights.transpose(1, 2), gradient, damage):
        scores[each, place] = float("nan")
    matters = damage.nan_to_num(nan=-1e9).amax(-1) >= least
    return Blame(weights[matters], gradient[matters], damage[matters], len(story))


def strongest(scores):
    """The key with the highest score; NaN counts as lowest."""
    return scores.nan_to_num(nan=-1e9).argmax(-1)


# ------------------------------------------------------------------------------------------------
# Errands: two stalls on one list
# ------------------------------------------------------------------------------------------------

STALLS, GOODS = 6, 10


class Errand(nn.Module):
    """One attention layer that is to say what lies at two stalls, in the order of the list.

    Args:
        between: a small network with a bend between attention and answers?
    """

    def __init__(self, Attention, num_heads, d_model=32, between=False):
        super().__init__()
        self.words = nn.Embedding(GOODS, d_model)
        self.places = nn.Embedding(STALLS, d_model)
        self.words_first = nn.Embedding(STALLS, d_model)  # on the list: the first stall
        self.words_second = nn.Embedding(STALLS, d_model)  # on the list: the second stall
        self.attention = Attention(d_model, num_heads)
        bend = nn.Sequential(nn.Linear(d_model, 4 * d_model), nn.ReLU())
        self.between = bend if between else nn.Identity()
        self.says = nn.Linear(4 * d_model if between else d_model, 2 * GOODS)

    def forward(self, goods, first, second):
        """goods (batch, STALLS), first and second (batch,) → logits (batch, 2, GOODS)"""
        stalls = self.words(goods) + self.places.weight  # (batch, STALLS, d_model)
        wanted = self.words_first(first) + self.words_second(second)  # (batch, d_model)
        brought = self.attention(wanted[:, None], stalls, stalls)[:, 0]  # (batch, d_model)
        return self.says(self.between(brought)).unflatten(-1, (2, GOODS))


def errands(count, generator):
    """(what lies at each stall, first and second stall on the list, what lies there)"""
    goods = torch.randint(GOODS, (count, STALLS), generator=generator)
    order = torch.rand(count, STALLS, generator=generator).argsort(-1)
    first, second = order[:, 0], order[:, 1]
    return goods, first, second, goods.gather(1, order[:, :2])  # the last: (count, 2)


def train_errands(Attention, num_heads, seed=0, steps=300, between=False, every=20):
    """(the model, the share of errands with both answers right, every so many steps)"""
    model, generator = prepare(Errand(Attention, num_heads, between=between), seed)
    test = errands(1000, torch.Generator().manual_seed(1000 + seed))
    course = []
    for step in steps_of(model, steps, rate=1e-2):
        *asked, answers = errands(128, generator)
        F.cross_entropy(model(*asked).flatten(0, 1), answers.flatten()).backward()
        if (step + 1) % every == 0:
            course.append(both_right(model, test))
    return model, course


@torch.no_grad()
def both_right(model, test):
    *asked, answers = test
    return (model(*asked).argmax(-1) == answers).all(-1).double().mean().item()


@torch.no_grad()
def knows_which_two(model, seed=0):
    """How often the two goods stand on top of the first answer's list, in whatever order."""
    *asked, answers = errands(1000, torch.Generator().manual_seed(2000 + seed))
    different = answers[:, 0] != answers[:, 1]
    top = model(*asked)[:, 0].topk(2).indices  # (errand, 2)
    return (top.sort().values == answers.sort().values).all(-1)[different].double().mean().item()


# ------------------------------------------------------------------------------------------------
# Cross-attention: an English list, French stalls
# ------------------------------------------------------------------------------------------------

ENGLISH = ["eggs", "milk", "flour", "honey", "fish", "bread", "tea", "salt", "rice", "apples"]
FRENCH = ["œufs", "lait", "farine", "miel", "poisson", "pain", "thé", "sel", "riz", "pommes"]
ASKED, SIGNS = 3, 7


class Market(nn.Module):
    """For each word of an English list: at which stall does the French sign for it stand?"""

    def __init__(self, Attention, d_model=32, num_heads=2):
        super().__init__()
        self.words = nn.Embedding(len(ENGLISH), d_model)
        self.words_french = nn.Embedding(len(FRENCH), d_model)
        self.places = nn.Embedding(SIGNS, d_model)
        self.attention = Attention(d_model, num_heads)
        self.says = nn.Linear(d_model, SIGNS)

    def vectors(self, wanted, signs):
        """The list (batch, ASKED, d_model) and the stalls (batch, SIGNS, d_model)."""
        return self.words(wanted), self.words_french(signs) + self.places.weight

    def forward(self, wanted, signs):
        """wanted (batch, ASKED), signs (batch, SIGNS) → logits (batch, ASKED, SIGNS)"""
        queries, stalls = self.vectors(wanted, signs)
        return self.says(self.attention(queries, stalls, stalls))


def markets(count, generator):
    """(the list, the signs, where each word of the list stands)"""
    signs = torch.rand(count, len(FRENCH), generator=generator).argsort(-1)[:, :SIGNS]
    where = torch.rand(count, SIGNS, generator=generator).argsort(-1)[:, :ASKED]
    return signs.gather(1, where), signs, where


def train_market(Attention, seed=0, steps=200):
    """(the model, its share of right answers at new markets)"""
    model, generator = prepare(Market(Attention), seed)
    for _ in steps_of(model, steps, rate=1e-2):
        wanted, signs, where = markets(64, generator)
        F.cross_entropy(model(wanted, signs).flatten(0, 1), where.flatten()).backward()
    return model, found_stall(model)


@torch.no_grad()
def found_stall(model):
    """The share of right answers at 500 new markets."""
    wanted, signs, where = markets(500, torch.Generator().manual_seed(1000))
    return (model(wanted, signs).argmax(-1) == where).double().mean().item()


# ------------------------------------------------------------------------------------------------
# A fair die: whoever predicts it has seen it
# ------------------------------------------------------------------------------------------------


class Gambler(nn.Module):
    """Predicts the next throw of a die from those before it, with one masked attention layer."""

    def __init__(self, Attention, throws=8, d_model=32, num_heads=4):
        super().__init__()
        self.words = nn.Embedding(6, d_model)
        self.places = nn.Embedding(throws, d_model)
        self.attention = Attention(d_model, num_heads)
        self.says = nn.Linear(d_model, 6)

    def forward(self, throws, mask):
        x = self.words(throws) + self.places.weight
        return self.says(self.attention(x, x, x, mask))


def gamble(Attention, mask, seed=0, steps=250):
    """The loss at every step of learning to predict a fair die. Guessing costs log 6 = 1.79."""
    length = mask.shape[-1]
    model, generator = prepare(Gambler(Attention, length), seed)
    losses = []
    for _ in steps_of(model, steps, rate=1e-2):
        throws = torch.randint(6, (128, length + 1), generator=generator)
        logits = model(throws[:, :-1], mask)  # (batch, length, 6)
        # The last throw stands nowhere in the input: nobody can see it, so it is left out.
        loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), throws[:, 1:-1].flatten())
        loss.backward()
        losses.append(loss.item())
    return losses


# ------------------------------------------------------------------------------------------------
# Pictures
# ------------------------------------------------------------------------------------------------


def cells(tables, title=""):
    """Tables of words side by side, cells of the same token in the same shade.

    Args:
        tables: {name: rows of cells, each (text, number of its token)}
    """
    shades = ["1.0", "0.86", "0.70", "0.54", "0.38"]
    widths = [len(rows[0]) for rows in tables.values()]
    tallest = max(len(rows) for rows in tables.values())
    figure, axes = new_figure(
        0.78 * sum(widths) + 0.5 * len(tables),
        0.42 * tallest + 0.9,
        1,
        len(tables),
        width_ratios=widths,
    )
    with rc_context(LOOK):
        for ax, (name, rows) in zip(axes.flat, tables.items()):
            for y, row in enumerate(rows):
                for x, (text, token) in enumerate(row):
                    ax.add_patch(Rectangle((x, y), 1, 1, fc=shades[token], ec="black", lw=0.8))
                    ink = "white" if token > 2 else "black"
                    ax.text(x + 0.5, y + 0.5, text, ha="center", va="center", size=8, color=ink)
            ax.set(xlim=(0, len(rows[0])), ylim=(tallest, 0), title=name, aspect=0.55)
            ax.axis("off")
        figure.suptitle(title, fontweight="bold")
    told = "; ".join(
        f"{name}: " + " / ".join(", ".join(text for text, _ in row) for row in rows)
        for name, rows in tables.items()
    )
    return Picture(figure, f"Tables: {title}; {told}.")


def wide(matrices, rows, columns, title, x_label, y_label="", high=1.0, scale="", cell=0.52):
    """Heatmaps with few rows and many columns, one below the other, numbers in the cells.

    Args:
        matrices: {name: (rows, columns)}
        high: the upper end of the scale of colours, which begins at 0.
        scale: what the colours say.
        cell: width of a cell in inches.
    """
    arrays = {name: numbers(matrix) for name, matrix in matrices.items()}
    each = 0.36 * len(rows) + 0.35
    size = cell * len(columns) + 2.2, each * len(arrays) + 0.8
    figure, axes = new_figure(*size, len(arrays), 1, sharex=True)
    with rc_context(LOOK):
        for ax, (name, array) in zip(axes.flat, arrays.items()):
            drawn = ax.imshow(array, vmin=0, vmax=high, cmap=WEIGHTS, aspect="auto")
            for (y, x), number in np.ndenumerate(array):
                ink = "black" if number > 0.6 * high else "white"
                ax.text(x, y, f"{number:.2f}", ha="center", va="center", size=8, color=ink)
            ax.set_yticks(range(len(rows)), list(rows))
            ax.set(title=name if len(arrays) > 1 else "", ylabel=y_label)
            ax.spines[:].set_visible(False)
        ax.set_xticks(range(len(columns)), list(columns))
        ax.set_xlabel(x_label)
        figure.colorbar(drawn, ax=axes, pad=0.02, aspect=5 * size[1], shrink=0.9, label=scale)
        figure.suptitle(title, fontweight="bold")
    return Picture(figure, describe(title, arrays, rows, columns, x_label, y_label or "row"))


def where_features_go(split, tokens, num_heads, d_model, title=""):
    """Draw what a split does: each cell names the token and the feature that arrived there."""
    length = len(tokens)
    count = torch.arange(length * d_model, dtype=torch.float64).reshape(1, length, d_model)
    heads = split(count, num_heads)[0].long().tolist()  # (heads, length, d_head)

    def cell(number):
        token, feature = divmod(number, d_model)
        return f"{tokens[token]} {feature}", token

    tables = {"before": [[cell(number) for number in row] for row in count[0].long().tolist()]}
    for number, rows in enumerate(heads):
        tables[f"head {number}"] = [[cell(number) for number in row] for row in rows]
    return cells(tables, title)


def head_picture(reader, head, words, weights, with_it, without_it, taken_out=False):
    """One head of a reader: its weights on a story, and every job with and without it.

    Args:
        weights: (query, key)
        with_it, without_it: what how_well says.
        taken_out: which of the two bars is the present state?
    """
    name = reader.heads()[head]
    now = without_it if taken_out else with_it
    state = "taken out" if taken_out else "in place"
    figure, axes = new_figure(9.6, 5.0, 1, 2, width_ratios=[1.7, 1])
    left, right = axes[0]
    with rc_context(LOOK):
        drawn = left.imshow(numbers(weights), vmin=0, vmax=1, cmap="viridis")
        left.set_xticks(range(len(words)), words, rotation=60, ha="right", size=8)
        left.set_yticks(range(len(words)), words, size=8)
        left.set(title=f"{name}: what each word looks at", xlabel="key", ylabel="query")
        figure.colorbar(drawn, ax=left, shrink=0.7, label="weight")
        for shift, found, style, label in (
            (-0.2, with_it, {"color": "0.75"}, "all heads"),
            (0.2, now, {"color": "0.3", "hatch": "//"}, f"{name} {state}"),
        ):
            places = [number + shift for number in range(len(JOBS))]
            shares = [found[job] for job in JOBS]
            bars = right.bar(places, shares, 0.38, edgecolor="black", label=label, **style)
            right.bar_label(bars, [f"{share:.2f}" for share in shares], size=8, padding=2)
        right.set_xticks(range(len(JOBS)), list(JOBS))
        right.set(
            ylim=(0, 1.3),
            ylabel="share of right answers",
            title=f"{name} {state}: loss {now['loss']:.3f}",
        )
        right.legend(frameon=False, loc="upper center", ncols=2, fontsize=8)
    query, key = divmod(int(weights.argmax()), len(words))
    told = "; ".join(f"{job} {with_it[job]:.2f}, now {now[job]:.2f}" for job in JOBS)
    return Picture(
        figure,
        f"Heatmap and bars: {name} looks hardest from {words[query]} to {words[key]}, weight "
        f"{weights.max():.2f}. {name} {state}: loss {now['loss']:.3f}; right answers: {told}.",
    )


def scatter(points, title, x_label, y_label):
    """Clouds of points, each with its own mark.

    Args:
        points: {name: (xs, ys)}
    """
    figure, axes = new_figure(6.4, 3.8)
    ax = axes[0, 0]
    with rc_context(LOOK):
        for (name, (xs, ys)), mark, shade in zip(points.items(), "ox^", ("0.15", "0.4", "0.65")):
            ax.scatter(numbers(xs), numbers(ys), s=14, marker=mark, color=shade, label=name)
        ax.set(title=title, xlabel=x_label, ylabel=y_label)
        ax.grid(color="0.9")
        ax.set_axisbelow(True)
        ax.legend(frameon=False, bbox_to_anchor=(1, 1), loc="upper left")
    told = []
    for name, (xs, ys) in points.items():
        right, top = int(xs.argmax()), int(ys.argmax())
        told.append(
            f"{name}, {len(xs)} points: the one furthest to the right at ({xs[right]:.2f}, "
            f"{ys[right]:.2f}), the highest at ({xs[top]:.2f}, {ys[top]:.2f})"
        )
    return Picture(figure, f"Scatter: {title}; {y_label} over {x_label}; {'; '.join(told)}.")
