"""The drawing of the machine: every box leads somewhere, and says what it is without colours."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from course.diagram import BOXES, PARTS, architecture
from course.places import TEXTS

SVG = "{http://www.w3.org/2000/svg}"


def test_every_box_is_a_link_to_a_section_of_the_lesson():
    text = (TEXTS / "05_transformer.md").read_text(encoding="utf-8")
    headings = {line.lstrip("# ").replace(" ", "-") for line in re.findall(r"^##+ .+$", text, re.M)}
    page = architecture().html()
    for box in BOXES:
        assert box.section in headings, box
        assert f'href="#{box.section}"' in page.replace("'", '"')


def test_it_can_be_read_aloud():
    drawing = architecture()
    root = ElementTree.fromstring(drawing.svg())
    assert root.find(f"{SVG}title").text
    assert "memory" in root.find(f"{SVG}desc").text
    assert drawing._repr_mimebundle_()["text/plain"] == drawing.alt


@pytest.mark.parametrize("part", PARTS)
def test_a_part_can_be_marked(part):
    marked = architecture(part)
    assert f"{part} marked" in marked.alt
    assert marked.svg() != architecture().svg()
    ElementTree.fromstring(marked.svg())


def test_a_part_that_is_not_there():
    with pytest.raises(ValueError, match="there is no part 'nonsense'; there are: source"):
        architecture("nonsense")
