"""Baselines that the user names: a row of DATA, or the rows of a file."""

from dataclasses import dataclass, field
from typing import ClassVar

from xplain_cli.baselines.assignment import SHORT, reads_nothing
from xplain_cli.baselines.fixed import Fixed
from xplain_cli.baselines.tables import TableFiles, TableReference
from xplain_cli.errors import UsageError, well_formed
from xplain_cli.remote import redact


@dataclass(frozen=True)
class Row:
    """A row of DATA, by its id."""

    id: str = field(default="", metadata=SHORT)

    label: ClassVar[None] = None
    reads: ClassVar[str] = "nothing"
    many: ClassVar[bool] = False
    numbers = reads_nothing

    @property
    def sentence(self) -> str:
        """What stands for "absent"."""
        return f"row: absent features take their values in row {self.id} of DATA"

    def fit(self, reference: TableReference) -> Fixed:
        """Fit it."""
        if not self.id:
            raise UsageError("--baseline row: name one, such as row=17 or row=p17")
        return Fixed(reference.files.row(self.id), f"row {self.id}")


@dataclass(frozen=True)
class FileRows:
    """The rows of a file; several are averaged over."""

    path: str = field(default="", metadata=SHORT)

    label: ClassVar[None] = None
    reads: ClassVar[str] = "nothing"
    many: ClassVar[bool] = True

    @property
    def sentence(self) -> str:
        """What stands for "absent"."""
        return f"file: absent features take their values in {self.path}, outputs averaged over rows"

    def numbers(self, files: TableFiles) -> dict[str, str]:
        """Return what the file holds: its name may stay while its rows change."""
        return {"baseline_file": files.table_sha256(self.path)}

    def fit(self, reference: TableReference) -> Fixed:
        """Fit it."""
        if not self.path:
            raise UsageError("--baseline file: name one, such as file=healthy.csv")
        return Fixed(reference.files.table(self.path), well_formed(redact(self.path)))
