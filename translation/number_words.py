"""The task: numbers written out in English, to be translated into French and German.

It is generated, so nothing is downloaded, and num2words says what is right. It is real, too: French
counts in twenties ("quatre-vingt-dix-sept"), German puts the units before the tens in one long word
("siebenundneunzig"). Some numbers are held out: whoever translates those has learned to count.
"""

import random
import re

import torch
from num2words import num2words

PAD, START, END = 0, 1, 2
LANGUAGES = ("fr", "de")

# A French or English piece is a word with the space, comma or hyphen before it; a German number is
# a single word made of these.
GERMAN_JOINTS = ["ein", "und", "hundert", "tausend"]
WORDS_OF_THEIR_OWN = [*range(21), *range(30, 100, 10), 100, 1000]


def in_words(number, language):
    """97 → "ninety-seven", "quatre-vingt-dix-sept" or "siebenundneunzig"."""
    return num2words(number, lang=language)


def german_pieces():
    """A pattern for the parts of a German number, the longest first: "achtzehn" before "acht"."""
    stems = {in_words(n, "de") for n in WORDS_OF_THEIR_OWN[:-2]} | set(GERMAN_JOINTS)
    return re.compile("|".join(sorted(stems, key=len, reverse=True)))


class NumberTranslation:
    """All numbers below `limit` as pairs of token sequences, some of them held out.

    Args:
        limit: numbers from 0 to limit - 1.
        held_out: the share that is never trained on; numbers that bring a word of their own (twelve,
            thirty, hundred) are never held out.
        seed: which numbers those are.
    """

    def __init__(self, limit=10_000, held_out=0.1, seed=0):
        self.pattern = {"en": re.compile(r"\W*\w+"), "fr": re.compile(r"\W*\w+")}
        self.pattern["de"] = german_pieces()
        known = set(WORDS_OF_THEIR_OWN)
        candidates = [n for n in range(limit) if n not in known]
        held = set(random.Random(seed).sample(candidates, round(held_out * len(candidates))))
        self.train_numbers = [n for n in range(limit) if n not in held]
        self.held_out_numbers = sorted(held)

        tags = [f"<{language}>" for language in LANGUAGES]
        specials = ["<pad>", "<start>", "<end>"]
        self.source_words = specials + tags + self.all_pieces("en", limit)
        french_and_german = {*self.all_pieces("fr", limit), *self.all_pieces("de", limit)}
        self.target_words = specials + sorted(french_and_german)
        self.source_index = {word: i for i, word in enumerate(self.source_words)}
        self.target_index = {word: i for i, word in enumerate(self.target_words)}

    def all_pieces(self, language, limit):
        texts = (in_words(n, language) for n in range(limit))
        return sorted({piece for text in texts for piece in self.pieces(text, language)})

    def pieces(self, text, language):
        """"vingt et un" → ["vingt", " et", " un"]; joined, they are the text again."""
        return self.pattern[language].findall(text)

    def read(self, text, language):
        """English text → the tokens the model reads, the language asked for first."""
        if language not in LANGUAGES:
            raise ValueError(f"language={language!r} is not known: choose one of {LANGUAGES}")
        pieces = self.pieces(text, "en")
        unknown = [piece.strip(" ,-") for piece in pieces if piece not in self.source_index]
        if unknown or "".join(pieces) != text:
            raise ValueError(
                f"{text!r} is no number in the words that the model knows"
                + (f": it has never seen {', '.join(map(repr, unknown))}" if unknown else "")
            )
        return [self.source_index[word] for word in (f"<{language}>", *pieces)]

    def write(self, number, language):
        """The number's tokens in the target language, the end token last."""
        return [*(self.target_index[p] for p in self.pieces(in_words(number, language), language)), END]

    def text(self, tokens):
        """Target tokens → text, up to the end token."""
        words = []
        for token in tokens:
            if token in (END, PAD):
                break
            words.append(self.target_words[token])
        return "".join(words)

    def pairs(self, numbers, languages=LANGUAGES):
        """Padded tensors of all numbers in all languages: source (pairs, S), target (pairs, T)."""
        jobs = [(number, language) for number in numbers for language in languages]
        sources = [self.read(in_words(number, "en"), language) for number, language in jobs]
        targets = [self.write(number, language) for number, language in jobs]
        return padded(sources), padded(targets)


def padded(sequences):
    """Lists of different lengths → one tensor, filled up with PAD on the right."""
    longest = max(map(len, sequences))
    return torch.tensor([s + [PAD] * (longest - len(s)) for s in sequences])
