"""Plan: everything that decides the numbers and nothing else; its digest names the run."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


def finite(value: Any) -> Any:
    """Return plain values with null for the numbers that JSON does not know."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: finite(item) for name, item in value.items()}
    return [finite(item) for item in value] if isinstance(value, list | tuple) else value


def digest(values: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of plain JSON values, independent of key order."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Plan:
    """
    The decisions of a run, as plain JSON values in three groups.

    Attributes
    ----------
    numbers
        Model, data and background hashes, columns and kinds, method and its settings, target,
        scale, samples, repeats, seed, model batch size. Resume and merge need it equal.
    selection
        Which rows, ids, kept columns and values the parts hold. Resume needs it equal too.
    rendering
        Format, top-k, guard: how the parts become files. May change on a finished run.

    budget
        What ``--budget`` asked for, where it chose the samples; it decides no number itself.

    Jobs, backend, chunk size and paths are in none of them.
    """

    numbers: dict[str, Any]
    selection: dict[str, Any] = field(default_factory=dict)
    rendering: dict[str, Any] = field(default_factory=dict)
    budget: str | None = None

    @property
    def groups(self) -> dict[str, dict[str, Any]]:
        """The three groups by name, as the manifest shows them."""
        return {
            "numbers": self.numbers,
            "selection": self.selection,
            "rendering": self.rendering,
        }

    @property
    def digests(self) -> dict[str, str]:
        """The SHA-256 (hex) of each group."""
        return {name: digest(values) for name, values in self.groups.items()}

    @property
    def run_id(self) -> str:
        """The first 12 hex digits of the numbers digest."""
        return digest(self.numbers)[:12]

    @property
    def identity(self) -> str:
        """The digest of what parts hold: numbers and selection."""
        return digest({"numbers": self.numbers, "selection": self.selection})
