"""The sampler of tables: LIME's draws of whole rows, each feature from the background."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from xplain_cli.baselines.held_cells import HeldCells
from xplain_cli.errors import UsageError
from xplain_cli.explanation import BoolArray, FloatArray
from xplain_cli.features import Block, Draw, Traits, unsalted
from xplain_cli.methods.sobol import WHOLE, sobol_numbers
from xplain_cli.modalities.tabular.cells import Binned, Categories, Cell, Gaussian, draw_parts
from xplain_cli.modalities.tabular.conditions import COLUMNS as CONDITION_COLUMNS
from xplain_cli.modalities.tabular.conditions import conditions
from xplain_cli.modalities.tabular.held_values import NOTHING_HELD, HeldValues
from xplain_cli.seeds import stream


@dataclass(frozen=True)
class TableSampler:
    """
    LIME's law for tables: features drawn independently from the background, row or no row.

    The law does not depend on the row that is explained (only the match codes and the kernel
    do), so one pool of draws serves every row of a dataset. Ribeiro et al. 2016,
    arXiv:1602.04938; the constants are those of the package ``lime`` 0.2.0.1.

    Attributes
    ----------
    names : feature names; a group counts as one
    cells : how each feature is coded and drawn
    columns : the model's input columns, in order
    kinds : the kind of each of these columns
    held : the columns that stay the row's own: they have no cell
    """

    names: tuple[str, ...]
    cells: tuple[Cell, ...]
    columns: tuple[str, ...]
    kinds: tuple[str, ...]
    held: HeldValues = NOTHING_HELD

    weight_columns: ClassVar[tuple[str, ...]] = CONDITION_COLUMNS
    stability_columns: ClassVar[tuple[str, ...]] = ()

    salted = unsalted

    @property
    def traits(self) -> Traits:
        """What planning and the engine must know of it."""
        grouped = any(len(cell.columns) > 1 for cell in self.cells)
        return Traits(
            n_fitted=0 if self.binned else len(self.names),
            no_closed_form="has no closed form for --group" if grouped else None,
            pools=self.held.pools,
        )

    @property
    def draws(self) -> Self:
        """The perturbation itself: it does not depend on the row."""
        return self

    @property
    def free(self) -> tuple[str, ...]:
        """The columns that are drawn."""
        return tuple(c for c in self.columns if c not in self.held.columns)

    @property
    def owners(self) -> tuple[int, ...]:
        """The feature that each column belongs to; -1 for one that is held."""
        owner = {c: j for j, cell in enumerate(self.cells) for c in cell.columns}
        return tuple(owner.get(c, -1) for c in self.columns)

    @property
    def levels(self) -> tuple[int, ...]:
        """Of each feature the number of its codes."""
        return tuple(len(frequency) for frequency in self.frequencies)

    @property
    def frequencies(self) -> tuple[FloatArray, ...]:
        """Of each feature the frequency of each code."""
        return tuple(cell.frequencies for cell in self.cells)

    @property
    def binned(self) -> bool:
        """Whether every feature has bins or categories."""
        return not any(isinstance(cell, Gaussian) for cell in self.cells)

    def split(self, table: pd.DataFrame) -> Block:
        """Split aligned rows (``columns``, in order) into features."""
        n_rows = len(table)
        codes = np.empty((n_rows, len(self.cells)), dtype=np.int64)
        positions = np.ones((n_rows, len(self.cells)))
        for j, cell in enumerate(self.cells):
            codes[:, j] = cell.code(table)
            if isinstance(cell, Gaussian):
                positions[:, j] = cell.position(table)
        shown = {c: shown_cells(table[c], k) for c, k in zip(self.columns, self.kinds, strict=True)}
        values = [feature_values(cell.columns, shown, n_rows) for cell in self.cells]
        own = self.held.keys and row_keys(table[list(self.held.columns)])
        return Block(
            codes=codes,
            positions=positions,
            values=tuple(zip(*values, strict=True)),
            inputs=table,
            keys=row_keys(table),
            names=self.names,
            columns=conditions(self.cells, codes),
            pool_of=self.held.pool_of(own) if own else None,
        )

    def draw(
        self, count: int, keys: Sequence[tuple[int, ...]], row: pd.DataFrame | None = None
    ) -> tuple[Draw, pd.DataFrame]:
        """
        Draw *count* rows in each of several repeats, one after the other.

        Each repeat is a scrambled Sobol sequence, one dimension a feature.

        Parameters
        ----------
        count
            Draws m; a power of two keeps the sequence balanced.
        keys
            Of each repeat what seeds the scramble: purpose, the run's seed, the row's hash if any,
            the repeat.
        row
            One row: numbers without bins are then centred on it (LIME's sample_around_instance),
            and the held ones are its own.

        Returns
        -------
        Draw, and the rows as a table with ``columns``: the draws once for each combination of held
        values.
        """
        n, total, binned = len(self.cells), len(keys) * count, self.binned
        uniform = np.empty((n, total))
        for i, key in enumerate(keys):
            _fill(uniform[:, i * count : (i + 1) * count], key)
        codes = np.empty((n, total), dtype=_narrow(self.levels))
        positions = np.ones((0 if binned else n, total))
        parts = np.zeros((n if binned else 0, total), dtype=np.uint8)
        drawn: dict[str, Any] = {}
        for j, cell in enumerate(self.cells):
            codes[j], values, own = draw_parts(cell, uniform[j])
            if binned:
                parts[j] = own
            if isinstance(cell, Gaussian):
                if row is not None:
                    shift = float(row[cell.name].iloc[0]) - cell.mean
                    values = {cell.name: values[cell.name] + shift}
                positions[j] = (values[cell.name] - cell.mean) / cell.sd
            drawn |= values
        del uniform  # as large as the draws
        # as Series: the constructor would turn objects into another kind of text
        ready = {c: drawn[c] for c in self.free}
        texts = {c: pd.Series(v, dtype=v.dtype) for c, v in ready.items() if v.dtype.kind == "O"}
        return Draw(codes, positions, parts), self._around(pd.DataFrame(ready | texts), row)

    def _around(self, drawn: pd.DataFrame, row: pd.DataFrame | None) -> pd.DataFrame:
        """Return draws of the free columns with the held cells of a row, or of all combinations."""
        if not self.held.columns:
            return drawn
        own = self.held.combinations if row is None else row
        if own is None:
            raise ValueError("a shared pool needs the combinations of held values")
        whole = own.reindex(columns=list(self.columns))
        held = HeldCells(whole.reset_index(drop=True), self.free)
        made = [held.of_row(place, drawn) for place in range(len(held))]
        return made[0] if len(made) == 1 else pd.concat(made, ignore_index=True)

    def interval(
        self, feature: int, lower: FloatArray, upper: FloatArray, missing: BoolArray
    ) -> FloatArray:
        """
        Return P(lower < x <= upper | code), (e, codes), for e intervals on a feature.

        Raises
        ------
        UsageError
            The feature is a group, or a number without bins.
        """
        cell = self.cells[feature]
        if isinstance(cell, Binned | Categories):
            return cell.interval(lower, upper, missing)
        raise UsageError(
            f"lime:exact=yes: feature {self.names[feature]!r} has no interval probabilities;"
            " take lime:exact=no with --group"
        )

    def contrast(self, draw: Draw, block: Block, row: int) -> tuple[Any, Any]:
        """
        Compare draws with a row.

        Returns
        -------
        coordinates : (n, m) bool or float
            True where the draw's bin is the row's; standardised values without bins.
        distances : (m,) int or float
            Squared Euclidean distance from the row in these coordinates; whole where all are bins.
        """
        own = block.codes[row].astype(draw.codes.dtype)
        present = draw.codes == own[:, None]
        if self.binned:
            # counting in one byte is several times faster, where it can hold the count
            counts = np.int8 if len(own) <= 127 else np.int32
            return present, len(own) - np.add.reduce(present.view(np.int8), axis=0, dtype=counts)
        numbers = np.array([isinstance(cell, Gaussian) for cell in self.cells])
        coordinates = np.where(numbers[:, None], draw.positions, present)
        offsets = coordinates - block.positions[row][:, None]
        return coordinates, np.einsum("nm,nm->m", offsets, offsets)


_LEAST_BALANCED, _POINTS_A_COLUMN = 31, 32


def _fill(uniform: FloatArray, key: tuple[int, ...]) -> None:
    """
    Fill (n, count) with points of scrambled Sobol sequences, as many columns of each as balanced.

    Of 1,024 points the quarters of a column fill the eighths of another one evenly up to 31 columns
    (of 2,048 up to 63). Of further ones some stand in a fixed relation to columns before,
    whatever the scramble, and take over their effects: so they have a sequence of their own, in an
    order of its own.
    """
    n, count = uniform.shape
    level = int(np.ceil(np.log2(count)))
    width = max(_LEAST_BALANCED, (1 << level) // _POINTS_A_COLUMN - 1)
    for start in range(0, n, width):
        source = stream(*key) if start == 0 else stream(*key, start)
        points = sobol_numbers(min(width, n - start), count, source)
        ordered = points if start == 0 else points[:, source.permutation(count)]
        uniform[start : start + width] = ordered / WHOLE


def _narrow(levels: tuple[int, ...]) -> Any:
    """Return one byte for codes where they fit: matching is bound by memory."""
    return np.int8 if max(levels, default=0) <= 128 else np.int32


def shown_cells(column: "pd.Series[Any]", kind: str) -> list[Any]:
    """Return a column's values as the user knows them: integers whole, missing None."""
    values = column.to_numpy().tolist()
    if kind == "integer":
        return [int(v) if math.isfinite(v) else None for v in values]
    if column.dtype.kind == "f" and not column.hasnans:
        return values
    return [None if v is None or v != v else v for v in values]  # noqa: PLR0124 - NaN


def feature_values(
    members: tuple[str, ...], shown: Mapping[str, list[Any]], n_rows: int
) -> list[Any]:
    """Return a feature's values: those of its column, or COLUMN=VALUE of each in a group."""
    if len(members) == 1:
        return shown[members[0]]
    return [";".join(f"{c}={shown[c][i]}" for c in members) for i in range(n_rows)]


def row_keys(table: pd.DataFrame) -> tuple[bytes, ...]:
    """Return SHA-256 of each row's values: equal rows have equal keys, wherever they stand."""
    numeric = [c for c in table.columns if table[c].dtype.kind in "fiub"]
    other = [c for c in table.columns if c not in numeric]
    numbers = table[numeric].to_numpy(dtype=np.float64) + 0.0  # -0.0 is 0.0
    numbers[np.isnan(numbers)] = np.nan
    data, size = numbers.tobytes(), numbers.shape[1] * numbers.itemsize
    rows = [data[i * size : (i + 1) * size] for i in range(len(table))]
    if other:
        cells = zip(*(table[c].tolist() for c in other), strict=True)
        rows = [row + repr(own).encode() for row, own in zip(rows, cells, strict=True)]
    return tuple(hashlib.sha256(row).digest() for row in rows)
