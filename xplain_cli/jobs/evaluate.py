"""How well the weights of a finished run say what the model does, measured by asking it again."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.console import Console
from xplain_cli.engine.baseline_rows import ground
from xplain_cli.engine.model_calls import Asked, run_together
from xplain_cli.engine.row_predictions import Answers, answer_rows
from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.explanation import FloatArray
from xplain_cli.features import Split
from xplain_cli.methods import Task
from xplain_cli.methods.curves import measure
from xplain_cli.modalities.tabular.draws import TableLaw
from xplain_cli.modalities.tabular.masks import TableRows
from xplain_cli.modalities.text.masks import TextLaw
from xplain_cli.output import csv_bytes
from xplain_cli.plan import Request
from xplain_cli.planning.prepare import Prepared, prepare
from xplain_cli.runs.finished import FinishedRun, Line, find_run, said_of
from xplain_cli.runs.paths import write_atomically
from xplain_cli.targets import target_names, used_outputs

MEASURES = (
    *("deletion_auc", "insertion_auc", "random_auc", "comprehensiveness", "sufficiency"),
    "infidelity",
)
_FILE = "evaluation.csv"


def _request(found: FinishedRun, named: str, model: str | None, data: tuple[str, ...]) -> Request:
    """Return what the run was asked, with the model and the data named anew."""
    try:
        text = (found.folder / "run_results.json").read_text(encoding="utf-8")
        held = json.loads(text)["request"]
    except (OSError, ValueError, KeyError) as error:
        raise RefusedError(
            f"{named}: does not say what it was asked; explain again with this version"
        ) from error
    known = {field.name for field in fields(Request)}
    values: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in held.items() if k in known
    }
    # trust is given anew, or not at all
    values |= {"trusted": (), "trust_model": False, "fail_on": None, "dry_run": False}
    request = Request(**values)
    return replace(request, model=model or request.model, data=data or request.data)


def _check_same(found: FinishedRun, job: Prepared, named: str) -> None:
    """Refuse another model or other data than the run explained."""
    if job.plan.run_id == found.marker.run_id:
        return
    then = found.marker.plan.get("numbers", {})
    parts = [name for name, value in job.plan.numbers.items() if then.get(name) != value]
    raise RefusedError(
        f"{named}: these are not the model and the data that it explained: {', '.join(parts)}"
        " differ; name them by --model and --data"
    )


def _asked(job: Prepared) -> Asked:
    opened, chosen = job.opened, job.chosen
    model = opened.model
    return Asked(
        model=model,
        target=chosen.target,
        scale=chosen.scale,
        kept=used_outputs(chosen.target, len(opened.settled.outputs)),
        batch_rows=opened.modality.batch_rows,
        sparse=model.capabilities.masked_text if chosen.drawing.sparse else None,
        show_values=not job.request.no_values,
    )


def _split(job: Prepared, batch: Any) -> Any:
    split: Any = job.chosen.law.split(batch)
    read_length = job.opened.model.capabilities.read_length
    if read_length is not None and isinstance(job.chosen.law, TextLaw):
        split = split.read_to([read_length(text) for text in split.inputs])
    return split


def _weights_of(rows: Split, chosen: list[int], said: Mapping[int, list[Line]]) -> FloatArray:
    """Return the weights (b, t, n) of some rows' features, those equal to the baseline left out."""
    block = rows.take(chosen)
    n = len(block.law.names) if isinstance(block, TableRows) else int(block.counts[0])
    whole = np.zeros((len(chosen), len(said[chosen[0]]), n))
    for i, d in enumerate(chosen):
        for j, line in enumerate(said[d]):
            whole[i, j, : len(line.weights)] = line.weights
    if isinstance(block, TableRows):
        return np.take_along_axis(whole, block.places[:, None, :], axis=-1)
    return whole


def _task(job: Prepared, block: Any, answers: Answers, chosen: list[int], asked: Asked) -> Any:
    pairs = answers.pairs[chosen]
    return Task(
        law=job.chosen.law,
        block=block,
        pairs=np.where(pairs >= 0, np.searchsorted(asked.kept, pairs), -1),
        predictions=answers.values[chosen],
        margin=job.opened.settled.margin,
        seed=job.request.seed,
        samples=1,
        repeats=1,
    )


