"""A model in a room, as a value here: it satisfies the contract of models by messages."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from xplain_cli.errors import ModelDiedError, RefusedError, staying, with_article
from xplain_cli.explanation import FloatArray
from xplain_cli.modalities import PROBE_ROWS
from xplain_cli.models import Capabilities, LoadedModel, MaskedText, Model, ModelRecipe, Signature
from xplain_cli.models.batches import count
from xplain_cli.models.contract import Batch
from xplain_cli.models.gradients import INPUT, Gradient, Slopes
from xplain_cli.workers.plain import fits, kinds_of
from xplain_cli.workers.room import FACTS, GRADIENT_FACTS
from xplain_cli.workers.rooms import Room, Rooms, is_late

_FIRST_QUESTIONS = 32  # of a room: opening, settling, and whether the model answers alike twice
_OF_CONFINEMENT = {"PermissionError", "gaierror"}
_CALLED = ("leaves", "read_length", "redrawable")


def too_slow(seconds: float) -> str:
    """Return what is said of a model call that took longer than the user allows."""
    return f"a model call took more than {seconds:g} s (--row-timeout)"


def _call(room: Room, question: str, *values: Any) -> Any:
    """Return what a model answers, within the time that the user allows a call."""
    seconds = room.bounds.call_seconds
    try:
        return room.ask(question, *values, limit=seconds)
    except ModelDiedError as error:
        if seconds is None or not is_late(error):
            raise
        raise ModelDiedError(too_slow(seconds)) from error


def _masked_text(room: Room, number: int) -> MaskedText:
    """Return how a model in a room answers masked texts."""

    def masked_rows(*values: Any) -> Any:
        found = _call(room, "masked_rows", number, *values)
        if found is None or isinstance(found, np.ndarray):
            return found
        from scipy.sparse import csr_matrix

        data, indices, indptr, shape = found
        return csr_matrix((data, indices, indptr), shape=shape)

    def predict_rows(rows: Any) -> FloatArray:
        return _matrix(_call(room, "predict_rows", number, rows))

    return MaskedText(masked_rows, predict_rows)


def _matrix(found: Any) -> FloatArray:
    if not isinstance(found, np.ndarray):
        raise TypeError(f"answered {with_article(type(found).__name__)}")
    return np.ascontiguousarray(found, dtype=np.float64)


def _ability(room: Room, number: int, name: str) -> Callable[..., Any]:
    return lambda *values: room.ask("ability", number, name, *values)


@dataclass(frozen=True)
class FixedSlopes:
    """
    The derivatives of what is explained by the scores, at points where they are known.

    Attributes
    ----------
    found : (m, k)
        One row for each point.
    """

    found: FloatArray

    def __call__(self, _scores: FloatArray) -> FloatArray:
        """Return them."""
        return self.found


def _gradient(room: Room, number: int, layer: str = INPUT) -> Gradient:
    """Return the gradient of a model in a room, by its input or by a layer."""
    facts = room.ask("gradient", number, layer)
    if not has_form(facts, _GRADIENT):
        raise room.spoiled()

    def along(name: str) -> Callable[..., Any]:
        return lambda *values: room.ask("along", number, layer, name, *values)

    def derive(points: FloatArray, slopes: Slopes) -> tuple[FloatArray, FloatArray]:
        # what a target reads of the scores is known here alone, and goes there as numbers
        scores = _matrix(_call(room, "along", number, layer, "scores", points))
        fixed = FixedSlopes(slopes(scores))
        derivatives, scores = _call(room, "along", number, layer, "derive", points, fixed)
        return derivatives, scores

    return Gradient(
        enter=along("enter"),
        leave=along("leave"),
        scores=along("scores"),
        derive=derive,
        kinks=along("kinks") if facts["has_kinks"] else None,
        **{name: facts[name] for name in GRADIENT_FACTS},
    )


def _capabilities(room: Room, bound: dict[str, Any]) -> Capabilities:
    """Return what a bound model in a room can do."""
    number, has = bound["number"], set(bound["has"])
    called: dict[str, Any] = {name: _ability(room, number, name) for name in _CALLED if name in has}
    if "gradient" in has:
        called["gradient"] = partial(_gradient, room, number)
    if "masked_text" in has:
        called["masked_text"] = _masked_text(room, number)
    return Capabilities(row_by_row=bound["row_by_row"], why_not=bound["why_not"], **called)


@dataclass(frozen=True)
class RoomModel:
    """
    A bound model in a room.

    Attributes
    ----------
    room, number
        Where it is, and its number there.
    signature, capabilities
        As of any model.
    seconds
        How long an answer may take while the model is new; None: any.
    """

    room: Room
    number: int
    signature: Signature
    capabilities: Capabilities
    seconds: float | None = None

    def predict(self, batch: Batch) -> FloatArray:
        """Return the (rows, outputs) float64 answers, C-contiguous."""
        new = self.room.questions < _FIRST_QUESTIONS and count(batch) <= PROBE_ROWS
        if new:
            found = self.room.ask("predict", self.number, batch, limit=self.seconds)
        else:
            found = _call(self.room, "predict", self.number, batch)
        return _matrix(found)


@dataclass(frozen=True)
class LoadedRoomModel:
    """A loaded model in a room, with what it says of itself (see ``models.LoadedModel``)."""

    room: Room
    number: int
    source: str
    seconds: float | None
    kind: str
    sha256: str
    tokenizer_sha256: str | None
    takes: Any
    columns: tuple[str, ...] | None
    n_columns: int | None
    discrete: frozenset[str]
    levels: dict[str, Any]
    numeric: frozenset[str]
    all_numeric: bool
    notes: tuple[str, ...]
    versions: dict[str, str]
    leftovers: tuple[str, ...]

    def settle(self, batch: Batch) -> Signature:
        """Ask for one prediction on a few rows and choose the response."""
        try:
            with slits_told(self.room):
                found = self.room.ask("settle", self.number, batch, limit=self.seconds)
            if not fits(found, Signature):
                raise self.room.spoiled()
        except ModelDiedError as error:
            raise _refused(self.source, error, "was first asked") from error
        signature: Signature = found
        return signature

    def bind(self, signature: Signature) -> Model:
        """Return the model that answers as *settled* says."""
        bound = self.room.ask("bind", self.number, signature, limit=self.seconds)
        if not has_form(bound, _BOUND):
            raise _refused(self.source, self.room.spoiled(), "was first asked")
        capabilities = _capabilities(self.room, bound)
        return RoomModel(self.room, bound["number"], signature, capabilities, self.seconds)


_BOUND = {"number": int, "has": tuple[str, ...], "row_by_row": bool, "why_not": dict[str, str]}
"""What a room says of a bound model."""

_GRADIENT = {
    "link": str,
    "smooth": bool,
    "single": bool,
    "batch_rows": int,
    "has_kinks": bool,
    "shape": tuple[int, ...],
    "held": int,
    "absent": str,
}
"""What a room says of a gradient."""


def has_form(said: Any, kinds: Mapping[str, Any]) -> bool:
    """Say whether a dict has some keys, with values of these types."""
    return isinstance(said, Mapping) and all(
        name in said and fits(said[name], kind) for name, kind in kinds.items()
    )


def _refused(source: str, error: ModelDiedError, when: str) -> ModelDiedError:
    slow = "; --open-timeout gives it longer" if is_late(error) else ""
    return ModelDiedError(
        f"{source}: the process that holds it {error.reason} when it {when}{slow}", error.reason
    )


@contextlib.contextmanager
def slits_told(room: Room) -> Iterator[None]:
    """Say with a refusal that its confinement caused what lets the model have what it wanted."""
    try:
        yield
    except ModelDiedError:
        raise
    except RefusedError as error:
        cause = type(error.__cause__).__name__
        if not room.confinement.holds or cause not in _OF_CONFINEMENT:
            raise
        raise RefusedError(
            f"{error}; the model is confined: --allow-read PATH, --allow-write PATH, --allow-net"
            " and --allow-env NAME let it have what you name"
        ) from error.__cause__


def load_in(rooms: Rooms, recipe: ModelRecipe) -> LoadedModel:
    """
    Judge and load a model in a room.

    Raises
    ------
    XplainError
        What ``models.load_model`` raises; or the room died, or took too long.
    """
    room, seconds = rooms.first, rooms.walls.open_seconds
    try:
        with staying(recipe.source), slits_told(room):
            facts = room.ask("open", recipe, limit=seconds)
            kinds = kinds_of(LoadedRoomModel)
            if not has_form(facts, {name: kinds[name] for name in ("number", *FACTS)}):
                raise room.spoiled()
    except ModelDiedError as error:
        raise _refused(recipe.source, error, "was opened") from error
    number = facts["number"]
    said = {name: facts[name] for name in FACTS}
    return LoadedRoomModel(room=room, number=number, source=recipe.source, seconds=seconds, **said)


def run_in(rooms: Rooms, work: Callable[..., Any], *values: Any) -> Any:
    """
    Call a function of this program in a room, since it calls code of the user.

    Raises
    ------
    ModelDiedError
        The room ended, or took too long.
    """
    room = rooms.first
    with slits_told(room):
        return room.ask("run", work, *values, limit=rooms.walls.open_seconds)


def place_of(model: Model) -> tuple[Room, int] | None:
    """Return the room that holds a model, and its number there; None for a model held here."""
    return (model.room, model.number) if isinstance(model, RoomModel) else None
