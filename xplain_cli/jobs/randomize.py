"""Explains rows again while a model's layers are drawn anew, which must change what is said.

After Adebayo et al. 2018, with one thing added: a baseline that was found with the model is found
anew with each randomised one. Kept as it was, it carries what was learned into the comparison, and
a method that multiplies by the way from it looks as if it never changed.
"""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.baselines.assignment import foils
from xplain_cli.console import Console
from xplain_cli.engine.row_predictions import answer_rows
from xplain_cli.errors import RefusedError, UsageError, XplainError
from xplain_cli.explanation import FloatArray, IntArray
from xplain_cli.features import Split
from xplain_cli.jobs.chosen_rows import ChosenRow, pairs_of, pieces_with
from xplain_cli.jobs.curves import labelled
from xplain_cli.jobs.measuring import Asker, given_rows, split_again, whole_weights
from xplain_cli.jobs.relearning import Relearning
from xplain_cli.modalities import story_of
from xplain_cli.models.contract import UnableError
from xplain_cli.options.audits import Sanity
from xplain_cli.planning.prepare import Job, prepare
from xplain_cli.quality.sanity import spearman, ssim
from xplain_cli.quality.sanity_summary import CONTROL, FIXED, REFITTED
from xplain_cli.runs.finished import FinishedRun

_MOST_DEPTHS = 8


@dataclass(frozen=True)
class State:
    """A model, as it was learned or drawn anew, and what explains it."""

    name: str
    layers: str
    depth: int
    asker: Asker | None
    giver: Asker | None
    reason: str = ""


def layers_of(job: Job) -> tuple[str, ...]:
    """
    Return the layers of a job's model, from the top down.

    Raises
    ------
    UsageError
        It has none that could be drawn anew, with the reason.
    """
    model = job.opened.model
    try:
        model.capabilities.check(("redrawable",))
    except UnableError as error:
        raise UsageError(f"--randomize: {error}") from error
    opened = model.capabilities.redrawable
    return () if opened is None else tuple(opened())


def _depths(count: int) -> list[int]:
    """Return how many layers are drawn anew in each state."""
    places = np.linspace(1, count, min(count, _MOST_DEPTHS)).round()
    return [int(depth) for depth in np.unique(places)]


def _said(layers: Sequence[str], depth: int) -> str:
    return layers[0] if depth == 1 else f"{layers[0]} down to {layers[depth - 1]}"


def _again(having: Relearning, redrawn: tuple[int, int] | None, *, seed: int) -> Asker:
    """Prepare a run anew, everything that is learned from the model with it."""
    return Asker.of(prepare(having.request_for(redrawn, seed=seed), Console(quiet=True)))


def states_of(own: Job, having: Relearning, most: int | None) -> Iterator[State]:
    """Yield the control, then the model with more and more layers drawn anew."""
    layers, seed = layers_of(own)[:most], own.request.sampling.seed
    first = Asker.of(own)
    control = _again(having, None, seed=seed + 1)
    yield State(CONTROL, "", 0, control, control)
    for depth in _depths(len(layers)):
        said = _said(layers, depth)
        try:
            drawn = _again(having, (depth, seed), seed=seed)
        except XplainError as error:  # such as a class that the randomised model never says
            yield State(REFITTED, said, depth, None, None, str(error))
        else:
            yield State(REFITTED, said, depth, drawn, drawn)
            yield State(FIXED, said, depth, drawn, first)


@dataclass(frozen=True)
class _Found:
    """What one state says of one row: weights (t, n), facts."""

    weights: FloatArray
    facts: Mapping[str, Any]


def _explained(state: State, rows: Split, pairs: IntArray) -> dict[int, _Found]:
    """Explain rows as a state has it; by place among them."""
    if state.asker is None or state.giver is None:
        return {}
    try:
        return _together(state.giver, state.asker, rows, pairs)
    except RefusedError:  # a class that the randomised model never says
        some = _with_baselines(state.giver, rows, pairs)
    own = _together(state.giver, state.asker, rows.take(some), pairs[some]) if some else {}
    return {some[d]: one for d, one in own.items()}


def _with_baselines(giver: Asker, rows: Split, pairs: IntArray) -> list[int]:
    """Return the rows for whose class there is a baseline: rows of one class have one, or none."""
    answers = answer_rows(giver.asked, giver.job.opened.signature, rows.inputs, pairs)
    classes, found = foils(pairs, np.nan_to_num(answers.outputs)), []
    for one in np.unique(classes):
        own = np.flatnonzero(classes == one).tolist()
        with contextlib.suppress(RefusedError):
            given_rows(giver.job, giver.asked, rows.take(own[:1]), pairs[own[:1]])
            found += own
    return sorted(found)


