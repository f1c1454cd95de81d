"""ONNX files through onnxruntime: on one thread, on the CPU, one session per process."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.errors import RefusedError, UsageError, counted, summed_up, with_article
from xplain_cli.explanation import FloatArray
from xplain_cli.models.contract import (
    Batch,
    Capabilities,
    Levels,
    Model,
    ModelRecipe,
    OtherModalityError,
    PictureInput,
    Signature,
)
from xplain_cli.models.onnx.entries import OnnxAsked
from xplain_cli.models.onnx.files import check_file
from xplain_cli.models.onnx.gradients import onnx_gradient
from xplain_cli.models.onnx.graph import read_graph
from xplain_cli.models.onnx.outputs import choose_answer, read_answer
from xplain_cli.models.onnx.redrawing import NO_LAYERS, file_layers, redraw_file
from xplain_cli.models.pictures import fixed_batches
from xplain_cli.models.responses import expand, settle_answer
from xplain_cli.models.stored import ModelContent

TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
    "tensor(int8)": np.int8,
    "tensor(int16)": np.int16,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(uint8)": np.uint8,
}
_MISSING_TEXT = ""
_IDS = ("input_ids", "token_ids", "input_word_ids")
_LOCALE = re.compile(r"Failed to construct locale with name:([\w.@-]+?):")
_NO_UTF8 = "a name or label in it is no UTF-8 text; export it again with plain names"


@dataclass(frozen=True)
class Slot:
    """One input or output: its name, type (``tensor(float)``) and shape (None: any length)."""

    name: str
    type: str
    shape: tuple[int | None, ...]

    @property
    def width(self) -> int | None:
        """Columns of a matrix; 1 for a vector; None: unknown."""
        return self.shape[1] if len(self.shape) == 2 else 1


def _slots(found: Sequence[Any]) -> tuple[Slot, ...]:
    return tuple(
        Slot(one.name, one.type, tuple(n if isinstance(n, int) else None for n in one.shape or ()))
        for one in found
    )


def _reason(error: Exception) -> str:
    """Return what onnxruntime says, without its own places in C++."""
    text = re.sub(r"\[ONNXRuntimeError\] : \d+ : \w+ : ", "", " ".join(str(error).split()))
    text = re.sub(r"/onnxruntime_src/.*\) ", "", text)
    return re.sub(r"Load model from .* failed:", "", text)


def _without_locale(name: str) -> str:
    """Return what to do about a locale that a graph asks for and the system lacks."""
    language, _, charset = name.partition(".")
    made = f"localedef -i {language} -f {charset or 'UTF-8'} {name}"
    return (
        f"changes the case of texts by the rules of the locale {name}, which this system does not"
        f" have; make it, as root (Debian, Ubuntu: apt-get install locales first): {made}"
    )


def open_session(path: str, content: bytes | None = None) -> Any:
    """
    Open an onnxruntime session by path, so that external data stays inside the model's folder.

    Parameters
    ----------
    content
        What is opened in place of the file at the path.

    Raises
    ------
    RefusedError
        The file is corrupt, too new, or needs operators that onnxruntime does not have.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised as well
    try:
        opened = path if content is None else content
        return onnxruntime.InferenceSession(opened, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no other base
        missing = _LOCALE.search(str(error))
        if missing is not None:
            raise RefusedError(f"{path}: {_without_locale(missing[1])}") from error
        raise RefusedError(
            f"{path}: onnxruntime cannot open it: {_reason(error)}; export it again with"
            f" standard operators and an opset that onnxruntime {onnxruntime.__version__} knows"
        ) from error


class Runner:
    """
    A session that is opened when first asked, and left behind when pickled.

    Parameters
    ----------
    path
        The file.
    content
        What is opened in its place; None: the file itself.
    layers
        Its layers that can be drawn anew.
    """

    def __init__(
        self, path: str, content: bytes | None = None, layers: tuple[str, ...] = ()
    ) -> None:
        self.path, self.content, self.layers = path, content, layers
        self._session: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_session": None}

    @property
    def capabilities(self) -> Capabilities:
        """What the file can do beyond answering: have its layers drawn anew, if it has some."""
        layers = self.layers
        return Capabilities(
            redrawable=(lambda: layers) if layers else None,
            why_not={} if layers else NO_LAYERS,
        )

    @property
    def session(self) -> Any:
        """The session of this process."""
        if self._session is None:
            self._session = open_session(self.path, self.content)
        return self._session

    def inputs(self) -> tuple[Slot, ...]:
        """Return the inputs."""
        return self._slots(self.session.get_inputs)

    def outputs(self) -> tuple[Slot, ...]:
        """Return the outputs."""
        return self._slots(self.session.get_outputs)

    def _slots(self, read: Callable[[], Sequence[Any]]) -> tuple[Slot, ...]:
        """Return what onnxruntime says of inputs or outputs."""
        try:
            return _slots(read())
        except UnicodeDecodeError as error:
            raise RefusedError(f"{self.path}: {_NO_UTF8}") from error

    def run(self, names: Sequence[str], feed: dict[str, Any], rows: int | None = None) -> list[Any]:
        """
        Return the named outputs.

        Parameters
        ----------
        names
            The outputs.
        feed
            Of each input, what it is given.
        rows
            The one batch size that the graph takes: it is asked so, the last time with repeats of
            the last row, which are answered as well. None: any.
        """
        if rows is None:
            answers: list[Any] = self.session.run(list(names), feed)
            return answers
        pieces = {name: fixed_batches(values, rows) for name, values in feed.items()}
        count = len(next(iter(pieces.values())))
        asked = [{name: parts[i] for name, parts in pieces.items()} for i in range(count)]
        answered = zip(*(self.session.run(list(names), one) for one in asked), strict=True)
        return [_end_to_end(parts, rows) for parts in answered]


def runner_of(recipe: ModelRecipe, stored: ModelContent) -> Runner:
    """Return what runs a judged file, its layers drawn anew where the recipe says so."""
    layers = file_layers(stored.data)
    if recipe.redraw is None:
        return Runner(recipe.source, None, layers)
    return Runner(recipe.source, redraw_file(stored.data, recipe.redraw), layers)


def _end_to_end(parts: Sequence[Any], rows: int) -> Any:
    """Return one output on batches of *rows* rows as if they had been asked together."""
    if len(parts) == 1:
        return parts[0]
    if isinstance(parts[0], list) and isinstance(parts[0][0], dict):
        return [row for part in parts for row in part]
    if isinstance(parts[0], list):  # a matrix for each of several outputs
        return [np.concatenate(matrices) for matrices in zip(*parts, strict=True)]
    return np.concatenate(parts, axis=0 if len(parts[0]) == rows else 1)


def _texts(column: "pd.Series[Any]") -> Any:
    values = column.astype(object).where(column.notna(), _MISSING_TEXT)
    return np.array([str(value) for value in values], dtype=object)


def _cast(column: "pd.Series[Any]", slot: Slot) -> Any:
    """Return a column as an input declares it."""
    kind = TYPES[slot.type]
    if kind is np.object_:
        return _texts(column)
    numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.dtype(kind).kind in "iub":
        if not np.isfinite(numbers).all():
            raise RefusedError(
                f"column {slot.name!r} has missing values, and the model takes {slot.type} there"
            )
        numbers = np.rint(numbers)
    return numbers.astype(kind)


def feed_of(batch: Batch, inputs: Sequence[Slot]) -> dict[str, Any]:
    """
    Return what a session is fed: one matrix, or one input per column, matched by name.

    Raises
    ------
    RefusedError
        Missing values where the model takes whole numbers.
    """
    if not isinstance(batch, pd.DataFrame):
        raise TypeError("a table is wanted")
    if is_matrix(inputs):
        kind = TYPES[inputs[0].type]
        if kind is np.object_:
            matrix = np.column_stack([_texts(batch[name]) for name in batch])
        else:
            whole = Slot(inputs[0].name, inputs[0].type, ())
            matrix = np.column_stack([_cast(batch[name], whole) for name in batch])
        return {inputs[0].name: matrix}
    return {
        slot.name: _cast(batch[slot.name], slot).reshape((-1, 1)[: len(slot.shape) or 1])
        for slot in inputs
    }


def fixed_rows(inputs: Sequence[Slot]) -> int | None:
    """Return how many rows a graph takes at a time; None: any number."""
    return next((one.shape[0] for one in inputs if one.shape and one.shape[0] is not None), None)


def filled_up(count: int, rows: int | None) -> int:
    """Return how many rows are asked where a graph takes *rows* at a time."""
    return count if rows is None else -(-count // rows) * rows


def is_matrix(inputs: Sequence[Slot]) -> bool:
    """Return whether the model takes one matrix of all columns."""
    return len(inputs) == 1 and len(inputs[0].shape) == 2


def refuse_ids(path: str, inputs: Sequence[Slot]) -> None:
    """Refuse token ids by their name: as numbers of a table or a picture they mean nothing."""
    for slot in inputs:
        if "int" in slot.type and any(name in slot.name for name in _IDS):
            said = f"{path}: input {slot.name!r} takes token ids"
            raise OtherModalityError(said, "text")


def _check_inputs(path: str, inputs: Sequence[Slot]) -> None:
    """Refuse inputs that are no table."""
    refuse_ids(path, inputs)
    for slot in inputs:
        if slot.type not in TYPES:
            raise RefusedError(
                f"{path}: input {slot.name!r} is {with_article(slot.type)}, not a tensor"
            )
        wide = not is_matrix(inputs) and slot.width != 1
        if len(slot.shape) not in {1, 2} or wide:
            said = f"{path}: input {slot.name!r} has the shape {list(slot.shape)}"
            if len(slot.shape) == 4:
                raise OtherModalityError(f"{said}, that of pictures", "image")
            if all("int" in one.type for one in inputs):
                raise OtherModalityError(f"{said}, that of token ids", "text")
            raise RefusedError(
                f"{said}; a table needs one matrix of all columns, or one input per column: export"
                " it so"
            )


@dataclass(frozen=True)
class OnnxModel:
    """An ONNX model that the probe has settled; picklable."""

    runner: Runner
    signature: Signature
    inputs: tuple[Slot, ...]
    outputs: tuple[str, ...]
    rows: int | None = None

    @property
    def capabilities(self) -> Capabilities:
        """Derivatives by its columns, and layers that can be drawn anew."""

        def answer(fed: dict[str, Any]) -> FloatArray:
            rows = len(next(iter(fed.values())))
            return read_answer(self.runner.run(self.outputs, fed, self.rows), rows)

        asked = OnnxAsked(
            path=self.runner.path,
            content=self.runner.content,
            kinds={one.name: np.dtype(TYPES[one.type]).name for one in self.inputs},
            shapes={one.name: one.shape for one in self.inputs},
            outputs=self.outputs,
            rows=self.rows,
            layout="NCHW",
            signature=self.signature,
            feed=lambda batch: feed_of(pd.DataFrame(batch, copy=False), self.inputs),
            answer=answer,
        )
        return replace(self.runner.capabilities, gradient=partial(onnx_gradient, asked))

    def predict(self, batch: Batch) -> FloatArray:
        """Return the (rows, outputs) float64 answers, C-contiguous."""
        answers = self.runner.run(self.outputs, feed_of(batch, self.inputs), self.rows)
        asked = filled_up(len(batch), self.rows)
        return expand(read_answer(answers, asked)[: len(batch)], self.signature)


class LoadedOnnx:
    """An ONNX file that onnxruntime has opened; picklable."""

    kind = "onnx"
    tokenizer_sha256: str | None = None
    leftovers: tuple[str, ...] = ()
    takes: PictureInput | None = None

    def __init__(self, recipe: ModelRecipe, sha256: str, runner: Runner) -> None:
        self._recipe = recipe
        self.sha256 = sha256
        self.runner = runner
        self.inputs = self.runner.inputs()
        _check_inputs(recipe.source, self.inputs)
        texts = frozenset(one.name for one in self.inputs if one.type == "tensor(string)")
        named = not is_matrix(self.inputs)
        names = tuple(one.name for one in self.inputs)
        self.columns: tuple[str, ...] | None = names if named else None
        self.n_columns = len(names) if named else self.inputs[0].width
        words = texts if named else {str(i) for i in range(self.n_columns or 0) if texts}
        self.levels = {one: Levels(None, strict=False) for one in words}
        self.discrete = texts if named else frozenset[str]()
        self.numeric = frozenset(names) - texts if named else frozenset[str]()
        self.all_numeric = not texts
        self.versions: dict[str, str] = {}
        self.rows = fixed_rows(self.inputs)
        self.notes = _notes(self.inputs)

    def settle(self, batch: Batch) -> Signature:
        """Ask for one prediction on a few rows and choose the output."""

        def feed() -> dict[str, Any]:
            return feed_of(batch, self.inputs)

        return settle_outputs(self._recipe, self.runner, feed, len(batch), self.rows)

    def bind(self, signature: Signature) -> Model:
        """Return the model that answers as *settled* says."""
        outputs = bound_outputs(self.runner, signature)
        return OnnxModel(self.runner, signature, self.inputs, outputs, self.rows)


def settle_outputs(
    recipe: ModelRecipe,
    runner: Runner,
    feed: Callable[[], dict[str, Any]],
    rows: int,
    fixed: int | None = None,
) -> Signature:
    """
    Ask for one prediction on what *feed* makes of *rows* rows, and choose the output.

    With *fixed* the graph takes that many rows at a time.

    Raises
    ------
    RefusedError
        The model fails on them.
    UsageError
        An option that no ONNX model has, or an output that this one has not.
    """
    source, outputs = recipe.source, runner.outputs()
    wanted = recipe.model_output
    if recipe.response is not None:
        raise UsageError("--response is for scikit-learn models; take --model-output for ONNX")
    listed = [one.name for one in outputs]
    if wanted is not None and wanted not in listed:
        raise UsageError(f"--model-output {wanted}: {source} has {', '.join(listed)}")
    try:
        answers = runner.run(listed, feed(), fixed)
    except RefusedError as error:
        raise RefusedError(f"{source}: {error}") from error
    except UnicodeDecodeError as error:
        raise RefusedError(f"{source}: {_NO_UTF8}") from error
    except Exception as error:  # onnxruntime's own exceptions share no other base
        raise RefusedError(
            f"{source}: failed on the first {counted(rows)}:"
            f" {summed_up(error, quotes=recipe.quotes)}"
        ) from error
    asked = dict(zip(outputs, answers, strict=True))
    asked_rows = filled_up(rows, fixed)
    answer = choose_answer(source, asked, read_graph(source), asked_rows, wanted)
    answer = replace(answer, modality=recipe.modality)
    return settle_answer(answer, asked_rows, recipe.class_names)


def bound_outputs(runner: Runner, signature: Signature) -> tuple[str, ...]:
    """Return the outputs that a settled response stands for."""
    listed = [one.name for one in runner.outputs()]
    return (
        (signature.response,)
        if signature.response in listed
        else tuple(signature.response.split("+"))
    )


def _notes(inputs: Sequence[Slot]) -> tuple[str, ...]:
    notes = []
    if any(one.type in {"tensor(float)", "tensor(float16)"} for one in inputs):
        notes.append("the model takes float32: numbers are rounded to about 7 digits")
    if any(one.type == "tensor(string)" for one in inputs):
        notes.append("ONNX has no missing text: it is handed over as ''")
    whole = [one.name for one in inputs if "int" in one.type]
    if whole:
        notes.append(f"whole numbers, rounded to the nearest: {', '.join(whole)}")
    rows = fixed_rows(inputs)
    if rows is not None:
        notes.append(f"the graph takes {rows} rows at a time, and is asked so")
    return tuple(notes)


def open_onnx(recipe: ModelRecipe, stored: ModelContent) -> LoadedOnnx:
    """
    Open an ONNX file.

    Raises
    ------
    RefusedError
        onnxruntime cannot open it, or its inputs are no table.
    """
    check_file(recipe.source, stored.data)
    return LoadedOnnx(recipe, stored.sha256, runner_of(recipe, stored))
