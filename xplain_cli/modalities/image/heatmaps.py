"""Weights of superpixels as pictures: heatmaps, overlays and label maps.

Red raises the target, blue lowers it. Colour never stands alone: what lowers is hatched, and the
number with its sign is printed where it fits.
"""

import io
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xplain_cli.explanation import FloatArray
from xplain_cli.output.cells import cleaned

RAISES, LOWERS = (0xB2, 0x18, 0x2B), (0x21, 0x66, 0xAC)
_LEAST, _MOST = 448, 1024  # pixels of the longer side of what is drawn
_FONT, _SMALL_FONT = 15, 13
_HATCH = 8  # pixels from one stripe to the next
_FAINTEST = 0.04  # share of the largest weight below which neither colour nor stripes are seen
_STRONGEST = 0.72  # opacity over a picture
_STRIP = 46  # pixels of the caption below
_NUMBERED = 12  # superpixels whose number is printed


def weight_map(labels: NDArray[Any], weights: FloatArray) -> NDArray[np.float32]:
    """Return the weight (h, w) of the superpixel that each pixel belongs to."""
    return np.asarray(weights[labels], dtype=np.float32)


@dataclass(frozen=True)
class Backdrop:
    """
    Superpixels as they are drawn; what all pictures of one row share is found once.

    Attributes
    ----------
    labels : (h, w)
        The superpixel of each pixel that the model sees.
    size
        (width, height) of the original, in whose shape they are drawn; None: that of the labels.
    box
        (left, top, right, bottom): the part of the original that the labels cover; None: all.
    by_pixel
        Whether each pixel is a feature of its own: no edges and no numbers are drawn then.
    """

    labels: NDArray[Any]
    size: tuple[int, int] | None = None
    box: tuple[float, float, float, float] | None = None
    by_pixel: bool = False

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Height and width of what is drawn."""
        width, height = self.size or self.labels.shape[::-1]
        longer = max(height, width)
        scale = -(-_LEAST // longer) if longer < _LEAST else min(1.0, _MOST / longer)
        return max(1, round(height * scale)), max(1, round(width * scale))

    @cached_property
    def _edges_of_labels(self) -> tuple[float, float, float, float]:
        """Where the labels stand in what is drawn: left, top, right, bottom."""
        width, height = self.size or self.labels.shape[::-1]
        left, top, right, bottom = self.box or (0.0, 0.0, width, height)
        high, wide = self.shape
        return (
            left * wide / width,
            top * high / height,
            right * wide / width,
            bottom * high / height,
        )

    @cached_property
    def drawn(self) -> NDArray[Any]:
        """The labels (h, w) as they are drawn; where the model sees nothing, one more than all."""
        left, top, right, bottom = self._edges_of_labels
        high, wide = self.shape
        rows, columns = self.labels.shape
        down = np.floor((np.arange(high) + 0.5 - top) / (bottom - top) * rows).astype(np.int64)
        across = np.floor((np.arange(wide) + 0.5 - left) / (right - left) * columns)
        across = across.astype(np.int64)
        found = self.labels[down.clip(0, rows - 1)[:, None], across.clip(0, columns - 1)]
        seen = ((down >= 0) & (down < rows))[:, None] & (across >= 0) & (across < columns)
        return np.where(seen, found, self.count)

    @property
    def count(self) -> int:
        """The number of superpixels."""
        return int(self.labels.max()) + 1

    @cached_property
    def edges(self) -> Any:
        """The pixels (h, w) where another superpixel begins."""
        return _edges(self.drawn)

    @cached_property
    def points(self) -> list[tuple[float, float, float]]:
        """Of each superpixel its innermost point (x, y), and how far it is from the edge."""
        left, top, right, bottom = self._edges_of_labels
        wide, high = (right - left) / self.labels.shape[1], (bottom - top) / self.labels.shape[0]
        return [
            (left + wide * (x + 0.5), top + high * (y + 0.5), min(wide, high) * depth)
            for x, y, depth in _inner_points(self.labels)
        ]


def _full(weights: FloatArray, floor: float) -> float:
    """Return the weight whose colour is full: the largest, or the least that counts."""
    return max(float(np.abs(weights).max(initial=0.0)), floor)


def _tints(weights: FloatArray, full: float) -> tuple[FloatArray, FloatArray]:
    """Return the colour (S, 3) and the strength (S,) in [0, 1] of each superpixel."""
    strength = np.abs(weights) / full if full > 0 else np.zeros_like(weights)
    return np.where(weights[:, None] > 0, RAISES, LOWERS).astype(np.float64), strength


def _hatched(labels: NDArray[Any], weights: FloatArray, full: float) -> Any:
    """Return the pixels (h, w) of the stripes over what lowers the target."""
    y, x = np.arange(labels.shape[0])[:, None], np.arange(labels.shape[1])
    lowers = weights < -_FAINTEST * full
    return ((x + y) % _HATCH < 2) & lowers[labels]


def _edges(labels: NDArray[Any]) -> Any:
    """Return the pixels (h, w) where another superpixel begins to the right or below."""
    edges = np.zeros(labels.shape, dtype=bool)
    edges[:, :-1] |= labels[:, 1:] != labels[:, :-1]
    edges[:-1] |= labels[1:] != labels[:-1]
    return edges


def _blend(under: Any, labels: NDArray[Any], weights: FloatArray, full: float, most: float) -> Any:
    """Lay the superpixels' colours over grey (h, w, 1), with stripes; return (h, w, 3) float32."""
    colours, strength = _tints(weights, full)
    opacity = strength * most
    paint = (colours * opacity[:, None]).astype(np.float32)
    made = under * (1 - opacity).astype(np.float32)[labels][..., None] + paint[labels]
    stripes = _hatched(labels, weights, full)
    made[stripes] *= np.float32(0.62)
    return made


