"""Weights of superpixels as pictures: heatmaps, overlays and label maps.

Red raises the target, blue lowers it. Colour never stands alone: what lowers is hatched, and the
number with its sign is printed where it fits.
"""

import io
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xplain_cli.explanation import FloatArray, IntArray

RAISES, LOWERS = (0xB2, 0x18, 0x2B), (0x21, 0x66, 0xAC)
_LEAST, _MOST = 448, 1024  # pixels of the longer side of what is drawn
_FONT, _SMALL_FONT = 15, 13
_HATCH = 8  # pixels from one stripe to the next
_STRONGEST = 0.72  # opacity over a picture
_STRIP = 46  # pixels of the caption below


def file_name(row_id: str, number: int = 1) -> str:
    """
    Return the path of a row's picture below ``heatmaps/``: its id with ``.png``.

    Ids that would lead out of the folder are kept inside; targets after the first are numbered.
    """
    parts = [part for part in PurePosixPath(str(row_id).replace("\\", "/")).parts if part != "/"]
    safe = ["__" if part == ".." else part.replace(":", "_") for part in parts] or ["_"]
    ending = ".png" if number == 1 else f".{number}.png"
    return "/".join([*safe[:-1], safe[-1] + ending])


def weight_map(labels: IntArray, weights: FloatArray) -> NDArray[np.float32]:
    """Return the weight (h, w) of the superpixel that each pixel belongs to."""
    return np.asarray(weights[labels], dtype=np.float32)


