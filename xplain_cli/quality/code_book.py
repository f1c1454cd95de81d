"""A file of reason codes: what each feature is called in a letter, and what is never a reason."""

import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xplain_cli.errors import RefusedError, UsageError, nearest

_RANGE = re.compile(r"(?P<low>[^:]*):(?P<high>[^:]*)")
_KEYS = {"code", "text", "when"}
ANY = "*"
"""The name of the code of every feature that has none of its own."""


@dataclass(frozen=True)
class ReasonCode:
    """
    A code, its text, and when it is the one.

    Attributes
    ----------
    code, text
        What is told.
    when
        "low", "high" or "" (always).
    low, high
        The code is for values above *low* and up to *high*.
    """

    code: str
    text: str
    when: str = ""
    low: float = -math.inf
    high: float = math.inf

    @property
    def needs_value(self) -> bool:
        """Whether the value of the feature decides."""
        return bool(self.when) or (self.low, self.high) != (-math.inf, math.inf)

    def fits(self, value: float, reference: float) -> bool:
        """Say whether the code is for a value; low and high are told by the *reference*."""
        if self.when == "low":
            return value < reference
        if self.when == "high":
            return value >= reference
        return not self.needs_value or self.low < value <= self.high


@dataclass(frozen=True)
class CodeBook:
    """
    What ``codes.toml`` says.

    Attributes
    ----------
    codes
        Feature or group -> its codes, in the order of the file, which settles ties.
    members
        Group -> its features.
    forbidden, protected
        Features that are never a reason.
    """

    codes: Mapping[str, tuple[ReasonCode, ...]]
    members: Mapping[str, tuple[str, ...]]
    forbidden: frozenset[str]
    protected: frozenset[str]

    @property
    def owners(self) -> dict[str, str]:
        """The group of each feature that is in one."""
        return {feature: group for group, own in self.members.items() for feature in own}

    def place(self, name: str) -> int:
        """Return where a feature or group stands in the file; where it does not, behind all."""
        return list(self.codes).index(name) if name in self.codes else len(self.codes)

    def of(self, name: str) -> tuple[ReasonCode, ...]:
        """Return the codes of a feature or group."""
        return self.codes.get(name, self.codes.get(ANY, ()))


def _number(text: str, fallback: float, where: str) -> float:
    if not text.strip():
        return fallback
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(
            f"{where}: when is a range LOW:HIGH of numbers; {text!r} is none"
        ) from error


def _check_texts(entry: Mapping[str, Any], where: str) -> None:
    for name, value in entry.items():
        if not isinstance(value, str):
            raise UsageError(f"{where}: {name} is {value!r}; it must be a text, in quotes")


def _code(entry: Any, where: str) -> ReasonCode:
    if not isinstance(entry, Mapping) or not {"code", "text"} <= set(entry):
        raise UsageError(f"{where}: needs a code and a text, such as code = 'R1', text = '...'")
    strange = sorted(set(entry) - _KEYS)
    if strange:
        raise UsageError(f"{where}: unknown key {strange[0]!r}{nearest(strange[0], _KEYS)}")
    _check_texts(entry, where)
    code, text, when = (entry.get(name, "") for name in ("code", "text", "when"))
    if not code.strip() or not text.strip():
        raise UsageError(f"{where}: code and text must not be empty")
    if when in {"", "low", "high"}:
        return ReasonCode(code, text, when)
    match = _RANGE.fullmatch(when)
    if match is None:
        raise UsageError(f"{where}: when is {when!r}; it must be low, high or LOW:HIGH")
    low = _number(match["low"], -math.inf, where)
    high = _number(match["high"], math.inf, where)
    if low >= high:
        raise UsageError(f"{where}: when is {when!r}, which holds no value")
    return ReasonCode(code, text, "", low, high)


def _codes(document: Mapping[str, Any], named: str) -> dict[str, tuple[ReasonCode, ...]]:
    tables = document.get("codes")
    if not isinstance(tables, Mapping) or not tables:
        raise UsageError(f'{named}: has no codes; add [codes."FEATURE"] with a code and a text')
    found = {}
    for name, entry in tables.items():
        entries = entry if isinstance(entry, list) else [entry]
        where = f"{named}: [codes.{name!r}]"
        found[name] = tuple(_code(one, where) for one in entries)
    return found


def _names(document: Mapping[str, Any], key: str, named: str) -> frozenset[str]:
    value = document.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UsageError(f"{named}: {key} is {value!r}; it must be an array of features")
    return frozenset(value)


def _groups(document: Mapping[str, Any], named: str) -> dict[str, tuple[str, ...]]:
    value = document.get("merge", {})
    if not isinstance(value, Mapping):
        raise UsageError(f"{named}: merge is {value!r}; it must be a table NAME = [features]")
    found = {name: tuple(sorted(_names(value, name, f"{named}: merge"))) for name in value}
    every = [feature for own in found.values() for feature in own]
    twice = sorted({feature for feature in every if every.count(feature) > 1})
    if twice:
        raise UsageError(f"{named}: merge: {twice[0]!r} is in two groups; leave one out")
    return found


def _contradictions(book: CodeBook) -> Iterator[str]:
    """Say what in a file of codes cannot be."""
    never = book.forbidden | book.protected
    for group, own in book.members.items():
        if never & set(own):
            yield f"merge: {min(never & set(own))!r} is never a reason, and cannot be in {group!r}"
        if group in never:
            yield f"merge: {group!r} is never a reason; name its features instead"
        if any(code.needs_value for code in book.codes.get(group, ())):
            yield f"[codes.{group!r}]: a group has no value, so that when cannot be asked"
    owners = book.owners
    for name in book.codes:
        if name in owners:
            yield f"[codes.{name!r}]: is in the group {owners[name]!r}, which has the code"
        if name in never:
            yield f"[codes.{name!r}]: is forbidden or protected, and needs no code"


def read_code_book(path: str) -> CodeBook:
    """
    Read a file of reason codes.

    Raises
    ------
    RefusedError
        It cannot be read.
    UsageError
        It is no such file, or contradicts itself.
    """
    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise RefusedError(f"{path}: the codes cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error
    known = {"codes", "forbidden", "protected", "merge"}
    strange = sorted(set(document) - known)
    if strange:
        raise UsageError(f"{path}: unknown key {strange[0]!r}{nearest(strange[0], known)}")
    book = CodeBook(
        codes=_codes(document, path),
        members=_groups(document, path),
        forbidden=_names(document, "forbidden", path),
        protected=_names(document, "protected", path),
    )
    for flaw in _contradictions(book):
        raise UsageError(f"{path}: {flaw}")
    return book


def check_features(
    book: CodeBook, features: Sequence[str], named: str, held: Sequence[str] = ()
) -> None:
    """
    Refuse names of a file of codes that are no features of a run.

    Parameters
    ----------
    held
        What the run held: it has no weight, may be forbidden or protected, and needs no code.

    Raises
    ------
    UsageError
        A code, a group or a list names what is none.
    """
    coded = [name for name in (*book.codes, *book.owners) if name in held]
    if coded:
        raise UsageError(
            f"{named}: {coded[0]!r} was held by the run (--hold), and is never a reason; leave its"
            " code out"
        )
    known = {*features, *book.members, ANY, *held}
    asked = [*book.codes, *book.forbidden, *book.protected, *book.owners]
    strange = [name for name in asked if name not in known]
    if strange:
        raise UsageError(
            f"{named}: {strange[0]!r} is no feature of the run{nearest(strange[0], features)}"
        )