def _with_edges(made: Any, ground: Backdrop, most: float) -> Any:
    """Return an image of what was blended, with the edges of the superpixels."""
    from PIL import Image

    if not ground.by_pixel:
        made[ground.edges] = made[ground.edges] * 0.35 + 255 * 0.65 * (most < 1)
    unseen = ground.drawn == ground.count
    made[unseen] = made[unseen] * 0.35 + 235 * 0.65
    return Image.fromarray(np.rint(made).astype(np.uint8))


def _inner_points(labels: NDArray[Any]) -> list[tuple[int, int, float]]:
    """Return of each superpixel its innermost point (x, y) and how far it is from the edge."""
    from scipy.ndimage import distance_transform_edt, find_objects

    points = []
    for label, part in enumerate(find_objects(labels + 1)):
        inside = np.pad(labels[part] == label, 1)
        depth = distance_transform_edt(inside)
        y, x = np.unravel_index(int(np.argmax(depth)), depth.shape)
        points.append((int(x) - 1 + part[1].start, int(y) - 1 + part[0].start, float(depth.max())))
    return points


def _write(pen: Any, x: float, y: float, text: str, font: Any) -> None:
    pen.text(
        (x, y), text, font=font, anchor="mm", fill="black", stroke_width=2, stroke_fill="white"
    )


def _write_weights(image: Any, ground: Backdrop, weights: FloatArray) -> None:
    """Print each weight inside its superpixel: the number, or where it is too small the sign."""
    if ground.by_pixel:
        return
    from PIL import ImageDraw, ImageFont

    pen, font = ImageDraw.Draw(image), ImageFont.load_default(_FONT)
    for weight, (x, y, depth) in zip(weights.tolist(), ground.points, strict=True):
        number = f"{weight:+.2g}"
        for text in (number, number[0]):
            left, top, right, bottom = pen.textbbox((x, y), text, font=font, anchor="mm")
            if max(right - left, bottom - top) / 2 <= 1.15 * depth and weight != 0:
                _write(pen, x, y, text, font)
                break


def _write_names(image: Any, ground: Backdrop, weights: FloatArray) -> None:
    """Print the numbers of the superpixels of greatest weight, by which tables name them."""
    from PIL import ImageDraw, ImageFont

    pen, font = ImageDraw.Draw(image), ImageFont.load_default(_FONT)
    order = np.argsort(-np.abs(weights), kind="stable")[:_NUMBERED]
    for at in order[weights[order] != 0].tolist():
        x, y, _ = ground.points[at]
        _write(pen, x, y, str(at), font)


