"""Opens model and data, and checks all that can be checked before the first row."""

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xplain_cli.errors import ModelDiedError, RefusedError, UsageError, counted
from xplain_cli.modalities import Modality, open_modality
from xplain_cli.models import LoadedModel, Model, ModelRecipe, Signature, load_model
from xplain_cli.models.batches import count, take
from xplain_cli.models.contract import WrongLengthError
from xplain_cli.models.redrawing import Redraw
from xplain_cli.models.steadiness import check_steady
from xplain_cli.models.stored import MODEL_SUFFIXES
from xplain_cli.options.request import Request
from xplain_cli.remote import is_remote, local
from xplain_cli.scales import link_of


@dataclass(frozen=True)
class Inputs:
    """
    What a run explains, opened and checked.

    Attributes
    ----------
    recipe, loaded, signature, model
        The model, and how to open it again.
    modality
        DATA, and how it is split.
    start, stop
        The rows to explain.
    whole
        The rows that they are a shard of.
    notes
        What was decided, for the user to read.
    unsteady
        How the model's answers on the same rows move, which the user accepted; empty: they stay.
    checking_seconds
        Seconds that asking for it took: no worker asks again.
    """

    recipe: ModelRecipe
    loaded: LoadedModel
    signature: Signature
    model: Model
    modality: Modality
    start: int
    stop: int
    whole: tuple[int, int]
    notes: tuple[str, ...]
    unsteady: str = ""
    checking_seconds: float = 0.0


def _model_file(request: Request) -> str:
    """
    Return the path of the model.

    Raises
    ------
    RefusedError
        It is on another machine, and nothing says which file it must be.
    """
    if is_remote(request.sources.model) and request.trust.model_sha256 is None:
        raise RefusedError(
            f"{request.sources.model}: a model of another machine may be another one tomorrow, and"
            " loading"
            " it may run code; pin it with --model-sha256 (xplain inspect prints it, and runs"
            " nothing), or copy it here"
        )
    return local(request.sources.model)


def _recipe(request: Request) -> ModelRecipe:
    names = None
    if request.explanation.class_names is not None:
        path = Path(local(request.explanation.class_names))
        try:
            names = tuple(path.read_text(encoding="utf-8-sig").splitlines())
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise RefusedError(f"{path}: class names cannot be read: {reason}") from error
    return ModelRecipe(
        source=_model_file(request),
        sha256=request.trust.model_sha256,
        trusted=request.trust.trusted,
        trust_all=request.trust.trust_model,
        python_path=tuple(str(Path(folder).resolve()) for folder in request.trust.python_path),
        response=request.explanation.response,
        model_output=request.explanation.model_output,
        class_names=names,
        modality=request.modality,
        layout=request.picture_form.layout,
        link=link_of(request.explanation.output_scale),
        raw=request.explanation.output_scale == "raw",
        accept=request.trust.accept,
        member=request.explanation.member,
        quotes=request.shows_values,
        redraw=None if request.redrawn is None else Redraw(*request.redrawn),
    )


def _check_order(request: Request) -> None:
    """Refuse rows that stand where the model belongs, where a model stands among the rows."""
    model, data = request.sources.model, request.sources.data
    last = data[-1] if data else ""
    swapped = Path(last).suffix in MODEL_SUFFIXES - {".json"} and Path(last).is_file()
    if swapped and Path(model).suffix not in MODEL_SUFFIXES and Path(model).exists():
        rows = " ".join((model, *data[:-1]))
        raise UsageError(
            f"{last} looks like the model, which comes first: xplain {request.modality} {last}"
            f" {rows}"
        )


def _slice(asked: tuple[int, int | None] | None, count: int) -> tuple[int, int]:
    start, stop = asked or (0, None)
    if start >= count:
        raise UsageError(
            f"--rows {start}:{stop or ''}: the data has {counted(count)}, counted from 0;"
            f" START must be below {count}"
        )
    return start, min(stop or count, count)


def _shard(asked: tuple[int, int] | None, start: int, stop: int) -> tuple[int, int]:
    """Return the rows of shard I of N: consecutive ones, as many in each as can be."""
    number, count = asked or (1, 1)
    low, high = (start + (stop - start) * i // count for i in (number - 1, number))
    if low == high:
        raise UsageError(
            f"--shard {number}/{count}: of {counted(stop - start)} none is left for it"
        )
    return low, high


def _probe(modality: Modality, loaded: LoadedModel) -> tuple[Signature, Any, list[str]]:
    """
    Settle the model on the first rows; where some of them are bad, on the first good one.

    A bad row then fails by itself later, wherever in DATA it stands. The good ones come back too.
    """
    rows = modality.probe()
    try:
        return loaded.settle(rows), rows, []
    except (WrongLengthError, ModelDiedError):  # no bad row, but a bad model
        raise
    except RefusedError:
        good: dict[int, Signature] = {}
        for i in range(count(rows)):
            with contextlib.suppress(RefusedError):
                good[i] = loaded.settle(take(rows, [i]))
        if not good:
            raise
        note = f"the model fails on some of the first {counted(count(rows))}"
        return next(iter(good.values())), take(rows, list(good)), [note]


def _beside_others(modality: Modality, model: Model, rows: Any) -> Any:
    """Return the rows of the probe; for a lone one typical rows, if the model answers them."""
    if count(rows) > 1:
        return rows
    typical = modality.typical()
    try:
        model.predict(typical)
    except Exception:  # noqa: BLE001  # a background that the model cannot take is told later
        return rows
    return typical


def open_inputs(request: Request) -> Inputs:
    """
    Open what the request names.

    Raises
    ------
    RefusedError, UsageError
        With the file, the place and the way out.
    """
    _check_order(request)
    recipe = _recipe(request)

    def load() -> LoadedModel:
        loaded = load_model(recipe)
        if request.explanation.model_output is not None and loaded.kind != "onnx":
            raise UsageError(
                "--model-output names an output of an ONNX model; those of a"
                f" {loaded.kind} model are chosen with --target"
            )
        return loaded

    reading = open_modality(request, load)
    modality, loaded = reading.modality, reading.loaded
    signature, probed, notes = _probe(modality, loaded)
    model = loaded.bind(signature)
    began = time.perf_counter()
    unsteady = check_steady(recipe, model, _beside_others(modality, model, probed))
    checking_seconds = time.perf_counter() - began
    if unsteady:
        notes.append(f"accepted unsteady: {unsteady}; errors are those of the draws alone")
    whole = _slice(request.slices.rows, modality.n_rows)
    start, stop = _shard(request.slices.shard, *whole)
    return Inputs(
        recipe=recipe,
        loaded=loaded,
        signature=signature,
        model=model,
        modality=modality,
        start=start,
        stop=stop,
        whole=whole,
        notes=(signature.note, *loaded.notes, *modality.notes, *notes),
        unsteady=unsteady,
        checking_seconds=checking_seconds,
    )
