"""``xplain verify``: whether a finished run is what it says, by its hashes and by its rows.

Every file is held against its hash, model and data against theirs, and random rows are explained
again in the one way in which runs are explained.
"""

import contextlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.console import Console
from xplain_cli.errors import (
    FailedRowsError,
    RefusedError,
    UsageError,
    XplainError,
    counted,
    quoting,
)
from xplain_cli.explanation import Records, rows_between
from xplain_cli.jobs.announce import announce
from xplain_cli.jobs.manifest import WHERE_USED, platform_now, versions_now
from xplain_cli.jobs.rerun import asked_again, differing_numbers, explain_some
from xplain_cli.jobs.schedule import rooms_for
from xplain_cli.options import audits, runs
from xplain_cli.options.request import Request
from xplain_cli.output.cells import listed, texts
from xplain_cli.planning.prepare import Job, prepare
from xplain_cli.quality.change import Estimates, compare, degrees_of
from xplain_cli.quality.checks import Check
from xplain_cli.remote import redact
from xplain_cli.runs.delivery import brought_here
from xplain_cli.runs.finished import FinishedRun, find_run
from xplain_cli.runs.paths import MARKER
from xplain_cli.runs.seal import broken_seals, marker_flaws
from xplain_cli.workers.rooms import Rooms

_ALARMS = 0.001  # weights of an honest run that another version may seem to change
_ROUNDING = 1e-6  # of the largest weight, between versions: single precision adds in any order
_MOST = 10  # files or rows that a message names


@dataclass(frozen=True)
class VerifyRequest:
    """
    What ``xplain verify`` was asked.

    Attributes
    ----------
    run
        A run folder, a file of one, or an address.
    model, data, background
        What it explained; None, (): where they were then.
    trust, sandbox
        What the model file may run and reach, given anew.
    verification, gates
        How many rows are explained again, and how CI systems are told.
    """

    run: str
    model: str | None
    data: tuple[str, ...]
    background: str | None
    trust: runs.Trust
    sandbox: runs.Sandbox
    verification: audits.Verification
    gates: runs.Gates


def _listed(flaws: Sequence[str]) -> str:
    rest = f"; and {len(flaws) - _MOST} more" if len(flaws) > _MOST else ""
    return "; ".join(flaws[:_MOST]) + rest


def _hashed(files: int) -> str:
    return f"{counted(files, 'file')} {'has its hash' if files == 1 else 'have their hashes'}"


def _files_check(found: FinishedRun) -> Check:
    """Check that every file of a run is the one that was written."""
    name = "files"
    try:
        facts = found.facts()
    except RefusedError as error:
        return Check(name, failed=True, message=str(error))
    flaws = [
        *broken_seals(found.place, found.marker, facts),
        *marker_flaws(found.place, found.marker, facts),
    ]
    if flaws:
        return Check(name, failed=True, message=_listed(flaws))
    count = len(found.marker.outputs) + len(found.marker.held)
    if not found.marker.held:
        return Check(
            name,
            failed=False,
            message=f"{_hashed(count)}; this run was made before parts had some",
        )
    return Check(name, failed=False, message=_hashed(count))


def _version_differences(facts: Mapping[str, Any], models: Mapping[str, str]) -> list[str]:
    """Return each version that is another now than then; *models*: of what models need."""
    then: Mapping[str, str] = facts.get("versions", {})
    now = {**versions_now(), **models}
    said = [
        f"{name} {then[name]} then, {now.get(name, 'not in use')} now"
        for name in then
        if name in now and then[name] != now[name]
    ]
    if facts.get("platform") != platform_now():
        said.append(f"{facts.get('platform')} then, {platform_now()} now")
    return said


def _asked(found: FinishedRun, request: VerifyRequest) -> Request:
    """Return what the run was asked, to be explained here and kept nowhere."""
    again = asked_again(found, request.run, request.model, request.data)
    model = found.marker.plan["numbers"].get("model")
    trust = replace(
        again.trust,
        trusted=request.trust.trusted,
        trust_model=request.trust.trust_model,
        python_path=request.trust.python_path or again.trust.python_path,
        accept=request.trust.accept,
        model_sha256=model,  # another model is refused before anything in it is opened
    )
    references = again.references
    if request.background is not None:
        references = replace(references, background=request.background)
    return replace(
        again,
        trust=trust,
        sandbox=request.sandbox,
        references=references,
        gates=replace(again.gates, max_failed="100%"),
        sampling=replace(again.sampling, budget=None, **_budget_of(found)),
        workers=runs.Workers(jobs=1, backend="serial"),
        progress=False,
    )


