"""Model batches of one fixed size, whatever they hold: tables, texts, pictures, sparse rows.

Floating-point results change with the shape of a batch, so all batches of a run have the same,
the last one padded with repeats of its last row. Where a model's answer on a row cannot depend on
the others, batches of a table are handed over many at a time: calls cost too.
"""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xplain_cli.errors import RefusedError, XplainError, exits_caught
from xplain_cli.explanation import FloatArray, IntArray
from xplain_cli.models import Model

BATCH_ROWS = 512
"""Rows of a batch of tables and texts, where nobody asks for another number."""

OWN_ROWS = 32
"""Rows of a batch where few are asked: rows as they are, before their features are hidden."""

_MANY_CELLS, _MANY_ROWS = 1 << 21, 1 << 15

Predict: TypeAlias = Callable[[Any], FloatArray]


class Meter(threading.local):
    """What one thread has spent in models so far."""

    seconds = 0.0
    inputs = 0


METER = Meter()


class _Alarm:
    """
    The one timer of this process, set to the first end of the calls that its threads are in.

    The system ends the process by SIGALRM, without the interpreter, which a call may hold.
    """

    def __init__(self) -> None:
        self.seconds: float | None = None
        self._lock = threading.Lock()
        self._ends: dict[object, float] = {}

    def _set(self) -> None:
        left = min(self._ends.values(), default=None)
        now = time.monotonic()  # a timer of 0 s would be none
        signal.setitimer(signal.ITIMER_REAL, 0.0 if left is None else max(left - now, 1e-6))

    @contextlib.contextmanager
    def limited(self) -> Iterator[None]:
        """Limit what is done meanwhile, in this thread."""
        if self.seconds is None:
            yield
            return
        call = object()
        with self._lock:
            self._ends[call] = time.monotonic() + self.seconds
            self._set()
        try:
            yield
        finally:
            with self._lock:
                del self._ends[call]
                self._set()


_ALARM = _Alarm()


def limit_calls(seconds: float | None) -> None:
    """End this process when a model call takes more than *seconds* (None: any); for rooms only."""
    _ALARM.seconds = seconds


@contextlib.contextmanager
def metered(rows: int) -> Iterator[None]:
    """Time a model call, and limit it if it has a limit; it must not end the program."""
    began = time.perf_counter()
    try:
        with _ALARM.limited(), exits_caught():
            yield
    finally:
        METER.inputs += rows
        METER.seconds += time.perf_counter() - began


def count(inputs: Any) -> int:
    """Return the number of rows: sparse matrices have no length."""
    return int(inputs.shape[0]) if hasattr(inputs, "shape") else len(inputs)


def take(inputs: Any, rows: Sequence[int] | IntArray) -> Any:
    """Return some rows of a batch."""
    if isinstance(inputs, list):
        return [inputs[i] for i in rows]
    if isinstance(inputs, pd.DataFrame):
        return inputs.iloc[list(rows)].reset_index(drop=True)
    return inputs[np.asarray(rows, dtype=np.int64)]


def gaps(inputs: Any, row: int) -> tuple[str, ...]:
    """Return the names of the columns in which a row of a table has no value."""
    if not isinstance(inputs, pd.DataFrame):
        return ()
    missing = inputs.iloc[row].isna()
    return tuple(map(str, inputs.columns[missing.to_numpy()]))


def _cut(inputs: Any, start: int, stop: int) -> Any:
    return inputs.iloc[start:stop] if isinstance(inputs, pd.DataFrame) else inputs[start:stop]


def _table(inputs: pd.DataFrame, places: NDArray[Any]) -> pd.DataFrame:
    """
    Return the rows at *places*, always laid out alike in memory.

    Last digits depend on that layout, and pandas' own ``take`` chooses it by the shape it finds.
    """
    if all(dtype == np.float64 for dtype in inputs.dtypes):
        matrix = np.ascontiguousarray(inputs.to_numpy()[places])
        return pd.DataFrame(matrix, columns=inputs.columns, copy=False)
    return repeated(inputs, places)


def _laid_out(inputs: Any) -> FloatArray | None:
    """Return a table of numbers as ``_table`` lays it out, if it lies so already."""
    if not isinstance(inputs, pd.DataFrame) or not (inputs.dtypes == np.float64).all():
        return None
    matrix: FloatArray = inputs.to_numpy()  # a view, if all columns lie in one block
    return matrix if matrix.flags.c_contiguous else None


def _filled(inputs: Any, size: int, *, fresh: bool) -> Any:
    """Fill rows up to a batch with repeats of the last one; fresh ones need no copy."""
    if fresh and count(inputs) == size and (matrix := _laid_out(inputs)) is not None:
        return pd.DataFrame(matrix, columns=inputs.columns, copy=False)
    places = np.minimum(np.arange(size), count(inputs) - 1)
    if isinstance(inputs, pd.DataFrame):
        return _table(inputs, places)
    return inputs if count(inputs) == size else take(inputs, places)


