"""Explorers and painters on a page: what they know of their own, and what they look like."""

import base64
import json
import re

import pytest
import torch

from course.figures import bars
from course.widgets import Explorer, Interactive, MaskPainter, explore, paint_mask
from website.explorers import EXPLORER, PAINTER, every_picture, every_row, prepare
from website.pictures import as_files, explorer, painter

HEAD = "\x89PNG\r\n\x1a\n" + "\0" * 8 + "\0\0\1\0" * 2  # 256 by 256 pixels
TOKENS = ["Ana", "lost", "her"]


class Drawn:
    """A picture that takes no time."""

    def __init__(self, alt):
        self.alt = alt

    def html(self):
        image = base64.b64encode(f"{HEAD}{self.alt}".encode("latin-1")).decode()
        return f'<img alt="{self.alt}" src="data:image/png;base64,{image}">'

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/html": self.html(), "text/plain": self.alt}


@pytest.fixture
def drawn():
    """An explorer of two choices, and the order in which it was asked."""
    asked = []

    def draw(height, name):
        torch.rand(())
        asked.append((height, name))
        return Drawn(f"{name} {height}")

    return explore(draw, height=[1, 2, 3], name=["a", "b"]), asked


def titles_of(found):
    """{what is chosen: the picture that is shown for it}"""
    titles = [re.search(r'alt="(\w+ \d)"', picture)[1] for picture in found["pictures"]]
    return {key: titles[place] for key, place in found["shown"].items()}


def test_an_explorer_brings_the_picture_of_every_choice(drawn):
    explored, _ = drawn
    found = every_picture(explored)[EXPLORER]
    assert found["choices"] == [["height", ["1", "2", "3"]], ["name", ["a", "b"]]]
    assert titles_of(found) == {
        "0,0": "a 1",
        "0,1": "b 1",
        "1,0": "a 2",
        "1,1": "b 2",
        "2,0": "a 3",
        "2,1": "b 3",
    }


def test_drawing_all_of_them_leaves_what_drawing_the_first_would_leave(drawn):
    explored, asked = drawn
    torch.manual_seed(0)
    explored.picture()
    left = torch.get_rng_state()
    torch.manual_seed(0)
    every_picture(explored)
    assert asked[-1] == (1, "a")
    assert torch.equal(torch.get_rng_state(), left)


def test_of_too_many_choices_one_moves_at_a_time(tmp_path):
    explored = explore(lambda x, y: Drawn(f"{x} {y}"), x=range(100), y=range(7, 10))
    found = every_picture(explored)[EXPLORER]
    titles = titles_of(found)
    assert len(titles) == 100 + 3 - 1
    assert (titles["0,0"], titles["99,0"], titles["0,2"]) == ("0 7", "99 7", "0 9")
    assert "one thing moves at a time" in explorer(found, tmp_path)


def test_a_slider_for_numbers_and_a_list_for_words(drawn, tmp_path):
    text = explorer(every_picture(drawn[0])[EXPLORER], tmp_path)
    assert re.findall(r"<label>(\w+) <(\w+)", text) == [("height", "input"), ("name", "select")]
    assert "moves at a time" not in text
    assert 'class="controls" hidden' in text  # until the script that moves them is there
    data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', text)[1])
    assert all("data:" not in picture for picture in data["pictures"])
    for name in set(re.findall(r"_static/pictures/(\w+\.png)", text)):
        assert (tmp_path / name).read_bytes().startswith(HEAD.encode("latin-1"))


def test_while_a_lesson_is_run_for_its_page_what_is_interactive_shows_itself_so(monkeypatch, drawn):
    for kind in (Interactive, Explorer, MaskPainter):
        monkeypatch.setattr(kind, "_repr_mimebundle_", kind._repr_mimebundle_)
    prepare()
    mask = torch.ones(3, 3, dtype=torch.bool)
    assert EXPLORER in drawn[0]._repr_mimebundle_()
    assert PAINTER in paint_mask(shares, mask, TOKENS)._repr_mimebundle_()


def shares(mask):
    """Each row shares among what it may see."""
    return mask / mask.sum(-1, keepdim=True)


def test_a_painter_brings_every_row_that_can_be_painted(tmp_path):
    mask = torch.ones(3, 3, dtype=torch.bool).tril()
    bundle = every_row(paint_mask(shares, mask, TOKENS))
    rows = bundle[PAINTER]["rows"]
    assert [len(row) for row in rows] == [8, 8, 8]
    assert rows[1][0b110] == ["0.50", "0.50", "0.00"]
    assert rows[2][0b000] == ["nan"] * 3
    text = painter(bundle[PAINTER], bundle["text/html"], tmp_path)
    assert "<img alt=" in text  # where no script runs


def test_a_painter_whose_rows_mind_each_other_stays_a_picture():
    mask = torch.ones(3, 3, dtype=torch.bool).tril()
    bundle = every_row(paint_mask(lambda mask: mask / mask.sum(), mask, TOKENS))
    assert PAINTER not in bundle


def test_pictures_become_files_with_their_sizes_and_links_lead_to_pages(tmp_path):
    text = as_files(bars({"a": 1.0}).html() + "<a href='05_transformer.ipynb#x'>", tmp_path)
    assert re.search(r'src="_static/pictures/\w+\.png" width="\d+" height="\d+"', text)
    assert "<a href='05_transformer.html#x'>" in text
