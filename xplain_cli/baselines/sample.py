"""The baseline ``sample``: several reference rows, over which outputs are averaged."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from xplain_cli.baselines.assignment import NO_CLASS, reads_nothing
from xplain_cli.baselines.fixed import Fixed
from xplain_cli.baselines.members import class_named, of_whom, rows_by_class
from xplain_cli.baselines.tables import TableReference
from xplain_cli.errors import UsageError
from xplain_cli.models.batches import repeated
from xplain_cli.seeds import BACKGROUND, stream

_MANY = 8


@dataclass(frozen=True)
class Sample:
    """
    Rows drawn from the background, the same for every row.

    Attributes
    ----------
    k
        How many; each multiplies the model inputs.
    class_
        Draw only rows that the model puts in this class.
    labels
        A column of the background whose word must be the class too.
    """

    k: int = 50
    class_: str | None = field(default=None, metadata={"key": "class"})
    labels: str | None = None

    label: ClassVar[None] = None
    numbers = reads_nothing

    def __post_init__(self) -> None:
        """Refuse no rows, and labels of no class."""
        if self.labels is not None and self.class_ is None:
            raise UsageError(
                f"--baseline sample:labels={self.labels}: of which class? sample:class=NAME"
            )
        if self.k < 1:
            raise UsageError(f"--baseline sample:k={self.k}: must be 1 or above")

    @property
    def many(self) -> bool:
        """Whether each row has many baselines."""
        return self.k >= _MANY

    @property
    def sentence(self) -> str:
        """What stands for "absent"."""
        of = "" if self.class_ is None else f" of {of_whom(self.class_, self.labels)}"
        rows = f"{self.k} rows" if self.k > 1 else "1 row"
        return f"sample: outputs are averaged over {rows} of the background{of}"

    def fit(self, reference: TableReference) -> Fixed:
        """Draw the rows."""
        places, index = np.arange(len(reference.rows)), NO_CLASS
        if self.class_ is not None:
            by_class = rows_by_class(reference, class_named(reference, self.class_))
            index, places = next(iter(by_class.items()))
        drawn = len(places) > self.k
        if drawn:
            order = stream(BACKGROUND, reference.seed, len(places)).permutation(len(places))
            places = places[np.sort(order[: self.k])]
        return Fixed(repeated(reference.rows, places), f"{len(places)} rows", index, drawn)