def _budget_of(found: FinishedRun) -> dict[str, int]:
    """Return the samples that a budget became; {} where none was given."""
    if found.marker.budget is None:
        return {}
    return {"samples": int(found.marker.plan["numbers"]["samples"])}


def _source_checks(found: FinishedRun, job: Job) -> list[Check]:
    """Check that model, data and settings are those that the run explained."""
    apart = differing_numbers(found, job)
    checks = []
    for name, parts in (("model", ("model", "outputs")), ("data", ("data",))):
        own = [part for part in parts if part in apart]
        told = f"{', '.join(own)} differ" if own else "its SHA-256 is that of the run"
        checks.append(Check(name, failed=bool(own), message=told))
    rest = [part for part in apart if part not in {"model", "outputs", "data"}]
    told = f"{', '.join(rest)} differ" if rest else "all that decides the numbers is as in the run"
    checks.append(Check("settings", failed=bool(rest), message=told))
    return checks


def _explained(found: FinishedRun) -> dict[int, Path]:
    """Return the part of each row that was explained, by its number in DATA."""
    rows: dict[int, Path] = {}
    for part in found.parts:
        lines = found.read(part).stability
        done = lines["row"][lines["status"] != "failed"]
        rows |= dict.fromkeys(done.astype(int).tolist(), part)
    return rows


def _chosen(found: FinishedRun, count: int, seed: int) -> dict[int, Path]:
    """Return some random rows that were explained, and their parts."""
    rows = _explained(found)
    every = np.array(sorted(rows), dtype=np.int64)
    drawn = np.random.default_rng(seed).choice(every, min(count, len(every)), replace=False)
    return {row: rows[row] for row in sorted(drawn.tolist())}


def _unequal_columns(then: pd.DataFrame, now: pd.DataFrame, ignored: set[str]) -> list[str]:
    """Return the columns whose cells are not the same, byte by byte, as they would be written."""
    if list(then.columns) != list(now.columns) or len(then) != len(now):
        return ["columns or lines"]
    return [
        str(name)
        for at, name in enumerate(then.columns)
        if name not in ignored and texts(then.iloc[:, at]) != texts(now.iloc[:, at])
    ]


def _estimates(records: Records) -> Estimates:
    repeats = np.repeat(records.stability["n_repeats"].to_numpy(dtype=np.int64), records.lines)
    exact = np.repeat(records.stability["precision"].eq("exact").to_numpy(), records.lines)
    return Estimates(
        weight=records.weights["weight"].to_numpy(dtype=np.float64),
        std_error=records.weights["std_error"].to_numpy(dtype=np.float64),
        degrees=degrees_of(repeats),
        exact=exact,
    )


def _by_feature(records: Records) -> Records:
    """Return records whose weights stand by target and feature, for ranks may change places."""
    line = np.repeat(np.arange(len(records.lines)), records.lines)
    order = np.lexsort((records.weights["feature_index"].to_numpy(dtype=np.int64), line))
    return replace(records, weights=records.weights.iloc[order].reset_index(drop=True))


def _beyond_errors(then: Records, now: Records) -> list[str]:
    """Return what of a row is neither within its errors nor within the rounding of a version."""
    then, now = _by_feature(then), _by_feature(now)
    columns = ["target", "feature"]
    if not then.weights[columns].astype(str).equals(now.weights[columns].astype(str)):
        return ["targets or features"]
    old, new = _estimates(then), _estimates(now)
    scale = np.full(len(old.weight), np.abs(old.weight).max(initial=0.0))
    changed = compare(old, new, scale, _ALARMS).changed
    far = np.abs(new.weight - old.weight) > _ROUNDING * scale
    said = ["weights"] if bool((changed & far).any()) else []
    first, second = (
        records.stability["prediction"].to_numpy(dtype=np.float64) for records in (then, now)
    )
    if not np.allclose(first, second, rtol=_ROUNDING, atol=_ROUNDING, equal_nan=True):
        said.append("predictions")
    return said


