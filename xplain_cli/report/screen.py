"""One explanation as a terminal shows it: words, a waterfall of bars, a text, a picture."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from xplain_cli.console import Canvas, Line, Span
from xplain_cli.report.items import Fragment, number
from xplain_cli.report.waterfall import Step, span

_NAMES, _FIGURES, _SUMS = 34, 20, 9
_GOOD_BAR, _MOST_BAR = 20, 60
_BLANK = re.compile(r"[^\S\n]")
_PIECE = re.compile(r"\n| +|\S+")
_DOTTED = 8  # cells; narrower, three of them are too dear
_MOST_PICTURE = 64  # cells of a picture in a row


def _cells(text: str, width: int, *, right: bool = False) -> str:
    """Return a text cut or filled to a number of cells; some letters are two cells wide."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) > width:
        dots = "..." if width > _DOTTED else ""
        text = set_cell_size(text, width - len(dots)) + dots
    blanks = " " * (width - cell_len(text))
    return blanks + text if right else text + blanks


def _bar(line: Step, low: float, high: float, width: int, canvas: Canvas) -> Line:
    """Return the bar of a step: full up to the nearer end of its interval, light within it."""

    def at(value: float) -> int:
        return round(max(0.0, min(1.0, (value - low) / (high - low))) * (width - 1))

    if line.is_sum:
        return (Span(" " * at(line.end)), Span(canvas.mark))
    first, last = sorted((at(line.start), at(line.end)))
    unsure = at(line.low), at(line.high)
    cells = [" "] * width
    for place in range(first, last + 1):
        cells[place] = canvas.block
    if unsure[0] < unsure[1]:  # else the interval is narrower than a cell
        for place in range(unsure[0], unsure[1] + 1):
            cells[place] = canvas.shade
    style = "up" if line.end >= line.start else "down"
    return (Span("".join(cells).rstrip(), style),)


def bars(lines: Sequence[Step], canvas: Canvas) -> list[Line]:
    """Return a waterfall: name, weight with its error, bar, and the sum after it."""
    low, high = span(lines)
    room = canvas.columns - _FIGURES - _SUMS - 5
    width = max(min(_GOOD_BAR, 2 * room // 5), min(_MOST_BAR, room - _NAMES))
    names = min(_NAMES, room - width)
    found = []
    for line in lines:
        style = "bold" if line.is_sum else ""
        figure = "" if line.is_sum else line.figure
        total = _cells(number(line.end, 4), _SUMS, right=True)
        head = Span(f"{_cells(line.label, names)}  {_cells(figure, _FIGURES)} {total}  ", style)
        found.append((head, *_bar(line, low, high, width, canvas)))
    return found


def words(sentences: Sequence[str], canvas: Canvas) -> list[Line]:
    """Return sentences in lines as wide as the terminal."""
    found = textwrap.wrap(" ".join(sentences), canvas.columns, break_on_hyphens=False)
    return [(Span(line),) for line in found]


def _pieces(fragments: Sequence[Fragment], columns: int) -> Iterator[Span]:
    """Yield the words of a text and the blanks and line ends between them, none too wide."""
    from rich.cells import cell_len, chop_cells

    for fragment in fragments:
        style = "" if not fragment.level else "raises" if fragment.level > 0 else "lowers"
        text = _BLANK.sub(" ", fragment.text.expandtabs(4))
        for piece in _PIECE.findall(text):
            parts = chop_cells(piece, columns) if cell_len(piece) > columns else [piece]
            yield from (Span(part, style) for part in parts)


def text_lines(fragments: Sequence[Fragment], canvas: Canvas) -> list[Line]:
    """
    Return a text in lines, its units coloured by how much they move the target.

    Every character stays, each kind of blank as a space; of the blanks at the end of a line that
    is full, those that fit.
    """
    from rich.cells import cell_len

    lines: list[list[Span]] = [[]]
    used = 0
    for piece in _pieces(fragments, canvas.columns):
        size, is_blank = cell_len(piece.text), piece.text.isspace()
        if piece.text == "\n" or (used + size > canvas.columns and not is_blank):
            lines.append([])
            used = 0
        if piece.text == "\n":
            continue
        text = piece.text[: canvas.columns - used] if is_blank else piece.text
        last = lines[-1][-1] if lines[-1] else Span("", piece.style)
        if last.style == piece.style:
            lines[-1][-1:] = [Span(last.text + text, piece.style)]
        else:
            lines[-1].append(Span(text, piece.style))
        used += cell_len(text)
    return [tuple(line) for line in lines]


def picture(path: Path, canvas: Canvas) -> list[Line]:
    """Return a picture in half blocks, two pixels a cell; nothing where no colour is shown."""
    from PIL import Image

    if not (canvas.colour and canvas.blocks):
        return []
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    width = min(_MOST_PICTURE, canvas.columns, image.width)
    height = max(2, round(image.height * width / image.width))
    small = image.resize((width, height + height % 2))
    lines = []
    for y in range(0, small.height, 2):
        pairs = [(small.getpixel((x, y)), small.getpixel((x, y + 1))) for x in range(width)]
        lines.append(tuple(Span("\u2580", f"{_hex(top)}{_hex(low)}") for top, low in pairs))
    return lines


def _hex(pixel: object) -> str:
    return "#" + "".join(f"{part:02x}" for part in pixel)  # type: ignore[attr-defined]
