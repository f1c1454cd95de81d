"""One picture for each explanation by gradients: input, baseline, raw map, weights, side by side.

The raw map is what was added up over features: the cells of a layer, or pixels. Methods that leave
out what is below 0 in their pictures get that picture too, at the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xplain_cli.explanation import FloatArray
from xplain_cli.modalities.image.heatmaps import LOWERS, RAISES, as_png
from xplain_cli.output.cells import cleaned

_SIDE, _GAP, _TITLE, _CAPTION = 176, 8, 34, 22
_FONT = 12


@dataclass(frozen=True)
class Panel:
    """
    What is drawn of one explanation.

    Attributes
    ----------
    picture, baseline : (h, w, c)
        What was explained, and what it was compared with; None where that is no picture.
    raw : (h', w')
        The weights before they were added up over features.
    pooled : (h, w)
        The weight of the feature that each pixel belongs to.
    named
        What the baseline is called.
    rectified
        Whether the raw map is drawn without its parts below 0 as well.
    caption
        What is explained.
    strength
        Share of the full colour that the strongest gets: less where nothing moves the target much.
    """

    picture: NDArray[Any]
    baseline: NDArray[Any] | None
    raw: FloatArray
    pooled: FloatArray
    named: str
    rectified: bool
    caption: str
    strength: float = 1.0


def _colours(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Return a picture as RGB bytes; *low* and *high* are black and white."""
    wide = np.asarray(values[..., :3], dtype=np.float64)
    wide = np.repeat(wide[..., :1], 3, axis=2) if wide.shape[2] < 3 else wide
    span = high - low if high > low else 1.0
    return np.rint(np.clip((wide - low) / span, 0, 1) * 255).astype(np.uint8)


def _signed(weights: FloatArray, most: float) -> NDArray[np.uint8]:
    """Return a map in red and blue on white, the strongest in *most* of the full colour."""
    largest = np.abs(weights).max(initial=0.0)
    strength = (np.abs(weights) / largest if largest > 0 else np.zeros_like(weights))[..., None]
    strength *= most
    ink = np.where(weights[..., None] > 0, RAISES, LOWERS)
    return np.rint(255 * (1 - strength) + ink * strength).astype(np.uint8)


def _sized(colours: NDArray[np.uint8], wide: int, high: int) -> Any:
    from PIL import Image

    return Image.fromarray(colours).resize((wide, high), Image.Resampling.NEAREST)


def _largest(weights: FloatArray) -> str:
    return f"up to {np.abs(weights).max(initial=0.0):.2g}"


def _tiles(panel: Panel) -> Sequence[tuple[str, str, NDArray[np.uint8] | None]]:
    """Return title, remark and colours of each tile; None: there is nothing to show."""
    values = panel.picture[..., :3]
    eight = values.dtype == np.uint8
    low, high = (0.0, 255.0) if eight else (float(values.min()), float(values.max()))
    against = None if panel.baseline is None else _colours(panel.baseline, low, high)
    height, width = panel.raw.shape
    tiles: list[tuple[str, str, NDArray[np.uint8] | None]] = [
        ("input", "", _colours(values, low, high)),
        ("baseline", panel.named, against),
        (f"raw map, {width} x {height}", _largest(panel.raw), _signed(panel.raw, panel.strength)),
        ("weights", _largest(panel.pooled), _signed(panel.pooled, panel.strength)),
    ]
    if panel.rectified:
        above = np.maximum(panel.raw, 0.0)
        tiles.append(("raw map above 0", _largest(above), _signed(above, panel.strength)))
    return tiles


def draw_panel(panel: Panel) -> bytes:
    """Return a PNG of all tiles in a line, titles above, the caption below."""
    from PIL import Image, ImageDraw, ImageFont

    tiles = _tiles(panel)
    height, width = panel.pooled.shape
    scale = _SIDE / max(height, width)
    high, wide = max(1, round(height * scale)), max(1, round(width * scale))
    step = max(wide, _SIDE) + _GAP
    whole = Image.new("RGB", (step * len(tiles) + _GAP, _TITLE + high + _CAPTION), "white")
    pen, font = ImageDraw.Draw(whole), ImageFont.load_default(_FONT)

    def write(x: float, y: float, text: str, room: float) -> None:
        plain = cleaned(text).encode("latin-1", "replace").decode("latin-1")  # what the font draws
        while pen.textlength(plain, font=font) > room and len(plain) > 4:
            plain = plain[:-4] + "..."
        pen.text((x, y), plain, font=font, fill="black")

    for number, (title, remark, colours) in enumerate(tiles):
        left = _GAP + number * step
        write(left, 2, title, step - _GAP)
        write(left, 17, remark, step - _GAP)
        if colours is None:
            pen.rectangle((left, _TITLE, left + wide, _TITLE + high), fill="#eaeef2")
            write(left + 6, _TITLE + high / 2 - 8, "no picture", wide - 12)
        else:
            whole.paste(_sized(colours, wide, high), (left, _TITLE))
        pen.rectangle((left - 1, _TITLE - 1, left + wide, _TITLE + high), outline="#d0d7de")
    write(_GAP, _TITLE + high + 4, f"{panel.caption}; red raises, blue lowers", whole.width - 16)
    return as_png(whole)
