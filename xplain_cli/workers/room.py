"""A room: one process that opens a model by its recipe, answers questions on it, explains chunks.

What runs here may be anybody's code. The room is confined before it opens anything, has no
descriptor but its own end of a pipe, and says plain values alone (see ``plain``). What it is asked
comes from the process that made it, as a pickle.
"""

import contextlib
import gc
import os
import pathlib
import pickle
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from multiprocessing.connection import Connection
from typing import Any, NoReturn

import numpy as np

from xplain_cli.engine.chunk import Effort, explain_chunk, open_explainer
from xplain_cli.engine.explainer import Assignment
from xplain_cli.errors import RefusedError, XplainError, exits_caught, summed_up, words_of
from xplain_cli.modalities import Piece
from xplain_cli.models import Model, ModelRecipe, load_model, open_models_by
from xplain_cli.models.batches import limit_calls
from xplain_cli.models.contract import Batch, Capabilities, LoadedModel, Signature
from xplain_cli.models.gradients import Gradient
from xplain_cli.models.inspection import Inspection, inspect_file
from xplain_cli.models.user_code import run_user_code_by
from xplain_cli.runs.parts import pack
from xplain_cli.workers.confine import (
    Allowance,
    Confinement,
    close_descriptors,
    confine,
    keep_environment,
    make_locks_local,
    system_name,
)
from xplain_cli.workers.plain import MessageError, encode

FACTS = (
    *("kind", "sha256", "tokenizer_sha256", "takes", "columns", "n_columns", "discrete", "levels"),
    *("numeric", "all_numeric", "notes", "versions", "leftovers"),
)
"""What a loaded model says of itself (see ``models.LoadedModel``)."""

GRADIENT_FACTS = ("link", "smooth", "single", "batch_rows", "shape", "held", "absent")
"""What a gradient says of itself (see ``models.gradients.Gradient``)."""

_NOT_CALLED = ("row_by_row", "why_not", "masked_text")
_ENDED_BY_PARENT = 0
_COLLECT_AFTER = 500_000  # objects; looking through those that stay took a tenth of a load


@dataclass(frozen=True)
class RoomRules:
    """
    How a room is made.

    Attributes
    ----------
    allowed
        What it may do; None: it is not confined.
    folder
        Its folder for temporary files.
    environment
        The variables that it keeps; None: all.
    silent
        Whether what it prints goes nowhere; else it goes to stderr.
    """

    allowed: Allowance | None
    folder: str
    environment: tuple[str, ...] | None = None
    silent: bool = True


def _plain_capabilities(capabilities: Capabilities) -> dict[str, Any]:
    """Return which capabilities there are, and the facts among them."""
    names = [one.name for one in fields(Capabilities) if one.name not in _NOT_CALLED[:2]]
    return {
        "has": tuple(name for name in names if getattr(capabilities, name)),
        "row_by_row": capabilities.row_by_row,
        "why_not": dict(capabilities.why_not),
    }


