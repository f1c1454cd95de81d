"""Answers the requests of methods by a model: the shared pool, drawn rows, masked rows.

Methods of several blocks run side by side, so that rows with few features and rows with many
fill the same model batches. A further kind of request is a line of ``ANSWERS``.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import gcd
from typing import Any, TypeVar

import numpy as np

from xplain_cli.engine.mask_cache import DistinctMasks, MaskCache, unique_masks
from xplain_cli.engine.path_calls import PathModel, answer_paths, answer_pieces, answer_routes
from xplain_cli.errors import LostRowError, summed_up
from xplain_cli.explanation import FloatArray, IntArray
from xplain_cli.features import MaskedRows
from xplain_cli.methods import (
    MaskOutputs,
    NeedMasks,
    NeedOutputs,
    NeedPath,
    NeedPieces,
    NeedPool,
    NeedRoutes,
    Pool,
    UnexplainedError,
)
from xplain_cli.models import MaskedText, Model
from xplain_cli.models.batches import (
    OWN_ROWS,
    predict_perturbed,
    predict_stream,
    rows_at_once,
    takes_many,
)
from xplain_cli.models.one_by_one import together_or_each
from xplain_cli.scales import Scale, checked_scale, no_log_odds, to_scale
from xplain_cli.targets import Target, is_pair

T = TypeVar("T")

SPARSE_BATCHES = 32  # such rows are small, and a call costs as much as thousands of them


@dataclass(frozen=True)
class ModelCalls:
    """
    How the model is asked.

    Attributes
    ----------
    model
        The opened model.
    target, scale
        What is explained.
    kept
        The outputs that are needed.
    batch_rows
        Rows of every model batch of masked rows.
    own_rows
        Rows of every model batch of the rows themselves, and of the rows they are compared with.
    sparse
        How masked texts are asked as sparse rows; None: they are not.
    pools
        The shared pools, for methods that ask for one: that of each combination of held values.
    show_values
        Whether reasons may quote what the model says of a row.
    memory
        What was answered already, where rows are looked at again; else None.
    paths
        How derivatives are asked, for methods that ask for them.
    """

    model: Model
    target: Target
    scale: Scale
    kept: IntArray
    batch_rows: int
    sparse: MaskedText | None = None
    pools: Sequence[Pool] = ()
    show_values: bool = True
    memory: MaskCache | None = None
    own_rows: int = OWN_ROWS
    paths: PathModel | None = None


@dataclass(frozen=True)
class _Question:
    """Distinct inputs of one masked row, ``copies`` a mask; ``inverse`` (m,) leads to them."""

    inputs: Any
    inverse: IntArray
    sparse: bool
    copies: int = 1

    @property
    def size(self) -> int:
        """The number of inputs."""
        return (int(self.inverse.max()) + 1) * self.copies

    def pieces(self) -> Iterator[Any]:
        """Yield the inputs, made when they are needed."""
        if callable(self.inputs):
            yield from self.inputs()
        else:
            yield self.inputs


def _distinct_texts(texts: list[str]) -> tuple[list[str], IntArray]:
    place: dict[str, int] = {}
    inverse = np.array([place.setdefault(text, len(place)) for text in texts], dtype=np.int64)
    return list(place), inverse


def failure_text(error: Exception, where: str, *, shown: bool) -> str:
    """Return why a row failed on which the model raised; what it said may quote a value."""
    if isinstance(error, LostRowError):
        return f"this row has no baseline: {error}; or allow for it with --max-failed"
    return (
        f"the model raised {summed_up(error, quotes=shown)} on {where}; mend or remove the row, or"
        " allow for it with --max-failed"
    )


def _made_in_pieces(asked: ModelCalls, block: Any, row: int, found: DistinctMasks) -> _Question:
    """Return the question of a row of which inputs are made when they are needed."""
    own, dealt = found.masks, found.baselines
    copies = block.copies if dealt is None else 1
    size = asked.batch_rows
    step = -(-size // copies)
    if takes_many(asked.model):  # laid out once, as they are asked: in whole batches
        whole = size // gcd(size, copies)
        step = max(step, rows_at_once(block.inputs, size) // (whole * copies) * whole)

    def made() -> Iterator[Any]:
        for start in range(0, len(own), step):
            part = slice(start, start + step)
            if dealt is None:
                yield block.masked(row, own[part])
            else:
                yield block.masked_on(row, own[part], dealt[part])

    return _Question(made, found.inverse, sparse=False, copies=copies)


def _question(asked: ModelCalls, block: Any, row: int, found: DistinctMasks) -> _Question:
    own, inverse = found.masks, found.inverse
    if asked.sparse is not None:
        text, spans = block.spanned(row)
        matrix = asked.sparse.masked_rows(text, spans, own)
        if matrix is not None:
            return _Question(matrix, inverse, sparse=True)
    if not block.inputs_repeat:  # pictures and tables are made a batch at a time
        return _made_in_pieces(asked, block, row, found)
    texts, places = _distinct_texts(block.masked(row, own))
    return _Question(texts, places[inverse], sparse=False)


def _predict(asked: ModelCalls, questions: Sequence[_Question], *, sparse: bool) -> FloatArray:
    pieces = (piece for question in questions for piece in question.pieces())
    if sparse and asked.sparse is not None:
        rows = SPARSE_BATCHES * asked.batch_rows
        return predict_stream(asked.sparse.predict_rows, pieces, rows, asked.kept)
    many = takes_many(asked.model)
    return predict_stream(
        asked.model.predict, pieces, asked.batch_rows, asked.kept, many=many, fresh=True
    )


def _sizes(questions: Sequence[_Question]) -> IntArray:
    return np.array([question.size for question in questions], dtype=np.int64)


def _outputs(asked: ModelCalls, questions: Sequence[_Question]) -> list[FloatArray]:
    """Return the needed outputs (u, k) of each question, asked together."""
    found: dict[int, FloatArray] = {}
    for sparse in (False, True):
        chosen = [i for i, question in enumerate(questions) if question.sparse == sparse]
        if chosen:
            some = [questions[i] for i in chosen]
            answers = _predict(asked, some, sparse=sparse)
            parts = np.split(answers, np.cumsum(_sizes(some))[:-1])
            found |= dict(zip(chosen, parts, strict=True))
    return [found[i] for i in range(len(questions))]


def _outputs_or_reasons(
    asked: ModelCalls, questions: Sequence[_Question]
) -> list[FloatArray | str]:
    """Return the outputs of each question, or why it has none."""

    def ask(chosen: Sequence[int]) -> list[FloatArray]:
        return _outputs(asked, [questions[i] for i in chosen])

    answers, errors = together_or_each(ask, range(len(questions)))
    found: dict[int, FloatArray | str] = {}
    for chosen, outputs in answers:
        found |= dict(zip(chosen, outputs, strict=True))
    where = "this row with features taken away"
    found |= {i: failure_text(error, where, shown=asked.show_values) for i, error in errors.items()}
    return [found[i] for i in range(len(questions))]


def _scaled(asked: ModelCalls, outputs: FloatArray | str, copies: int) -> FloatArray | str:
    """Return outputs of masks on the explained scale, or why there are none."""
    if isinstance(outputs, str):
        return outputs
    bad = int((~np.isfinite(outputs)).any(axis=1).sum())
    if bad:
        return (
            f"the model answers NaN or infinity on {bad} of {len(outputs)} variants of this row"
            " with features taken away"
        )
    scaled = to_scale(outputs, asked.scale, paired=is_pair(asked.target))
    if not np.isfinite(scaled).all():
        return no_log_odds("variants of this row")
    if copies == 1:
        return scaled
    return np.asarray(scaled.reshape(-1, copies, scaled.shape[1]).mean(axis=1), dtype=np.float64)


def _ask_masks(
    asked: ModelCalls, needs: Sequence[tuple[MaskedRows, NeedMasks]]
) -> list[MaskOutputs | UnexplainedError]:
    """Ask the model on the masks of several blocks together."""
    questions = [
        _question(asked, block, row, unique_masks(masks, dealt))
        for block, need in needs
        for row, masks, dealt in need.lines()
    ]
    flat = [
        _scaled(asked, outputs, question.copies)
        for outputs, question in zip(_outputs_or_reasons(asked, questions), questions, strict=True)
    ]
    sizes = _sizes(questions)
    answers: list[MaskOutputs | UnexplainedError] = []
    at = 0
    for _, need in needs:
        own = flat[at : at + len(need.rows)]
        lost = {
            row: said for row, said in zip(need.rows, own, strict=True) if isinstance(said, str)
        }
        if lost:
            answers.append(UnexplainedError(lost))
        else:
            outputs = [
                part[question.inverse]
                for part, question in zip(own, questions[at:], strict=False)
                if not isinstance(part, str)
            ]
            answers.append(MaskOutputs(outputs, sizes[at : at + len(need.rows)]))
        at += len(need.rows)
    return answers


def _answer_masks(
    asked: ModelCalls, waiting: Sequence[tuple[Any, NeedMasks]]
) -> list[MaskOutputs | UnexplainedError]:
    """Answer requests for masked rows; where rows are looked at again, what is new in them."""
    ask = partial(_ask_masks, asked)
    return ask(waiting) if asked.memory is None else asked.memory.answer(waiting, ask)


def _answer_outputs(
    asked: ModelCalls, waiting: Sequence[tuple[Any, NeedOutputs]]
) -> list[FloatArray]:
    """Answer requests for the outputs on drawn rows."""
    import pandas as pd

    tables = [table for _, need in waiting for table in need.inputs]
    outputs = predict_perturbed(asked.model, pd.concat(tables, ignore_index=True), asked.kept)
    scaled = checked_scale(outputs, asked.target, asked.scale)
    sizes = [sum(map(len, need.inputs)) for _, need in waiting]
    return np.split(scaled, np.cumsum(sizes)[:-1])


def _answer_pool(asked: ModelCalls, waiting: Sequence[tuple[Any, NeedPool]]) -> list[Pool]:
    """Answer requests for the shared pool: all rows of a block have the same one."""
    pools = [block.pool_of for block, _ in waiting]
    return [asked.pools[0 if own is None else int(own[0])] for own in pools]


def _by_path(answer: Callable[[PathModel, Any], list[Any]]) -> Callable[..., list[Any]]:
    """Return what answers requests for derivatives, of a model that has them."""

    def answered(asked: ModelCalls, waiting: Sequence[tuple[Any, Any]]) -> list[Any]:
        if asked.paths is None:
            raise ValueError("paths need a model that gives gradients")
        return answer(asked.paths, waiting)

    return answered


ANSWERS: dict[type, Callable[[ModelCalls, Sequence[tuple[Any, Any]]], list[Any]]] = {
    NeedMasks: _answer_masks,
    NeedOutputs: _answer_outputs,
    NeedPath: _by_path(answer_paths),
    NeedPieces: _by_path(answer_pieces),
    NeedPool: _answer_pool,
    NeedRoutes: _by_path(answer_routes),
}
"""What a method may yield, and who answers several such requests, each with its block, together.

