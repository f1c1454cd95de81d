"""``xplain diff``: two finished runs joined, compared beyond noise, written down and judged."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from xplain_cli.console import Console
from xplain_cli.errors import RefusedError, UsageError, counted
from xplain_cli.jobs.causes import Causes, causes, check_question, listed_causes
from xplain_cli.jobs.difference import (
    Joined,
    Origin,
    feature_frame,
    join_differences,
    row_frame,
    weight_frames,
)
from xplain_cli.jobs.gate import Lost, conclude, judge_gates
from xplain_cli.jobs.pairing import RunNames, join_lines, read_lines
from xplain_cli.modalities import Story, story_of
from xplain_cli.options import audits, runs
from xplain_cli.output import write_csv
from xplain_cli.output.cells import cleaned, listed, plain
from xplain_cli.plan import finite
from xplain_cli.quality.named_gates import DIFF_ROWS, VERDICTS, gates_of
from xplain_cli.quality.words import UNSTEADY
from xplain_cli.remote import redact
from xplain_cli.report.difference import render_difference
from xplain_cli.runs.delivery import brought_here
from xplain_cli.runs.finished import FinishedRun, find_run
from xplain_cli.runs.paths import unwritable, write_atomically, writing

_MARK = "diff.json"
_FILES = ("diff.csv", "diff_rows.csv", "diff_features.csv")
_WORST = 20  # rows that are named
_FEW_REPEATS = 3


@dataclass(frozen=True)
class DiffRequest:
    """
    What ``xplain diff`` was asked.

    Attributes
    ----------
    old, new
        Run folders, files of runs, or addresses.
    difference, gates
        How they are compared, and judged.
    shared_gates
        Whether ``fail_on`` was written for all commands, by a project file.
    csv_guard
        Whether cells that a spreadsheet would run are escaped.
    """

    old: str
    new: str
    difference: audits.Difference
    gates: runs.Gates
    shared_gates: bool = False
    csv_guard: bool = True


@dataclass(frozen=True)
class _Sides:
    """The two runs, what differs in their plans, and what is known of the rows of both."""

    old: FinishedRun
    new: FinishedRun
    causes: Causes
    story: Story
    notes: tuple[str, ...]


def _ids_of(run: FinishedRun) -> str | None:
    found: str | None = run.marker.plan["selection"].get("id_column")
    return found


def _side_notes(old: FinishedRun, new: FinishedRun, story: Story) -> list[str]:
    """Return what a reader of the difference must know of the two runs."""
    notes = []
    ids = [_ids_of(run) for run in (old, new)]
    if ids[0] != ids[1]:
        notes.append(
            f"rows are named by {ids[0] or 'their number'} in OLD, by {ids[1] or 'their number'}"
            " in NEW"
        )
    hidden = [
        name
        for name, run in (("OLD", old), ("NEW", new))
        if not run.marker.plan["selection"].get("values", True)
    ]
    if hidden:
        notes.append(
            f"{' and '.join(hidden)} keeps no values (--no-values): whether a row's own values"
            " changed is not known"
        )
    repeats = [run.marker.plan["numbers"].get("repeats", 0) for run in (old, new)]
    if max(repeats) < _FEW_REPEATS and min(repeats) > 1:
        notes.append(
            f"{max(repeats)} repeats say little of the errors: only large changes can be told from"
            " noise; explain with --repeats 8"
        )
    if not story.ranks_over_rows:
        notes.append(f"{story.feature}s are compared row by row: {story.unranked}")
    return notes


def _open(request: DiffRequest, held: contextlib.ExitStack) -> _Sides:
    old, new = (
        find_run(held.enter_context(brought_here(named))) for named in (request.old, request.new)
    )
    found = causes(old, new)
    check_question(found, across=request.difference.across)
    story = story_of(old.marker.plan["numbers"]["modality"])
    return _Sides(old, new, found, story, tuple(_side_notes(old, new, story)))


def _selects(run: FinishedRun) -> bool:
    return run.marker.plan["numbers"]["method"].get("features") is not None


def _origin(sides: _Sides) -> Origin:
    background = any(name == "background" for name, _, _ in sides.causes.data)
    return Origin(
        model=bool(sides.causes.model),
        background=background,
        question=bool(sides.causes.question),
        selects=_selects(sides.old) or _selects(sides.new),
        names_are_values=sides.story.named_by_value,
    )


def _join(sides: _Sides, rate: float) -> Joined:
    """Read and join both runs, and compare every weight."""
    names = RunNames({}, {}, {})
    renamed = sides.story.counterparts(sides.old.place, sides.new.place)
    old, new = (
        read_lines(run, sides.story, names, renaming)
        for run, renaming in zip((sides.old, sides.new), renamed, strict=True)
    )
    return join_differences(old, new, names, join_lines(old, new, names), rate)


def _feature_names(joined: Joined, *, only_old: bool) -> list[str]:
    """Return the features that one of the runs has in no row."""
    words = list(joined.names.features)
    mine, others = (joined.old, joined.new) if only_old else (joined.new, joined.old)
    return [str(words[code]) for code in np.setdiff1d(mine.feature, others.feature).tolist()]


def _missing(joined: Joined, sides: _Sides) -> list[str]:
    """Say which rows, targets and features only one of the runs has."""
    pairs, words = joined.pairs, list(joined.names.rows)
    said = []
    for codes, where in (
        (pairs.only_old, "only in OLD"),
        (pairs.only_new, "only in NEW"),
        (pairs.failed, "failed in one of the runs alone"),
        (pairs.retargeted, "explained for other targets in NEW"),
    ):
        if len(codes):
            shown = ", ".join(cleaned(words[code]) for code in codes[:5].tolist())
            more = ", ..." if len(codes) > 5 else ""
            are = "is" if len(codes) == 1 else "are"
            said.append(f"{counted(len(codes))} {are} {where}: {shown}{more}")
    if sides.story.ranks_over_rows and not sides.story.named_by_value:
        for only_old, where in ((True, "OLD"), (False, "NEW")):
            names = _feature_names(joined, only_old=only_old)
            if names:
                said.append(f"features only in {where}: {listed(names)}")
    return said


def _check_joined(joined: Joined, said: list[str]) -> None:
    if joined.count:
        return
    missing = "; ".join(said) or "both are empty"
    mend = (
        "explain both for the same --target"
        if len(joined.pairs.retargeted)
        else "rows are joined by their ids: explain both with the same --id-column"
    )
    raise UsageError(f"no row is explained in both runs for the same target; {missing}; {mend}")


def _counted(rows: pd.DataFrame) -> dict[str, int]:
    counts = rows["verdict"].value_counts()
    return {word: int(counts.get(word, 0)) for word in VERDICTS}


def _summary(joined: Joined, rows: pd.DataFrame, sides: _Sides) -> dict[str, Any]:
    """Return the figures of a difference."""
    weights, done = joined.weights, rows[rows["verdict"] != "failed"]
    tested = ~joined.alone
    unsteady = [run.precision == UNSTEADY for run in (joined.old, joined.new)]
    shift = (done["prediction_new"] - done["prediction_old"]).abs()
    apart = _prediction_changed(done)
    return {
        "explanations": joined.count,
        "weights": int(tested.sum()),
        "weights_moved": int(weights.moved.sum()),
        "weights_changed": int(weights.changed.sum()),
        "weights_only_old": int((joined.pairs.new_weight < 0).sum()),
        "weights_only_new": int((joined.pairs.old_weight < 0).sum()),
        "unsteady": int(sum(np.count_nonzero(found) for found in unsteady)),
        "predictions_changed": int(apart.sum()),
        "largest_prediction_change": float(shift.max()) if len(shift) else 0.0,
        "values_changed": int(done["values_changed"].sum()),
        "first_reason_differs": int(done["first_reason_differs"].sum()),
        "first_reason_changed": int(done["first_reason_changed"].sum()),
        "verdicts": _counted(rows),
        "model_changed": bool(sides.causes.model),
        "data_changed": bool(sides.causes.data),
        "question_changed": bool(sides.causes.question),
    }


def _prediction_changed(done: pd.DataFrame) -> Any:
    old, new = (done[f"prediction_{side}"].to_numpy(dtype=float) for side in ("old", "new"))
    return np.abs(new - old) > 1e-9 * np.maximum(np.abs(old), np.abs(new))


def _said(sides: _Sides, found: Mapping[str, Any]) -> list[str]:
    """Say in sentences what changed: model, data, question, estimate."""
    total, parts = found["explanations"], sides.causes
    moved = found["predictions_changed"]
    predictions = (
        f"predictions differ in {moved:,} of {total:,} explanations, by at most"
        f" {found['largest_prediction_change']:.3g}"
        if moved
        else f"the predictions of all {total:,} explanations are the same"
    )
    model = (
        f"the model changed ({listed_causes(parts.model)})"
        if parts.model
        else ("the model is the same")
    )
    others = found["values_changed"]
    rows = (
        f"{others:,} of {counted(total)} with other values"
        if others
        else ("no compared row has other values")
    )
    data = (
        f"the data changed ({listed_causes(parts.data)})"
        if parts.data
        else ("the data are the same")
    )
    question = (
        f"the question changed: {listed_causes(parts.question)}"
        if parts.question
        else "the question is the same"
    )
    still = found["weights_moved"] - found["weights_changed"]
    estimate = f"{found['weights_changed']:,} of {found['weights']:,} weights changed beyond errors"
    noise = f"; {still:,} more moved within them" if still > 0 else ""
    how = f" (estimates differ: {listed_causes(parts.estimate)})" if parts.estimate else ""
    return [f"{model}; {predictions}", f"{data}; {rows}", question, f"{estimate}{noise}{how}"]


def _warnings(sides: _Sides, found: Mapping[str, Any]) -> list[str]:
    """Say what a difference cannot tell."""
    said = []
    if found["unsteady"]:
        said.append(
            "a model does not answer the same rows alike: its errors are those of the draws alone,"
            " and weights may be called changed that are not"
        )
    origin = _origin(sides)
    if origin.model and origin.background:
        said.append(
            "model and background changed: which of the two moved a weight cannot be told apart;"
            " explain both runs with the same --background"
        )
    if origin.selects and (found["weights_only_old"] or found["weights_only_new"]):
        said.append(
            f"{found['weights_only_old']:,} weights of OLD and {found['weights_only_new']:,} of NEW"
            " were selected in that run alone, and are not compared"
        )
    return said


@dataclass(frozen=True)
class _Tables:
    """A difference, ready to be written and told."""

    joined: Joined
    rows: pd.DataFrame
    features: pd.DataFrame
    document: dict[str, Any]


def _run_facts(named: str, run: FinishedRun) -> dict[str, Any]:
    numbers = run.marker.plan["numbers"]
    return {
        "run": redact(named),
        "run_id": run.marker.run_id,
        "model": numbers["model"],
        "data": numbers["data"],
        "seed": numbers["seed"],
    }


def _worst_rows(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows whose reasons changed most."""
    done = rows[rows["verdict"] != "failed"]
    order = ["first_reason_changed", "n_changed"]
    worst = done.sort_values([*order, "kendall_tau"], ascending=[False, False, True], kind="stable")
    chosen = worst[(worst[order] > 0).any(axis=1)].head(_WORST)
    return [
        {str(name): plain(value) for name, value in line.items()}
        for line in chosen.to_dict("records")
    ]


