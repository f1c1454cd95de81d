"""Measures what a run will cost on a small trial: rows, model inputs, seconds, bytes."""

import time
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from xplain_cli.engine.explainer import Assignment, Explainer
from xplain_cli.engine.model_calls import SPARSE_BATCHES
from xplain_cli.engine.pool import draw_pool, share_draws
from xplain_cli.explanation import FloatArray, IntArray, Records, join_records
from xplain_cli.features import Sampler
from xplain_cli.methods import Pool
from xplain_cli.modalities import Piece
from xplain_cli.models.batches import (
    METER,
    OWN_ROWS,
    count,
    padded,
    predict_fixed,
    predict_perturbed,
    rows_at_once,
    take,
    takes_many,
)
from xplain_cli.output import Rendering, render_piece
from xplain_cli.planning.choices import Choices
from xplain_cli.planning.cost_model import CostModel
from xplain_cli.planning.inputs import Inputs
from xplain_cli.planning.lengths import Lengths, lengths_of, piece_of
from xplain_cli.samples import least_samples
from xplain_cli.scales import checked_scale
from xplain_cli.targets import used_outputs

_TRIAL_ROWS, _POOLED_TRIAL_ROWS = 8, 32
_TRIAL_SAMPLES = 1024
_NEARLY_ALL = 0.9
_SHOWN_ROWS = 3


@dataclass(frozen=True)
class Estimate:
    """
    The cost of a run, for one worker.

    Attributes
    ----------
    rows, features
        How many.
    model_inputs
        How many rows the model will see, the padding of batches included, and the further looks
        that the rows of the trial foretell where errors shall be small enough.
    at_most
        How many, if every row takes all the looks that it may.
    model_seconds, solve_seconds
        Seconds in the model, and in the surrogates with their stability.
    opening_seconds, write_seconds
        Seconds until the first row, which opening took here, and to write what comes out.
    output_bytes
        Size of weights and stability together.
    """

    rows: int
    features: int
    model_inputs: int
    at_most: int
    model_seconds: float
    solve_seconds: float
    opening_seconds: float
    write_seconds: float
    output_bytes: float


def _at_once(opened: Inputs, asked: Assignment, inputs: Any) -> int:
    """Return how many rows the model is handed at a time."""
    size = asked.batch_rows
    return rows_at_once(inputs, size) if takes_many(opened.model) else size


def _trial_pool(opened: Inputs, asked: Assignment, perturbation: Sampler) -> tuple[Pool, ...]:
    """Draw all shared pools but predict one batch of them, or as many as go at once."""
    draw, inputs = draw_pool(perturbation, asked.budget)
    kept = used_outputs(asked.target, len(asked.signature.outputs))
    some = predict_perturbed(opened.model, inputs.head(_at_once(opened, asked, inputs)), kept)
    outputs = checked_scale(some, asked.target, asked.scale)[np.arange(len(inputs)) % len(some)]
    return share_draws(draw, outputs, asked.budget.repeats, perturbation)


def seconds_per_input(opened: Inputs, asked: Assignment) -> float:
    """Ask the model a batch of the first rows; return the seconds that each took."""
    first = opened.modality.probe()
    rows = _at_once(opened, asked, first)
    batch = take(first, np.arange(rows) % count(first))
    began = time.perf_counter()
    predict_fixed(opened.model, batch, size=asked.batch_rows)
    return (time.perf_counter() - began) / rows


@dataclass(frozen=True)
class Trial:
    """
    What a few rows took.

    Attributes
    ----------
    rows
        How many.
    records
        What was found.
    pool_inputs
        Model inputs of the shared pool, if there is one.
    own_inputs
        (r,) int, model inputs that each of these rows took, its own prediction left out.
    other_inputs
        Model inputs of each chunk beside those, batches filled up: searches for baselines.
    per_input
        Seconds in the model, of each input.
    drawing_seconds, solve_seconds
        Seconds to draw the pool, and outside the model for these rows.
    once_seconds
        Seconds outside the model for what rows with as many features share: designs of masks. It
        is known where rows were chosen to stand for all.
    """

    rows: int
    records: Records
    pool_inputs: int
    own_inputs: IntArray
    other_inputs: float
    per_input: float
    drawing_seconds: float
    solve_seconds: float
    once_seconds: float = 0.0


def trial_rows(asked: Assignment) -> int:
    """Return how many rows stand for all: more where they ask nothing of their own."""
    return _POOLED_TRIAL_ROWS if asked.method.pooled else _TRIAL_ROWS