def _measured(
    job: Prepared, batch: Any, said: Mapping[int, list[Line]]
) -> Iterator[dict[str, Any]]:
    """Measure the rows of a part; *said* by place in it."""
    asked, settled = _asked(job), job.opened.settled
    places = sorted(said)
    rows = _split(job, batch).take(places)
    own = {i: said[place] for i, place in enumerate(places)}
    answers = answer_rows(asked, settled, rows.inputs)
    spent: dict[int, int] = {}
    lost: dict[int, str] = {}
    if isinstance(rows, TableRows):
        rows, spent, lost = ground(
            rows,
            range(len(rows)),
            answers,
            asked,
        )
    groups: dict[int, list[int]] = {}
    for d, n in enumerate(rows.counts.tolist()):
        if n and d not in lost:
            groups.setdefault(n, []).append(d)
    tasks = [_task(job, rows.take(chosen), answers, chosen, asked) for chosen in groups.values()]
    running = [
        (task.block, measure(task, _weights_of(rows, chosen, own), job.request.stability_k))
        for task, chosen in zip(tasks, groups.values(), strict=True)
    ]
    outputs = [settled.outputs[i] for i in asked.kept.tolist()]
    found: list[Any] = run_together(asked, running)  # type: ignore[arg-type]  # measures are asked like methods
    for task, chosen, curves in zip(tasks, groups.values(), found, strict=True):
        for i, d in enumerate(chosen):
            for j, target in enumerate(target_names(task.pairs[i], outputs)):
                yield {
                    "place": places[d],
                    "target": target,
                    "prediction": task.predictions[i, j],
                    **{name: curves.measures[name][i, j] for name in MEASURES},
                    "n_features": task.n,
                    "n_model_inputs": int(curves.asked[i]) + spent.get(d, 0) + 1,
                }


def _by_masks(job: Prepared, baseline: str | None, console: Console) -> Prepared:
    """Return the job under a law of masks: its own, or that of a baseline."""
    tabular = job.request.modality == "tabular"
    if baseline is not None and not tabular:
        raise UsageError("--baseline: texts and pictures are evaluated with the run's own")
    if isinstance(job.chosen.law, TextLaw) and job.chosen.law.refine is not None:
        raise UsageError("evaluate: a run with lime:refine has other features in every text")
    if baseline is None and not isinstance(job.chosen.law, TableLaw):
        return job
    return prepare(
        replace(
            job.request,
            method="occlusion",
            baselines=(baseline,) if baseline else (),
            samples=None,
            repeats=None,
        ),
        console,
    )


def _lines(job: Prepared, found: FinishedRun) -> Iterator[dict[str, Any]]:
    """Measure a run, part by part."""
    opened = job.opened
    pieces = opened.modality.pieces(found.marker.chunk_rows, opened.start, opened.stop)
    for piece, records in zip(pieces, found.records(), strict=True):
        said = {row - piece.start: lines for row, lines in said_of(records).items()}
        for line in _measured(job, piece.batch, said) if said else ():
            identity = {"run_id": found.marker.run_id, "row_id": piece.rows.ids[line.pop("place")]}
            yield identity | {"baseline": job.chosen.drawing.baseline} | line


def _tell(frame: pd.DataFrame, job: Prepared, console: Console) -> None:
    rows = frame.drop_duplicates("row_id")
    inputs = int(rows["n_model_inputs"].sum())
    console.note(
        f"baseline {job.chosen.drawing.baseline}: {len(rows)} rows, {inputs} model inputs"
        f" ({inputs / max(len(rows), 1):.0f} a row)"
    )
    for name in MEASURES:
        values = frame[name].to_numpy(dtype=float)
        known = values[np.isfinite(values)]
        middle = f"{np.median(known):.4g}" if len(known) else "unknown"
        console.note(f"{name:<18} median {middle}")
    gained = (frame["insertion_auc"] > frame["random_auc"]).mean()
    console.note(f"insertion above random order in {gained:.0%} of the rows")


def evaluate(
    run: str, model: str | None, data: tuple[str, ...], options: Mapping[str, Any], console: Console
) -> int:
    """
    Measure a finished run on the model, write evaluation.csv into its folder, and return 0.

    Parameters
    ----------
    run
        A run folder, or any file of one.
    model, data
        The model and the data that it explained; None, (): where they were then.
    options
        ``baseline`` (those to measure tables with), and what grants trust.

    Raises
    ------
    XplainError
        There is no finished run, or model or data are not those that it explained.
    """
    from threadpoolctl import threadpool_limits

    found = find_run(run)
    request = replace(
        _request(found, run, model, data),
        trusted=options["trusted"],
        trust_model=options["trust_model"],
        python_path=options["python_path"],
    )
    with threadpool_limits(limits=1):
        own = prepare(request, console)
        _check_same(found, own, run)
        parts = []
        for baseline in options["baseline"] or (None,):
            job = _by_masks(own, baseline, console)
            parts.append(pd.DataFrame(_lines(job, found)))
            if len(parts[-1]):
                _tell(parts[-1], job, console)
    frame = pd.concat(parts, ignore_index=True)
    if frame.empty:
        raise RefusedError(f"{run}: no row was explained, or none differs from its baseline")
    path = found.folder / _FILE
    write_atomically(path, csv_bytes(frame, guarded=request.csv_guard))
    console.line(str(path))
    return 0
