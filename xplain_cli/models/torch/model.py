"""Torch modules: torch.export (.pt2) and TorchScript, judged first; on one thread, on the CPU."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.errors import RefusedError, UsageError, require, with_article
from xplain_cli.explanation import FloatArray
from xplain_cli.models.contract import (
    Batch,
    Capabilities,
    Levels,
    LoadedModel,
    Model,
    ModelRecipe,
    PictureInput,
    Signature,
)
from xplain_cli.models.pictures import LoadedFlatModel, layout_of
from xplain_cli.models.responses import Answer, expand, settle_answer, to_matrix
from xplain_cli.models.stored import ModelContent, unpacked_cap
from xplain_cli.models.torch.archive import (
    EXPORT,
    REFUSED,
    Archive,
    packed,
    read_archive,
    refuse_pickle,
)
from xplain_cli.models.torch.export import Program, judge_export
from xplain_cli.models.torch.gradients import Asked, torch_gradient
from xplain_cli.models.torch.layer_names import StoredLayer
from xplain_cli.models.torch.redrawing import module_layers, redraw_module
from xplain_cli.models.torch.script import is_harmless, judge_code, judge_pickles

_NO_LAYERS = "needs layers of weights to draw anew, and this module has no parameters (frozen?)"
_FORMS = {"export": "torch.export", "script": "TorchScript", "pickle": "a pickled module"}


@dataclass(frozen=True)
class Network:
    """
    A module that answers tensors.

    Attributes
    ----------
    module
        What torch loaded.
    dtype
        The numpy type that it takes.
    shape
        The lengths of its input; None: any. Empty: unknown.
    layers
        What its file calls its layers.
    """

    module: Any
    dtype: str = "float32"
    shape: tuple[int | None, ...] = ()
    layers: Mapping[str, StoredLayer] = field(default_factory=dict)

    def ask(self, batch: Batch) -> FloatArray:
        """
        Return the (rows, outputs) answers; a module of fixed length is asked piece by piece.

        Raises
        ------
        TypeError
            It answers more than one tensor.
        ValueError
            It answers a tensor of more than two axes.
        """
        rows = batch.to_numpy() if isinstance(batch, pd.DataFrame) else np.asarray(batch)
        values = np.ascontiguousarray(rows, dtype=self.dtype)
        fixed = self.shape[0] if self.shape else None
        if fixed is None:
            return self._answer(values)
        pieces = [values[start : start + fixed] for start in range(0, len(values), fixed)]
        short = fixed - len(pieces[-1])
        pieces[-1] = np.concatenate([pieces[-1], np.repeat(values[-1:], short, axis=0)])
        return np.concatenate([self._answer(piece) for piece in pieces])[: len(values)]

    def _answer(self, values: Any) -> FloatArray:
        import torch

        with torch.no_grad():
            answer = self.module(torch.from_numpy(values))
        if isinstance(answer, (tuple, list)) and len(answer) == 1:
            answer = answer[0]
        if not isinstance(answer, torch.Tensor):
            raise TypeError(f"answers {with_article(type(answer).__name__)}, not one tensor")
        return to_matrix(answer.to(torch.float64).numpy())


class TorchModel:
    """A network that the probe has settled."""

    def __init__(self, network: Network, signature: Signature, layout: str = "NCHW") -> None:
        self._network, self._layout = network, layout
        self.signature = signature

    @property
    def capabilities(self) -> Capabilities:
        """Derivatives by its input."""
        network = self._network
        asked = Asked(
            network.module,
            network.dtype,
            network.shape,
            self._layout,
            self.signature,
            network.layers,
        )
        layered = bool(module_layers(network.module))
        return Capabilities(
            gradient=partial(torch_gradient, asked),
            redrawable=partial(module_layers, network.module) if layered else None,
            why_not={} if layered else {"redrawable": _NO_LAYERS},
        )

    def predict(self, batch: Batch) -> FloatArray:
        """Return the (rows, outputs) float64 answers, C-contiguous."""
        return expand(self._network.ask(batch), self.signature)


class LoadedTorch:
    """A torch file that was judged and opened; tables come as one matrix of numbers."""

    kind = "torch"
    tokenizer_sha256: str | None = None
    leftovers: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None
    discrete: frozenset[str] = frozenset()
    numeric: frozenset[str] = frozenset()
    all_numeric = True

    def __init__(self, recipe: ModelRecipe, sha256: str, network: Network) -> None:
        self._recipe, self._network = recipe, network
        self.sha256 = sha256
        self.levels: dict[str, Levels] = {}
        self.versions: dict[str, str] = {}
        self.n_columns = network.shape[1] if len(network.shape) == 2 else None
        self.notes = tuple(_notes(recipe, network))

    @property
    def takes(self) -> PictureInput:
        """How it takes pictures: channels first where its shape does not say otherwise."""
        shape = self._network.shape
        if len(shape) != 4:
            return PictureInput(self._recipe.layout or "NCHW", self._network.dtype)
        layout = layout_of(self._recipe.source, shape, self._recipe.layout)
        rows, first, second, third = shape
        channels, height, width = (
            (first, second, third) if layout == "NCHW" else (third, first, second)
        )
        return PictureInput(layout, self._network.dtype, height, width, channels, rows)

    def settle(self, batch: Batch) -> Signature:
        """Ask for one prediction on a few rows and read its shape."""
        source = self._recipe.source
        if self._recipe.response is not None:
            raise UsageError("--response is for scikit-learn models; a torch module has one answer")
        try:
            matrix = self._network.ask(batch)
        except Exception as error:  # torch and the module may raise anything
            shape = list(np.shape(batch))
            raise RefusedError(
                f"{source}: failed on the first {len(batch)} rows, given as a tensor"
                f" {self._network.dtype} {shape}: {_reason(error)}"
            ) from error
        answer = Answer(source, "forward", matrix, modality=self._recipe.modality)
        return settle_answer(answer, len(batch), self._recipe.class_names)

    def bind(self, signature: Signature) -> Model:
        """Return the model that answers as *settled* says."""
        layout = self.takes.layout if self._recipe.modality == "image" else "NCHW"
        return TorchModel(self._network, signature, layout)


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return " ".join(lines[0].split())[:300]


def _notes(recipe: ModelRecipe, network: Network) -> Iterator[str]:
    if network.dtype in {"float32", "float16"}:
        yield f"the model takes {network.dtype}: numbers are rounded to about 7 digits"
    if network.shape and network.shape[0] is not None:
        yield f"the model was exported for {network.shape[0]} rows at a time, and is asked so"
    if recipe.trust_all:
        yield "loaded unjudged: --trust-model runs whatever the file asks for"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's own log and its warnings on old forms from the user: errors are raised."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _check_operators(path: str, program: Program) -> None:
    """Refuse operators that take a text which is no mode: it could name a file."""
    import torch

    for name in program.operators:
        if not name.startswith("torch.ops."):
            continue
        _, _, namespace, operator, overload = name.split(".")
        found = getattr(getattr(getattr(torch.ops, namespace), operator, None), overload, None)
        if found is None or not is_harmless(found._schema):  # noqa: SLF001  # no other way
            raise RefusedError(
                f"{path}: {REFUSED}: it calls {name}, which this torch does not have or which may"
                f" touch files; export it again: {EXPORT}"
            )


def _judge(path: str, archive: Archive) -> Program | None:
    """Judge a file as data, before torch is imported."""
    if archive.form == "pickle":
        refuse_pickle(path, archive)
    if archive.form == "export":
        return judge_export(path, archive.members)
    judge_pickles(path, archive.members)
    return None


def _judged(path: str, archive: Archive, program: Program | None, torch: Any) -> Network:
    if program is None:
        judge_code(path, archive.members)
        return Network(torch.jit.load(packed(archive.members), map_location="cpu").eval())
    _check_operators(path, program)
    module = torch.export.load(packed(program.members)).module()
    return Network(module, program.dtype, program.shape, program.layers)


def _unjudged(path: str, archive: Archive, data: bytes, torch: Any) -> Network:
    file = io.BytesIO(data)
    if archive.form == "export":
        return Network(torch.export.load(file).module())
    if archive.form == "script":
        return Network(torch.jit.load(file, map_location="cpu").eval())
    module = torch.load(file, map_location="cpu", weights_only=False)
    if not isinstance(module, torch.nn.Module):
        refuse_pickle(path, archive)
    return Network(module.eval())


def open_torch(recipe: ModelRecipe, stored: ModelContent) -> LoadedTorch:
    """
    Judge and open a torch file.

    Raises
    ------
    RefusedError
        It is damaged, holds a pickled module or weights alone, or more than a plain program.
    UsageError
        torch is not installed.
    """
    path = recipe.source
    archive = read_archive(path, stored.plain, unpacked_cap(stored.size))
    program = None if recipe.trust_all else _judge(path, archive)
    if recipe.modality == "text":
        raise RefusedError(
            f"{path}: a torch module takes numbers, not texts; put the tokenizer and the module in"
            " one function and name it as package.module:callable"
        )
    torch: Any = require("torch", "torch")
    torch.set_num_threads(1)
    try:
        with _quiet():
            if recipe.trust_all:
                network = _unjudged(path, archive, stored.plain, torch)
            else:
                network = _judged(path, archive, program, torch)
    except RefusedError:
        raise
    except Exception as error:  # torch follows a file into any type of error
        raise RefusedError(
            f"{path}: torch {torch.__version__} cannot open this file of {_FORMS[archive.form]}:"
            f" {_reason(error)}; export it again with that version"
        ) from error
    if recipe.redraw is not None:
        redraw_module(network.module, recipe.redraw)
    return LoadedTorch(recipe, stored.sha256, network)


def open_torch_pictures(recipe: ModelRecipe, stored: ModelContent) -> LoadedModel:
    """
    Open a torch file that takes pictures, or rows of pixels.

    Raises
    ------
    RefusedError, UsageError
        As ``open_torch``.
    """
    loaded = open_torch(recipe, stored)
    return LoadedFlatModel(loaded) if loaded.n_columns is not None else loaded