An answer is what is sent to the method, or an ``UnexplainedError`` that ends it.
"""


def _answers(asked: ModelCalls, waiting: Sequence[tuple[Any, object]]) -> list[Any]:
    """Answer (block, request) pairs of any kinds, in order."""
    kinds: dict[type, list[int]] = {}
    for i, (_, request) in enumerate(waiting):
        if type(request) not in ANSWERS:
            known = ", ".join(kind.__name__ for kind in ANSWERS)
            raise TypeError(
                f"no answer to the request {type(request).__name__}: ANSWERS has {known}"
            )
        kinds.setdefault(type(request), []).append(i)
    answers: dict[int, Any] = {}
    for kind, places in kinds.items():
        found = ANSWERS[kind](asked, [waiting[i] for i in places])
        answers |= dict(zip(places, found, strict=True))
    return [answers[i] for i in range(len(waiting))]


def run_together(
    asked: ModelCalls, running: Sequence[tuple[Any, Generator[object, Any, T]]]
) -> list[T | UnexplainedError]:
    """
    Run the methods of several blocks, answering what they ask together.

    Parameters
    ----------
    asked
        How the model is asked.
    running
        Of each block: the block, and a method, or what else yields requests, at work on it.

    Returns
    -------
    for each block what its method returns, or which of its rows have none
    """
    found: dict[int, T | UnexplainedError] = {}
    replies: dict[int, Any] = dict.fromkeys(range(len(running)))
    while replies:
        requests: dict[int, object] = {}
        for i, reply in replies.items():
            if isinstance(reply, UnexplainedError):
                found[i] = reply
                continue
            try:
                requests[i] = running[i][1].send(reply)
            except StopIteration as finished:
                found[i] = finished.value
            except UnexplainedError as error:
                found[i] = error
        waiting = [(running[i][0], request) for i, request in requests.items()]
        replies = dict(zip(requests, _answers(asked, waiting), strict=True))
    return [found[i] for i in range(len(running))]