def join_inputs(pieces: list[Any]) -> Any:
    """Return batches, all of one kind, as one."""
    if len(pieces) == 1:
        return pieces[0]
    if isinstance(pieces[0], list):
        return [row for piece in pieces for row in piece]
    if isinstance(pieces[0], pd.DataFrame):
        if all((piece.dtypes == np.float64).all() for piece in pieces):
            matrix = np.concatenate([piece.to_numpy() for piece in pieces])
            return pd.DataFrame(matrix, columns=pieces[0].columns, copy=False)
        return pd.concat(pieces, ignore_index=True)
    if isinstance(pieces[0], np.ndarray):
        return np.concatenate(pieces)
    from scipy.sparse import vstack

    return vstack(pieces, format="csr")


def rows_at_once(inputs: Any, size: int) -> int:
    """Return how many rows a model that takes many batches is handed: a whole number of them."""
    if not isinstance(inputs, pd.DataFrame):
        return size
    return max(1, min(_MANY_ROWS, _MANY_CELLS // max(1, inputs.shape[1])) // size) * size


def _batches(
    pieces: Iterable[Any], size: int, *, many: bool, fresh: bool
) -> Iterator[tuple[Any, int]]:
    """
    Yield full batches of a stream of pieces of any length, and how many rows are no padding.

    With *many* as many batches of a table as are useful are yielded as one.
    """
    held: list[Any] = []
    rows, most = 0, size
    for piece in pieces:
        if many:
            most = rows_at_once(piece, size)
            if not rows and 0 < count(piece) <= most and count(piece) % size == 0:
                yield _filled(piece, count(piece), fresh=fresh), count(piece)
                continue
        start = 0
        while rows + count(piece) - start >= most:
            stop = start + most - rows
            whole = piece if (start, stop) == (0, count(piece)) else _cut(piece, start, stop)
            yield _filled(join_inputs([*held, whole]), most, fresh=fresh), most
            held, rows, start = [], 0, stop
        if start < count(piece):
            held.append(_cut(piece, start, count(piece)) if start else piece)
            rows += count(piece) - start
    if rows:
        yield _filled(join_inputs(held), padded(rows, size), fresh=fresh), rows


def predict_stream(
    predict: Predict,
    pieces: Iterable[Any],
    size: int,
    kept: IntArray | None = None,
    *,
    many: bool = False,
    fresh: bool = False,
) -> FloatArray:
    """
    Return the outputs (m, k) on a stream of inputs, asked in batches of *size* rows.

    Batches run across pieces; only one of them is held at a time. With *kept* only these outputs,
    (m, len(kept)): a thousand classes need not stay in memory. With *many* the model may be asked
    on several batches at a time. With *fresh* nobody else holds the pieces: a model that writes
    into its inputs harms nothing, and they are handed over as they are.
    """
    parts = []
    for batch, rows in _batches(pieces, size, many=many, fresh=fresh):
        with metered(count(batch)):
            answers = predict(batch)
        if len(answers) != count(batch):  # nobody knows which rows these answers belong to
            raise ValueError(f"answered {len(answers)} rows for {count(batch)}")
        answers = answers[:rows]
        parts.append(answers if kept is None else answers[:, kept])
    return np.concatenate(parts) if parts else np.empty((0, 0 if kept is None else len(kept)))


def takes_many(model: Model) -> bool:
    """Return whether a model's answer on a row cannot depend on the rows beside it."""
    return model.capabilities.row_by_row


def predict_fixed(
    model: Model, inputs: Any, kept: IntArray | None = None, size: int = BATCH_ROWS
) -> FloatArray:
    """Return the model's outputs (m, k) on *inputs* (m,); with *kept* only these."""
    return predict_stream(model.predict, [inputs], size, kept, many=takes_many(model))


def padded(rows: int, size: int = BATCH_ROWS) -> int:
    """Return how many model inputs *rows* rows cost, padding included."""
    return -(-rows // size) * size


def predict_perturbed(
    model: Model, inputs: pd.DataFrame, kept: IntArray | None = None
) -> FloatArray:
    """
    Return ``predict_fixed`` on rows that the background's values make.

    Raises
    ------
    RefusedError
        The model fails on them.
    """
    try:
        return predict_fixed(model, inputs, kept)
    except XplainError:
        raise
    except Exception as error:  # a model may raise anything
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        raise RefusedError(
            f"the model fails on rows drawn from the background: {said}; it must answer wherever"
            " the background's values, missing ones among them, can lead (--background FILE)"
        ) from error


def repeated(rows: pd.DataFrame, places: IntArray) -> pd.DataFrame:
    """Return the rows at *places*, each column of its own type."""
    return pd.DataFrame({c: _picked(rows[c], places) for c in rows.columns})


def _picked(column: "pd.Series[Any]", places: IntArray) -> "pd.Series[Any]":
    """Return cells of a column; past pandas, whose own way takes ten times as long for a few."""
    if isinstance(column.dtype, np.dtype):
        return pd.Series(column.to_numpy()[places], dtype=column.dtype, copy=False)
    return column.take(places).reset_index(drop=True)
