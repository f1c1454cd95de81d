"""Which rows of a run are meant: some by their ids, or those of a condition (``--where``)."""

import ast
import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.errors import RefusedError, UsageError, nearest
from xplain_cli.explanation import BoolArray

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_EXAMPLE = 'prediction>0.5 and fidelity=="poor"'
_MOST_LETTERS = 1000  # of a condition; deeper nesting than that would exhaust the stack


def _refusal(text: str, node: ast.AST | None, why: str) -> UsageError:
    place = getattr(node, "col_offset", 0) + 1
    return UsageError(f"--where {text!r}: at character {place}: {why}, such as {_EXAMPLE}")


def _column(frame: pd.DataFrame, name: str, text: str, node: ast.AST) -> Any:
    if name not in frame.columns:
        known = [str(column) for column in frame.columns]
        raise _refusal(text, node, f"no column {name!r}{nearest(name, known)}; compare a column")
    return frame[name]


def _kind(side: Any) -> str:
    """Return "text" or "number": what a column or a constant holds; empty where it is neither."""
    if not isinstance(side, pd.Series):
        return "text" if isinstance(side, str) else "number"
    known = side.dropna()
    if known.empty:  # an error of no row, say: nothing compares with it
        return ""
    if pd.api.types.is_numeric_dtype(known.dtype):
        return "number"
    held = pd.api.types.infer_dtype(known)
    numbers = ("integer", "floating", "mixed-integer-float", "boolean", "decimal")
    return "text" if held == "string" else "number" if held in numbers else ""


def _number(node: ast.expr, frame: pd.DataFrame, text: str) -> Any:
    """Return an operand that has a sign: numbers, or what of a column can be read as one."""
    made = _operand(node, frame, text)
    if _kind(made) == "text":
        raise _refusal(text, node, "this is a text, and a sign or abs needs a number")
    if isinstance(made, pd.Series):
        return pd.to_numeric(made, errors="coerce").astype(float)
    return made


def _constant(value: str | float) -> str | float:
    """Return a constant; a whole number beyond all floats is as good as an infinite one."""
    if isinstance(value, int):
        try:
            float(value)
        except OverflowError:
            return math.inf
    return value


def _operand(node: ast.expr, frame: pd.DataFrame, text: str) -> Any:
    """Return a column, its absolute value, or a constant."""
    if isinstance(node, ast.Name):
        return _column(frame, node.id, text, node)
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float):
        return _constant(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_number(node.operand, frame, text)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 1:
        given = node.args[0]
        if node.func.id == "column" and isinstance(given, ast.Constant):
            return _column(frame, str(given.value), text, node)
        if node.func.id == "abs":
            return abs(_number(given, frame, text))
    raise _refusal(text, node, "expected a column, a number or a text in quotes")


def _compared(left: Any, sign: ast.cmpop, right: Any, size: int) -> BoolArray:
    """Compare line by line; what is missing compares with nothing."""
    if {_kind(left), _kind(right)} == {"text", "number"}:  # == and != would say nothing of it
        raise TypeError
    found = np.broadcast_to(np.asarray(_COMPARE[type(sign)](left, right), dtype=bool), size)
    known = np.ones(size, dtype=bool)
    for side in (left, right):
        known &= ~np.asarray(pd.isna(side)) if isinstance(side, pd.Series) else True
    return np.asarray(found & known)


def _comparison(node: ast.Compare, frame: pd.DataFrame, text: str) -> BoolArray:
    operands = [_operand(one, frame, text) for one in (node.left, *node.comparators)]
    met = np.ones(len(frame), dtype=bool)
    for left, sign, right in zip(operands, node.ops, operands[1:], strict=False):
        if type(sign) not in _COMPARE:
            raise _refusal(text, node, "expected one of < <= > >= == !=")
        try:
            met &= _compared(left, sign, right, len(frame))
        except TypeError as error:
            raise _refusal(
                text,
                node,
                "a text and a number cannot be compared: texts stand in quotes, numbers do not",
            ) from error
    return met


def _met(node: ast.expr, frame: pd.DataFrame, text: str) -> BoolArray:
    if isinstance(node, ast.BoolOp):
        parts = [_met(one, frame, text) for one in node.values]
        joined = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
        return np.asarray(joined.reduce(parts), dtype=bool)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return ~_met(node.operand, frame, text)
    if isinstance(node, ast.Compare):
        return _comparison(node, frame, text)
    raise _refusal(text, node, "expected a comparison, or several joined by and, or, not")


def _parse(text: str) -> ast.expr:
    if len(text) > _MOST_LETTERS:
        raise UsageError(f"--where: a condition has at most {_MOST_LETTERS} characters")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        place = getattr(error, "offset", None) or 1
        raise UsageError(
            f"--where {text!r}: at character {place}: cannot be read; write comparisons of columns"
            f" of stability.csv, such as {_EXAMPLE}"
        ) from error


def _ids_in(named: str) -> set[str]:
    """Return the ids that "3,7" may mean: 3 and 7, or a single one that holds a comma."""
    return {named, *(part.strip() for part in named.split(",") if part.strip())}


@dataclass(frozen=True)
class RowFilter:
    """
    The rows of a run that a command is about; by default all.

    Attributes
    ----------
    rows
        Their ids, several with commas in one text; empty: any.
    where
        A condition on their lines of stability; None: none.
    """

    rows: tuple[str, ...] = ()
    where: str | None = None
    _tree: list[ast.expr] = field(default_factory=list, repr=False, compare=False)

    @classmethod
    def of(cls, rows: Sequence[str], where: str | None) -> "RowFilter":
        """
        Return the filter of what a user typed.

        Raises
        ------
        UsageError
            The condition cannot be read.
        """
        return cls(tuple(rows), where, [_parse(where)] if where else [])

    @property
    def is_open(self) -> bool:
        """Whether every row is meant."""
        return not (self.rows or self.where)

    @property
    def said(self) -> str:
        """The filter in words."""
        named = [f"rows {', '.join(self.rows)}"] if self.rows else []
        return " where ".join([*(named or ["rows"]), *([self.where] if self.where else [])])

    def mask(self, stability: pd.DataFrame) -> BoolArray:
        """
        Return which lines are meant.

        Raises
        ------
        UsageError
            A column that is not there, or a text compared with a number.
        """
        met = np.ones(len(stability), dtype=bool)
        if self.rows:
            ids = set().union(*map(_ids_in, self.rows))
            met &= stability["row_id"].astype(str).isin(ids).to_numpy()
        for tree in self._tree:
            try:
                met &= _met(tree, stability, str(self.where))
            except RecursionError as error:
                raise UsageError(
                    f"--where {self.where!r}: is nested too deeply; write it plainly"
                ) from error
        return met

    def check_found(self, found: set[str], known: Sequence[str]) -> None:
        """
        Check that every row that is named was found.

        Parameters
        ----------
        found
            The ids that were.
        known
            Ids of the run, for a hint.

        Raises
        ------
        RefusedError
            One was not.
        """
        wanted = [one for one in self.rows if one not in found]
        parts = [part for one in wanted for part in sorted(_ids_in(one) - {one}) or [one]]
        missing = next((part for part in parts if part not in found), None)
        if missing is None:
            return
        if self.where and missing in known:
            raise RefusedError(f"row {missing!r}: does not meet --where {self.where!r}")
        hint = nearest(missing, known) or (f"; its first row is {known[0]!r}" if known else "")
        raise RefusedError(f"row {missing!r}: no such row in this run{hint}")


ALL_ROWS = RowFilter()