def _warmed(
    worker: Explainer, opened: Inputs, rows: int, chunk: int, *, twice: bool
) -> list[Piece]:
    """
    Let a worker do what is done once for all rows, which must not be multiplied.

    Parameters
    ----------
    rows
        How many rows may be tried.
    chunk
        Rows of a chunk of the run.
    twice
        Whether rows may be tried again, because they ask the model next to nothing.

    Returns
    -------
    The rows that are left to be tried, in chunks.
    """
    start, warm = opened.start, rows if twice else min(1, rows - 1)
    if warm:
        first = next(opened.modality.pieces(warm, start, start + warm))
        worker.explain(first.batch, first.rows)
        if twice:
            return [first]
    return list(opened.modality.pieces(chunk, start + warm, start + rows))


def _padded_in_chunks(each: FloatArray, chunk: int, size: int) -> int:
    """Return the inputs of rows that take *each* (r,), where every chunk fills its last batch."""
    taken = np.add.reduceat(each, np.arange(0, len(each), chunk))
    return int(np.ceil(taken / size).sum()) * size


def _own_size(asked: Assignment) -> int:
    """Return the rows of a batch of rows as they are."""
    return asked.batch_rows if asked.method.pooled else min(OWN_ROWS, asked.batch_rows)


def _mask_size(asked: Assignment) -> int:
    """Return the rows of a batch of rows with features taken away."""
    return asked.batch_rows * (SPARSE_BATCHES if asked.sparse else 1)


def _timed(worker: Explainer, pieces: list[Piece]) -> tuple[Records, FloatArray, float]:
    """Return what rows gave, seconds and inputs that the model took, and seconds outside it."""
    before, began = _model_time(), time.perf_counter()
    records = join_records([worker.explain(piece.batch, piece.rows) for piece in pieces])
    spent, asked = time.perf_counter() - began, _model_time() - before
    return records, asked, max(0.0, spent - float(asked[0]))


def try_rows(
    opened: Inputs, asked: Assignment, rows: int, chunk: int, chosen: Piece | None = None
) -> Trial:
    """
    Explain a few rows with a pool of the run's size, in chunks as the run has them.

    The pool repeats the outputs of one batch: the numbers mean nothing, the cost does.

    Parameters
    ----------
    rows, chunk
        How many of the first rows are tried, and those of a chunk of the run.
    chosen
        Rows that stand for all, in place of the first.
    """
    before, began, pools, pool_inputs = _model_time(), time.perf_counter(), [], 0
    if asked.method.pooled and asked.perturbation.draws is not None:
        pools.append(_trial_pool(opened, asked, asked.perturbation.draws))
        each = asked.perturbation.traits.pools * asked.budget.samples
        pool_inputs = padded(each * asked.budget.repeats, asked.batch_rows)
    drawing = time.perf_counter() - began - (_model_time() - before)[0]
    worker, once = Explainer(asked, opened.model, iter(pools)), 0.0
    if chosen is None:
        pieces = _warmed(worker, opened, rows, chunk, twice=asked.method.pooled)
    else:
        pieces = [chosen]
        _, _, once = _timed(worker, pieces)
    records, taken, solving = _timed(worker, pieces)
    in_model, asked_inputs = _model_time() - before
    # a row's own prediction is among its inputs, and stands in a batch of rows
    lines = records.stability.drop_duplicates("row")
    own = (lines["n_model_inputs"] - lines["status"].ne("failed")).to_numpy(dtype=np.int64)
    known = _padded_in_chunks(own.astype(np.float64), chunk, _mask_size(asked))
    known += _padded_in_chunks(np.ones(len(own)), chunk, _own_size(asked))
    return Trial(
        rows=len(lines),
        records=records,
        pool_inputs=pool_inputs,
        own_inputs=own,
        other_inputs=max(0.0, float(taken[1]) - known) / len(pieces),
        per_input=float(in_model / asked_inputs) if asked_inputs else 0.0,
        drawing_seconds=float(drawing),
        solve_seconds=solving,
        once_seconds=max(0.0, once - solving),
    )


def _model_time() -> FloatArray:
    """Return the seconds that this thread has spent in models so far, and on how many inputs."""
    return np.array([METER.seconds, METER.inputs], dtype=np.float64)


def _fewer_samples(asked: Assignment) -> Assignment:
    """Return an assignment whose rows take no more samples than a trial can afford."""
    n = asked.perturbation.traits.n_fitted
    samples = max(_TRIAL_SAMPLES, least_samples(n) if n else 1)
    if asked.method.pooled or not asked.method.sampled or asked.budget.samples <= samples:
        return asked
    return replace(asked, budget=replace(asked.budget, samples=samples))


def _more_inputs(asked: Assignment, fewer: Assignment, records: Records) -> float:
    """Return how many times the model inputs of the trial the rows will take."""

    def inputs(one: Assignment) -> int:
        features = {n: count for n, count in Counter(records.lines.tolist()).items() if n}
        cost = CostModel(one.method, one.perturbation, one.budget.repeats, features)
        return cost.own(one.budget.samples)

    return inputs(asked) / max(1, inputs(fewer))


