"""Figures as lists of marks, and the two forms in which they are written: SVG and PNG."""

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from xplain_cli.errors import UsageError
from xplain_cli.output.cells import cleaned

PAPER = {
    "up": "#b3261e",
    "down": "#1a5fb4",
    "ink": "#1b1f24",
    "soft": "#57606a",
    "line": "#d0d7de",
    "paper": "#ffffff",
    "v0": "#1f7a5c",  # values from low to high: neither of the colours that raise and lower
    "v1": "#3f8f72",
    "v2": "#7a808a",
    "v3": "#b5762a",
    "v4": "#a34f00",
}
"""Colours by their role, as slides and papers need them."""
PAGE = {name: f"var(--{name})" for name in PAPER}
"""The same as the page has them, light or dark."""
FORMS = (".svg", ".png")
_LETTER = 0.56  # width of a letter, on average, as a share of the size of its font
_SCALE = 2  # pixels of a PNG for each unit of a figure
_FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial.ttf")


@dataclass(frozen=True)
class Box:
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    fill: str


@dataclass(frozen=True)
class Stroke:
    """A line through points."""

    points: tuple[tuple[float, float], ...]
    colour: str
    width: float = 1.0


@dataclass(frozen=True)
class Dots:
    """Filled circles (x, y) of one size and colour."""

    points: tuple[tuple[float, float], ...]
    radius: float
    fill: str


@dataclass(frozen=True)
class Label:
    """
    A text on its baseline.

    ``anchor`` is "start", "middle" or "end": what of the text stands at x.
    """

    x: float
    y: float
    text: str
    anchor: str = "start"
    size: float = 12.0
    colour: str = "ink"


Mark = Box | Stroke | Dots | Label


@dataclass(frozen=True)
class Figure:
    """Marks on a field of width x height, with what they show in words."""

    width: float
    height: float
    marks: tuple[Mark, ...]
    title: str


def fitted(text: str, width: float, size: float = 12.0) -> str:
    """Return a text cut to what about fits a width."""
    return cleaned(text, max(4, int(width / (size * _LETTER))))


def _n(value: float) -> str:
    return f"{round(value, 1) or 0.0:g}"


def _svg_mark(mark: Mark, colours: Mapping[str, str]) -> str:
    if isinstance(mark, Box):
        return (
            f'<rect x="{_n(mark.x)}" y="{_n(mark.y)}" width="{_n(mark.width)}"'
            f' height="{_n(mark.height)}" fill="{colours.get(mark.fill, mark.fill)}"/>'
        )
    if isinstance(mark, Dots):  # a line of no length with round ends: a fifth of a circle's bytes
        path = "".join(f"M{_n(x)} {_n(y)}h0" for x, y in mark.points)
        colour, width = colours.get(mark.fill, mark.fill), _n(2 * mark.radius)
        return (
            f'<path d="{path}" stroke="{colour}" stroke-width="{width}" stroke-linecap="round"'
            ' fill="none"/>'
        )
    if isinstance(mark, Stroke):
        path = "L".join(f"{_n(x)} {_n(y)}" for x, y in mark.points)
        colour = colours.get(mark.colour, mark.colour)
        return f'<path d="M{path}" stroke="{colour}" stroke-width="{_n(mark.width)}" fill="none"/>'
    anchor = "" if mark.anchor == "start" else f' text-anchor="{mark.anchor}"'
    return (
        f'<text x="{_n(mark.x)}" y="{_n(mark.y)}"{anchor} font-size="{_n(mark.size)}"'
        f' fill="{colours.get(mark.colour, mark.colour)}">{escape(mark.text)}</text>'
    )


def to_svg(figure: Figure, colours: Mapping[str, str] = PAPER) -> str:
    """Return a figure as an SVG element; equal figures give equal texts."""
    marks = "\n".join(_svg_mark(mark, colours) for mark in figure.marks)
    size = f"{_n(figure.width)} {_n(figure.height)}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" role="img"'
        f' aria-label="{escape(figure.title)}" font-family="DejaVu Sans, Noto Sans, sans-serif">\n'
        f"{marks}\n</svg>"
    )


def _font(size: float) -> Any:
    from PIL import ImageFont

    for name in _FONTS:
        try:
            return ImageFont.truetype(name, round(size * _SCALE))
        except OSError:
            continue
    return ImageFont.load_default(size * _SCALE)


def _paint(pen: Any, mark: Mark) -> None:
    def at(*values: float) -> list[float]:
        return [value * _SCALE for value in values]

    if isinstance(mark, Box):
        corners = at(mark.x, mark.y, mark.x + mark.width, mark.y + mark.height)
        pen.rectangle(corners, fill=PAPER.get(mark.fill, mark.fill))
    elif isinstance(mark, Dots):
        r = mark.radius
        for x, y in mark.points:
            pen.ellipse(at(x - r, y - r, x + r, y + r), fill=PAPER.get(mark.fill, mark.fill))
    elif isinstance(mark, Stroke):
        points = [tuple(at(x, y)) for x, y in mark.points]
        width = max(1, round(mark.width * _SCALE))
        pen.line(points, fill=PAPER.get(mark.colour, mark.colour), width=width)
    else:
        anchor = {"start": "ls", "middle": "ms", "end": "rs"}[mark.anchor]
        fill = PAPER.get(mark.colour, mark.colour)
        pen.text(at(mark.x, mark.y), mark.text, fill=fill, font=_font(mark.size), anchor=anchor)


def to_png(figure: Figure) -> bytes:
    """Return a figure as a PNG of two pixels for each unit."""
    from PIL import Image, ImageDraw

    size = (math.ceil(figure.width * _SCALE), math.ceil(figure.height * _SCALE))
    image = Image.new("RGB", size, PAPER["paper"])
    pen = ImageDraw.Draw(image)
    for mark in figure.marks:
        _paint(pen, mark)
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def check_form(path: Path) -> None:
    """
    Check that the name of a figure tells a form that is written.

    Raises
    ------
    UsageError
        It does not.
    """
    if path.suffix.lower() not in FORMS:
        raise UsageError(f"{path}: is no name of a figure; it must end in {' or '.join(FORMS)}")


def content(figure: Figure, path: Path) -> bytes:
    """Return a figure in the form that the name of its file tells."""
    if path.suffix.lower() == ".png":
        return to_png(figure)
    boxed = Box(0, 0, figure.width, figure.height, "paper")
    whole = Figure(figure.width, figure.height, (boxed, *figure.marks), figure.title)
    return f"{to_svg(whole)}\n".encode("utf-8", "backslashreplace")