def _together(giver: Asker, asker: Asker, rows: Split, pairs: IntArray) -> dict[int, _Found]:
    """Explain rows, under the baselines that one job gives, as another one answers them."""
    given = given_rows(giver.job, giver.asked, rows, pairs)
    if giver is not asker:
        given = asker.answered(given, pairs)
    found = {
        d: _Found(weights, facts if giver is asker else {})
        for d, weights, facts in asker.explain(given)
    }
    # a row that equals its baseline has an explanation: nothing weighs anything
    lost = {*given.lost, *given.answers.reasons}
    still = [d for d, n in enumerate(given.rows.counts.tolist()) if not n and d not in lost]
    return found | {d: _Found(np.zeros((pairs.shape[1], 0)), {}) for d in still}


def _alike(before: FloatArray, now: FloatArray, seen: Any) -> dict[str, float]:
    """Return how alike two explanations (n,) of one target are."""
    found = {
        "spearman": spearman(np.abs(before), np.abs(now)),
        "spearman_signed": spearman(before, now),
        "ssim": np.nan,
    }
    if seen is not None:
        found["ssim"] = ssim(seen.spread(before), seen.spread(now))
    return found


@dataclass(frozen=True)
class RandomisedRun:
    """A run that is explained again, and on which rows."""

    run: FinishedRun
    own: Job
    at: int
    chosen: Mapping[int, ChosenRow]
    sanity: Sanity


def _lines(work: RandomisedRun, state: State, seen: dict[int, Any]) -> Iterator[dict[str, Any]]:
    """Yield a line for each row and target of one state."""
    outputs = work.own.opened.signature.outputs
    pictured = story_of(work.own.request.modality).pictured
    for piece, places, numbers in pieces_with(work.own, work.chosen):
        rows = [work.chosen[number] for number in numbers]
        giver = state.giver.job if state.giver else work.own
        split = split_again(giver, piece.batch, places)
        found = _explained(state, split, pairs_of(rows, outputs))
        if state.name == CONTROL:
            seen |= {
                number: pictured(split, d, work.sanity.grid) for d, number in enumerate(numbers)
            }
        for d, number in enumerate(numbers):
            row_id = piece.rows.ids[places[d]]
            for j, line in enumerate(rows[d].said[work.at]):
                mine: dict[str, float] = dict.fromkeys(
                    ("spearman", "spearman_signed", "ssim"), np.nan
                )
                facts: Mapping[str, Any] = {}
                if d in found:
                    now, facts = found[d].weights[j], found[d].facts
                    before = whole_weights([[line]], max(len(now), len(line.weights)))[0, 0]
                    now = now if len(now) else np.zeros(len(before))
                    mine = _alike(before, now, seen.get(number))
                yield {
                    "run_id": work.run.marker.run_id,
                    "row_id": row_id,
                    "target": line.target,
                    "baseline": labelled(work.run),
                    "state": state.name,
                    "layers": state.layers,
                    "n_layers": state.depth,
                    **mine,
                    "baseline_in_class": facts.get("baseline_in_class", np.nan),
                    "explained": int(d in found),
                }


_LIKENESS = ["spearman", "spearman_signed", "ssim"]


def randomise(work: RandomisedRun, console: Console) -> pd.DataFrame:
    """
    Explain a run's rows again while its model's layers are drawn anew.

    A fixed baseline is left out where it is the refitted one: nothing of it was learned.

    Returns
    -------
    the lines of randomization.csv

    Raises
    ------
    UsageError
        The model has no layers.
    """
    parts: list[pd.DataFrame] = []
    seen: dict[int, Any] = {}
    with tempfile.TemporaryDirectory(prefix="xplain-") as folder:
        having = Relearning(work.own.request, work.sanity.trained_on, Path(folder), console)
        for state in states_of(work.own, having, work.sanity.most_layers):
            if state.reason:
                console.warn(f"{labelled(work.run)}, {state.layers}: {state.reason}")
            part = pd.DataFrame(_lines(work, state, seen))
            if state.name == FIXED and part[_LIKENESS].equals(parts[-1][_LIKENESS]):
                continue
            parts.append(part)
    return pd.concat(parts, ignore_index=True)
