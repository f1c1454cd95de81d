"""NumPy's dtypes and joblib's raw arrays in a dry run: followed exactly, built from nothing odd.

A dtype whose flags lie about objects turns raw bytes into pointers, and one whose size lies moves
the scanner away from where the loader reads. So a dtype passes only in the very form in which
NumPy writes it.
"""

import math
import re
from typing import Any

import numpy as np

from xplain_cli.models.pickles.stand_ins import Global, OmittedBytes, RawArray, Stub
from xplain_cli.models.pickles.unpickler import Engine

DTYPE = "numpy:dtype"
WRAPPER = "joblib.numpy_pickle:NumpyArrayWrapper"

_CODE = re.compile(r"[biufcmMSUV]\d{1,9}|O8?")
KEPT_BYTES = 2**14
_STATE_DEPTH = 4
_SUBCLASSES = frozenset({"numpy:ndarray", "numpy:matrix"})
_WRAPPER_STATE = frozenset({
    "subclass",
    "shape",
    "order",
    "dtype",
    "allow_mmap",
    "numpy_array_alignment_bytes",
})


class RefusalError(Exception):
    """Why a dry run stops; the message has no path."""


def begin_dtype(made: Stub) -> None:
    """
    Give a fresh ``numpy.dtype(code, False, True)`` its value.

    Raises
    ------
    RefusalError
        The arguments are not those that NumPy writes.
    """
    arguments = made.arguments
    plain = len(arguments) == 3 and type(arguments[0]) is str and not made.keywords
    if not plain or arguments[1:] != (False, True) or not _CODE.fullmatch(arguments[0]):
        raise RefusalError("makes a numpy.dtype in a way that numpy does not write")
    made.value = np.dtype(arguments[0])


def _described(code: str, state: tuple[Any, ...]) -> np.dtype[Any]:
    """Return the dtype that a state describes, built from its description alone."""
    if len(state) not in {8, 9}:
        raise ValueError(code)
    _, order, parent, names, fields, size, _, flags = state[:8]
    if parent is not None:
        base, shape = parent
        several: np.dtype[Any] = np.dtype((base.value, shape))
        return several
    if names is not None:
        described: Any = {
            "names": list(names),
            "formats": [fields[name][0].value for name in names],
            "offsets": [fields[name][1] for name in names],
            "itemsize": size,
            "aligned": bool(flags & 128),
        }
        record: np.dtype[Any] = np.dtype(described)
        return record
    if code[0] in "mM":
        unit, count, divisor, event = state[8][1]
        if (divisor, event) != (1, 1):
            raise ValueError(unit)
        return np.dtype(f"{order}{code}[{count}{unit.decode()}]")
    return np.dtype((order if order in "<>" else "") + code)


def _with_values(part: Any, depth: int = 0) -> Any:
    """Return a state with the stand-ins of dtypes replaced by dtypes; a state is never deep."""
    if depth > _STATE_DEPTH:
        raise ValueError(part)
    if isinstance(part, Stub):
        return part.value
    if isinstance(part, tuple):
        return tuple(_with_values(one, depth + 1) for one in part)
    if isinstance(part, dict):
        return {key: _with_values(one, depth + 1) for key, one in part.items()}
    return part


def finish_dtype(made: Stub) -> None:
    """
    Give a ``numpy.dtype`` that BUILD completes its value.

    Raises
    ------
    RefusalError
        The state is not what NumPy writes for the dtype that it describes.
    """
    try:
        dtype = _described(made.arguments[0], made.state)
        written = dtype.__reduce__()
        same = written[1:] == (made.arguments, _with_values(made.state))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError):
        same = False
    if not same or (dtype.hasobject and dtype != np.dtype(object)):
        raise RefusalError("sets a numpy.dtype to a state that numpy does not write")
    made.value = dtype


def _checked(made: Stub) -> tuple[tuple[int, ...], np.dtype[Any]]:
    state = made.state
    if not isinstance(state, dict) or not set(state) <= _WRAPPER_STATE:
        raise RefusalError("holds a joblib array that joblib does not write")
    shape, dtype, subclass = (state.get(key) for key in ("shape", "dtype", "subclass"))
    alignment = state.get("numpy_array_alignment_bytes")
    sound = (
        isinstance(shape, tuple)
        and all(type(length) is int and length >= 0 for length in shape)
        and isinstance(dtype, Stub)
        and isinstance(dtype.value, np.dtype)
        and dtype.value.itemsize > 0
        and isinstance(subclass, Global)
        and subclass.key in _SUBCLASSES
        and state.get("order") in ("C", "F")
        and alignment in (None, 16)
    )
    if not sound or not isinstance(shape, tuple) or not isinstance(dtype, Stub):
        raise RefusalError("holds a joblib array that joblib does not write")
    return shape, dtype.value


def read_raw_array(made: Stub, engine: Engine) -> RawArray | None:
    """
    Follow the raw bytes of a joblib array, and leave the engine where the strict load will be.

    Parameters
    ----------
    made
        The stand-in of the wrapper, its state set.
    engine
        At the byte after the wrapper.

    Returns
    -------
    RawArray or None
        None: an array of objects, whose nested pickle starts here.

    Raises
    ------
    RefusalError
        The wrapper is not one that joblib writes.
    EOFError
        The file ends within the array.
    """
    shape, dtype = _checked(made)
    engine.leave_frame()
    if dtype.hasobject:
        return None
    if made.state.get("numpy_array_alignment_bytes") is not None:
        engine.skip(engine.read(1)[0])
    size = math.prod(shape) * dtype.itemsize
    held = OmittedBytes(size, engine.data, engine.at)
    engine.skip(size)
    return RawArray(shape, made.state["order"], dtype, held)