def _zoom(labels: IntArray) -> tuple[IntArray, IntArray]:
    """Return which rows and columns of the labels are drawn, so that what comes out is readable."""
    height, width = labels.shape
    longer = max(height, width)
    scale = -(-_LEAST // longer) if longer < _LEAST else min(1.0, _MOST / longer)
    high, wide = max(1, round(height * scale)), max(1, round(width * scale))
    return np.arange(high) * height // high, np.arange(wide) * width // wide


def _tints(weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the colour (S, 3) and the strength (S,) in [0, 1] of each superpixel."""
    largest = np.abs(weights).max(initial=0.0)
    strength = np.abs(weights) / largest if largest > 0 else np.zeros_like(weights)
    return np.where(weights[:, None] > 0, RAISES, LOWERS).astype(np.float64), strength


def _hatched(labels: IntArray, weights: FloatArray) -> Any:
    """Return the pixels (h, w) of the stripes over what lowers the target."""
    y, x = np.arange(labels.shape[0])[:, None], np.arange(labels.shape[1])
    return ((x + y) % _HATCH < 2) & (weights < 0)[labels]


def _edges(labels: IntArray) -> Any:
    """Return the pixels (h, w) where another superpixel begins to the right or below."""
    edges = np.zeros(labels.shape, dtype=bool)
    edges[:, :-1] |= labels[:, 1:] != labels[:, :-1]
    edges[:-1] |= labels[1:] != labels[:-1]
    return edges


def _blend(under: FloatArray, labels: IntArray, weights: FloatArray, most: float) -> FloatArray:
    """Lay the superpixels' colours over a picture (h, w, 3), with stripes and edges."""
    colours, strength = _tints(weights)
    opacity = (strength * most)[labels][..., None]
    made = under * (1 - opacity) + colours[labels] * opacity
    stripes = _hatched(labels, weights)
    made[stripes] = made[stripes] * 0.62
    edges = _edges(labels)
    made[edges] = made[edges] * 0.35 + 255 * 0.65 * (most < 1)
    return made


def _inner_points(labels: IntArray) -> list[tuple[int, int, float]]:
    """Return of each superpixel its innermost point (x, y) and how far it is from the edge."""
    from scipy.ndimage import distance_transform_edt, find_objects

    points = []
    for label, part in enumerate(find_objects(labels + 1)):
        inside = np.pad(labels[part] == label, 1)
        depth = distance_transform_edt(inside)
        y, x = np.unravel_index(int(np.argmax(depth)), depth.shape)
        points.append((int(x) - 1 + part[1].start, int(y) - 1 + part[0].start, float(depth.max())))
    return points


def _write_numbers(image: Any, labels: IntArray, weights: FloatArray) -> None:
    """Print each weight inside its superpixel: the number, or where it is too small the sign."""
    from PIL import ImageDraw, ImageFont

    pen, font = ImageDraw.Draw(image), ImageFont.load_default(_FONT)
    for weight, (x, y, depth) in zip(weights.tolist(), _inner_points(labels), strict=True):
        number = f"{weight:+.2g}"
        for text in (number, number[0]):
            left, top, right, bottom = pen.textbbox((x, y), text, font=font, anchor="mm")
            if max(right - left, bottom - top) / 2 <= 1.15 * depth and weight != 0:
                pen.text(
                    (x, y),
                    text,
                    font=font,
                    anchor="mm",
                    fill="black",
                    stroke_width=2,
                    stroke_fill="white",
                )
                break


def _with_caption(image: Any, caption: str, weights: FloatArray) -> Any:
    """Add what is explained and the scale of the colours below a picture."""
    from PIL import Image, ImageDraw, ImageFont

    width = max(image.width, 320)
    whole = Image.new("RGB", (width, image.height + _STRIP), "white")
    whole.paste(image, ((width - image.width) // 2, 0))
    pen, font = ImageDraw.Draw(whole), ImageFont.load_default(_SMALL_FONT)
    top, largest = image.height + 4, float(np.abs(weights).max(initial=0.0))
    caption = caption.encode("latin-1", "replace").decode("latin-1")  # what the font draws
    while pen.textlength(caption, font=font) > width - 12 and len(caption) > 4:
        caption = caption[:-4] + "..."
    pen.text((6, top), caption, font=font, fill="black")
    ends = [f"lowers -{largest:.2g}", f"raises +{largest:.2g}"]
    spans = [pen.textlength(text, font=font) for text in ends]
    first, last = 12 + int(spans[0]), width - 12 - int(spans[1])
    place = np.linspace(-1, 1, last - first)
    bar = np.full((12, last - first, 3), 255.0)
    strip = np.broadcast_to(np.arange(last - first), (12, last - first))
    bar = _blend(bar, np.ascontiguousarray(strip), place, 1.0)
    bar[:, :, :] = np.where(_edges(np.ascontiguousarray(strip))[..., None], _plain(place), bar)
    whole.paste(Image.fromarray(bar.round().astype(np.uint8)), (first, top + 24))
    pen.text((6, top + 21), ends[0], font=font, fill="black")
    pen.text((last + 6, top + 21), ends[1], font=font, fill="black")
    return whole


def _plain(place: FloatArray) -> FloatArray:
    """Return the colours (1, n, 3) of the scale, without edges, stripes where it lowers."""
    colours, strength = _tints(place)
    return np.asarray((255 * (1 - strength[:, None]) + colours * strength[:, None])[None])


def _png(image: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format="PNG", compress_level=4)
    return file.getvalue()


def draw_heatmap(labels: IntArray, weights: FloatArray, caption: str) -> bytes:
    """
    Return a PNG of the signed weights on white.

    Parameters
    ----------
    labels : (h, w), 0 to S-1
    weights : (S,)
    caption
        What is explained.
    """
    from PIL import Image

    down, across = _zoom(labels)
    drawn = labels[down[:, None], across]
    made = _blend(np.full((*drawn.shape, 3), 255.0), drawn, weights, 1.0)
    image = Image.fromarray(made.round().astype(np.uint8))
    _write_numbers(image, drawn, weights)
    return _png(_with_caption(image, caption, weights))


def draw_overlay(
    picture: NDArray[Any], labels: IntArray, weights: FloatArray, caption: str
) -> bytes:
    """
    Return a PNG of the signed weights over the picture.

    Parameters
    ----------
    picture : (h, w, c) uint8 or float
        Floats are drawn from their least to their largest value.
    """
    from PIL import Image

    down, across = _zoom(labels)
    drawn = labels[down[:, None], across]
    grey = _visible(picture)[down[:, None], across].mean(axis=2, keepdims=True)
    pale = np.repeat(64 + 0.75 * grey, 3, axis=2)  # black would swallow the colours
    made = _blend(pale, drawn, weights, _STRONGEST)
    image = Image.fromarray(made.round().astype(np.uint8))
    _write_numbers(image, drawn, weights)
    return _png(_with_caption(image, caption, weights))


def _visible(picture: NDArray[Any]) -> FloatArray:
    """Return the colours of a picture from 0 to 255, without alpha."""
    colours = np.asarray(picture[..., :3], dtype=np.float64)
    if picture.dtype == np.uint8:
        return colours
    least, span = colours.min(), np.ptp(colours)
    return (colours - least) * (255.0 / span) if span > 0 else np.full_like(colours, 127.5)


def draw_segments(labels: IntArray) -> bytes:
    """
    Return a PNG that is the label map itself, and can be given back as ``--segmenter file=PATH``.

    Up to 256 superpixels its indices are the labels, under a palette that tells them apart; beyond,
    it is 16-bit grey.
    """
    from PIL import Image

    if labels.max() > 255:
        return _png(Image.fromarray(labels.astype(np.uint16)))
    image = Image.fromarray(labels.astype(np.uint8), mode="P")
    turns = np.arange(256) * 0.618034 % 1.0  # the golden ratio keeps neighbours apart
    angles = 2 * np.pi * (turns[:, None] + np.array([0.0, 1 / 3, 2 / 3]))
    image.putpalette((150 + 90 * np.cos(angles)).round().astype(np.uint8).ravel().tolist())
    return _png(image)
