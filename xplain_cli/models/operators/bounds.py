"""How much a graph under construction may make: a size is known before it is made."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

MOST_NUMBERS = 1 << 26
"""Of one value, unless it is made of one as large: half a gigabyte in double precision."""

_MOST_CONSTANT = 1 << 28
_MOST_MOVING = 1 << 32
_MOST_STEPS = 100_000


class UntranslatableError(Exception):
    """What has no derivative here; the message goes on from 'cannot follow'."""


def check_size(*lengths: int) -> None:
    """
    Refuse what would have too many numbers.

    Raises
    ------
    UntranslatableError
        It would.
    """
    if math.prod(lengths) > MOST_NUMBERS:
        raise UntranslatableError(f"values of more than {MOST_NUMBERS} numbers")


def _tensors(given: Any) -> Iterator[Any]:
    if isinstance(given, (list, tuple)):
        for one in given:
            yield from _tensors(one)
    elif hasattr(given, "numel"):
        yield given


def _weightless(given: Any) -> Any:
    """Return arguments whose tensors have a shape and no numbers."""
    if isinstance(given, (list, tuple)):
        return [_weightless(one) for one in given]
    return given.to("meta") if hasattr(given, "numel") else given


def _at_most(given: Any) -> int:
    """Return what no result exceeds: tensors joined, spread, padded or repeated."""
    if isinstance(given, (list, tuple)):
        found = 1
        for one in given:
            found *= _at_most(one)
            if found > MOST_NUMBERS:
                break
        return found
    if hasattr(given, "numel"):
        return int(given.numel()) + 1
    return abs(given) + 2 if type(given) is int else 1


@dataclass
class Bounds:
    """What a graph has made so far."""

    steps: int = 0
    constants: int = 0
    moving: int = 0

    def advance(self, steps: int = 1) -> None:
        """
        Count operators, those whose results are constants as well.

        Raises
        ------
        UntranslatableError
            There are too many: functions that call functions grow with no bound.
        """
        self.steps += steps
        if self.steps > _MOST_STEPS:
            raise UntranslatableError(f"more than {_MOST_STEPS} operators")

    def add(self, results: Any, *, moves: bool) -> None:
        """
        Count what was made.

        Raises
        ------
        UntranslatableError
            All results together are too large.
        """
        made = sum(one.numel() for one in _tensors(results))
        if moves:
            self.moving += made
        else:
            self.constants += made
        if self.moving > _MOST_MOVING or self.constants > _MOST_CONSTANT:
            raise UntranslatableError("a graph that makes too many numbers of a few rows")


def foresee(target: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> None:
    """
    Refuse a call of torch whose result would be too large, before it is made.

    Raises
    ------
    UntranslatableError
        It would be, and nothing that it is made of is as large.
    """
    if _at_most(args) <= MOST_NUMBERS:
        return
    try:
        results = target(*_weightless(args), **kwargs)
    except (NotImplementedError, RuntimeError, TypeError):
        return  # its size rests on numbers, or the call itself will say what is wrong
    largest = max((one.numel() for one in _tensors(results)), default=0)
    if largest > max((one.numel() for one in _tensors(args)), default=0):
        check_size(largest)
