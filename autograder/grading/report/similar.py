"""Which submissions are nearly the same? A hint for a person who looks, and no verdict.

What learners wrote is read as Python's tokens: without comments, docstrings and layout, with every
name of their own and every literal alike. Runs of tokens are hashed, and a few hashes of each text
are kept: its fingerprints (winnowing: Schleimer, Wilkerson and Aiken, SIGMOD 2003). What the stub
gives, and what many in the class have written, does not count. Short right answers are alike, so
few fingerprints in common never count, and a short text that was copied is not found.
"""

import builtins
import keyword
import re
import zlib
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import lru_cache

RUN = 9  # tokens that are hashed together: less is something that everybody writes
WINDOW = 4  # of so many hashes in a row at least one is kept
LEAST = 20  # so many fingerprints in common are the fewest that say anything
NEAR = 0.8  # share of the shorter one's fingerprints from which on two are nearly the same
# What more have written than this is usual, and does not count: a share of the class, at least so
# many, and at most so many, for the work then grows with the class and not with its square.
SHARE, FEW, MANY = 0.25, 5, 50
LARGEST = 40_000  # characters of a cell that are looked at

TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)
    |(?P<string>(?:[fF][rR]?|[rR][fF])(?:
        "(?!"")(?:[^"\\\n{]|\\.|{{|{[^{}\n]*(?:{[^{}\n]*}[^{}\n]*)*}|{)*"?
        |'(?!'')(?:[^'\\\n{]|\\.|{{|{[^{}\n]*(?:{[^{}\n]*}[^{}\n]*)*}|{)*'?)
        |[rbfuRBFU]{0,2}(?:\"{3}.*?(?:\"{3}|\Z)|'{3}.*?(?:'{3}|\Z)
        |"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?))
    |(?P<number>\.?\d(?:[eE][+-]|[\w.])*)
    |(?P<name>\w+)
    |(?P<end>\n)
    |(?P<blank>[^\S\n]+|\\\n)
    |(?P<sign>\.\.\.|\*\*=?|//=?|>>=?|<<=?|->|:=|[-+*/%@&|^=<>!]=|.)""",
    re.VERBOSE | re.DOTALL,
)
NEWER = {"PythonFinalizationError", "_IncompleteInputError"}  # built in since 3.13
KNOWN = frozenset({*keyword.kwlist, *dir(builtins), "torch", "nn", "F", "math", "np"} - NEWER)


@dataclass(frozen=True)
class Group:
    """Submissions that are nearly the same.

    Args:
        students: who.
        likeness: share of fingerprints in common, of the two that are least alike of those found.
        shared: how many fingerprints these two have in common.
        cells: where; the names of the solution cells.
        to_the_letter: are comments, names and layout the same as well?
    """

    students: tuple[str, ...]
    likeness: float
    shared: int
    cells: tuple[str, ...]
    to_the_letter: bool = False


# --- Fingerprints ---------------------------------------------------------------------------------


def tokens(source):
    """Python's tokens, as far as the learner could not have chosen others just to look different.

    What is no Python is read as far as it goes. An f-string is one token, whatever its holes hold,
    and whichever Python reads it: f"{x["a"]}" is allowed since 3.12.
    """
    found, depth, begins, after = [], 0, True, ""
    for match in TOKEN.finditer(source[:LARGEST]):
        kind, text = match.lastgroup, match[0]
        if kind in ("comment", "blank"):
            continue
        if kind == "end":
            begins = begins or depth == 0
            continue
        if kind == "string":
            if not (begins and is_alone(source, match.end())):  # or else it is a docstring
                found.append("text")
        elif kind == "number":
            found.append("number")
        elif kind == "name":
            # After a dot stands what torch calls it; after `self.` what the learner does.
            given = text in KNOWN or (after == "." and len(found) > 1 and found[-2] != "self")
            found.append("self" if text == "self" else text if given else "name")
        else:
            depth += (text in "([{") - (text in ")]}")
            found.append(text)
        begins, after = text == ";", text
    return found


def is_alone(source, place):
    """Does a line end here?"""
    rest = source[place : source.find("\n", place) if "\n" in source[place:] else None]
    return not rest.strip() or rest.lstrip().startswith("#")


def hashes(source):
    """The hashes of all runs of tokens."""
    found = tokens(source)
    return [
        zlib.crc32(" ".join(found[place : place + RUN]).encode())
        for place in range(len(found) - RUN + 1)
    ]


@lru_cache(maxsize=10_000)  # many submissions have the same untouched cells
def fingerprints(source):
    """Of every so many hashes in a row the smallest."""
    found = hashes(source)
    places = range(max(1, len(found) - WINDOW + 1)) if found else ()
    return frozenset(min(found[place : place + WINDOW]) for place in places)


# --- A class --------------------------------------------------------------------------------------


def near_identical(sources, template):
    """The Groups of submissions that are nearly the same, the most alike first.

    Args:
        sources: {student: {solution cell: its text}}
        template: {solution cell: the text that everybody was given}
    """
    given = {h for text in template.values() for h in hashes(text)}
    texts = {who: all_of(cells) - given for who, cells in sources.items()}
    same = defaultdict(list)  # to have copied from many makes nothing usual
    for who in sorted(sources):
        same[texts[who]].append(who)
    written = Counter(h for text in same for h in text)
    most = min(max(FEW, SHARE * len(sources)), MANY)
    texts = {tuple(who): text for text, who in same.items()}
    telling = {who: {h for h in text if written[h] <= most} for who, text in texts.items()}
    found = [
        ((who, who), 1.0, len(telling[who]))
        for who in texts
        if len(who) > 1 and len(telling[who]) >= LEAST
    ]
    for (one, other), shared in in_common(telling).items():
        if shared >= LEAST:
            likeness = len(texts[one] & texts[other]) / min(len(texts[one]), len(texts[other]))
            if likeness >= NEAR:
                found.append(((one, other), likeness, shared))
    groups = [group_of(pairs, sources, template, given) for pairs in joined(found)]
    return sorted(groups, key=lambda group: (-group.likeness, -group.shared, group.students))


def like_the_model(sources, template, model):
    """{student: share} of those who wrote nearly what the course's own solution is.

    Args:
        model: {solution cell: the instructor's text}
    """
    given = {h for text in template.values() for h in hashes(text)}
    own, found = all_of(model) - given, {}
    for who, cells in sources.items():
        text = all_of(cells) - given
        shared = len(text & own)
        if shared >= LEAST and shared >= NEAR * len(text):
            found[who] = shared / len(text)
    return found


def all_of(cells):
    return frozenset().union(*(fingerprints(text) for text in cells.values()))


def in_common(texts):
    """{(one, other): how many fingerprints they share}, of those that share any."""
    index = defaultdict(list)
    for who, text in texts.items():
        for h in text:
            index[h].append(who)
    shared = Counter()
    for owners in index.values():
        for number, one in enumerate(owners):
            for other in owners[number + 1 :]:
                shared[one, other] += 1
    return shared


def joined(found):
    """The pairs found, put together where they have somebody in common."""
    groups = {}
    for pair in found:
        (one, other), *_ = pair
        merged = {id(group): group for group in (groups.get(one), groups.get(other)) if group}
        group = {"who": {one, other}, "pairs": [pair]}
        for old in merged.values():
            group = {key: [*group[key], *old[key]] for key in group}
        for who in group["who"]:
            groups[who] = group
    return [group["pairs"] for group in {id(group): group for group in groups.values()}.values()]


def group_of(pairs, sources, template, given):
    """One Group, with what somebody who looks at it wants to know."""
    students = tuple(sorted({who for both, *_ in pairs for side in both for who in side}))
    _, likeness, shared = min(pairs, key=lambda pair: pair[1:])
    cells = tuple(
        name
        for name in sources[students[0]]
        if alike([sources[who].get(name, "") for who in students], given)
    )
    letters = {tuple(sources[who].get(name, "").strip() for name in template) for who in students}
    return Group(students, likeness, shared, cells, to_the_letter=len(letters) == 1)


def alike(texts, given):
    """Are these texts of one cell nearly the same as the first, and is there anything in them?"""
    first, *others = (fingerprints(text) - given for text in texts)
    least = (len(first & other) / max(len(first), len(other), 1) for other in others)
    return bool(first) and all(share >= NEAR for share in least)
