"""Rows and what a generator makes of them, side by side: as lines, and as a picture."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.baselines.generators import SamplePairs
from xplain_cli.baselines.learned_file import LearnedFile
from xplain_cli.baselines.vectors import TableSpace
from xplain_cli.explanation import FloatArray

_SHADES = " .:-=+*#%@"
_WIDEST = 36  # characters of a drawn picture
_ZOOM, _GAP = 8, 4


def made_pairs(learned: LearnedFile, samples: SamplePairs) -> FloatArray:
    """Return the vectors that the generator makes of some rows."""
    fixed = np.broadcast_to(learned.space.stays, samples.vectors.shape)
    return learned.generator.made(samples.vectors, fixed, samples.wanted)


def pair_lines(learned: LearnedFile, samples: SamplePairs) -> Iterator[str]:
    """Yield lines that show rows and what is made of them."""
    made, space = made_pairs(learned, samples), learned.space
    for i, (own, wanted) in enumerate(
        zip(samples.own.tolist(), samples.wanted.tolist(), strict=True)
    ):
        yield f"pair {i + 1}: {learned.outputs[own]} -> {learned.outputs[wanted]}"
        both = np.stack([samples.vectors[i], made[i]])
        if space.form.shape is None:
            yield from _changes(space, both)
        else:
            yield from _drawn(both, space.form.shape)


def _changes(space: Any, both: FloatArray) -> list[str]:
    """Return the columns that change, a line each; the others in a word."""
    table: TableSpace = space
    blank = pd.DataFrame({
        one.name: np.array([one.levels[0] if one.levels else one.low] * 2, dtype=object)
        if one.levels
        else np.full(2, one.low)
        for one in table.columns
    })
    rows = table.rows(both, blank)
    lines = [
        f"  {name}: {_cell(rows[name][0])} -> {_cell(rows[name][1])}"
        for name in rows.columns
        if _cell(rows[name][0]) != _cell(rows[name][1])
    ]
    return [*lines, f"  {len(rows.columns) - len(lines)} other columns stay"]


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _drawn(both: FloatArray, shape: tuple[int, int, int]) -> list[str]:
    """Return two pictures in characters, dark to bright, side by side."""
    height, width, channels = shape
    step = -(-width // _WIDEST)
    planes = both.reshape(2, height, width, channels).mean(axis=3)[:, ::step, ::step]
    shades = np.clip((planes + 1) / 2 * len(_SHADES), 0, len(_SHADES) - 1).astype(int)
    return [
        "  " + "    ".join("".join(_SHADES[v] * 2 for v in line) for line in lines)
        for lines in zip(*shades.tolist(), strict=True)
    ]


def pairs_picture(learned: LearnedFile, samples: SamplePairs) -> Any:
    """Return the pairs as an image: rows above, what is made of them below."""
    from PIL import Image

    height, width, channels = learned.space.form.shape or (1, 1, 1)
    lines = []
    for vectors in (samples.vectors, made_pairs(learned, samples)):
        tiles = (vectors.reshape(-1, height, width, channels) + 1) / 2
        lines.append(_beside(list(tiles)))
    sheet = np.concatenate([lines[0], np.ones((_GAP, *lines[0].shape[1:])), lines[1]])
    bytes_ = np.rint(np.clip(sheet, 0, 1) * 255).astype(np.uint8)
    bytes_ = bytes_[..., :3] if channels >= 3 else bytes_[..., 0]
    return Image.fromarray(bytes_)


def _beside(tiles: Sequence[FloatArray]) -> FloatArray:
    wide = [one.repeat(_ZOOM, axis=0).repeat(_ZOOM, axis=1) for one in tiles]
    gap = np.ones((wide[0].shape[0], _GAP, wide[0].shape[2]))
    parts = [part for one in wide for part in (one, gap)]
    return np.concatenate(parts[:-1], axis=1)
