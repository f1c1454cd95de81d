"""The protocols of baselines, for tables, texts and pictures alike, with borrowed defaults.

A baseline is a frozen dataclass of the settings that users type. Fitted on what the modality offers
(``fit(reference)``), it gives every row what the row is with all of its features absent
(``FittedBaseline.assign``). Three things differ by nature, and the protocols leave them open:

- What a reference is. Tables have a background of rows; texts and pictures only where candidates of
  a class are looked for. So ``reference`` is the modality's own type, as rows are.
- When rows are assigned. Rows of tables are, once the model has answered on them: many together,
  against a class that each has of its own, and the model may be asked more. Texts and pictures are,
  one at a time, while they are split: nothing but the row is known then (``check_unasked``).
- How a feature goes. A fill shows in the place of one superpixel, another row lends a value or a
  word: all of these can be read off the whole that is assigned. A deleted unit, or a token in its
  place, cannot be told in the text that is left, so the law of texts is told the token as well
  (``baselines.texts.Replacement``).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from xplain_cli.errors import UsageError
from xplain_cli.explanation import BoolArray, FloatArray, IntArray

Ask: TypeAlias = Callable[[Any], FloatArray]
"""Asks the model on rows: the outputs (m, k), untransformed."""
NO_CLASS = -1

SHORT = {"short": True}
"""Metadata of the setting that ``NAME=VALUE`` fills: ``file=PATH`` for ``file:path=PATH``."""


@dataclass(frozen=True)
class Assigned:
    """
    The baselines of b rows, k of each.

    Attributes
    ----------
    values : (b * k) rows
        Row by row: tables a DataFrame, texts and pictures a list.
    origins : (b,)
        Where each row's baselines come from; None where there is nothing to name.
    asked : (b,) int
        Model inputs that finding them took.
    distances : (b,) float
        How far they are, where finding them measured it.
    class_name
        The class that the model puts all of them in, where finding them asked it.
    judged : (b,) bool
        Whether an independent judge puts them in their class, where they come with one.
    """

    values: Any
    origins: Sequence[str | None]
    asked: IntArray
    distances: FloatArray | None = None
    class_name: str | None = None
    judged: BoolArray | None = None


class FittedBaseline(Protocol):
    """A baseline that knows its reference; picklable, for workers assign."""

    @property
    def k(self) -> int:
        """Baselines of each row; outputs are averaged over them."""

    @property
    def wanted(self) -> int | None:
        """The class that all baselines are of; ``NO_CLASS``: none; None: each row's own foil."""

    @property
    def most_asked(self) -> int:
        """Model inputs that finding the baselines of a row takes at most."""

    @property
    def has_origins(self) -> bool:
        """Whether lines name where a row's baseline comes from."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found on fitting, for the user."""

    def assign(self, rows: Any, classes: IntArray, ask: Ask) -> Assigned:
        """
        Give rows their baselines; a row's own may not depend on the rows beside it.

        Parameters
        ----------
        rows
            b rows, as their modality holds them.
        classes : (b,) int
            The class that each baseline must be of, ``NO_CLASS`` where none is wanted.
        ask
            Asks the model.

        Raises
        ------
        RefusedError
            A row has none.
        """


class Baseline(Protocol):
    """One kind of baseline: a frozen dataclass of its settings."""

    @property
    def label(self) -> str | None:
        """How every line of the output names it; None: as the user wrote it."""

    @property
    def sentence(self) -> str:
        """What stands for "absent", for the manifest."""

    @property
    def many(self) -> bool:
        """Whether each row has many baselines."""

    def numbers(self, files: Any) -> Mapping[str, Any]:
        """
        Return what of it decides the numbers beside its label, as JSON values for the plan.

        Parameters
        ----------
        files
            Opens files as the modality reads them; ``sha256(path)`` says what a file holds.

        Raises
        ------
        RefusedError
            A file that it reads cannot be read.
        """

    def fit(self, reference: Any) -> FittedBaseline:
        """
        Fit it on what the modality offers; the order of reference rows must decide nothing.

        Raises
        ------
        UsageError, RefusedError
            It cannot be had of this reference.
        """


def reads_nothing(baseline: object, files: Any) -> dict[str, Any]:  # noqa: ARG001 - the protocol's
    """Stand for ``Baseline.numbers`` where the label says all."""
    return {}


def unasked(rows: Any) -> FloatArray:  # noqa: ARG001 - the protocol's
    """
    Stand for a model where rows are assigned while they are split.

    Raises
    ------
    ValueError
        Always: ``check_unasked`` lets no baseline pass that asks.
    """
    raise ValueError("no model can be asked while rows are split")


def check_unasked(fitted: FittedBaseline, label: str) -> FittedBaseline:
    """
    Return a baseline that can be assigned while rows are split, before the model answers.

    Raises
    ------
    UsageError
        It needs the model, a class that each row has of its own, or several baselines of a row.
    """
    if fitted.wanted is None:
        raise UsageError(f"--baseline {label}: of which class? name it (class=NAME)")
    if fitted.most_asked or fitted.k != 1:
        raise UsageError(f"--baseline {label}: is for tables; take another baseline")
    return fitted


def assign_one(fitted: FittedBaseline, row: Any) -> Assigned:
    """
    Give one row its baseline while it is split; *row* is a batch of it alone.

    Raises
    ------
    RefusedError
        It has none.
    """
    wanted = NO_CLASS if fitted.wanted is None else fitted.wanted
    return fitted.assign(row, np.full(1, wanted), unasked)


def foils(pairs: IntArray, outputs: FloatArray) -> IntArray:
    """
    Return the class against which each row is explained, (b,).

    The second side of a pair; for a single class the strongest of the others. A row that the model
    puts there itself is compared with the first side: nothing of it differs from its own class.

    Parameters
    ----------
    pairs : (b, 1, 2) int
        The (plus, minus) outputs of each row; minus -1 for a single one.
    outputs : (b, k) float
        The model's outputs.
    """
    others = outputs.copy()
    others[np.arange(len(outputs)), pairs[:, 0, 0]] = -np.inf
    against = np.where(pairs[:, 0, 1] >= 0, pairs[:, 0, 1], others.argmax(axis=1))
    return np.where(against == outputs.argmax(axis=1), pairs[:, 0, 0], against)