def _tables(request: DiffRequest, sides: _Sides) -> _Tables:
    rate = request.difference.fdr
    joined = _join(sides, rate)
    missing = _missing(joined, sides)
    _check_joined(joined, missing)
    k = int(sides.old.marker.plan["numbers"]["stability_k"])
    rows = row_frame(joined, _origin(sides), k)
    ranked = sides.story.ranks_over_rows
    features = feature_frame(joined, rate) if ranked else feature_frame(joined, rate).head(0)
    summary = _summary(joined, rows, sides)
    document = {
        "schema_version": 1,
        "old": _run_facts(request.old, sides.old),
        "new": _run_facts(request.new, sides.new),
        "fdr": rate,
        "top_k": k,
        "summary": summary,
        "said": _said(sides, summary),
        "warnings": _warnings(sides, summary),
        "notes": [*missing, *sides.notes],
        "changed_features": features["feature"][features["changed"] == 1].tolist(),
        "worst_rows": _worst_rows(rows),
    }
    return _Tables(joined, rows, features, document)


def _check_folder(folder: Path) -> None:
    """
    Refuse to write into a folder that holds other things than a difference.

    Raises
    ------
    RefusedError
        It is a file, or no difference of ours.
    """
    if folder.is_file():
        raise RefusedError(f"{folder}: is a file; name a folder with --output")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / _MARK).is_file():
        raise RefusedError(
            f"{folder}: holds other things than a difference; name another folder with --output"
        )