@contextlib.contextmanager
def _refusing(recipe: ModelRecipe, what: str) -> Iterator[None]:
    """Refuse a model whose parts do not fit together: a file may hold itself, or anything."""
    try:
        yield
    except XplainError:
        raise
    except Exception as error:
        raise RefusedError(
            f"{recipe.source}: cannot be {what} as a model:"
            f" {summed_up(error, quotes=recipe.quotes)}; store the model again with the installed"
            " versions"
        ) from error


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no garbage while a model and its packages are loaded, nor in them: they stay."""
    usual = gc.get_threshold()
    gc.set_threshold(_COLLECT_AFTER)
    try:
        yield
        gc.freeze()
    finally:
        gc.set_threshold(*usual)


class _Desk:
    """What a room answers: a method for each question; models are known by number."""

    def __init__(self) -> None:
        self._loaded: list[LoadedModel] = []
        self._recipes: list[ModelRecipe] = []
        self._models: list[Model] = []
        self._gradients: dict[tuple[int, str], Gradient] = {}
        self._assignment: Assignment | None = None

    def open(self, recipe: ModelRecipe) -> dict[str, Any]:
        """Judge and load a model; return what it says of itself, and its number."""
        with _refusing(recipe, "opened"), _uncollected():
            self._loaded.append(load_model(recipe))
        self._recipes.append(recipe)
        loaded = self._loaded[-1]
        return {"number": len(self._loaded) - 1} | {name: getattr(loaded, name) for name in FACTS}

    def settle(self, number: int, batch: Batch) -> Signature:
        """Settle a loaded model on some rows."""
        loaded = self._loaded[number]
        with _refusing(self._recipes[number], "asked"):
            return loaded.settle(batch)

    def bind(self, number: int, signature: Signature) -> dict[str, Any]:
        """Bind a loaded model; return its number among those, and what it can do."""
        loaded = self._loaded[number]
        with _refusing(self._recipes[number], "asked"):
            self._models.append(loaded.bind(signature))
            can = _plain_capabilities(self._models[-1].capabilities)
        return {"number": len(self._models) - 1} | can

    def predict(self, number: int, batch: Batch) -> Any:
        """Return the answers of a bound model."""
        return self._models[number].predict(batch)

    def ability(self, number: int, name: str, *values: Any) -> Any:
        """Return what a capability of a bound model returns."""
        return getattr(self._models[number].capabilities, name)(*values)

    def gradient(self, number: int, layer: str) -> dict[str, Any]:
        """Open the gradient of a bound model by its input, or by a layer; return its facts."""
        opened: Any = self._models[number].capabilities.gradient
        found = self._gradients[number, layer] = opened(layer)
        facts = {name: getattr(found, name) for name in GRADIENT_FACTS}
        return facts | {"has_kinks": found.kinks is not None}

    def along(self, number: int, layer: str, name: str, *values: Any) -> Any:
        """Return what a part of the gradient of a bound model returns."""
        return getattr(self._gradients[number, layer], name)(*values)

    def masked_rows(self, number: int, *values: Any) -> Any:
        """Return the rows of a masked text; sparse ones as the arrays they are made of."""
        masked: Any = self._models[number].capabilities.masked_text
        found = masked.masked_rows(*values)
        if found is None or isinstance(found, np.ndarray):
            return found
        rows = found.tocsr()
        return (rows.data, rows.indices, rows.indptr, tuple(map(int, rows.shape)))

    def predict_rows(self, number: int, rows: Any) -> Any:
        """Return the answers on sparse rows."""
        masked: Any = self._models[number].capabilities.masked_text
        return masked.predict_rows(rows)

    def begin(self, assignment: Assignment, number: int | None, seconds: float | None) -> None:
        """Take on the chunks of a run, *number* being a model that is open; limit its calls."""
        limit_calls(seconds)
        self._assignment = assignment
        open_explainer(assignment, None if number is None else self._models[number])

    def explain(self, pieces: Sequence[Piece], threads: int) -> tuple[tuple[bytes, Effort], ...]:
        """Explain some chunks, each as the bytes of a part, over threads where there are many."""
        assignment = self._assignment
        if assignment is None:
            raise ValueError("no run was begun here")

        def one(piece: Piece) -> tuple[bytes, Effort]:
            records, effort = explain_chunk(assignment, piece.batch, piece.rows)
            return pack(records, assignment.identity), effort

        if threads < 2 or len(pieces) < 2:
            return tuple(map(one, pieces))
        import joblib

        with joblib.parallel_config(backend="threading", n_jobs=threads), joblib.Parallel() as pool:
            return tuple(pool(joblib.delayed(one)(piece) for piece in pieces))

    def versions(self, packages: Sequence[str]) -> dict[str, str]:
        """Return the versions of those packages that are loaded."""
        loaded = {name: sys.modules.get(name) for name in packages}
        return {
            name: str(vars(one).get("__version__"))
            for name, one in loaded.items()
            if one is not None
        }

    def inspect(self, path: str, python_path: tuple[str, ...], member: str | None) -> Inspection:
        """Say what a model file holds."""
        return inspect_file(path, python_path, member)

    def run(self, work: Callable[..., Any], *values: Any) -> Any:
        """Call a function of this program that calls code of the user."""
        return work(*values)


QUESTIONS = (
    *("open", "settle", "bind", "predict", "ability", "masked_rows", "predict_rows"),
    *("gradient", "along", "begin", "explain", "versions", "inspect", "run"),
)
"""What a room can be asked."""


def _error(error: Exception) -> dict[str, Any]:
    """Return an error as plain values."""
    cause = error.__cause__
    return {
        "kind": type(error).__name__,
        "text": words_of(error),
        "details": {
            name: value
            for name in ("modality", "reason", "instead")
            if isinstance(value := vars(error).get(name), str)
        },
        "cause": None if cause is None else (type(cause).__name__, words_of(cause)),
        "trace": "".join(traceback.format_exception(error)),
    }


def _answered(desk: _Desk, question: str, values: tuple[Any, ...]) -> bytes:
    """Return the bytes of an answer, or of the error in its place, with the warnings on the way."""
    heard: list[tuple[str, str]] = []

    def keep(message: Any, category: type[Warning], *_: Any) -> None:
        text = words_of(message) if isinstance(message, Warning) else str(message)
        heard.append((category.__name__, text))

    warnings.showwarning = keep  # type: ignore[assignment]  # it takes fewer names
    said: dict[str, Any]
    try:
        ask: Callable[..., Any] = getattr(desk, question)
        with exits_caught():
            said = {"value": ask(*values)}
    except Exception as error:  # noqa: BLE001 - it is told to the parent, whatever it is
        said = {"error": _error(error)}
    try:
        return encode(said | {"warnings": tuple(heard)})
    except MessageError as error:
        told = RefusedError(f"the model answers what cannot be told: {error}")
        return encode({"error": _error(told), "warnings": ()})


def _still(*, silent: bool) -> None:
    """Take stdin and stdout away, which belong to the user's data; *silent*: stderr as well."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    if silent:
        os.dup2(nowhere, 2)
    os.dup2(2, 1)
    os.close(nowhere)


