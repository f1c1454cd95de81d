"""The language of --fail-on: its values and its parser."""

import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from xplain_cli.errors import UsageError, nearest
from xplain_cli.explanation import STABILITY_COLUMNS
from xplain_cli.quality.words import FIDELITY, PRECISION, UNSTEADY

TEXTS: dict[str, tuple[str, ...]] = dict.fromkeys(
    ("run_id", "row_id", "target_spec", "target", "method", "output_scale", "baseline"), ()
) | {
    "precision": (*PRECISION, UNSTEADY),
    "fidelity": FIDELITY,
    "status": (),
    "error": (),
}
"""Columns of text, and their words where these are settled."""


@dataclass(frozen=True)
class GateTable:
    """
    The table whose columns conditions speak of.

    Attributes
    ----------
    file
        What it is called.
    columns
        All of its columns.
    texts
        Those of text, and their words where these are settled.
    flags
        Those that are 1 or 0: alone in a share or count they mean 1.
    """

    file: str
    columns: tuple[str, ...]
    texts: Mapping[str, tuple[str, ...]]
    flags: frozenset[str] = frozenset()


STABILITY = GateTable("stability.csv", STABILITY_COLUMNS, TEXTS, frozenset({"same_decision"}))

_FUNCTIONS = ("min", "max", "mean", "median", "p95", "share", "count", "abs")
COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_TOKEN = re.compile(
    r"\s*(?:(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))"
    r"|(?P<name>[^\W\d][\w.-]*)|(?P<quoted>\"[^\"]*\"|'[^']*')"
    r"|(?P<sign><=|>=|==|!=|[<>(),=])|(?P<end>$)|(?P<other>\S))"
)
_PERCENTILE = re.compile(r"p(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Condition:
    """``column OP value`` on each line; ``column`` "failed" alone is a condition too."""

    column: str
    is_absolute: bool = False
    operator: str = ""
    value: float | str = ""
    is_text: bool = False


@dataclass(frozen=True)
class Gate:
    """
    One condition under which the run fails.

    Attributes
    ----------
    text
        What the user wrote.
    function
        min, max, mean, median, pNN, share, count; "" for "any line".
    inner
        The column, for share and count with its condition; for "any line" all there is.
    operator, limit
        What the function's value is compared with; unused for "any line".
    is_absolute
        ``abs`` is taken of the function's value.
    name
        What the user calls the gate; empty: by its text.
    """

    text: str
    function: str
    inner: Condition
    operator: str = ""
    limit: float = 0.0
    is_absolute: bool = False
    name: str = ""


def percent(function: str) -> float | None:
    """Return the percent of ``median`` and ``pNN``, ``None`` for other words."""
    match = _PERCENTILE.fullmatch(function)
    value = 50.0 if function == "median" else float(match[1]) if match else math.inf
    return value if value <= 100 else None


class _Parser:
    """Recursive descent over the tokens (kind, text, place) of one --fail-on text."""

    def __init__(self, text: str, table: GateTable, called: str) -> None:
        self.text, self.table, self.called = text, table, called
        kinds = [(str(match.lastgroup), match) for match in _TOKEN.finditer(text)]
        self.tokens = [(kind, match[kind], match.start(kind)) for kind, match in kinds]
        self.tokens += [("end", "", len(text))] * 4  # gate() looks three ahead
        self.at = 0

    def error(self, message: str, *, back: int = 0) -> UsageError:
        where = self.tokens[self.at - back][2] + 1
        return UsageError(f"{self.called} {self.text!r}: at character {where}: {message}")

    def wanted(self, what: str, hint: str = "") -> UsageError:
        found = repr(self.word) if self.word else "the end"
        return self.error(f"expected {what}, found {found}{hint}")

    @property
    def word(self) -> str:
        return self.tokens[self.at][1]

    def take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1][1]

    def expect(self, sign: str) -> None:
        if self.take() != sign:
            self.at -= 1
            raise self.wanted(repr(sign))

    def opens(self, after: int = 0) -> bool:
        """Say whether a function with its bracket begins here."""
        kinds = self.tokens[self.at + after][0], self.tokens[self.at + after + 1][1]
        return kinds == ("name", "(")

    def compare(self) -> str:
        if self.word not in COMPARE:
            hint = "; write == for equality" if self.word == "=" else ""
            raise self.wanted(f"one of {' '.join(COMPARE)}", hint)
        return self.take()

    def number(self) -> float:
        if self.tokens[self.at][0] != "number":
            raise self.wanted("a number")
        return float(self.take())

    def quality(self, column: str) -> str:
        """Read the word that a column of text is compared with."""
        kind, word, _ = self.tokens[self.at]
        word = word[1:-1] if kind == "quoted" else word
        known = self.table.texts[column]
        if kind not in {"name", "number", "quoted"} or (known and word not in known):
            what = f"one of {', '.join(known)}" if known else f"a word for {column}"
            raise self.wanted(what, nearest(word, known))
        self.at += 1
        return word

    def column(self, *, numeric: bool = True) -> str:
        name = self.take()
        if name not in self.table.columns:
            self.at -= 1
            hint = nearest(name, self.table.columns)
            raise self.wanted(f"a column of {self.table.file}", hint)
        if numeric and name in self.table.texts:
            advice = f"count lines with it, as count({name}==WORD)>0"
            raise self.error(f"{name!r} is text, not a number; {advice}", back=1)
        return name

    def operand(self, *, numeric: bool = True) -> Condition:
        """Read ``column`` or ``abs(column)``."""
        if not (self.word == "abs" and self.opens()):
            return Condition(self.column(numeric=numeric))
        self.at += 2
        found = Condition(self.column(), is_absolute=True)
        self.expect(")")
        return found

    def condition(self) -> Condition:
        """Read ``operand OP value``."""
        found = self.operand(numeric=False)
        is_text = found.column in self.table.texts
        if self.word == ")" and found.column in self.table.flags and not found.is_absolute:
            return Condition(found.column, operator="==", value=1.0)
        sign = self.compare()
        if is_text and sign not in {"==", "!="}:
            raise self.error(f"{found.column!r} is text; compare it by == or !=", back=1)
        value = self.quality(found.column) if is_text else self.number()
        return Condition(found.column, found.is_absolute, sign, value, is_text)

    def function(self) -> tuple[str, Condition]:
        """Read ``name(...)``."""
        name = self.word
        if name not in _FUNCTIONS[:-1] and percent(name) is None:
            raise self.wanted(f"one of {', '.join(_FUNCTIONS)}", nearest(name, _FUNCTIONS))
        self.at += 2
        if name not in {"share", "count"}:
            inner = self.operand()
        elif self.word == "failed":
            inner = Condition(self.take())
        else:
            inner = self.condition()
        self.expect(")")
        return name, inner

    def gate(self) -> Gate:
        start = self.tokens[self.at][2]
        if self.word == "failed":
            raise self.error("'failed' is no number; write count(failed)>0")
        is_absolute = self.word == "abs" and self.opens() and self.opens(after=2)
        if not is_absolute and (self.word == "abs" or not self.opens()):
            inner = self.condition()
            return Gate(self.text[start : self.tokens[self.at][2]].strip(), "", inner)
        self.at += 2 * is_absolute
        name, inner = self.function()
        if is_absolute:
            self.expect(")")
        sign, limit = self.compare(), self.number()
        if self.word == "%":
            if name != "share":
                raise self.error("a share is compared with percent, nothing else")
            self.at, limit = self.at + 1, limit / 100
        text = self.text[start : self.tokens[self.at][2]].strip()
        return Gate(text, name, inner, sign, limit, is_absolute)

    def gates(self) -> Iterator[Gate]:
        yield self.gate()
        while self.tokens[self.at][0] != "end":
            self.expect(",")
            yield self.gate()


def parse_gates(
    text: str, table: GateTable = STABILITY, called: str = "--fail-on"
) -> tuple[Gate, ...]:
    """
    Read ``--fail-on``: failing conditions with commas between them.

    Each is ``FUNCTION(COLUMN) OP NUMBER`` with min, max, mean, median or a percentile such as p95,
    ``share(CONDITION) OP NUMBER`` (or a percentage: 10%), ``count(CONDITION) OP NUMBER``,
    ``count(failed) OP NUMBER``, or a bare ``COLUMN OP VALUE`` for "any line". Columns of 1 and 0
    are conditions by themselves (``share(same_decision)``). ``abs`` goes
    around a column or a function.

    Parameters
    ----------
    table
        Whose columns they may name.
    called
        What a message calls the text.

    Raises
    ------
    UsageError
        The text is none of these; the message names the place.
    """
    return tuple(_Parser(text, table, called).gates())