def _write(folder: Path, found: _Tables, *, guarded: bool) -> None:
    """Write the files of a difference, all or none of the tables."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(error, folder) from error
    with writing(*(folder / name for name in _FILES)) as files:
        frames: tuple[Iterator[pd.DataFrame], ...] = (
            weight_frames(found.joined),
            iter([found.rows]),
            iter([found.features]),
        )
        for file, pieces in zip(files, frames, strict=True):
            _write_table(file, pieces, guarded=guarded)
    write_atomically(folder / "diff.html", render_difference(found.document, found.features))
    write_atomically(folder / _MARK, _json(found.document))


def _write_table(file: BinaryIO, frames: Iterator[pd.DataFrame], *, guarded: bool) -> None:
    write_csv(file, frames, guarded=guarded)


def _json(document: Mapping[str, Any]) -> bytes:
    text = json.dumps(finite(document), indent=2, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode("utf-8", "backslashreplace")


def _tell(found: _Tables, console: Console) -> None:
    document, summary = found.document, found.document["summary"]
    for text in (*document["said"], *document["notes"]):
        console.note(text)
    for text in document["warnings"]:
        console.warn(text)
    words = ", ".join(f"{count:,} {word}" for word, count in summary["verdicts"].items() if count)
    console.note(f"rows: {words}")
    noise = summary["first_reason_differs"] - summary["first_reason_changed"]
    console.note(
        f"the first reason changed in {summary['first_reason_changed']:,} of"
        f" {summary['explanations']:,} explanations"
        + (f"; in {noise:,} more noise alone may have done it" if noise else "")
    )
    for line in found.features[found.features["changed"] == 1].head(10).to_dict("records"):
        console.note(
            f"changed: {cleaned(line['feature'])}, mean |weight| {line['mean_abs_old']:.4g} ->"
            f" {line['mean_abs_new']:.4g}, in {line['n_changed']:,} explanations"
        )


def diff_runs(request: DiffRequest, console: Console) -> int:
    """
    Compare two finished runs, write what changed, judge it; return the exit code 0 or 1.

    Raises
    ------
    UsageError
        The runs cannot be compared: other rows, another question, or none in common.
    RefusedError
        A run cannot be read, or the folder not be written.
    """
    gates, notes = gates_of(
        request.gates.fail_on, request.gates.gate, DIFF_ROWS, of_all=request.shared_gates
    )
    for note in notes:
        console.note(note)
    output = request.difference.diff_folder
    if output != "-":
        _check_folder(Path(output))
    with contextlib.ExitStack() as held:
        sides = _open(request, held)
        found = _tables(request, sides)
    _tell(found, console)
    status = np.where(found.rows["verdict"] == "failed", "failed", "ok")
    judged = judge_gates(gates, [found.rows.assign(status=status)], console)
    found.document["gates"] = judged
    if output == "-":
        console.stream().write(_json(found.document))
        console.stream().flush()
    else:
        folder = Path(output)
        _write(folder, found, guarded=request.csv_guard)
        console.line(str(folder))
    return conclude(judged, Lost(), request.gates, "diff", console)
