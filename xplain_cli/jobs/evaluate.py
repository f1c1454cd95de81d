"""Measures on the model how well the weights of a finished run say what the model does."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.console import Console
from xplain_cli.engine.model_calls import run_together
from xplain_cli.errors import RefusedError, UsageError, counted, quoting
from xplain_cli.explanation import FloatArray
from xplain_cli.features import Split
from xplain_cli.jobs.measuring import asked_by, features_of, given_rows, split_again, whole_weights
from xplain_cli.jobs.rerun import asked_again, check_same
from xplain_cli.jobs.sanity import check_sanity
from xplain_cli.jobs.schedule import rooms_for
from xplain_cli.methods.curves import measure
from xplain_cli.modalities import story_of
from xplain_cli.options.audits import Sanity
from xplain_cli.options.declare import options_of
from xplain_cli.options.request import Request
from xplain_cli.options.runs import Sandbox
from xplain_cli.output import csv_bytes
from xplain_cli.planning.prepare import Job, prepare
from xplain_cli.quality.precision import Budget
from xplain_cli.runs.delivery import brought_here
from xplain_cli.runs.finished import FinishedRun, TargetLine, find_run, find_runs, said_of
from xplain_cli.runs.paths import write_atomically
from xplain_cli.targets import target_names

MEASURES = (
    *("deletion_auc", "insertion_auc", "random_auc", "comprehensiveness", "sufficiency"),
    "infidelity",
)
_FILE = "evaluation.csv"


def _moving_weights(block: Split, said: Sequence[Sequence[TargetLine]]) -> FloatArray:
    """Return the weights (b, t, n) of rows' features, those equal to the baseline left out."""
    whole = whole_weights(said, features_of(block))
    if block.subset is None:
        return whole
    return np.take_along_axis(whole, block.subset.places[:, None, :], axis=-1)


def _measured(
    job: Job, batch: Any, said: Mapping[int, list[TargetLine]]
) -> Iterator[dict[str, Any]]:
    """Measure the rows of a part; *said* by place in it."""
    asked, places = asked_by(job), sorted(said)
    given = given_rows(job, asked, split_again(job, batch, places))
    grouped = list(given.tasks(job, asked, Budget(job.request.sampling.seed, 1, 1)))
    running = []
    for task, chosen in grouped:
        weights = _moving_weights(task.block, [said[places[d]] for d in chosen])
        running.append((task.block, measure(task, weights, job.request.sampling.stability_k)))
    outputs = [job.opened.signature.outputs[i] for i in asked.kept.tolist()]
    found: list[Any] = run_together(asked, running)
    for (task, chosen), curves in zip(grouped, found, strict=True):
        for i, d in enumerate(chosen):
            for j, target in enumerate(target_names(task.pairs[i], outputs)):
                yield {
                    "place": places[d],
                    "target": target,
                    "prediction": task.predictions[i, j],
                    **{name: curves.measures[name][i, j] for name in MEASURES},
                    "n_features": task.n,
                    "n_model_inputs": int(curves.asked[i]) + given.spent.get(d, 0) + 1,
                }


def _masked_by(job: Job) -> str:
    """Return what stands in for features that are taken away."""
    near = job.chosen.neighbourhood
    return near.masked or near.baseline


def _by_masks(job: Job, baseline: str | None, console: Console) -> Job:
    """Return the job under a masker: its own, or that of a baseline."""
    if baseline is not None and not story_of(job.request.modality).any_baseline:
        raise UsageError("--baseline: texts and pictures are evaluated with the run's own")
    if baseline is None and job.opened.modality.gives(job.request.method) == "masks":
        return job
    return prepare(
        replace(
            job.request,
            explanation=replace(
                job.request.explanation, method=("occlusion",), output_scale=job.chosen.scale.label
            ),
            references=replace(job.request.references, baseline=(baseline,) if baseline else ()),
            sampling=replace(job.request.sampling, samples=None, repeats=None),
        ),
        console,
    )


