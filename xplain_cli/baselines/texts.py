"""Baselines of texts: deletion, a mask token, or the nearest text of a class."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np

from xplain_cli.baselines.assignment import NO_CLASS, SHORT, Ask, Assigned
from xplain_cli.baselines.candidates import fit_nearest
from xplain_cli.errors import UsageError
from xplain_cli.explanation import IntArray

Spans: TypeAlias = Sequence[tuple[int, int]]


class SplitTexts(Protocol):
    """Texts, split into units."""

    def __len__(self) -> int:
        """Return the number of texts."""

    def spanned(self, row: int) -> tuple[str, Sequence[Spans]]:
        """Return a text and the spans of each of its units."""


class TextFiles(Protocol):
    """Reads what a baseline of texts names."""

    def table_sha256(self, path: str) -> str:
        """Return the SHA-256 (hex) of a file of texts."""

    def sha256(self, path: str) -> str:
        """Return the SHA-256 (hex) of any file."""


@dataclass(frozen=True)
class Replacement:
    """
    Assigns every text itself, with a token in the place of every unit (``FittedBaseline``).

    Attributes
    ----------
    token
        What stands in place of a unit; None: nothing.
    """

    token: str | None

    k: ClassVar[int] = 1
    wanted: ClassVar[int] = NO_CLASS
    most_asked: ClassVar[int] = 0
    has_origins: ClassVar[bool] = False
    notes: ClassVar[tuple[str, ...]] = ()

    def assign(self, rows: SplitTexts, classes: IntArray, ask: Ask) -> Assigned:  # noqa: ARG002 - the text itself
        """Replace all units."""
        values = []
        for row in range(len(rows)):
            text, units = rows.spanned(row)
            made, at = "", 0
            for low, high in sorted(span for spans in units for span in spans):
                made, at = made + text[at:low] + (self.token or ""), high
            values.append(made + text[at:])
        return Assigned(values, [None] * len(rows), np.zeros(len(rows), dtype=np.int64))


@dataclass(frozen=True)
class Deletion:
    """Nothing: units go."""

    label: ClassVar[str] = "deletion"
    sentence: ClassVar[str] = "deletion: absent units are deleted, what stands between units stays"
    many: ClassVar[bool] = False

    def numbers(self, files: object) -> dict[str, Any]:  # noqa: ARG002 - it reads none
        """Return that there is no token."""
        return {"mask_token": None}

    def fit(self, reference: object) -> Replacement:  # noqa: ARG002 - it needs none
        """Return nothing in place of units."""
        return Replacement(None)


@dataclass(frozen=True)
class Token:
    """A token in the place of each unit, such as the one that a language model knows as a mask."""

    text: str = field(default="", metadata=SHORT)

    many: ClassVar[bool] = False

    def numbers(self, files: object) -> dict[str, Any]:  # noqa: ARG002 - it reads none
        """Return the token."""
        return {"mask_token": self.text}

    @property
    def label(self) -> str:
        """Name it."""
        return f"token={self.text}"

    @property
    def sentence(self) -> str:
        """What stands for "absent"."""
        return f"token: absent units are replaced by {self.text!r}"

    def fit(self, reference: object) -> Replacement:  # noqa: ARG002 - it needs none
        """Return the token in place of units."""
        return Replacement(self.text)


@dataclass(frozen=True)
class NearestText:
    """
    The nearest text of a class.

    Attributes
    ----------
    class_
        The class that the model itself puts the text in.
    from_
        A file of texts, read as DATA is; None: DATA.
    labels
        A column beside the texts whose word must be the class too.
    """

    class_: str | None = field(default=None, metadata={"key": "class"})
    from_: str | None = field(default=None, metadata={"key": "from"})
    labels: str | None = None

    many: ClassVar[bool] = False
    fit = fit_nearest

    def __post_init__(self) -> None:
        if not self.class_:
            raise UsageError("--baseline nearest: of which class? nearest:class=NAME")

    @property
    def label(self) -> str:
        """Name it; where it is looked for is known by content."""
        more = f",labels={self.labels}" if self.labels else ""
        return f"nearest:class={self.class_}{more}"

    @property
    def sentence(self) -> str:
        """What stands for "absent"."""
        return (
            f"{self.label}: what differs from the nearest text of the class takes the form that"
            " it has there"
        )

    def numbers(self, files: TextFiles) -> dict[str, Any]:
        """Return what the file holds; no unit becomes a token."""
        own: dict[str, Any] = {"mask_token": None}
        return own | ({"candidates": files.table_sha256(self.from_)} if self.from_ else {})
