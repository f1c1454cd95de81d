"""Runs one job under several baselines, or methods, and measures how far the runs agree."""

import heapq
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.console import Console
from xplain_cli.errors import UsageError
from xplain_cli.explanation import FloatArray
from xplain_cli.jobs.explain import explain
from xplain_cli.modalities import story_of
from xplain_cli.options.request import Request
from xplain_cli.output import csv_bytes
from xplain_cli.quality.agreement import mean_jaccard, mean_tau, top_members
from xplain_cli.runs.finished import FinishedRun, TargetLine, find_run, said_of
from xplain_cli.runs.paths import MARKER, RunPlace, parents_of, unwritable, write_atomically

_NOT_IN_NAMES = re.compile(r"[^\w.=,-]+")


def _named(output: str, name: str) -> str:
    """Return where one of several runs goes: a folder in the folder, a file beside the file."""
    path = Path(output)
    if path.suffix:
        return str(path.with_name(f"{path.stem}.{name}{path.suffix}"))
    return str(path / name)


@dataclass(frozen=True)
class _RunVariants:
    """
    What the runs of one job differ in.

    Attributes
    ----------
    noun
        ``baseline`` or ``method``.
    texts
        What each run has of it, as the user typed it.
    """

    noun: str
    texts: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """What each run is called."""
        return [_NOT_IN_NAMES.sub("-", text) for text in self.texts]

    def one(self, request: Request, text: str) -> Request:
        """Return the request with one of them."""
        if self.noun == "method":
            return replace(request, explanation=replace(request.explanation, method=(text,)))
        return replace(request, references=replace(request.references, baseline=(text,)))


def _sides(request: Request) -> _RunVariants | None:
    """
    Return what the runs of a job differ in; None where it is one run.

    Raises
    ------
    UsageError
        They would differ in two things.
    """
    baselines, methods = request.references.baseline, request.explanation.method
    if len(baselines) > 1 and len(methods) > 1:
        raise UsageError(
            "several baselines and several methods at once: runs are compared that differ in one"
            " thing; name one baseline, or one method"
        )
    if len(methods) > 1:
        return _RunVariants("method", methods)
    return _RunVariants("baseline", baselines) if len(baselines) > 1 else None


def _check_streams(request: Request, noun: str) -> None:
    """Refuse to read stdin, or to write stdout, several times."""
    if "-" in request.sources.data:
        raise UsageError(
            f"several {noun}s read DATA several times, which stdin does not allow: save it to a"
            f" file, or name one {noun}"
        )
    if request.result.output == "-":
        raise UsageError(f"several {noun}s are several runs: name a folder or a file by --output")


def _check(request: Request, sides: _RunVariants) -> None:
    """Refuse runs that cannot stand side by side."""
    story, noun = story_of(request.modality), sides.noun
    if noun == "baseline" and not story.several_baselines:
        raise UsageError(
            f"--baseline: {story.rows} are explained under one, not"
            f" {', '.join(sides.texts)}: their features follow from it"
        )
    _check_streams(request, noun)
    if (Path(request.result.output) / MARKER).is_file():
        raise UsageError(
            f"{request.result.output} holds a run; several {noun}s need a folder of their own"
            " (--output)"
        )
    if request.result.report is not None:
        from xplain_cli.report import check_page

        check_page(request.result.report)
    if len(set(sides.names)) < len(sides.names):
        raise UsageError(f"--{noun}: {', '.join(sides.texts)} name one {noun} twice")
    folder = Path(request.result.output)
    if not folder.suffix and not request.safety.dry_run:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(error, folder) from error


def _compared(lines: Sequence[TargetLine], k: int) -> dict[str, Any]:
    """Say how far several explanations of one row and target agree."""
    firsts = [
        line.names[int(np.abs(line.weights).argmax())] if line.weights.any() else ""
        for line in lines
    ]
    if len({tuple(line.names) for line in lines}) > 1:  # units of several layers have no match
        return {
            "target": lines[0].target,
            **dict.fromkeys(("topk_jaccard", "kendall_tau", "sign_agreement"), np.nan),
            "same_first_reason": len(set(firsts)) == 1,
            "first_reasons": "; ".join(firsts),
        }
    n = max(len(line.weights) for line in lines)
    weights = np.stack([np.pad(line.weights, (0, n - len(line.weights))) for line in lines])
    sizes = np.abs(weights)
    return {
        "target": lines[0].target,
        "topk_jaccard": _overlap(sizes, k),
        "kendall_tau": float(mean_tau(sizes)) if n > 1 else np.nan,
        "sign_agreement": _sign_agreement(weights, k),
        "same_first_reason": len(set(firsts)) == 1,
        "first_reasons": "; ".join(firsts),
    }


def _overlap(sizes: FloatArray, k: int) -> float:
    if k >= sizes.shape[1]:
        return np.nan
    return float(mean_jaccard(top_members(sizes, k), k))