def _most_inputs(one: Assignment, features: IntArray) -> FloatArray:
    """Return the most model inputs (r,) that rows with so many features (r,) take."""
    cost = CostModel(one.method, one.perturbation, one.budget.repeats, {})
    found, places = np.unique(features, return_inverse=True)
    each = [cost.one(n, one.budget.samples) if n else 0 for n in found.tolist()]
    return np.array(each, dtype=np.float64)[places]


def _added_inputs(
    asked: Assignment, fewer: Assignment, records: Records, own: IntArray
) -> FloatArray:
    """
    Return how many model inputs (r,) the rows of the trial will take beyond their *own* there.

    A row that took next to all that it may takes all of what is added, another one its share.
    """
    first = records.stability.reset_index(drop=True).drop_duplicates("row").index
    features = records.lines[first.to_numpy()]
    least, most = _most_inputs(fewer, features), _most_inputs(asked, features)
    share = own / np.maximum(least, 1.0)
    return (most - least) * np.where(share > _NEARLY_ALL, 1.0, share)


def _inputs_by_length(
    asked: Assignment, fewer: Assignment, own: IntArray, tried: IntArray, features: IntArray
) -> FloatArray:
    """
    Return the model inputs (s,) of rows with so many *features* (s,).

    Parameters
    ----------
    own, tried
        Of each row of the trial (r,) its model inputs there, and its features. The share of the
        most that it might have taken is that of rows as long.
    """
    some = tried > 0
    if not some.any():
        return np.zeros(len(features))
    share = own[some] / np.maximum(_most_inputs(fewer, tried[some]), 1.0)
    if fewer is not asked:
        share = np.where(share > _NEARLY_ALL, 1.0, share)
    lengths, places, times = np.unique(tried[some], return_inverse=True, return_counts=True)
    shares = np.bincount(places, weights=share) / times
    return _most_inputs(asked, features) * np.interp(features, lengths, shares)


def _looks(asked: Assignment, fewer: Assignment, records: Records) -> float:
    """
    Return how many times the repeats of the first look the rows of a trial will take.

    An error falls as one over the root of the repeats. On a pool that rows share the trial's errors
    mean nothing, and rows are foretold the first look alone.
    """
    goal = asked.budget.goal
    done = records.stability[records.stability["status"] == "ok"]
    if goal is None or asked.method.pooled or done.empty:
        return 1.0
    shrunk = np.sqrt(fewer.budget.samples / asked.budget.samples)
    errors = done["max_rel_se"].to_numpy(dtype=np.float64) * shrunk
    rows = done["row"].to_numpy()
    taken = dict.fromkeys(rows.tolist(), goal.stages[-1])
    for repeats in reversed(goal.stages):
        met = goal.reached(errors * np.sqrt(goal.repeats / repeats), repeats)
        taken |= dict.fromkeys(set(rows.tolist()) - set(rows[~met].tolist()), repeats)
    return float(np.mean(list(taken.values()))) / goal.repeats


def _longest_pool(asked: Assignment, first: int) -> int:
    """Return the inputs of the shared pools, which took *first*, if a row needs every look."""
    if not first:
        return 0
    each = asked.perturbation.traits.pools * asked.budget.samples
    return first + sum(padded(each * (b - a)) for a, b in pairwise(asked.budget.stages))


@dataclass(frozen=True)
class _Outlook:
    """
    What a trial foretells of all rows.

    Attributes
    ----------
    tried
        The trial.
    own_inputs : (rows,) float
        Model inputs of each row.
    solve_seconds
        Seconds outside the model, the pool left out.
    """

    tried: Trial
    own_inputs: FloatArray
    solve_seconds: float


def _from_first(
    opened: Inputs, once: Assignment, fewer: Assignment, chunk: int, rows: int
) -> _Outlook:
    """Try the first rows, which stand for all where all have equally many features."""
    tried = try_rows(opened, fewer, min(trial_rows(once), rows), chunk)
    own, more = tried.own_inputs.astype(np.float64), 1.0
    if fewer is not once:
        own += _added_inputs(once, fewer, tried.records, tried.own_inputs)
        more = _more_inputs(once, fewer, tried.records)
    return _Outlook(tried, np.resize(own, rows), tried.solve_seconds * more * rows / tried.rows)


