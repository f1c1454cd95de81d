"""``package.module:callable``: a batch (DataFrame, list of texts, array) in, outputs out."""

import hashlib
import importlib
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xplain_cli.errors import RefusedError, nearest, summed_up
from xplain_cli.explanation import FloatArray
from xplain_cli.models.contract import (
    Batch,
    Capabilities,
    Levels,
    Model,
    ModelRecipe,
    PictureInput,
    Signature,
)
from xplain_cli.models.labelled import read_labelled
from xplain_cli.models.responses import Answer, expand, settle_answer, to_matrix, wrong_length

_GIVEN = {"tabular": "a DataFrame", "text": "a list of texts", "image": "an array of pictures"}
_WHOLE = (
    "answers one whole number of each row; labels are no amounts: return the scores of all classes,"
    " (rows, classes); or, where these are amounts, floats: .astype(float)"
)
_READABLE = "return probabilities as an array, or rows of {label: p} or {label, score}"
_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def names_callable(source: str) -> bool:
    """Return whether a model's source is ``package.module:callable`` and no file."""
    return _NAME.fullmatch(source) is not None and not Path(source).exists()


def extend_path(folders: Sequence[str]) -> None:
    """Put folders before ``sys.path``, in their order, each once."""
    for folder in reversed([str(Path(folder).resolve()) for folder in folders]):
        if folder not in sys.path:
            sys.path.insert(0, folder)


def module_file(module: str, folders: Sequence[str] = ()) -> Path | None:
    """Return the source file of a module without importing it or its packages; None: not found."""
    path: Any = [*map(str, folders), *sys.path]
    name, spec = "", None
    for part in module.split("."):
        name = f"{name}.{part}".lstrip(".")
        spec = PathFinder.find_spec(name, path)
        if spec is None:
            return None
        path = spec.submodule_search_locations or []
    return None if spec is None or spec.origin is None else Path(spec.origin)


def callable_sha256(recipe: ModelRecipe) -> str:
    """
    Return the SHA-256 (hex) of the file that holds a callable; nothing is imported.

    Raises
    ------
    RefusedError
        There is no such module, or its file is another one than pinned.
    """
    module = recipe.source.split(":")[0]
    file = module_file(module, recipe.python_path)
    if file is None or not file.is_file():
        raise RefusedError(f"{recipe.source}: no module {module!r}; name its folder: --python-path")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if recipe.sha256 is not None and recipe.sha256.strip().lower() != digest:
        raise RefusedError(
            f"{recipe.source}: the SHA-256 of {file} is {digest}, not the pinned {recipe.sha256}"
        )
    return digest


def _read(answer: Any, labels: tuple[str, ...] = ()) -> tuple[tuple[str, ...], FloatArray]:
    """
    Return the labels that an answer carries, if it does, and its numbers (rows, outputs).

    Raises
    ------
    ValueError
        It is not numeric, or its labels are not those of the probe.
    """
    found = read_labelled(answer, labels)
    if found is not None:
        return found
    if labels:
        raise ValueError(f"answers no labels, and the first rows had {', '.join(labels[:4])}")
    array = np.asarray(answer)
    if array.dtype.kind == "U" or any(isinstance(one, str) for one in _objects(array)):
        raise ValueError(f"answers labels, not numbers: {_READABLE}")
    try:
        return (), to_matrix(answer)
    except TypeError as error:
        raise ValueError(f"{error}: {_READABLE}") from error


def _is_whole(answer: Any) -> bool:
    """Return whether an answer is one whole number, or one bool, of each row: its label."""
    array = np.asarray(answer)
    return array.dtype.kind in "iub" and array.size == len(array)


def _objects(array: NDArray[Any]) -> Iterable[Any]:
    return array.flat if array.dtype.kind == "O" else ()


class CallableModel:
    """A callable that the probe has settled."""

    capabilities = Capabilities(
        why_not={
            "leaves": "needs trees, not a function",
            "redrawable": "needs layers of weights to draw anew, and a function shows none",
        }
    )

    def __init__(self, function: Callable[[Batch], Any], signature: Signature) -> None:
        self._function = function
        self.signature = signature

    def predict(self, batch: Batch) -> FloatArray:
        """Return the (rows, outputs) float64 answers, C-contiguous."""
        _, matrix = _read(self._function(batch), self.signature.labels)
        if len(matrix) != len(batch):
            raise ValueError(wrong_length(len(matrix), len(batch)))
        return expand(matrix, self.signature)


class LoadedCallable:
    """
    An imported callable.

    It is handed a DataFrame with the columns of the table, a list of texts, or an array of pictures
    (rows, height, width, channels), and answers an array or nested lists, (rows,) or
    (rows, outputs), or rows with their labels (``labelled``).
    """

    kind = "callable"
    tokenizer_sha256: str | None = None
    leftovers: tuple[str, ...] = ()
    takes: PictureInput | None = None
    columns: tuple[str, ...] | None = None
    n_columns: int | None = None
    discrete: frozenset[str] = frozenset()
    numeric: frozenset[str] = frozenset()
    all_numeric = False
    notes: tuple[str, ...] = ()

    def __init__(self, recipe: ModelRecipe, function: Callable[[Batch], Any]) -> None:
        self.sha256 = callable_sha256(recipe)
        self.versions: dict[str, str] = {}
        self.levels: dict[str, Levels] = {}
        self._recipe = recipe
        self._function = function

    def settle(self, batch: Batch) -> Signature:
        """Ask for one prediction on a few rows and read its shape."""
        source = self._recipe.source
        given = _GIVEN.get(self._recipe.modality, "a batch")
        try:
            answer = self._function(batch)
            labels, matrix = _read(answer)
        except Exception as error:  # the user's code may raise anything
            raise RefusedError(
                f"{source}: failed on the first {len(batch)} rows, given as {given}:"
                f" {summed_up(error, quotes=self._recipe.quotes)}"
            ) from error
        names = labels or None
        if not labels and _is_whole(answer):
            raise RefusedError(f"{source}: {_WHOLE}")
        found = Answer(
            source, "callable", matrix, names, modality=self._recipe.modality, labels=labels
        )
        return settle_answer(found, len(batch), self._recipe.class_names)

    def bind(self, signature: Signature) -> Model:
        """Return the model that answers as *settled* says."""
        return CallableModel(self._function, signature)


def open_callable(recipe: ModelRecipe) -> LoadedCallable:
    """
    Import ``package.module:callable``.

    Raises
    ------
    RefusedError
        The module is not found, fails on import, or has no such callable.
    """
    module, _, name = recipe.source.partition(":")
    callable_sha256(recipe)
    extend_path(recipe.python_path)
    try:
        function = getattr(importlib.import_module(module), name, None)
    except Exception as error:  # the user's module may raise anything
        raise RefusedError(
            f"{recipe.source}: importing {module} failed: {type(error).__name__}: {error}"
        ) from error
    if not callable(function):
        known = [one for one, held in vars(sys.modules[module]).items() if callable(held)]
        raise RefusedError(
            f"{recipe.source}: {module} has no callable {name!r}; name a function of it"
            f"{nearest(name, known)}"
        )
    return LoadedCallable(recipe, function)
