"""The task: numbers written out in English, to be translated into French and German.

It is generated, so nothing is downloaded, and num2words says what is right. It is real, too: French
counts in twenties ("quatre-vingt-dix-sept"), German puts the units before the tens in one long word
("siebenundneunzig"). Some numbers are held out: whoever translates those has learned to count.
"""

import random
import re
from functools import cache

import torch
from num2words import num2words

PAD, START, END = 0, 1, 2
SPECIALS = ["<pad>", "<start>", "<end>"]
LANGUAGES = ("fr", "de")

# These bring a word that is in no other number, or in few: held out, they could not be learned.
NEVER_HELD_OUT = {*range(21), *range(30, 100, 10), 100, 1000}


@cache
def in_words(number, language):
    """97 → "ninety-seven", "quatre-vingt-dix-sept" or "siebenundneunzig"."""
    return num2words(number, lang=language)


@cache
def piece_pattern(language):
    """A pattern for the pieces of a number; joined, they are the number again.

    In English and French a piece is a word with the space, comma or hyphen before it. A German
    number is one word, made of these stems; the longest comes first, "achtzehn" before "acht".
    """
    if language != "de":
        return re.compile(r"\W*\w+")
    stems = {in_words(n, "de") for n in NEVER_HELD_OUT if n < 100}
    stems |= {"ein", "und", "hundert", "tausend"}
    return re.compile("|".join(sorted(stems, key=len, reverse=True)))


def pieces(text, language):
    """ "vingt et un" → ["vingt", " et", " un"], "zweiundvierzig" → ["zwei", "und", "vierzig"]."""
    return piece_pattern(language).findall(text)


class NumberTranslation:
    """All numbers below `limit` in three languages, some of them held out.

    Args:
        limit: numbers from 0 to limit - 1.
        held_out: the share that is never trained on.
        seed: which numbers those are.
    """

    def __init__(self, limit=10_000, held_out=0.1, seed=0):
        self.limit = limit
        self.description = f"limit={limit}, held_out={held_out}, seed={seed}"
        candidates = [n for n in range(limit) if n not in NEVER_HELD_OUT]
        held = set(random.Random(seed).sample(candidates, round(held_out * len(candidates))))
        if not held:
            raise ValueError(
                f"limit={limit} and held_out={held_out} hold out no number, "
                f"so nobody could tell whether the model has learned to count"
            )
        self.train_numbers = [n for n in range(limit) if n not in held]
        self.held_out_numbers = sorted(held)

        def all_pieces(language):
            return {p for n in range(limit) for p in pieces(in_words(n, language), language)}

        tags = [f"<{language}>" for language in LANGUAGES]
        self.source_words = [*SPECIALS, *tags, *sorted(all_pieces("en"))]
        self.target_words = [*SPECIALS, *sorted(all_pieces("fr") | all_pieces("de"))]
        self.source_index = {word: i for i, word in enumerate(self.source_words)}
        self.target_index = {word: i for i, word in enumerate(self.target_words)}

    def read(self, text, language):
        """English text → the tokens that the model reads, the language asked for first."""
        if language not in LANGUAGES:
            raise ValueError(f"language={language!r} is not known: choose one of {LANGUAGES}")
        parts = pieces(text, "en")
        unknown = [part for part in parts if part not in self.source_index]
        if unknown:
            words = ", ".join(repr(part.strip(" ,-")) for part in unknown)
            raise ValueError(f"{text!r} cannot be read: the model has never seen {words} like this")
        if not parts or "".join(parts) != text:
            raise ValueError(f"{text!r} cannot be read: it is no number in English words")
        return [self.source_index[word] for word in (f"<{language}>", *parts)]

    def write(self, number, language):
        """A number's tokens in the target language, the end token last."""
        parts = pieces(in_words(number, language), language)
        return [*(self.target_index[part] for part in parts), END]

    def text(self, tokens):
        """Target tokens → text, up to the end."""
        words = []
        for token in tokens:
            if token in (END, PAD):
                break
            words.append(self.target_words[token])
        return "".join(words)

    def pairs(self, numbers, languages=LANGUAGES):
        """All numbers in all languages, padded: source (pairs, S) and target (pairs, T)."""
        jobs = [(number, language) for number in numbers for language in languages]
        sources = [self.read(in_words(number, "en"), language) for number, language in jobs]
        targets = [self.write(number, language) for number, language in jobs]
        return padded(sources), padded(targets)


@cache
def the_task():
    """All numbers below 10,000, a tenth of them held out."""
    return NumberTranslation()


def padded(sequences):
    """Lists of different lengths → one tensor, filled up with PAD on the right."""
    longest = max(map(len, sequences))
    return torch.tensor([s + [PAD] * (longest - len(s)) for s in sequences])


def trimmed(tokens):
    """Leave out the columns that hold nothing but padding."""
    return tokens[:, : int((tokens != PAD).sum(dim=1).max())]