def _rows_check(
    found: FinishedRun, job: Job, rooms: Rooms, rows: Mapping[int, Path], *, same_versions: bool
) -> Check:
    """Explain rows again, and compare: to the byte, or under other versions within their errors."""
    hashed = found.marker.plan["numbers"].get("hashed") == ""
    ignored = {"feature"} if hashed else set()  # their secret is forgotten
    wrong: dict[str, list[str]] = {}
    again = explain_some(job, rooms, list(rows))
    for (row, part), now in zip(rows.items(), again, strict=True):
        then = rows_between(found.read(part), row, row + 1)
        apart = [
            *_unequal_columns(then.weights, now.weights, ignored),
            *_unequal_columns(then.stability, now.stability, set()),
        ]
        if apart and not same_versions:
            apart = _beyond_errors(then, now)
        if apart:
            wrong[str(then.stability["row_id"].iloc[0])] = apart
    how = "to the byte" if same_versions else "within their errors"
    if not wrong:
        told = f"{counted(len(rows))} explained again, the same {how}"
        return Check("rows", failed=False, message=told)
    columns = list(dict.fromkeys(name for apart in wrong.values() for name in apart))
    return Check(
        "rows",
        failed=True,
        message=f"{len(wrong)} of {counted(len(rows))} not the same {how}: {listed(columns)}",
        rows=tuple(wrong)[:_MOST],
    )


def _versions_check(apart: Sequence[str]) -> Check:
    told = "; ".join(apart) if apart else "all versions are those of the run"
    return Check("versions", failed=False, message=told)


def _run_checks(
    found: FinishedRun, request: VerifyRequest, console: Console, held: contextlib.ExitStack
) -> Iterator[Check]:
    """Yield the checks of a run that can be read; *held*: the rooms that its model is asked in."""
    yield _files_check(found)
    silent = Console(quiet=True, progress=False)
    try:
        asked = _asked(found, request)
        rooms = held.enter_context(rooms_for(asked))
        with quoting(shown=asked.shows_values):
            job = prepare(asked, silent)
        checks = _source_checks(found, job)
        yield from checks
        apart = _version_differences(found.facts(), rooms.versions(WHERE_USED))
        yield _versions_check(apart)
        if any(check.failed for check in checks):
            yield Check(
                "rows", failed=True, message="not explained again: see model, data, settings"
            )
            return
        seed = request.verification.check_seed
        seed = secrets.randbelow(2**31) if seed is None else seed
        rows = _chosen(found, request.verification.check_rows, seed)
        console.note(f"explaining {counted(len(rows))} again, chosen by --check-seed {seed}")
        with quoting(shown=asked.shows_values):
            yield _rows_check(found, job, rooms, rows, same_versions=not apart)
    except (RefusedError, UsageError, FailedRowsError) as error:
        yield Check("model and data", failed=True, message=str(error))
    except Exception:  # an altered run may lead anywhere; of one that is as it was, it is a bug
        altered = found.altered()
        if altered is None:
            raise
        yield Check("model and data", failed=True, message=f"cannot be asked again: {altered}")


def _holds_run(named: str) -> bool:
    """Say whether a path is a run's, whatever state that is in."""
    path = Path(named).absolute()
    hidden = path.with_name(f".{path.name}.xplain")
    return any((folder / MARKER).is_file() for folder in (path, hidden, path.parent))


def _checks(folder: str, request: VerifyRequest, console: Console) -> Iterator[Check]:
    try:
        found = find_run(folder)
    except XplainError as error:
        if not _holds_run(folder):
            raise
        yield Check("files", failed=True, message=str(error))
        return
    with contextlib.ExitStack() as held:
        yield from _run_checks(found, request, console, held)


def verify_run(request: VerifyRequest, console: Console) -> int:
    """
    Check a finished run and tell what was found; return 0 if it holds, else 1.

    Raises
    ------
    XplainError
        There is no run.
    """
    from threadpoolctl import threadpool_limits

    checks = []
    with contextlib.ExitStack() as held:
        folder = held.enter_context(brought_here(request.run))
        held.enter_context(threadpool_limits(limits=1))
        for check in _checks(folder, request, console):
            checks.append(check)
            text = f"{check.name}: {check.message}"
            if check.failed:
                rows = f"; rows {listed(check.rows)}" if check.rows else ""
                console.warn(f"{text}{rows}")
            else:
                console.note(text)
    failed = sum(check.failed for check in checks)
    announce(checks, request.gates, "verify", console)
    verdict = f"{failed} of {len(checks)} checks FAILED" if failed else "holds"
    console.line(f"{redact(request.run)}: {verdict}")
    return 1 if failed else 0
