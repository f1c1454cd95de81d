"""How many features the rows of a run have, and which few of them stand for all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.explanation import BoolArray, IntArray, Rows
from xplain_cli.features import Split
from xplain_cli.modalities import Piece
from xplain_cli.models.batches import count, join_inputs, take
from xplain_cli.planning.choices import Choices
from xplain_cli.planning.inputs import Inputs

_MOST = 10_000  # rows that are split to know how long all are: about a second for texts


def features_of(chosen: Choices, split: Split) -> IntArray:
    """Return the features (r,) of rows; 0 of those that cannot be split, which ask nothing."""
    limit = chosen.perturbation.traits.most_features
    counts = np.array(split.counts, dtype=np.int64)
    counts[list(split.reasons)] = 0
    return counts if limit is None else np.minimum(counts, limit)


def pieces_of(opened: Inputs, chosen: Choices, start: int, stop: int) -> Iterator[Piece]:
    """Yield rows in pieces of the modality's own size."""
    size = opened.modality.chunk_rows(chosen.method, chosen.neighbourhood)
    return opened.modality.pieces(size, start, stop)


@dataclass(frozen=True)
class Lengths:
    """
    The features of rows that have more or fewer of them.

    Attributes
    ----------
    counts : (s,) int
        Of the first row, and of every *step*-th one from there.
    repeats : (s,) bool
        Whether the same row stands before it in its chunk, which then asks for both; where rows
        are left out nobody looks.
    step
        Rows from one to the next.
    """

    counts: IntArray
    repeats: BoolArray
    step: int

    def typical(self, most: int) -> IntArray:
        """Return places (r,) in *counts*, at most so many, of rows that are as long as all are."""
        number = min(most, len(self.counts))
        middles = ((np.arange(number) + 0.5) / number * len(self.counts)).astype(np.int64)
        return np.sort(np.argsort(self.counts, kind="stable")[middles])

    def of_all(self, values: Any, rows: int) -> Any:
        """Return values (s,) of the rows that were split, repeated for *rows* rows."""
        return np.repeat(values, self.step)[:rows]


def _repeated(keys: Sequence[bytes], chunk: int) -> BoolArray:
    """Tell which rows (r,) stand before in their chunk."""
    seen = set[tuple[int, bytes]]()
    found = np.zeros(len(keys), dtype=np.bool_)
    for i, key in enumerate(keys):
        found[i] = (i // chunk, key) in seen
        seen.add((i // chunk, key))
    return found


def lengths_of(opened: Inputs, chosen: Choices, chunk: int) -> Lengths | None:
    """Return how long the rows of a run are; None where all have equally many features."""
    if chosen.neighbourhood.features is not None:
        return None
    rows = opened.stop - opened.start
    step = -(-rows // _MOST)
    found, keys, at = [], list[bytes](), 0
    for piece in pieces_of(opened, chosen, opened.start, opened.stop):
        places = np.arange(-at % step, count(piece.batch), step)
        split = chosen.perturbation.split(take(piece.batch, places))
        found.append(features_of(chosen, split))
        keys += split.keys
        at += count(piece.batch)
    return Lengths(np.concatenate(found), _repeated(keys, chunk if step == 1 else 1), step)


def piece_of(opened: Inputs, chosen: Choices, places: IntArray) -> Piece:
    """Return the rows at *places* (r,), ascending and counted from the first row, as one piece."""
    batches, ids, kept, unread = [], list[Any](), [], dict[int, str]()
    at = 0
    for piece in pieces_of(opened, chosen, opened.start, opened.start + int(places[-1]) + 1):
        inside = places[(places >= at) & (places < at + count(piece.batch))] - at
        at += count(piece.batch)
        if not len(inside):
            continue
        here = inside.tolist()
        unread |= {
            len(ids) + j: why for j, i in enumerate(here) if (why := piece.rows.unread.get(i))
        }
        batches.append(take(piece.batch, here))
        ids += [piece.rows.ids[i] for i in here]
        kept.append(piece.rows.kept.iloc[here])
    rows = Rows(opened.start, ids, pd.concat(kept, ignore_index=True), unread)
    return Piece(join_inputs(batches), rows)
