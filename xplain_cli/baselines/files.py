"""Baselines that the user names: a row of DATA, or the rows of a file."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import pandas as pd

from xplain_cli.baselines.assignment import Giver, Reference
from xplain_cli.errors import UsageError
from xplain_cli.remote import told


class Files(Protocol):
    """Reads rows as the model takes them."""

    def row(self, name: str) -> pd.DataFrame:
        """Return the one row of DATA with this id, or this number where there are no ids."""

    def table(self, path: str) -> pd.DataFrame:
        """Return the rows of a file."""


@dataclass(frozen=True)
class Row:
    """A row of DATA, by its id."""

    id: str = ""

    many: ClassVar[bool] = False

    @property
    def meaning(self) -> str:
        """What stands for "absent"."""
        return f"row: absent features take their values in row {self.id} of DATA"

    def fit(self, reference: Reference, files: Files) -> Giver:  # noqa: ARG002 - it needs no reference
        """Fit it."""
        from xplain_cli.baselines.fixed import Fixed

        if not self.id:
            raise UsageError("--baseline row: name one, such as row=17 or row=p17")
        return Fixed(files.row(self.id), f"row {self.id}")


@dataclass(frozen=True)
class File:
    """The rows of a file; several are averaged over."""

    path: str = ""

    many: ClassVar[bool] = True

    @property
    def meaning(self) -> str:
        """What stands for "absent"."""
        return f"file: absent features take their values in {self.path}, outputs averaged over rows"

    def fit(self, reference: Reference, files: Files) -> Giver:  # noqa: ARG002 - it needs no reference
        """Fit it."""
        from xplain_cli.baselines.fixed import Fixed

        if not self.path:
            raise UsageError("--baseline file: name one, such as file=healthy.csv")
        return Fixed(files.table(self.path), told(self.path))