def _with_caption(image: Any, caption: str, full: float) -> Any:
    """Add what is explained and the scale of the colours below a picture."""
    from PIL import Image, ImageDraw, ImageFont

    width = max(image.width, 320)
    whole = Image.new("RGB", (width, image.height + _STRIP), "white")
    whole.paste(image, ((width - image.width) // 2, 0))
    pen, font = ImageDraw.Draw(whole), ImageFont.load_default(_SMALL_FONT)
    top = image.height + 4
    caption = cleaned(caption).encode("latin-1", "replace").decode("latin-1")  # what the font draws
    while pen.textlength(caption, font=font) > width - 12 and len(caption) > 4:
        caption = caption[:-4] + "..."
    pen.text((6, top), caption, font=font, fill="black")
    ends = [f"lowers -{full:.2g}", f"raises +{full:.2g}"]
    spans = [pen.textlength(text, font=font) for text in ends]
    first, last = 12 + int(spans[0]), width - 12 - int(spans[1])
    place = np.linspace(-1, 1, last - first)
    strip = np.tile(np.arange(last - first), (12, 1))
    bar = _blend(np.float32(255), strip, place, 1.0, 1.0)
    whole.paste(Image.fromarray(np.rint(bar).astype(np.uint8)), (first, top + 24))
    pen.text((6, top + 21), ends[0], font=font, fill="black")
    pen.text((last + 6, top + 21), ends[1], font=font, fill="black")
    return whole


def as_png(image: Any) -> bytes:
    """Return a picture as the bytes of a PNG."""
    file = io.BytesIO()
    image.save(file, format="PNG", compress_level=2)
    return file.getvalue()


def draw_heatmap(ground: Backdrop, weights: FloatArray, caption: str, floor: float = 0.0) -> bytes:
    """
    Return a PNG of the signed weights on white.

    Parameters
    ----------
    ground
        The superpixels.
    weights : (S,)
    caption
        What is explained.
    floor
        The least weight whose colour may be full: if all are far below it, nothing is coloured.
    """
    full, padded = _full(weights, floor), np.append(weights, 0.0)
    image = _with_edges(_blend(np.float32(255), ground.drawn, padded, full, 1.0), ground, 1.0)
    _write_weights(image, ground, weights)
    return as_png(_with_caption(image, caption, full))


def draw_overlay(
    picture: NDArray[Any], ground: Backdrop, weights: FloatArray, caption: str, floor: float = 0.0
) -> bytes:
    """
    Return a PNG of the signed weights over the picture, superpixels numbered as tables name them.

    Parameters
    ----------
    picture : (h, w, c) uint8 or float
        The original. Floats are drawn from their least to their largest value.
    ground, weights, caption, floor
        As for ``draw_heatmap``.
    """
    full, padded = _full(weights, floor), np.append(weights, 0.0)
    grey = 64 + 0.75 * _brought(_grey(picture), ground.shape)  # black would swallow the colours
    made = _blend(grey[..., None], ground.drawn, padded, full, _STRONGEST)
    image = _with_edges(made, ground, _STRONGEST)
    _write_names(image, ground, weights)
    return as_png(_with_caption(image, caption, full))


def _brought(grey: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return a picture (h, w) in another size: every pixel stays one where it grows."""
    from PIL import Image

    grows = shape[0] >= grey.shape[0]
    way = Image.Resampling.NEAREST if grows else Image.Resampling.BOX
    return np.asarray(Image.fromarray(grey).resize(shape[::-1], way), dtype=np.float32)


def _grey(picture: NDArray[Any]) -> NDArray[np.float32]:
    """Return the mean colour (h, w) of a picture from 0 to 255, without alpha."""
    colours = picture[..., :3].mean(axis=2, dtype=np.float32)
    if picture.dtype == np.uint8:
        return np.asarray(colours, dtype=np.float32)
    least, span = colours.min(), np.ptp(colours)
    return (colours - least) * (255.0 / span) if span > 0 else np.full_like(colours, 127.5)


def draw_segments(labels: NDArray[Any]) -> bytes:
    """
    Return a PNG that is the label map itself, and can be given back as ``--segmenter file=PATH``.

    Up to 256 superpixels its indices are the labels, under a palette that tells them apart; beyond,
    it is 16-bit grey.
    """
    from PIL import Image

    if labels.max() > 255:
        return as_png(Image.fromarray(labels.astype(np.uint16)))
    image = Image.fromarray(labels.astype(np.uint8), mode="P")
    turns = np.arange(256) * 0.618034 % 1.0  # the golden ratio keeps neighbours apart
    angles = 2 * np.pi * (turns[:, None] + np.array([0.0, 1 / 3, 2 / 3]))
    image.putpalette((150 + 90 * np.cos(angles)).round().astype(np.uint8).ravel().tolist())
    return as_png(image)
