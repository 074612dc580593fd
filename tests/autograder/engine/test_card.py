"""The card: well-formed, readable without colours, and safe whatever is in it."""

from html.parser import HTMLParser

import pytest
import torch

from autograder.engine.card import LARGEST, card
from autograder.engine.learner_lines import Line
from autograder.engine.verdict import Verdict

VOID = {"br", "hr", "img", "input"}


class Reader(HTMLParser):
    """Collects tags, attributes and text, and sees to it that tags are closed in order."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.attributes, self.words = [], [], [], []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        self.words.append(text)


def verdict(**fields):
    usual = {
        "exercise": "attention.softmax",
        "score": 3,
        "max_score": 8,
        "works": ["gradients flow"],
        "missing": ["large scores"],
        "explanation": ["Your `exp` overflows."],
        "hints": ("one", "two", "three"),
        "line": Line(3, "e = x < y", "your cell"),
    }
    return Verdict(**(usual | fields))


def test_what_was_found_is_in_the_text():
    words = " ".join(Reader(card(verdict())).words)
    for part in ("not yet right", "3 of 8 points", "gradients flow", "large scores", "e = x < y"):
        assert part in words


def test_the_verdict_is_read_out_first():
    reader = Reader(card(verdict()))
    assert reader.tags[0] == "section"
    label = dict(reader.attributes)["aria-label"]
    assert "not yet right (3 of 8 points)" in label


def test_each_hint_is_behind_a_click_inside_the_one_before():
    html = card(verdict())
    assert html.index("Hint 1 of 3") < html.index("one") < html.index("Hint 2 of 3")
    assert Reader(html).tags.count("details") == 3
    assert "<details open" not in html


def test_a_right_answer_gets_one_line():
    reader = Reader(card(verdict(score=8)))
    assert "details" not in reader.tags
    assert "all correct (8 of 8 points)" in " ".join(reader.words)


@pytest.mark.parametrize("field", ["works", "missing", "explanation"])
def test_nothing_that_comes_from_the_learner_is_run(field):
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    reader = Reader(card(verdict(**{field: [evil]}, printed=evil, line=Line(1, evil, evil))))
    assert not {"script", "img", "style", "link", "iframe"} & set(reader.tags)
    assert evil in " ".join(reader.words)


def tables(yours, expected):
    return Reader(card(verdict(name="output", yours=yours, expected=expected)))


def test_small_arrays_are_shown_with_their_numbers():
    reader = tables(torch.full((2, 3), 0.25), torch.full((2, 3), 0.5))
    assert reader.tags.count("table") == 3
    assert reader.words.count("0.25") == 6
    assert reader.words.count("0.50") == 6
    assert reader.words.count("-0.25") == 6
    assert {"yours", "expected", "difference"} <= set(reader.words)


def test_large_arrays_are_cut_and_that_is_said():
    reader = tables(torch.rand(3, 40, 50), torch.rand(3, 40, 50))
    assert reader.tags.count("td") == 3 * LARGEST**2
    assert "output[0]" in reader.words
    assert any("the first 8 rows and columns" in text for text in reader.words)


def test_arrays_of_different_shape_have_no_difference():
    reader = tables(torch.rand(2, 3), torch.rand(3, 2))
    assert reader.tags.count("table") == 2


@pytest.mark.parametrize(
    "x",
    [
        torch.tensor([1.0, float("nan"), float("inf"), float("-inf")]),
        torch.tensor([True, False]),
        torch.tensor([[1, 2]]),
        torch.zeros(0, 3),
        torch.tensor(1.0),
        torch.rand(1, 2, 3, 4, 5),
        torch.rand(3, dtype=torch.bfloat16),
        torch.rand(3, dtype=torch.complex64),
    ],
)
def test_any_array_can_be_shown(x):
    tables(x, x)
    tables(x, torch.tensor(1.0))
    tables(torch.tensor(1.0), x)