def _lines(job: Job, found: FinishedRun) -> Iterator[dict[str, Any]]:
    """Measure a run, part by part."""
    opened = job.opened
    pieces = opened.modality.pieces(found.marker.chunk_rows, opened.start, opened.stop)
    for piece, records in zip(pieces, found.records(), strict=True):
        said = {row - piece.start: lines for row, lines in said_of(records).items()}
        for line in _measured(job, piece.batch, said) if said else ():
            identity = {"run_id": found.marker.run_id, "row_id": piece.rows.ids[line.pop("place")]}
            yield identity | {"baseline": _masked_by(job)} | line


def _tell(frame: pd.DataFrame, job: Job, console: Console) -> None:
    rows = frame.drop_duplicates("row_id")
    inputs = int(rows["n_model_inputs"].sum())
    console.note(
        f"baseline {_masked_by(job)}: {counted(len(rows))}, {counted(inputs, 'model input')}"
        f" ({inputs / max(len(rows), 1):.0f} a row)"
    )
    for name in MEASURES:
        values = frame[name].to_numpy(dtype=float)
        known = values[np.isfinite(values)]
        middle = f"{np.median(known):.4g}" if len(known) else "unknown"
        console.note(f"{name:<18} median {middle}")
    gained = (frame["insertion_auc"] > frame["random_auc"]).mean()
    console.note(f"insertion above random order in {gained:.0%} of the rows")


def _write(
    found: FinishedRun,
    request: Request,
    baselines: Sequence[str | None],
    named: str,
    console: Console,
) -> Path:
    """Measure a run under each baseline (None: its own), and return the file of the measures."""
    own = prepare(request, console)
    check_same(found, own, named)
    if own.chosen.perturbation.traits.units:
        raise UsageError(
            f"{named}: its features are units of a layer, and no row of DATA lacks one: there is"
            " nothing to evaluate; the same method without layer= can be"
        )
    parts = []
    for baseline in baselines:
        job = _by_masks(own, baseline, console)
        parts.append(pd.DataFrame(_lines(job, found)))
        if len(parts[-1]):
            _tell(parts[-1], job, console)
    frame = pd.concat(parts, ignore_index=True)
    if frame.empty:
        raise RefusedError(f"{named}: no row was explained, or none differs from its baseline")
    path = found.folder / _FILE
    write_atomically(path, csv_bytes(frame, guarded=request.result.csv_guard))
    found.hold(path)
    return path


def evaluate(
    run: str,
    model: str | None,
    data: tuple[str, ...],
    options: Mapping[str, Any],
    sanity: Sanity,
    console: Console,
) -> int:
    """
    Measure a finished run on the model, write what came out into its folder, and return 0.

    Parameters
    ----------
    run
        A run folder, or any file of one; or the address of such. For sanity checks also the folder
        of several runs.
    model, data
        The model and the data that it explained; None, (): where they were then.
    options
        ``baseline`` (those to measure tables with), and what grants trust and consent.
    sanity
        Which checks are wanted in place of measures.

    Raises
    ------
    XplainError
        There is no finished run, or model or data are not those that it explained.
    """
    from threadpoolctl import threadpool_limits

    with brought_here(run) as folder:
        checked = sanity.curves or sanity.randomize
        found = find_runs(folder) if checked else (find_run(folder),)
        request = asked_again(found[0], run, model, data)
        names = ("trusted", "trust_model", "python_path", "accept")
        granted = {name: options[name] for name in names}
        walls = Sandbox(**{one.name: options[one.name] for one in options_of(Sandbox)})
        request = replace(request, trust=replace(request.trust, **granted), sandbox=walls)
        with (
            rooms_for(request),
            threadpool_limits(limits=1),
            quoting(shown=request.shows_values),
        ):
            if checked:
                paths = check_sanity(found, request, sanity, Path(folder), run, console)
            else:
                baselines = options["baseline"] or (None,)
                paths = [_write(found[0], request, baselines, run, console)]
        for path in paths:
            console.line(str(path))
    return 0