def _from_fair(
    opened: Inputs, chosen: Choices, once: Assignment, fewer: Assignment, lengths: Lengths
) -> _Outlook:
    """Try rows that are as long as all are: what a row takes follows its features."""
    places = lengths.typical(trial_rows(once))
    rows, counts = opened.stop - opened.start, lengths.counts[places]
    piece = piece_of(opened, chosen, places * lengths.step)
    tried = try_rows(opened, fewer, len(places), len(places), piece)
    own = _inputs_by_length(once, fewer, tried.own_inputs, counts, lengths.counts)
    own[lengths.repeats] = 0
    whole = lengths.of_all(own, rows)
    solving = tried.solve_seconds * whole.sum() / max(1, tried.own_inputs.sum())
    shared = len(np.unique(lengths.counts)) / len(np.unique(counts))
    added = _most_inputs(once, counts).sum() / max(1.0, _most_inputs(fewer, counts).sum())
    return _Outlook(tried, whole, float(solving + tried.once_seconds * shared * added))


def estimate(
    opened: Inputs,
    chosen: Choices,
    asked: Assignment,
    chunk_rows: int,
    rendering: Rendering,
    fmt: str,
    opening_seconds: float,
) -> Estimate:
    """Explain a few rows with a pool of the run's size, and multiply."""
    rows = opened.stop - opened.start
    once = replace(asked, budget=replace(asked.budget, goal=None))
    fewer = _fewer_samples(once)
    lengths = lengths_of(opened, chosen, chunk_rows)
    if lengths is None:
        seen = _from_first(opened, once, fewer, chunk_rows, rows)
    else:
        seen = _from_fair(opened, chosen, once, fewer, lengths)
    tried, records = seen.tried, seen.tried.records
    looks, stages = _looks(asked, fewer, records), asked.budget.stages
    others = _padded_in_chunks(np.ones(rows), chunk_rows, _own_size(asked))
    others += int(tried.other_inputs * -(-rows // chunk_rows))

    def inputs(pool: int, looks: float) -> int:
        own = _padded_in_chunks(seen.own_inputs * looks, chunk_rows, _mask_size(asked))
        return pool + others + own

    foretold = inputs(tried.pool_inputs, looks)
    began = time.perf_counter()
    shown = render_piece(records, rendering, fmt)
    writing = time.perf_counter() - began
    return Estimate(
        rows=rows,
        features=_typical_features(records),
        model_inputs=foretold,
        at_most=inputs(_longest_pool(asked, tried.pool_inputs), stages[-1] / stages[0]),
        model_seconds=foretold * tried.per_input,
        solve_seconds=tried.drawing_seconds + seen.solve_seconds * looks,
        opening_seconds=opening_seconds,
        write_seconds=writing * rows / tried.rows,
        output_bytes=(len(shown.weights) + len(shown.stability)) * rows / tried.rows,
    )


def _typical_features(records: Records) -> int:
    """Return the mean number of features of the rows that have any."""
    some = records.lines[records.lines > 0]
    return round(float(some.mean())) if len(some) else 0


def _drawn(method: str, chosen: Choices) -> str:
    """Name a method, and how many samples it takes in each of its repeats."""
    budget = chosen.budget
    if not chosen.method.sampled:
        return method
    repeats = "one repeat" if budget.repeats == 1 else f"each of {budget.repeats} repeats"
    return f"{method}, {budget.samples:,} samples in {repeats}"


def describe(opened: Inputs, chosen: Choices, method: str) -> list[str]:
    """Name inputs, outputs and *method*, and what a model answers on the first rows."""
    first = opened.modality.probe()  # one alone of pictures of several sizes
    head = take(first, range(min(_SHOWN_ROWS, count(first))))
    answers = opened.model.predict(head)
    return [
        f"inputs          {opened.modality.described()}",
        f"outputs         {', '.join(opened.signature.outputs)}",
        f"response        {opened.signature.response}, {opened.signature.task}",
        f"target          {chosen.target.spec} ({chosen.scale.label})",
        f"method          {_drawn(method, chosen)}",
        *(
            f"row {i:<11} " + ", ".join(f"{value:.6g}" for value in answer)
            for i, answer in enumerate(answers.tolist())
        ),
    ]


def lines_of(cost: Estimate) -> list[str]:
    """Say an estimate in a few lines."""
    total = cost.opening_seconds + cost.model_seconds + cost.solve_seconds + cost.write_seconds
    return [
        f"rows            {cost.rows:,}",
        f"features        {cost.features:,}",
        f"model inputs    {cost.model_inputs:,}",
        *([f"  at most       {cost.at_most:,}"] if cost.at_most > cost.model_inputs else []),
        f"estimated time  {spell(total)} on one worker",
        f"  to open       {spell(cost.opening_seconds)}",
        f"  in the model  {spell(cost.model_seconds)}",
        f"  in surrogates {spell(cost.solve_seconds)}",
        f"  to write      {spell(cost.write_seconds)}",
        f"output          {cost.output_bytes / 1e6:.1f} MB",
    ]


def spell(seconds: float) -> str:
    """Say a time in its own unit."""
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
