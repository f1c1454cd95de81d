"""Tables by masks: an absent feature takes its value in the row's baseline."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from xplain_cli.baselines.assignment import NO_CLASS, Ask, Assigned, FittedBaseline, foils
from xplain_cli.baselines.held_cells import HeldCells
from xplain_cli.baselines.tables import Distance, differ
from xplain_cli.errors import UsageError
from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.features import (
    NOT_EMPTY,
    FeatureLabels,
    Grid,
    Inclusion,
    Subset,
    Traits,
    not_refined,
    read_whole,
    uncharted,
    unsalted,
)
from xplain_cli.modalities.tabular.draws import feature_values, row_keys, shown_cells
from xplain_cli.models.batches import repeated


@dataclass(frozen=True)
class TableMasker:
    """
    A row between itself and its baseline.

    Attributes
    ----------
    names, members
        Features, and the columns of each; a group is one feature.
    columns, kinds
        The model's input columns, in order, and the kind of each.
    giver
        Gives rows their baselines.
    distance
        How far a baseline is.
    outputs
        Names of the model's outputs.
    judged
        Whether an independent model judges the baselines.
    every
        Whether features that equal the baseline are explained too.
    held
        The columns that stay the row's own: they belong to no feature.
    """

    names: tuple[str, ...]
    members: tuple[tuple[str, ...], ...]
    columns: tuple[str, ...]
    kinds: tuple[str, ...]
    giver: FittedBaseline
    distance: Distance
    outputs: tuple[str, ...]
    judged: bool = False
    every: bool = False
    held: tuple[str, ...] = ()

    draws: ClassVar[None] = None
    inclusion: ClassVar[Inclusion] = "bernoulli"
    distance_unit: ClassVar[float] = 1.0
    weight_columns: ClassVar[tuple[str, ...]] = ("baseline_value",)

    salted = unsalted

    @property
    def traits(self) -> Traits:
        """What planning and the engine must know of it."""
        giver = self.giver
        return Traits(
            has_baselines=True,
            copies=giver.k,
            most_asked=giver.most_asked,
            needs_foil=giver.wanted is None,
            no_closed_form=None,
            no_path=None,
            no_slope=self._no_slope(),
            drawn=getattr(giver, "drawn", False),  # a sample says so, most others say nothing
        )

    def _no_slope(self) -> str | None:
        """Return why a column has no slope: it is a category."""
        spreads = zip(self.distance.columns, self.distance.spreads.tolist(), strict=True)
        words = [column for column, spread in spreads if spread == 0]
        return f"gives slopes of numbers, and {words[0]!r} holds categories" if words else None

    @property
    def owners(self) -> list[int]:
        """The feature that each column belongs to; -1 for one that is held."""
        owner = {c: j for j, members in enumerate(self.members) for c in members}
        return [owner.get(c, -1) for c in self.columns]

    def kept(self, rows: pd.DataFrame, baselines: pd.DataFrame) -> pd.DataFrame:
        """Return baselines with the held cells of their rows, which stand side by side."""
        if not self.held:
            return baselines
        free = tuple(c for c in self.columns if c not in self.held)
        return HeldCells(rows, free).with_cells(baselines)

    @property
    def stability_columns(self) -> tuple[str, ...]:
        """Further columns of stability.csv."""
        by_itself = getattr(self.giver, "judges", False)  # of the few that bring a judge
        judged = ("judge_in_class",) if self.judged or by_itself else ()
        return ("baseline_origin", "baseline_class", "baseline_in_class", *judged, "n_changed")

    def split(self, table: pd.DataFrame) -> "TableRows":
        """Split aligned rows into features; their baselines come with ``grounded``."""
        return TableRows(self, table, row_keys(table))


def _as_numbers(cells: Any) -> FloatArray:
    """Return cells (k,) as numbers: of categories how many of the cells are of the same one."""
    if cells.dtype.kind in "fiub":
        return np.asarray(cells, dtype=np.float64)
    counts = Counter(map(str, cells.tolist()))
    return np.array([counts[str(cell)] for cell in cells.tolist()], dtype=np.float64)


@dataclass(frozen=True)
class _RowBaselines:
    """Baselines of b rows, and what is known of them."""

    table: pd.DataFrame
    moves: BoolArray  # (b, n): the feature differs from some of the row's baselines
    row_columns: Mapping[str, Any]


@dataclass(frozen=True)
class TableRows:
    """
    Rows of a table, each with its baseline.

    Features that are equal in all of a row's baselines are no players: they cost nothing.
    """

    perturbation: TableMasker
    inputs: pd.DataFrame
    keys: tuple[bytes, ...]
    ground: _RowBaselines | None = None
    reasons: Mapping[int, str] = field(default_factory=dict)

    inputs_repeat: ClassVar[bool] = False
    pool_of: ClassVar[None] = None
    empty: ClassVar[Mapping[int, str]] = NOT_EMPTY

    read_to = read_whole
    refined = not_refined
    charted = uncharted

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.keys)

    @property
    def copies(self) -> int:
        """Model inputs of each mask: one for every baseline, averaged."""
        return self.perturbation.giver.k

    @property
    def most_asked(self) -> int:
        """Model inputs that finding the baselines of a row takes at most."""
        return self.perturbation.giver.most_asked

    @property
    def n_all(self) -> int:
        """All features of a row."""
        return len(self.perturbation.names)

    @property
    def moves(self) -> BoolArray:
        """Where a feature differs from the row's baseline, (b, n)."""
        if self.ground is None:
            return np.ones((len(self), len(self.perturbation.names)), dtype=bool)
        return self.ground.moves

    @property
    def counts(self) -> IntArray:
        """Return the number of features that differ from the baseline, (b,)."""
        return np.asarray(self.moves.sum(axis=1), dtype=np.int64)

    @property
    def places(self) -> IntArray:
        """Return which features those are, (b, n); all rows have equally many."""
        return np.flatnonzero(self.moves.ravel()).reshape(len(self), -1) % len(
            self.perturbation.names
        )

    @property
    def subset(self) -> Subset:
        """The features that differ from the baseline, among all; rows have equally many."""
        return Subset(self.n_all, self.places)

    def take(self, rows: Sequence[int]) -> "TableRows":
        """Return some of the rows."""
        chosen, ground = np.array(list(rows), dtype=np.int64), self.ground
        if ground is not None:
            own = (chosen[:, None] * self.copies + np.arange(self.copies)).ravel()
            columns = {name: np.asarray(part)[chosen] for name, part in ground.row_columns.items()}
            ground = _RowBaselines(repeated(ground.table, own), ground.moves[chosen], columns)
        keys = tuple(self.keys[i] for i in rows)
        return replace(self, inputs=repeated(self.inputs, chosen), keys=keys, ground=ground)

    def with_baselines(
        self, pairs: IntArray, outputs: FloatArray, ask: Ask
    ) -> tuple["TableRows", IntArray]:
        """
        Give the rows their baselines.

        Parameters
        ----------
        pairs : (b, t, 2) int
            Each row's targets.
        outputs : (b, k) float
            The model's outputs at the rows.
        ask
            Asks the model.

        Returns
        -------
        the rows with their baselines, and the model inputs that these took, (b,)
        """
        perturbation, b = self.perturbation, len(self)
        wanted = perturbation.giver.wanted
        classes = foils(pairs, outputs) if wanted is None else np.full(b, wanted)
        given = perturbation.giver.assign(self.inputs, classes, ask)
        own = np.repeat(np.arange(b), self.copies)
        mine = repeated(self.inputs, own)
        given = replace(given, values=perturbation.kept(mine, given.values))
        apart = differ(mine, given.values, perturbation.members).reshape(b, self.copies, -1)
        changed = np.asarray(apart.any(axis=1), dtype=np.bool_)
        moves = np.ones_like(changed) if perturbation.every else changed
        facts = self._facts(given, classes, changed, mine, ask)
        asked = given.asked + (facts["baseline_in_class"] >= 0) * self.copies
        return replace(self, ground=_RowBaselines(given.values, moves, facts)), asked

    def _facts(
        self, given: Assigned, classes: IntArray, moves: BoolArray, mine: pd.DataFrame, ask: Ask
    ) -> dict[str, Any]:
        """Return what is said of each row's baselines."""
        perturbation, b = self.perturbation, len(self)
        far = perturbation.distance.between(
            perturbation.distance.coded(mine), perturbation.distance.coded(given.values)
        )
        names, inside = np.full(b, None, dtype=object), np.full(b, np.nan)
        if b and (classes != NO_CLASS).any():
            found = ask(given.values).argmax(axis=1).reshape(b, self.copies)
            inside = (found == classes[:, None]).mean(axis=1)
            names[:] = [perturbation.outputs[c] for c in classes.tolist()]
        judged = {} if given.judged is None else {"judge_in_class": given.judged.astype(float)}
        return judged | {
            "baseline_origin": np.array(given.origins, dtype=object),
            "baseline_class": names,
            "baseline_in_class": inside,
            "n_changed": moves.sum(axis=1),
            "baseline_distance": far.reshape(b, self.copies).mean(axis=1),
        }

    def judged(self, classes_of: Callable[[pd.DataFrame], IntArray]) -> "TableRows":
        """Note for each row the share of its baselines that a judge puts in their class."""
        if self.ground is None:
            return self
        facts = dict(self.ground.row_columns)
        place = {name: i for i, name in enumerate(self.perturbation.outputs)}
        wanted = np.array([place[name] for name in facts["baseline_class"].tolist()])
        found = classes_of(self.ground.table).reshape(len(self), self.copies)
        facts["judge_in_class"] = (found == wanted[:, None]).mean(axis=1)
        return replace(self, ground=replace(self.ground, row_columns=facts))

    def shown(self) -> FeatureLabels:
        """Return all features, their values, and their values in the baseline."""
        perturbation, b = self.perturbation, len(self)
        values = self._values(self.inputs)
        names = np.broadcast_to(np.array(perturbation.names, dtype=object), values.shape)
        absent = np.full(values.shape, None, dtype=object)
        if self.ground is not None and self.copies == 1:
            absent = self._values(self.ground.table)
        facts = {} if self.ground is None else self.ground.row_columns
        return FeatureLabels(names, values.reshape(b, -1), {"baseline_value": absent}, facts)

    def _values(self, table: pd.DataFrame) -> Any:
        """Return values (b, n) as the user knows them."""
        perturbation = self.perturbation
        cells = {
            c: shown_cells(table[c], kind)
            for c, kind in zip(perturbation.columns, perturbation.kinds, strict=True)
        }
        values = np.empty((len(table), len(perturbation.names)), dtype=object)
        for j, members in enumerate(perturbation.members):
            values[:, j] = feature_values(members, cells, len(table))
        return values

    def sides(self, row: int) -> tuple[FloatArray, FloatArray, IntArray]:
        """
        Return a row of numbers, its baselines, and the feature that owns each column.

        Returns
        -------
        row (c,), baselines (k, c), owners (c,): -1 where row and baselines are equal
        """
        if self.ground is None:
            raise ValueError("the rows have no baselines yet")
        moves = self.ground.moves[row]
        # what is held has the owner -1, which is the last one here
        owners = np.append(np.where(moves, np.cumsum(moves) - 1, -1), -1)[self.perturbation.owners]
        k = self.copies
        theirs = self.ground.table.iloc[row * k : (row + 1) * k]
        mine = self.inputs.iloc[row].to_numpy(dtype=np.float64)
        return mine, theirs.to_numpy(dtype=np.float64), owners

    def masked(self, row: int, masks: BoolArray) -> pd.DataFrame:
        """
        Return the row between itself and its baselines: the inputs (m * k) of masks (m, n).

        Parameters
        ----------
        masks
            Over the features that differ; True where the row's own value stays.
        """
        if self.ground is None:
            raise ValueError("the rows have no baselines yet")
        k = self.copies
        kept = self._kept(row, masks)
        own = slice(row * k, (row + 1) * k)
        if self._numbers is not None:
            mine, theirs = self._numbers
            made = np.empty((len(masks), k, kept.shape[1]))  # row by row, as models read it
            made[:] = theirs[own]
            np.copyto(made, mine[row], where=kept[:, None])
            flat = made.reshape(-1, made.shape[-1])
            return pd.DataFrame(flat, columns=self._header, copy=False)
        columns = {}
        for j, (c, (mine, theirs)) in enumerate(self._cells.items()):
            both = np.concatenate([mine[row : row + 1], theirs[own]])
            places = np.where(kept[:, j, None], 0, 1 + np.arange(k)).ravel()
            columns[c] = pd.Series(both[places], dtype=mine.dtype, copy=False)
        return pd.DataFrame(columns)

    def masked_on(self, row: int, masks: BoolArray, baselines: IntArray) -> pd.DataFrame:
        """Return the inputs (m,) of masks (m, n), each on one baseline (``DealtRows``)."""
        kept, own = self._kept(row, masks), row * self.copies + baselines
        if self._numbers is not None:
            mine, theirs = self._numbers
            made = theirs[own]
            np.copyto(made, mine[row], where=kept)
            return pd.DataFrame(made, columns=self._header, copy=False)
        cells = {}
        for j, (c, (mine, theirs)) in enumerate(self._cells.items()):
            both = theirs[own]
            both[kept[:, j]] = mine[row]
            cells[c] = pd.Series(both, dtype=mine.dtype, copy=False)
        return pd.DataFrame(cells)

    def _kept(self, row: int, masks: BoolArray) -> BoolArray:
        """Return where each column keeps the row's own cell (m, c), of masks (m, n)."""
        moves, owners = self.moves[row], self.perturbation.owners
        if moves.all() and owners == list(range(len(moves))):
            return masks
        stays = np.ones((len(masks), self.n_all + 1), dtype=bool)  # the last is held
        stays[:, :-1][:, moves] = masks
        return stays[:, owners]

    def baseline_numbers(self, row: int) -> tuple[FloatArray, IntArray]:
        """Return what tells the baselines of a row from each other (``DealtRows``)."""
        k, moves = self.copies, self.moves[row]
        owners = np.append(np.where(moves, np.cumsum(moves) - 1, -1), -1)[self.perturbation.owners]
        if self._numbers is not None:
            made = self._numbers[1][row * k : (row + 1) * k]
        else:
            cells = [theirs[row * k : (row + 1) * k] for _, theirs in self._cells.values()]
            made = np.column_stack([_as_numbers(part) for part in cells])
        return made[:, owners >= 0], owners[owners >= 0]

    def between(self, row: int, shares: FloatArray) -> pd.DataFrame:
        """
        Return the inputs (m * k) between the row's baselines and the row (``MaskedRows.between``).

        Raises
        ------
        UsageError
            Some column is no number.
        """
        if self.ground is None:
            raise ValueError("the rows have no baselines yet")
        if self._numbers is None:
            words = ", ".join(
                str(c) for c, dtype in self.inputs.dtypes.items() if dtype != np.float64
            )
            raise UsageError(f"nothing lies between two values of a column of words: {words}")
        perturbation, k = self.perturbation, self.copies
        whole = np.ones((len(shares), len(perturbation.names) + 1))  # the last is what is held
        whole[:, :-1][:, self.ground.moves[row]] = shares
        share = whole[:, None, perturbation.owners]
        mine, theirs = self._numbers[0][row], self._numbers[1][None, row * k : (row + 1) * k]
        with np.errstate(invalid="ignore"):  # infinity times 0, or less itself: the ends are exact
            step = np.where(share == 0, 0.0, share * (mine - theirs))
        made = np.where(share == 1, mine, theirs + step)
        return pd.DataFrame(
            made.reshape(-1, len(perturbation.columns)), columns=list(perturbation.columns)
        )

    def ends(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the baselines of the rows, and the rows as often (``MaskedRows.ends``)."""
        if self.ground is None:
            raise ValueError("the rows have no baselines yet")
        if self._numbers is None:
            own = np.repeat(np.arange(len(self)), self.copies)
            return self.ground.table, repeated(self.inputs, own)
        columns = list(self.perturbation.columns)
        mine, theirs = self._numbers
        mine = np.repeat(mine, self.copies, axis=0)
        return pd.DataFrame(theirs, columns=columns), pd.DataFrame(mine, columns=columns)

    def shifted(self) -> pd.DataFrame:
        """Return the rows, numbers moved by a standard deviation (``MaskedRows.shifted``)."""
        distance = self.perturbation.distance
        spreads = dict(zip(distance.columns, distance.spreads.tolist(), strict=True))
        columns = {
            c: self.inputs[c] + spreads[c] if spreads.get(c, 0) > 0 else self.inputs[c]
            for c in self.perturbation.columns
        }
        return pd.DataFrame(columns)

    def pooled(self, rows: IntArray, parts: FloatArray, _grid: Grid = None) -> FloatArray:
        """Return the sums (p, n) over the columns of each feature (``MaskedRows.pooled``)."""
        whole = np.zeros((len(parts), self.n_all + 1))  # the last are those of what is held
        for column, owner in enumerate(self.perturbation.owners):
            whole[:, owner] += parts[:, column]
        return np.take_along_axis(whole, self.places[rows], axis=1)

    @cached_property
    def _header(self) -> "pd.Index[Any]":
        """The columns, as a table has them: made once, for it takes longer than small tables."""
        return pd.Index(list(self.perturbation.columns))

    @cached_property
    def _cells(self) -> dict[str, tuple[Any, Any]]:
        """Rows and baselines of each column, of its own type."""
        if self.ground is None:
            raise ValueError("the rows have no baselines yet")
        mine = {c: self.inputs[c].to_numpy() for c in self.perturbation.columns}
        theirs = {c: self.ground.table[c].to_numpy().astype(mine[c].dtype) for c in mine}
        return {c: (mine[c], theirs[c]) for c in mine}

    @cached_property
    def _numbers(self) -> tuple[FloatArray, FloatArray] | None:
        """Rows and baselines as matrices, where all columns are numbers."""
        if self.ground is None or any(dtype != np.float64 for dtype in self.inputs.dtypes):
            return None
        return self.inputs.to_numpy(), self.ground.table.to_numpy(dtype=np.float64)
