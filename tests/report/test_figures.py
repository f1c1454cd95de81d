"""Figures say the same in both forms, and no text of a row is markup."""

import io
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from PIL import Image

from xplain_cli.errors import UsageError
from xplain_cli.report.figures import (
    PAGE,
    Box,
    Dots,
    Figure,
    Label,
    Stroke,
    check_form,
    content,
    to_svg,
)

FIGURE = Figure(
    100,
    50,
    (
        Box(10, 10, 30, 20, "up"),
        Dots(((70, 25),), 8, "#00ff00"),
        Stroke(((5, 45), (95, 45)), "ink", 2),
        Label(50, 8, '<script>&"', "middle", 6),
    ),
    "a < b",
)


def test_the_svg_holds_every_mark_and_texts_as_texts():
    root = ET.fromstring(content(FIGURE, Path("f.svg")))
    tags = [one.tag.rpartition("}")[2] for one in root]
    assert tags == ["rect", "rect", "path", "path", "text"]
    assert root[-1].text == '<script>&"'
    assert root.get("aria-label") == "a < b"


def test_the_png_has_the_same_marks_in_the_same_places():
    image = Image.open(io.BytesIO(content(FIGURE, Path("f.PNG"))))
    assert image.size == (200, 100)
    assert image.getpixel((40, 40)) == (0xB3, 0x26, 0x1E)
    assert image.getpixel((140, 50)) == (0, 255, 0)
    assert image.getpixel((100, 90)) == (0x1B, 0x1F, 0x24)
    assert image.getpixel((190, 10)) == (255, 255, 255)


def test_on_a_page_colours_are_those_of_its_scheme():
    assert 'fill="var(--up)"' in to_svg(FIGURE, PAGE)


def test_equal_figures_are_equal_bytes():
    assert content(FIGURE, Path("f.png")) == content(FIGURE, Path("f.png"))


def test_another_form_is_refused():
    with pytest.raises(UsageError, match=r"must end in \.svg or \.png"):
        check_form(Path("f.pdf"))
