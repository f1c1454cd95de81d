"""The category names in an XGBoost model, of which it cuts off the end where they are not ASCII.

Up to 3.2 at least, XGBoost joins the names of a column as UTF-8 and keeps as many bytes as they
have characters, with the lengths in characters. So every byte beyond ASCII costs one at the end,
of the last names. What it keeps is enough to compare names as XGBoost itself does.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xplain_cli.errors import RefusedError

_ASCII_LIMIT, _FILLERS = 128, range(0x80, 0xC0)
_FIRST_FILLER = 0xF0000  # private use: no name has such characters


@dataclass(frozen=True)
class Names:
    """
    The categories of a column.

    Attributes
    ----------
    levels
        The values, in the model's order; what was cut off a name is filled up, to its length.
    known
        How many characters of each name were kept; empty: all of them.
    """

    levels: tuple[Any, ...]
    known: tuple[int, ...] = ()


def _rest(tail: bytes) -> str:
    """Return a character whose UTF-8 begins with the bytes that are left of one."""
    for width in range(1, 4):
        for filler in _FILLERS:
            try:
                return (tail + bytes([filler] * width)).decode("utf-8")
            except UnicodeDecodeError:
                continue
    raise ValueError(f"{tail!r} begins no character")


def _kept(data: bytes) -> tuple[str, str]:
    """Return the whole characters that bytes begin with, and what a cut one is filled up to."""
    try:
        return data.decode("utf-8"), ""
    except UnicodeDecodeError as error:
        return data[: error.start].decode("utf-8"), _rest(data[error.start :])


def _check(levels: Sequence[str], known: Sequence[int]) -> None:
    """
    Check that names which lost their end can still be told apart.

    Raises
    ------
    RefusedError
        They cannot.
    """
    cut = [len(one) for one, kept in zip(levels, known, strict=True) if kept < len(one)]
    if len(set(cut)) < len(cut):
        raise RefusedError(
            "keeps too little of its category names to tell them apart, as XGBoost does where they"
            " are not ASCII; fit it on names in ASCII, or on codes"
        )


def decode(encoded: Mapping[str, Any]) -> Names:
    """
    Return the categories of a column from the model's JSON.

    Parameters
    ----------
    encoded
        ``values``, and for names ``offsets`` too: where each begins.

    Raises
    ------
    RefusedError
        Too little was kept of names to tell them apart.
    """
    values, offsets = encoded.get("values") or [], encoded.get("offsets")
    if offsets is None:
        return Names(tuple(values))
    data = bytes(value % 256 for value in values)
    pairs = list(itertools.pairwise(offsets))
    if max(data, default=0) < _ASCII_LIMIT:
        return Names(tuple(data[start:stop].decode("ascii") for start, stop in pairs))
    whole, rest = _kept(data)
    lost = offsets[-1] - len(whole) - len(rest)
    text = whole + rest + "".join(chr(_FIRST_FILLER + i) for i in range(lost))
    levels = tuple(text[start:stop] for start, stop in pairs)
    known = tuple(min(max(len(whole) - start, 0), stop - start) for start, stop in pairs)
    _check(levels, known)
    return Names(levels, known)


def find(value: Any, levels: Sequence[Any], known: Sequence[int]) -> int:
    """Return the place of the only name that a value may be, as far as it was kept; else -1."""
    fits = [
        place
        for place, (level, kept) in enumerate(zip(levels, known, strict=True))
        if isinstance(value, str) and len(value) == len(level) and value[:kept] == level[:kept]
    ]
    exact = [place for place in fits if known[place] == len(levels[place])]
    found = exact or fits
    return found[0] if len(found) == 1 else -1