def _sign_agreement(weights: FloatArray, k: int) -> float:
    """Return the share of equal signs over features in the top k of any, none of them 0."""
    n = weights.shape[1]
    top = np.ones(n, dtype=bool)
    if k < n:
        top = np.logical_or.reduce(top_members(np.abs(weights), k))
    signs = np.sign(weights[:, top & (weights != 0).all(axis=0)])
    if not signs.size:
        return np.nan
    return float((np.abs(signs.sum(axis=0)) == len(signs)).mean())


def _explained(run: FinishedRun) -> Iterator[tuple[int, str, Sequence[TargetLine]]]:
    """Yield of each explained row its number, its id and what is said of its targets, in order."""
    for records in run.records():
        said = said_of(records)
        ids = dict(zip(records.stability["row"], records.stability["row_id"], strict=True))
        yield from ((row, ids[row], said[row]) for row in sorted(said))


def _agreement(runs: Sequence[FinishedRun], k: int) -> Iterator[dict[str, Any]]:
    """Compare runs row by row; a row that one of them lacks is left out."""
    # by rows, not by parts: methods and baselines differ in the rows of a unit of work
    rows = heapq.merge(*map(_explained, runs), key=itemgetter(0))
    for _, same in groupby(rows, key=itemgetter(0)):
        _, ids, said = zip(*same, strict=True)
        if len(said) == len(runs):
            for lines in zip(*said, strict=True):
                yield {"row_id": ids[0], **_compared(lines, k)}


def _tell(frame: pd.DataFrame, texts: Sequence[str], console: Console) -> None:
    console.note(f"agreement under {', '.join(texts)}, {len(frame)} explanations:")
    for name in ("topk_jaccard", "kendall_tau", "sign_agreement"):
        known = frame[name].to_numpy(dtype=float)
        known = known[np.isfinite(known)]
        middle = f"{np.median(known):.3g}" if len(known) else "unknown"
        console.note(f"{name:<15} median {middle}")
    changed = 1 - frame["same_first_reason"].mean()
    console.note(f"the first reason changes in {changed:.0%} of them")


def _page(request: Request) -> Path:
    """Return where the page of one of several runs goes."""
    return RunPlace.from_output(request.result.output, request.result.output_format).report


def _write_page(
    request: Request, sides: _RunVariants, outputs: Sequence[str], frame: pd.DataFrame
) -> None:
    """Write the page that leads to the page of each run."""
    page = Path(str(request.result.report))
    pages = [
        _page(replace(request, result=replace(request.result, output=output))) for output in outputs
    ]
    from xplain_cli.report.album import link_to
    from xplain_cli.report.comparison import render_comparison

    links = [link_to(own, page) for own in pages]
    places = [(find_run(output).place, page) for output in outputs]
    with parents_of(page):
        write_atomically(page, render_comparison(sides.noun, sides.texts, links, frame, places))


def _under(request: Request, sides: _RunVariants, text: str, output: str) -> Request:
    """Return what one of several runs is asked: its baseline or method, its place, its share."""
    own = replace(
        sides.one(request, text),
        result=replace(request.result, output=output),
        output_explicit=True,
    )
    if request.gates.junit is not None:
        junit = _named(request.gates.junit, _NOT_IN_NAMES.sub("-", text))
        own = replace(own, gates=replace(request.gates, junit=junit))
    if request.result.report is not None:
        own = replace(own, result=replace(own.result, report=str(_page(own))))
    if request.sampling.budget is not None:
        from xplain_cli.planning.budget import shared_budget

        share = shared_budget(request.sampling.budget, len(sides.texts))
        own = replace(own, sampling=replace(own.sampling, budget=share))
    return own


def explain_under_each(request: Request, console: Console) -> int:
    """
    Explain under each baseline, or by each method, and compare them where there are several.

    Returns
    -------
    the highest exit code of the runs

    Raises
    ------
    XplainError
        What ``job.explain`` raises, or the runs cannot stand side by side.
    """
    sides = _sides(request)
    if sides is None:
        return explain(request, console)
    _check(request, sides)
    codes, outputs = [], []
    for text, name in zip(sides.texts, sides.names, strict=True):
        outputs.append(_named(request.result.output, name))
        console.note(f"{sides.noun} {text}:")
        codes.append(explain(_under(request, sides, text, outputs[-1]), console))
    if request.safety.dry_run:
        return max(codes)
    frame = pd.DataFrame(
        _agreement([find_run(output) for output in outputs], request.sampling.stability_k)
    )
    if len(frame):
        target = Path(request.result.output)
        path = (
            target.with_name(f"{target.stem}.agreement.csv")
            if target.suffix
            else (target / "agreement.csv")
        )
        write_atomically(path, csv_bytes(frame, guarded=request.result.csv_guard))
        _tell(frame, sides.texts, console)
        if request.result.report is not None:
            _write_page(request, sides, outputs, frame)
            console.note(f"report: {request.result.report}")
        console.line(str(path))
    elif request.result.report is not None:
        console.warn(
            f"{request.result.report}: not written, for the runs have no explanation in common"
        )
    return max(codes)
