"""The smallest parts of a source that a change is made of.

Statements that change are compared word by word, and what is the same stays out of it. So two
changes can be made together, also in one line, as long as their parts do not overlap.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from keyword import iskeyword
from typing import TYPE_CHECKING

from .statements import Statement, Token, statements

if TYPE_CHECKING:
    from .diffs import Side

Span = tuple[int, int]  # from where to where
Change = tuple[Span, Span]  # from where to where before, and after

WORDS = re.compile(r"\w")
# What is put in leans back on what stands before it, or forward on what follows: `.detach()` is
# about what it is called on, `torch.log(` about what it is given.
FORWARD = tuple("([{,=:*/+-@|&<>~")
# So many words at the most are looked at to know a place again.
AROUND = 12


@dataclass(frozen=True)
class Edit:
    """A part of the source that is replaced.

    Args:
        first, last: where the part begins and ends; they are one place where nothing is taken out.
        start, end: the same with the spaces around it, which are replaced as well.
        new: what stands there instead.
        leans_back: is it put in behind what stands before, and not in front of what follows?
    """

    first: int
    last: int
    start: int
    end: int
    new: str
    leans_back: bool = False


# --- What changes? --------------------------------------------------------------------------------


def aligned(statement: Statement, written: Statement) -> list[Token]:
    """The Tokens of a statement of the source that stand in it as it is written elsewhere, too:
    not the brackets and commas that only one of the two has."""
    theirs, values = statement.tokens, [token.value for token in written.tokens]
    values[0] = theirs[0].value  # how far it is indented does not matter
    if [token.value for token in theirs] == values:
        return theirs
    matcher = difflib.SequenceMatcher(None, [t.value for t in theirs], values, autojunk=False)
    return [theirs[x + k] for x, _, size in matcher.get_matching_blocks() for k in range(size)]


def compared(
    before: list[list[Token]], new: Side, changed: Iterable[Change], source: str
) -> Iterator[Edit]:
    """The Edits that make of statements of the source what stands in a new text.

    Args:
        before: the Tokens of each statement of the source.
        new: what is to come of them: a text, and its `statements`.
        changed: which statements become which, as (from, to) before and (from, to) after.
    """
    after = [statement.tokens for statement in new.statements]
    for (i1, i2), (j1, j2) in changed:
        for taken, put, are_alike in paired(before[i1:i2], after[j1:j2]):
            old_part = Passage.of(before, i1 + taken.start, i1 + taken.stop, source)
            new_part = Passage.of(after, j1 + put.start, j1 + put.stop, new.text)
            if are_alike:
                yield from smallest(old_part, new_part)
            else:
                yield whole(old_part, new_part)


def paired(before: list[list[Token]], after: list[list[Token]]) -> list[tuple[range, range, bool]]:
    """Which statement becomes which? Gives pairs of ranges, and whether they hold a statement each,
    of which one becomes the other."""
    if len(before) == len(after) == 1:
        return [(range(1), range(1), True)]
    likeness = likenesses(before, after)
    best = {}  # {(so many of the one, so many of the other): how alike the rest can be made}
    for i in range(len(before), -1, -1):
        for j in range(len(after), -1, -1):
            ways = [best[i + 1, j]] if i < len(before) else []
            ways += [best[i, j + 1]] if j < len(after) else []
            if i < len(before) and j < len(after) and likeness[i][j]:
                ways.append(likeness[i][j] + best[i + 1, j + 1])
            best[i, j] = max(ways, default=0.0)
    found, i, j = [], 0, 0
    while i < len(before) or j < len(after):
        begun = i, j
        while i < len(before) and best[i, j] == best[i + 1, j]:
            i += 1
        while j < len(after) and best[i, j] == best[i, j + 1]:
            j += 1
        if begun != (i, j):
            found.append((range(begun[0], i), range(begun[1], j), False))
        else:
            found.append((range(i, i + 1), range(j, j + 1), True))
            i, j = i + 1, j + 1
    return found


def likenesses(before: list[list[Token]], after: list[list[Token]]) -> list[list[float]]:
    """How clearly each statement becomes each other: a table of numbers, 0 where it does not."""
    olds, news = ([[token.value for token in each] for each in all] for all in (before, after))
    heads = [[head(words) for words in all] for all in (olds, news)]

    def likeness(one, other):
        ratio = difflib.SequenceMatcher(None, one, other, autojunk=False).ratio()
        if all(known.count(head(one)) == 1 for known in heads) and head(one) == head(other):
            return 0.5 + ratio / 2
        return ratio**8 if ratio > 0.8 else 0.0  # better two much alike than three a little

    return [[likeness(one, other) for other in news] for one in olds]


def head(words: list[str]) -> list[str]:
    """What a statement begins with: a keyword, or the names that it binds."""
    if iskeyword(words[1]):
        return words[1:2]
    end = next((n for n, word in enumerate(words) if word in ("=", "(", "[", "{")), len(words))
    return words[1:end]


def whole(old: Passage, new: Passage) -> Edit:
    """All of one stream becomes all of the other."""
    return edit(old, new, (0, old.last - old.first), (0, new.last - new.first))


def same_meaning(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return False
    try:
        return ast.dump(ast.parse(one)) == ast.dump(ast.parse(other))
    except SyntaxError:
        return False


@dataclass(frozen=True)
class Passage:
    """Tokens of a text, of which those from `first` to `last` may change."""

    tokens: list[Token]
    text: str
    first: int
    last: int

    @classmethod
    def of(cls, parts: list[list[Token]], first: int, last: int, text: str) -> Passage:
        """The Tokens of several statements, of which some may change."""
        counts = [len(part) for part in parts]
        tokens = [token for part in parts for token in part]
        return cls(tokens, text, sum(counts[:first]), sum(counts[:last]))

    def values(self) -> list[str]:
        return [token.value for token in self.tokens[self.first : self.last]]


def smallest(old: Passage, new: Passage) -> Iterator[Edit]:
    """The smallest Edits between two streams: what begins and ends alike stays, and so do, in a
    statement that becomes another, parts in between that hold more than brackets and signs."""
    a, b = old.values(), new.values()
    begin = 0
    while begin < min(len(a), len(b)) and a[begin] == b[begin]:
        begin += 1
    end = 0
    while end < min(len(a), len(b)) - begin and a[-1 - end] == b[-1 - end]:
        end += 1
    inner = a[begin : len(a) - end], b[begin : len(b) - end]
    if not any(inner):
        return
    blocks = difflib.SequenceMatcher(None, *inner, autojunk=False).get_matching_blocks()
    i = j = 0
    for x, y, size in blocks:
        words = any(WORDS.search(value) for value in inner[0][x : x + size])
        if size and not words:
            continue
        if (i, j) != (x, y):
            yield edit(old, new, (begin + i, begin + x), (begin + j, begin + y))
        i, j = x + size, y + size


def edit(old: Passage, new: Passage, taken: Span, put: Span) -> Edit:
    """The Edit that replaces tokens of one stream by tokens of another."""
    i, n = (old.first + place for place in taken)
    j, m = (new.first + place for place in put)
    before, after = old.tokens[i - 1] if i else None, old.tokens[n] if n < len(old.tokens) else None
    begin, stop = (new.tokens[j].start, new.tokens[m - 1].end) if j < m else (None, None)
    text = new.text[begin:stop] if j < m else ""
    back = after is None or (
        before is not None and (leans_back(text) or is_deeper(new.tokens[j:m], after))
    )
    if i < n:
        first, last = old.tokens[i].start, old.tokens[n - 1].end
    elif after is not None and not back:
        first = last = after.start
    else:
        first = last = before.end if before else 0
    start, end = first, last
    # The spaces around go with it: `a / b` without `/ b` is `a`.
    if before and is_space(before, old.text[before.end : first]):
        start, begin = before.end, new.tokens[j - 1].end
        stop = begin if stop is None else stop
    if after and is_space(old.tokens[n - 1] if n else None, old.text[last : after.start]):
        end, stop = after.start, new.tokens[m].start
        begin = stop if begin is None else begin
    text = "" if begin is None else new.text[begin:stop]
    if text and WORDS.match(old.text[start - 1 : start] or " ") and WORDS.match(text):
        text = f" {text}"
    if text and WORDS.match(old.text[end : end + 1] or " ") and WORDS.match(text[-1]):
        text = f"{text} "
    return Edit(first, last, start, end, text, back)


def is_space(token: Token | None, text: str) -> bool:
    """Is there nothing between a token and the next? Between lines there may be comments, and empty
    lines, which stay."""
    return not text if token is None or token.value == "\n" else not text.strip()


def is_deeper(put: list[Token], after: Token) -> bool:
    """Do the lines that are put in belong to the block above, and not to what follows?"""
    return after.value.isspace() and put[0].value.startswith(after.value + " ")


def leans_back(text: str) -> bool:
    text = text.strip(" ")
    return text.startswith((".", ")", "]", "}")) or not text.endswith((*FORWARD, "\n"))


# --- Together -------------------------------------------------------------------------------------


def overlap(one: Edit, other: Edit) -> bool:
    """Do two Edits change the same?"""
    if one.first == one.last and other.first == other.last:
        return False
    return one.first < other.last and other.first < one.last


def applied(source: str, made: Iterable[Iterable[Edit]]) -> str | None:
    """The source with changes made; None if two of them change the same.

    Args:
        made: the Edits of each change. Where several put in something at one place, the later ones
            stand nearer to what they lean on: as if one were made after the other.
    """

    def key(numbered):
        number, edit = numbered
        return edit.first, edit.last, (0, -number) if edit.leans_back else (1, number)

    edits = sorted(((n, edit) for n, edits in enumerate(made) for edit in edits), key=key)
    edits = [edit for _, edit in edits]
    parts, done = [], 0
    for number, edit in enumerate(edits):
        if any(overlap(edit, other) for other in edits[number + 1 :]):
            return None
        text, start = edit.new, edit.start
        if start < done:  # the spaces in between are there already
            text, start = text.lstrip(" "), done
        parts += [source[done:start], text]
        done = max(done, edit.end)
    return "".join([*parts, source[done:]])


def replayed(edits: Iterable[Edit], source: str, changed: str) -> list[Edit] | None:
    """Edits of a source, to be made in what another change has left of it; None if their places
    are not there any more.

    A place is known by the words that change, and as many around them as make it the only one.
    """
    before, after = all_tokens(source), all_tokens(changed)
    found = []
    for edit in edits:
        first = sum(token.start < edit.first for token in before)
        last = sum(token.end <= edit.last for token in before) if edit.first < edit.last else first
        place = same_place(before, after, first, last)
        if place is None:
            return None
        if first < last:
            begin, end = after[place].start, after[place + last - first - 1].end
        else:
            begin = end = after[place - 1].end if edit.leans_back else after[place].start
        start, stop = begin - (edit.first - edit.start), end + edit.end - edit.last
        found.append(Edit(begin, end, start, stop, edit.new, edit.leans_back))
    return found


def all_tokens(source: str) -> list[Token]:
    return [token for statement in statements(source) for token in statement.tokens]


def same_place(before: list[Token], after: list[Token], first: int, last: int) -> int | None:
    """Where the tokens from `first` to `last` are among others, or None."""
    texts = joined(before), joined(after)
    for begin, end in (around(before, first, last), (0, len(before))):  # best in its own statement
        for size in range(1, AROUND + 1):
            for left in range(size + 1):
                low, high = first - left, last + size - left
                if begin <= low < high <= end:
                    window = joined(before[low:high])
                    old, new = (only_place(window, text) for text in texts)
                    if old is not None and new is not None:
                        return new + left
    return None


def around(tokens: list[Token], first: int, last: int) -> Span:
    """From where to where the statements reach that tokens are in."""
    ends = [n for n, token in enumerate(tokens, start=1) if token.value == "\n"]
    begin = max((n for n in ends if n <= first), default=0)
    return begin, next((n for n in ends if n >= last and n > begin), len(tokens))


def joined(tokens: Iterable[Token]) -> str:
    """Tokens as a text to search in."""
    return "\0" + "".join(f"{token.value}\0" for token in tokens)


def only_place(window: str, text: str) -> int | None:
    """The number of tokens before the only place where some stand; None if it is not the only
    one, or none."""
    place = text.find(window)
    return text.count("\0", 0, place) if place >= 0 and place == text.rfind(window) else None
