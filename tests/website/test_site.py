"""A small site, built as the large one is."""

import re

import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course.lesson import lessons
from course.notebook import solved
from website import __main__ as site
from website import check

WHY = "what makes pages is installed by `make site`, and not by `make setup`"
FORMULA = (
    "# A lesson\n\nText.\n\n## Formulas\n\nWith $x^2$ and\n\n$$y = \\sqrt{x}$$\n\n**Predict** it."
)


def a_lesson(lesson, folder):
    """An exercise, a formula, and something that is shown: executed in no time."""
    said = new_output("stream", name="stdout", text="something that is shown\n")
    whole = solved(lesson).cells
    exercises = [cell for cell in whole if cell.metadata.get("nbgrader", {}).get("solution")]
    shown = new_code_cell("print('something that is shown')", outputs=[said])
    return new_notebook(cells=[new_markdown_cell(FORMULA), shown, *exercises])


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The folder of a site with one lesson."""
    pytest.importorskip("myst_nb", reason=WHY)
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site, "executed", a_lesson)
        site.write_source(folder / "source", lessons()[1:2], pdf=True)
    assert site.make_pages(folder / "source", folder / "pages") == 0
    return folder / "pages"


def asked_of(text):
    """What a page or a style sheet makes a browser load."""
    tags = r"<(?:script|img|iframe|source|link)\b[^>]*?(?:src|href)=[\"']([^\"']+)"
    return [*re.findall(tags, text), *re.findall(r"(?:url\(|@import )[\"']?([^\"')]+)", text)]


def test_no_page_and_no_style_sheet_asks_another_host(pages):
    looked_at = [*pages.glob("*.html"), *pages.rglob("*.css")]
    asked = [x for path in looked_at for x in asked_of(path.read_text(encoding="utf-8"))]
    assert len(asked) > 20
    assert not [x for x in asked if re.match(r"(https?:)?//", x)]


def test_formulas_are_set_by_what_lies_beside_the_pages(pages):
    text = (pages / "01_attention.html").read_text(encoding="utf-8")
    assert "mathjax/tex-chtml.js" in text
    assert (pages / "_static/mathjax/tex-chtml.js").is_file()
    assert list((pages / "_static/mathjax").rglob("*.woff"))


def test_hints_are_folded_and_answers_are_not_there(pages):
    text = (pages / "01_attention.html").read_text(encoding="utf-8")
    assert text.count("Hint 1 of 3") == 5
    assert "<details open" not in text
    assert list(check.leaks(pages)) == []


def test_what_was_to_be_predicted_opens_with_words_that_say_so(pages):
    text = (pages / "01_attention.html").read_text(encoding="utf-8")
    folded = re.search(
        r'<details class="fold result"><summary>(.*?)</summary>(.*?)</details>', text, re.S
    )
    assert "Predict first" in folded[1]
    assert "something that is shown" in folded[2]


def test_links_lead_somewhere(pages, monkeypatch):
    dead = list(check.dead_links(pages))
    assert dead == ["01_attention.html links to pdf/01_attention.pdf"]  # nothing was printed here


def test_search_knows_the_lesson_and_its_words_offline(pages):
    index = (pages / "searchindex.js").read_text(encoding="utf-8")
    assert "01_attention" in index
    assert '"formula"' in index or "formula:" in index


def test_a_model_answer_in_a_page_would_be_found(pages, tmp_path):
    line = check.answer_lines()[0]
    (tmp_path / "page.html").write_text(f"<p>{line.replace('<', '&lt;')}</p>", encoding="utf-8")
    assert list(check.leaks(tmp_path)) == [f"page.html holds {line!r}"]


def test_what_makes_pages_may_be_missing(monkeypatch, capsys):
    monkeypatch.setattr(site.importlib.util, "find_spec", lambda name: None)
    assert site.main([]) == 1
    assert "make site" in capsys.readouterr().out


def test_a_lesson_that_there_is_not_is_told(monkeypatch, capsys):
    monkeypatch.setattr(site.importlib.util, "find_spec", lambda name: name)
    assert site.main(["--lessons", "1,9"]) == 1
    assert "There is no lesson 1,9; there are: 0, 1" in capsys.readouterr().out


def test_a_cell_that_raises_is_told_in_a_sentence(monkeypatch, capsys):
    def stop(*arguments):
        raise CellExecutionError("the cell", "ValueError", "too short")

    monkeypatch.setattr(site.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(site, "write_source", stop)
    assert site.main(["--no-pdf"]) == 1
    assert "stopped with ValueError: too short" in capsys.readouterr().err
