"""The strict load: the same engine as the dry run's, which imports nothing but what is listed."""

import functools
import importlib
import importlib.util
import math
import pickle
import types
from collections.abc import Collection
from typing import Any, ClassVar, Self

import numpy as np

from xplain_cli.models.pickles.allowlist import SUBSTITUTED, is_allowed
from xplain_cli.models.pickles.guards import PARTIALS
from xplain_cli.models.pickles.raw_arrays import WRAPPER
from xplain_cli.models.pickles.recording_unpickler import modern_name
from xplain_cli.models.pickles.unpickler import Content, Engine

_NO_INSTANCES = (type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType)


class CheckerPartial(functools.partial[Any]):
    """A ``functools.partial`` that holds nothing but the functions of ``PARTIALS``."""

    def __new__(cls, function: Any) -> Self:
        """Hold a listed function."""
        _check_partial(function)
        return super().__new__(cls, function)

    def __setstate__(self, state: Any) -> None:
        """Take the arguments of a listed function."""
        _check_partial(state[0])
        super().__setstate__(state)  # type: ignore[misc]  # typeshed leaves it out


def _check_partial(function: Any) -> None:
    name = f"{getattr(function, '__module__', '')}:{getattr(function, '__qualname__', '')}"
    if not isinstance(function, types.FunctionType) or name not in PARTIALS:
        raise pickle.UnpicklingError("holds a functools.partial of a function that is not listed")


class _RawArray:
    """What joblib writes before the bytes of an array."""

    shape: tuple[int, ...]
    order: str
    dtype: np.dtype[Any]
    numpy_array_alignment_bytes: int | None = None

    def read(self, engine: Engine) -> Any:
        """Return the array, in the byte order of this machine, and go on behind it."""
        engine.leave_frame()
        if self.dtype.hasobject:
            return engine.load_nested()
        if self.numpy_array_alignment_bytes is not None:
            engine.skip(engine.read(1)[0])
        count, start = math.prod(self.shape), engine.at
        engine.skip(count * self.dtype.itemsize)
        values = np.frombuffer(engine.data, self.dtype, count, start) if count else np.empty(0)
        values = values.astype(self.dtype.newbyteorder("="))
        return values.reshape(self.shape, order="F" if self.order == "F" else "C")


def _home(module: str) -> str:
    """Return where a module's names are today, where that is known to be the same thing."""
    if module == "_loss":  # Cython left the package's name out until scikit-learn 1.9
        return "sklearn._loss._loss"
    if module.startswith("numpy.core."):  # NumPy 2 warns at each use of the old name
        modern = module.replace("numpy.core", "numpy._core", 1)
        return modern if importlib.util.find_spec("numpy._core") else module
    return module


class _Strict(Engine):
    dispatch: ClassVar[dict[int, Any]] = dict(Engine.dispatch)

    def __init__(self, data: Content, trusted: Collection[str], at: int = 0) -> None:
        super().__init__(data, at)
        self._trusted = trusted

    def nested(self) -> Self:
        return type(self)(self.data, self._trusted, self.at)

    def find_class(self, module: str, name: str) -> Any:
        module, name = modern_name(module, name)
        if "." in name or not is_allowed(module, name, self._trusted):
            raise pickle.UnpicklingError(f"{module}.{name} is not on the list")
        if f"{module}:{name}" in SUBSTITUTED:
            return CheckerPartial
        if f"{module}:{name}" == WRAPPER:
            return _RawArray
        return getattr(importlib.import_module(_home(module)), name)

    def load_build(self) -> None:
        if isinstance(self.stack[-2], _NO_INSTANCES):
            raise pickle.UnpicklingError("sets attributes of a class or function")
        super().load_build()  # type: ignore[misc]  # typeshed leaves it out
        if isinstance(self.stack[-1], _RawArray):
            self.stack[-1] = self.stack[-1].read(self)

    dispatch[pickle.BUILD[0]] = load_build


def strict_load(data: Content, trusted: Collection[str]) -> Any:
    """
    Load a pickle or (unpacked) joblib file with the allowlist in ``find_class``.

    It is a second wall, should the dry run be wrong.

    Raises
    ------
    pickle.UnpicklingError
        It asks for a name that is neither listed nor trusted, or sets attributes of a class.
    """
    return _Strict(data, trusted).load()
