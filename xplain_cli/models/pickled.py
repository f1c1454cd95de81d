"""Pickle and joblib files: dry run, verdict, then a strict load of the same bytes."""

import functools
import importlib.util
import io
import math
import pickle
import types
import warnings
from collections.abc import Callable, Collection
from importlib import metadata
from typing import Any, Self

import numpy as np

from xplain_cli.errors import RefusedError
from xplain_cli.models.allowlist import SUBSTITUTED, is_allowed, judge, stated_version
from xplain_cli.models.boosters import BOOSTERS
from xplain_cli.models.callables import extend_path
from xplain_cli.models.contract import LoadedModel, ModelRecipe
from xplain_cli.models.dry_run import dry_run
from xplain_cli.models.estimators import Estimator
from xplain_cli.models.guards import PARTIALS
from xplain_cli.models.inert import modern_name
from xplain_cli.models.raw_arrays import WRAPPER
from xplain_cli.models.stored import Stored

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


def _home(module: str) -> str:
    """Return where a module's names are today, where that is known to be the same thing."""
    if module == "_loss":  # Cython left the package's name out until scikit-learn 1.9
        return "sklearn._loss._loss"
    if module.startswith("numpy.core."):  # NumPy 2 warns at each use of the old name
        modern = module.replace("numpy.core", "numpy._core", 1)
        return modern if importlib.util.find_spec("numpy._core") else module
    return module


def _array_reader() -> type:
    """Return joblib's array wrapper with one copy of the bytes where joblib makes three."""
    import joblib.numpy_pickle as joblibs

    class ArrayReader(joblibs.NumpyArrayWrapper):  # type: ignore[misc]  # untyped package
        def read_array(self, unpickler: Any, ensure_native_byte_order: bool) -> Any:  # noqa: FBT001  # joblib's signature
            if self.dtype.hasobject or self.order not in {"C", "F"}:
                return super().read_array(unpickler, ensure_native_byte_order)
            file = unpickler.file_handle
            if self.safe_get_numpy_array_alignment_bytes() is not None:
                file.read(file.read(1)[0])
            raw = np.empty(math.prod(self.shape) * self.dtype.itemsize, dtype=np.uint8)
            if file.readinto(raw.data) != raw.nbytes:
                raise pickle.UnpicklingError("ends within an array")
            shape = self.shape if self.order == "C" else self.shape[::-1]
            array = raw.view(self.dtype).reshape(shape)
            array = array if self.order == "C" else array.transpose()
            swap = ensure_native_byte_order and not array.dtype.isnative
            return array.astype(array.dtype.newbyteorder("=")) if swap else array

    return ArrayReader


def _strict_finder(trusted: Collection[str]) -> Callable[[str, str], Any]:
    reader = _array_reader()

    def find(module: str, name: str) -> Any:
        module, name = modern_name(module, name)
        if "." in name or not is_allowed(module, name, trusted):
            raise pickle.UnpicklingError(f"{module}.{name} is not on the list")
        if f"{module}:{name}" in SUBSTITUTED:
            return CheckerPartial
        if f"{module}:{name}" == WRAPPER:
            return reader
        return getattr(importlib.import_module(_home(module)), name)

    return find


def _strict_load(data: bytes, trusted: Collection[str]) -> Any:
    """Load with the allowlist in ``find_class``: a second wall, should the dry run be wrong."""
    from joblib.numpy_pickle import NumpyUnpickler

    def guarded_build(unpickler: Any) -> None:
        if isinstance(unpickler.stack[-2], _NO_INSTANCES):
            raise pickle.UnpicklingError("sets attributes of a class or function")
        NumpyUnpickler.load_build(unpickler)

    unpickler = NumpyUnpickler("", io.BytesIO(data), ensure_native_byte_order=True)
    # instance attributes, as joblib itself does it: nested object arrays inherit find_class
    unpickler.find_class = _strict_finder(trusted)
    unpickler.dispatch = {**NumpyUnpickler.dispatch, pickle.BUILD[0]: guarded_build}
    return unpickler.load()


def _plain_load(data: bytes) -> Any:
    import joblib

    return joblib.load(io.BytesIO(data))


def _load(data: bytes, recipe: ModelRecipe) -> Any:
    """Load, and say again every warning but scikit-learn's on versions, which becomes a note."""
    from sklearn.exceptions import InconsistentVersionWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loaded = _plain_load(data) if recipe.trust_all else _strict_load(data, recipe.trusted)
    for warning in caught:
        if not issubclass(warning.category, InconsistentVersionWarning):
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    return loaded


def _skew(version: str | None) -> str:
    """Return the note on two versions of scikit-learn, or nothing."""
    running = metadata.version("scikit-learn")
    if version is None or version == running:
        return ""
    return f"fitted with scikit-learn {version}, running {running}"


def _way_out(version: str | None) -> str:
    if not _skew(version):
        return "store the model again with the installed versions, or export it to ONNX"
    return f"run it as: uvx --with scikit-learn=={version} --from xplain-cli xplain"


def open_pickled(recipe: ModelRecipe, stored: Stored) -> LoadedModel:
    """
    Judge and load a pickle.

    Raises
    ------
    RefusedError
        The file asks for more than the list grants, cannot be loaded with the installed versions,
        or holds something that is no model.
    """
    path = recipe.source
    run = dry_run(stored.data)
    version = stated_version(run)
    if not recipe.trust_all:
        try:
            judge(path, run, recipe.trusted)
        except RefusedError as error:
            raise RefusedError(f"{error}{_hint(version)}") from error
    extend_path(recipe.python_path)
    try:
        loaded = _load(stored.data, recipe)
    except Exception as error:  # a class of any version may raise anything from its own state
        note = f" ({_skew(version)})" if _skew(version) else ""
        reason = " ".join(str(error).split()) or type(error).__name__
        module = error.name if isinstance(error, ModuleNotFoundError) else None
        absent = (module or "").partition(".")[0]
        extra = f"pip install 'xplain-cli[{absent}]'"
        way_out = extra if absent in BOOSTERS else _way_out(version)
        raise RefusedError(f"{path}: cannot be loaded: {reason}{note}; {way_out}") from error
    if not any(callable(getattr(loaded, name, None)) for name in ("predict", "decision_function")):
        raise RefusedError(f"{path}: {_describe(loaded)}")
    notes = [note for note in (_skew(version),) if note]
    if recipe.trust_all:
        notes.append("loaded unjudged: --trust-model runs whatever the file asks for")
    return Estimator(
        loaded,
        source=path,
        sha256=stored.sha256,
        recipe=recipe,
        notes=tuple(notes),
        versions={} if version is None else {"scikit-learn": version},
        way_out=_way_out(version),
    )


def _hint(version: str | None) -> str:
    return f" ({_skew(version)})" if _skew(version) else ""


def _describe(loaded: Any) -> str:
    kind = type(loaded).__name__
    if isinstance(loaded, dict):
        keys = ", ".join(map(str, list(loaded)[:5]))
        return f"holds a dict ({keys}), not a model; store the fitted model alone"
    if hasattr(loaded, "fit"):
        return f"holds a {kind}, which does not predict; store the whole pipeline or the model"
    return f"holds a {kind}, not a model; store the fitted model alone"
