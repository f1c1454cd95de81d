"""Walks what a loaded estimator holds, and finds what would reach files while predicting."""

from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from xplain_cli.errors import RefusedError

_READERS = frozenset({"catboost", "lightgbm", "xgboost"})  # their classes take paths of models
_SHARED = (type, ModuleType, FunctionType)  # code that a model names, and does not hold
_VECTORIZERS = "sklearn.feature_extraction.text"


def held_by(root: Any) -> Iterator[Any]:
    """Yield an estimator and everything that it holds, each once."""
    stack, seen = [root], set[int]()
    while stack:
        value = stack.pop()
        if id(value) in seen or isinstance(value, (str, bytes, int, float)):
            continue
        seen.add(id(value))
        stack.extend(_parts(value))
        yield value


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, (list, tuple)) or (
        isinstance(value, np.ndarray) and value.dtype.hasobject
    ):
        yield from (value.ravel() if isinstance(value, np.ndarray) else value)
    elif not isinstance(value, _SHARED):  # wrappers of any class may hold a model
        yield from getattr(value, "__dict__", {}).values()


def refuse_readers(path: str, root: Any) -> None:
    """
    Refuse a model that would read other files when it predicts.

    Raises
    ------
    RefusedError
        It takes texts for names of files, or holds a class, to be called, that reads models.
    """
    for value in held_by(root):
        if isinstance(value, type) and value.__module__.partition(".")[0] in _READERS:
            raise RefusedError(
                f"{path}: holds the class {value.__name__} as a value; called with a path it would"
                " read that file; if you made this file yourself: --trust-model"
            )
        vectorizes = any(one.__module__ == _VECTORIZERS for one in type(value).__mro__)
        reads = getattr(value, "input", "content") if vectorizes else "content"
        if reads != "content":
            raise RefusedError(
                f"{path}: its {type(value).__name__} reads the files that texts name"
                f" (input={str(reads)[:80]!r}); fit it with input='content'; if you made this file"
                " yourself: --trust-model"
            )
