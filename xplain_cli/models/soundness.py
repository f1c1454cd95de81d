"""Claims about the numbers in a model file that compiled code would follow without a look."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

_Value = TypeVar("_Value")


class OddPartError(Exception):
    """What of a part compiled code must not find; the message has no place."""


def need(sound: Any, otherwise: str) -> None:
    """
    Ask that a claim holds.

    Raises
    ------
    OddPartError
        It does not.
    """
    if not sound:
        raise OddPartError(otherwise)


def found(value: _Value | None, otherwise: str) -> _Value:
    """
    Return a value that is not None.

    Raises
    ------
    OddPartError
        It is.
    """
    if value is None:
        raise OddPartError(otherwise)
    return value


def is_within(values: NDArray[Any], count: int) -> bool:
    """Return whether whole numbers are places in something of *count* parts."""
    return not len(values) or bool(int(values.min()) >= 0 and int(values.max()) < count)


def is_forest(left: NDArray[np.int64], right: NDArray[np.int64]) -> bool:
    """
    Return whether the children of nodes, -1 for none, make a tree with its root at 0.

    Each node is the child of one other at most and the root of none, so no path returns.
    """
    children = np.concatenate([left[left != -1], right[right != -1]])
    if not is_within(children, len(left)):
        return False
    parents = np.bincount(children, minlength=len(left))
    return not len(left) or (parents[0] == 0 and int(parents.max()) <= 1)
