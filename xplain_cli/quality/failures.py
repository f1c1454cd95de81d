"""Failed rows of a run, counted by reason: reasons that differ in place or value alone are one."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # pandas would cost --help half a second
    import pandas as pd

_MOST_KINDS = 1000  # in memory
_MOST_ROWS = 5
_OTHERS = "other reasons"
_QUOTED = r"'(?:[^'\\]|\\.)*'" + "|" + r'"(?:[^"\\]|\\.)*"'
# what tells rows of one kind apart: numbers (lines, counts) and what is quoted, but for columns
_VARYING = re.compile(rf"(column (?:{_QUOTED}))|{_QUOTED}|\d+")


@dataclass(frozen=True)
class Failure:
    """
    A reason for which rows failed.

    Attributes
    ----------
    reason
        That of the first row.
    count
        How many rows failed for it, or for one that differs in place or value alone.
    rows
        Ids of the first ones.
    """

    reason: str
    count: int
    rows: tuple[str, ...]


def _kind(reason: str) -> str:
    """Return a reason without what tells rows of one kind apart."""
    return _VARYING.sub(lambda found: found[1] or "#", reason)


class Failures:
    """The reasons of failed rows, counted, with the first rows of each; fed part by part."""

    def __init__(self) -> None:
        self._found: dict[str, Failure] = {}

    def _count(self, kind: str, more: Failure) -> None:
        if kind not in self._found and len(self._found) >= _MOST_KINDS:
            kind, more = _OTHERS, Failure(_OTHERS, more.count, more.rows)
        known = self._found.get(kind, Failure(more.reason, 0, ()))
        rows = (*known.rows, *more.rows)[:_MOST_ROWS]
        self._found[kind] = Failure(known.reason, known.count + more.count, rows)

    def add(self, stability: "pd.DataFrame") -> None:
        """Count the failed rows of a part."""
        failed = stability[stability["status"].eq("failed")]
        for reason, row_id in zip(failed["error"].tolist(), failed["row_id"].tolist(), strict=True):
            self._count(_kind(str(reason)), Failure(str(reason), 1, (str(row_id),)))

    def merge(self, other: "Failures") -> None:
        """Add what another one has counted, of later rows."""
        for kind, more in vars(other)["_found"].items():
            self._count(kind, more)

    def most(self, limit: int) -> tuple[Failure, ...]:
        """Return the *limit* most frequent reasons, and what is left as one more."""
        order = sorted(self._found.values(), key=lambda one: -one.count)  # stable: as found
        left = order[limit:]
        if len(left) < 2:
            return tuple(order)
        rest = sum(one.count for one in left)
        return (*order[:limit], Failure(f"{len(left)} further reasons", rest, left[0].rows))