def _own_streams() -> None:
    """Let Python write where the descriptors lead, whatever it has held before."""
    sys.stdin = open(0, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115


def _die_before_others() -> None:
    """Let the system, where memory runs out, end this process before the user's others."""
    with contextlib.suppress(OSError), pathlib.Path("/proc/self/oom_score_adj").open("w") as file:
        file.write("1000")


def settle_in(rules: RoomRules) -> Confinement:
    """Make this process a room: nothing of the user's in reach but what its rules allow."""
    _still(silent=rules.silent)
    _own_streams()
    _die_before_others()
    if rules.environment is not None:
        keep_environment(rules.environment)
    os.environ |= dict.fromkeys(("TMPDIR", "HOME"), rules.folder) if rules.allowed else {}
    tempfile.tempdir = rules.folder if rules.allowed else None
    # one thread, as results must not depend on more; joblib would count processors by a program
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.dont_write_bytecode = True
    if rules.allowed is None:
        return Confinement(system_name(), 0, ())
    make_locks_local()
    return confine(rules.allowed)


def _requests(pipe: "Connection[Any, Any]") -> Iterator[tuple[str, tuple[Any, ...]]]:
    with contextlib.suppress(EOFError, OSError):
        while True:
            yield pickle.loads(pipe.recv_bytes())  # noqa: S301 - of the process that made this one


def serve(pipe: "Connection[Any, Any]", rules: RoomRules) -> NoReturn:
    """Make this process a room and answer until nobody asks any more; it never returns."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us
        held = settle_in(rules)
        pipe.send_bytes(encode(held))
        from threadpoolctl import threadpool_limits

        desk = _Desk()
        with open_models_by(None), run_user_code_by(None), threadpool_limits(limits=1):
            process = os.getpid()
            for question, values in _requests(pipe):
                if question not in QUESTIONS:
                    raise ValueError(f"no question {question!r}")
                data = _answered(desk, question, values)
                if os.getpid() != process:
                    break  # a copy of the room that the model forked off: one of them answers
                pipe.send_bytes(data)
        code = _ENDED_BY_PARENT
    finally:
        os._exit(code)


def begin_process(kept: Iterable[int]) -> None:
    """Cut a new process off from that which it was forked of: signals, session, descriptors."""
    import faulthandler

    faulthandler.disable()
    for name in ("SIGALRM", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGXFSZ"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 0)
    with contextlib.suppress(OSError):
        os.setsid()
    close_descriptors({0, 1, 2, *kept})
