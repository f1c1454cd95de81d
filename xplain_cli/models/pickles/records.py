"""What the list says of each class and function: how picklers make it, and what it may hold.

``.ci/make_allowlist.py`` records it from real files; ``allowed.json`` is the list.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, TypeAlias

Pattern: TypeAlias = tuple[frozenset[str], ...]
"""The kinds that stand in each place of a tuple of arguments, or of a state."""

ATTRIBUTES = "attributes"
"""The form of a state that is a dict of attributes."""

_OLDER = (("numpy.core.", "numpy._core."), ("_loss:", "sklearn._loss._loss:"))


@dataclass(frozen=True)
class Record:
    """
    What the list says of one name.

    Attributes
    ----------
    role
        The kind that its instances are (see ``kinds``).
    call, new
        The arguments that picklers write for a call, and for an instance made without one; by their
        number. Empty: it is never made so.
    states
        The states that picklers set: tuples by their number of parts.
    attributes
        Whether a state may be a dict of attributes.
    holds
        The kinds that an attribute was seen to hold, but for those that are data.
    closed
        Whether other attributes than those seen must be data: no estimators.
    """

    role: str
    call: Mapping[int, Pattern] = field(default_factory=dict)
    new: Mapping[int, Pattern] = field(default_factory=dict)
    states: Mapping[int, Pattern] = field(default_factory=dict)
    attributes: bool = False
    holds: Mapping[str, frozenset[str]] = field(default_factory=dict)
    closed: bool = False


class _Records(Mapping[str, Record]):
    """Records by name, each made of what is stored when it is first asked for: few ever are."""

    def __init__(self, stored: dict[str, dict[str, Any]]) -> None:
        self._stored = stored
        self._made: dict[str, Record] = {}

    def __getitem__(self, key: str) -> Record:
        key = self._stored[key].get("as", key)
        if key not in self._made:
            self._made[key] = _record(key, self._stored[key])
        return self._made[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)


@dataclass(frozen=True)
class AllowList:
    """
    The whole list.

    Attributes
    ----------
    records
        By ``module:name``.
    methods
        Names of methods of the listed estimators: no attribute of an instance may hide one.
    """

    records: Mapping[str, Record]
    methods: frozenset[str]


def _patterns(found: list[list[list[str]]]) -> dict[int, Pattern]:
    return {len(one): tuple(map(frozenset, one)) for one in found}


def _record(key: str, stored: dict[str, Any]) -> Record:
    return Record(
        stored.get("role", key),
        _patterns(stored.get("call", [])),
        _patterns(stored.get("new", [])),
        _patterns(stored.get("states", [])),
        attributes=ATTRIBUTES in stored,
        holds={name: frozenset(kinds) for name, kinds in stored.get(ATTRIBUTES, {}).items()},
        closed=stored.get("closed", False),
    )


@cache
def allow_list() -> AllowList:
    """Return the shipped list."""
    text = resources.files("xplain_cli.models.pickles").joinpath("allowed.json").read_text("utf-8")
    stored = json.loads(text)
    return AllowList(_Records(stored["names"]), frozenset(stored["methods"]))


@cache
def allowed_names() -> frozenset[str]:
    """Return the names on the list, as ``module:name``."""
    return frozenset(allow_list().records)


def role_of(key: str) -> str:
    """Return the role of a listed name; of others the name itself."""
    found = allow_list().records.get(key)
    return key if found is None else found.role
