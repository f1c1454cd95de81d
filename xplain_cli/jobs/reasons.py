"""``xplain reasons``: the weights of a run as reason codes, or the word that none is clear."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.console import Console
from xplain_cli.errors import UsageError, counted
from xplain_cli.explanation import Records
from xplain_cli.jobs.gate import Lost, conclude, judge_gates
from xplain_cli.jobs.letters import Letters, open_letters
from xplain_cli.modalities import story_of
from xplain_cli.options import audits, runs
from xplain_cli.output import csv_bytes
from xplain_cli.output.cells import cleaned, listed, plain
from xplain_cli.plan import finite
from xplain_cli.quality.change import degrees_of
from xplain_cli.quality.code_book import CodeBook, ReasonCode, check_features, read_code_book
from xplain_cli.quality.named_gates import REASON_ROWS, gates_of
from xplain_cli.quality.reasons import Candidate, Errors, Reasons, choose
from xplain_cli.quality.words import UNSTEADY
from xplain_cli.quality.wrong_side import Side, WrongSide, check_class
from xplain_cli.runs.delivery import brought_here
from xplain_cli.runs.finished import FinishedRun, find_run
from xplain_cli.runs.paths import write_atomically

CODE_COLUMNS = (
    *("row_id", "target", "position", "code", "text", "feature", "weight", "margin"),
    *("abstained", "why"),
)
"""Columns of reasons.csv."""


@dataclass(frozen=True)
class ReasonsRequest:
    """
    What ``xplain reasons`` was asked.

    Attributes
    ----------
    run
        A run folder, a file of one, or an address.
    asked, gates
        Which reasons are told, and how they are judged.
    shared_gates
        Whether ``fail_on`` was written for all commands, by a project file.
    csv_guard
        Whether cells that a spreadsheet would run are escaped.
    """

    run: str
    asked: audits.ReasonCodes
    gates: runs.Gates
    shared_gates: bool = False
    csv_guard: bool = True


@dataclass(frozen=True)
class RowReasons:
    """
    What is told of a row on the wrong side.

    Attributes
    ----------
    row_id, target, prediction
        Which row, and what the model says.
    found
        Its reasons; None where no explanation can be trusted with them.
    why
        Why nothing is told; empty: something is.
    n_forbidden
        Forbidden and protected features among those that weigh as much as the reasons.
    """

    row_id: str
    target: str
    prediction: float
    found: Reasons | None
    why: str = ""
    n_forbidden: int = 0

    @property
    def told(self) -> tuple[Candidate, ...]:
        """The reasons that are told: none of a row that abstains."""
        return self.found.chosen if self.found is not None and not self.why else ()


@dataclass
class _Tally:
    """What was met while rows were read."""

    uncoded: dict[str, str] = field(default_factory=dict)  # feature -> the first row
    never: dict[str, int] = field(default_factory=dict)  # forbidden or protected -> rows it moved


@dataclass(frozen=True)
class _Teller:
    """All that turns an explanation into reasons."""

    book: CodeBook
    side: WrongSide
    asked: audits.ReasonCodes
    references: Mapping[str, float]
    tally: _Tally


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _references(found: FinishedRun, book: CodeBook) -> dict[str, float]:
    """Return the median over all rows of each feature whose code asks for low or high."""
    wanted = {name for name, codes in book.codes.items() if any(code.when for code in codes)}
    values: dict[str, list[float]] = {name: [] for name in wanted}
    for records in found.records() if wanted else ():
        own = records.weights[records.weights["feature"].isin(list(wanted))]
        for name, value in zip(own["feature"].tolist(), own["feature_value"].tolist(), strict=True):
            values[name].append(_number(value))
    return {
        name: float(np.nanmedian(own)) if np.isfinite(own).any() else math.nan
        for name, own in values.items()
        if own
    }


def _code(teller: _Teller, name: str, line: Mapping[str, Any] | None) -> ReasonCode | None:
    """Return the code of a feature with its value in a row."""
    codes = teller.book.of(name)
    value = math.nan if line is None else _number(line["feature_value"])
    reference = teller.references.get(name, math.nan)
    if line is not None and math.isfinite(_number(line.get("baseline_value"))):
        reference = _number(line["baseline_value"])
    return next((code for code in codes if code.fits(value, reference)), None)


def _candidates(
    teller: _Teller, lines: list[dict[str, Any]], side: Side, row_id: str
) -> tuple[list[Candidate], list[float]]:
    """Return what may be a reason of a row, and how far features move it that never are one."""
    book, owners = teller.book, teller.book.owners
    groups: dict[str, list[int]] = {}
    never = []
    for at, line in enumerate(lines):
        name = str(line["feature"])
        weight = side.sign * float(line["weight"])
        if name in book.forbidden or name in book.protected:
            never.append(weight)
            if weight != 0:
                teller.tally.never[name] = teller.tally.never.get(name, 0) + 1
            continue
        groups.setdefault(owners.get(name, name), []).append(at)
    found = []
    for name, places in groups.items():
        weight = side.sign * math.fsum(float(lines[at]["weight"]) for at in places)
        code = _code(teller, name, None if name in book.members else lines[places[0]])
        if code is None and weight > 0:
            teller.tally.uncoded.setdefault(name, row_id)
        told = code or ReasonCode(f"no code: {name}", "")
        found.append(Candidate(name, told.code, told.text, weight, tuple(places), book.place(name)))
    return found, never


def _unfit(line: Mapping[str, Any], teller: _Teller, side: Side) -> str:
    """Say why an explanation cannot be trusted with reasons; empty: it can."""
    if line["status"] == "empty":
        return "nothing to explain"
    if line["precision"] == UNSTEADY:
        return "unsteady model"
    explained = side.toward(float(line["prediction"]) + float(line["residual"]))
    otherwise = not teller.side.is_wrong(explained, str(line["target"]))
    if otherwise or line.get("same_decision") == 0:
        return "decides otherwise"
    return ""


def _row(
    teller: _Teller, line: Mapping[str, Any], weights: pd.DataFrame, repeats: Any
) -> RowReasons | None:
    """Return the reasons of a line; None for a row that the decision does not go against."""
    target, row_id = str(line["target"]), str(line["row_id"])
    side = teller.side.side(target)
    if side is None:
        return None
    prediction = float(line["prediction"])
    if not teller.side.is_wrong(side.toward(prediction), target):
        return None
    why = _unfit(line, teller, side)
    if why:
        return RowReasons(row_id, target, prediction, None, why)
    lines = [{str(k): v for k, v in one.items()} for one in weights.to_dict("records")]
    candidates, never = _candidates(teller, lines, side, row_id)
    errors = Errors(
        weights["std_error"].to_numpy(dtype=np.float64),
        repeats,
        float(degrees_of(np.array([int(line["n_repeats"])]))[0]),
    )
    found = choose(
        candidates,
        errors,
        at_most=teller.asked.at_most,
        least_margin=teller.asked.least_margin,
    )
    least = min((one.weight for one in found.chosen), default=0.0)
    strong = sum(weight > 0 and weight >= least for weight in never)
    why = "" if found.certain else "margin" if found.chosen else "no adverse weight"
    return RowReasons(row_id, target, prediction, found, why, strong)


def _repeats_of(records: Records, places: slice) -> Any:
    own = records.repeats.get("weights")
    if own is None or len(own) < 2:
        return None
    chosen = own[:, places]
    return None if np.isnan(chosen).any() else chosen


def _rows(found: FinishedRun, teller: _Teller) -> Iterator[RowReasons]:
    """Yield the rows on the wrong side, in input order; failed ones too, for nobody knows."""
    for records in found.records():
        weights = records.weights.loc[:, ~records.weights.columns.duplicated()]
        said = records.stability.loc[:, ~records.stability.columns.duplicated()]
        ends = np.cumsum(records.lines)
        lines = said.to_dict("records")
        for line, start, stop in zip(lines, ends - records.lines, ends, strict=True):
            own = {str(name): value for name, value in line.items()}
            if own["status"] == "failed":
                yield RowReasons(str(own["row_id"]), "", math.nan, None, "failed")
                continue
            places = slice(int(start), int(stop))
            row = _row(teller, own, weights.iloc[places], _repeats_of(records, places))
            if row is not None:
                yield row


def _lines_of(row: RowReasons) -> Iterator[dict[str, Any]]:
    """Yield the lines of reasons.csv: one a reason, or one that says that there is none."""
    base = {"row_id": row.row_id, "target": row.target}
    if row.why or row.found is None:
        margin = row.found.margin if row.found is not None else math.nan
        yield base | {"margin": margin, "abstained": 1, "why": row.why}
        return
    last = len(row.told)
    for position, (one, margin) in enumerate(
        zip(row.told, row.found.margins, strict=True), start=1
    ):
        yield base | {
            "position": position,
            "code": one.code,
            "text": one.text,
            "feature": one.name,
            "weight": one.weight,
            "margin": row.found.margin if position == last else margin,
            "abstained": 0,
            "why": "",
        }


def _csv(rows: list[RowReasons], *, guarded: bool) -> bytes:
    frame = pd.DataFrame(
        [line for row in rows for line in _lines_of(row)], columns=list(CODE_COLUMNS)
    )
    # missing cells must not make numbers of codes, nor fractions of positions
    frame["position"] = pd.Series(
        [None if pd.isna(value) else int(value) for value in frame["position"]], dtype=object
    )
    for name in ("code", "text", "feature"):
        frame[name] = frame[name].astype(object).where(frame[name].notna(), None)
    numbers = frame["margin"].astype(float)
    frame["margin"] = numbers.where(np.isfinite(numbers))  # infinite: there is no error
    return csv_bytes(frame, guarded=guarded)


def _object(row: RowReasons) -> dict[str, Any]:
    return {
        "row_id": row.row_id,
        "target": row.target,
        "prediction": row.prediction,
        "abstained": bool(row.why),
        "why": row.why or None,
        "margin": row.found.margin if row.found is not None else None,
        "n_forbidden": row.n_forbidden,
        "reasons": [
            {name: plain(line[name]) for name in CODE_COLUMNS[2:8]}
            for line in ([] if row.why else _lines_of(row))
        ],
    }


def _json(rows: list[RowReasons]) -> bytes:
    document = finite([_object(row) for row in rows])
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode("utf-8", "backslashreplace")


def _judged_frame(rows: list[RowReasons]) -> pd.DataFrame:
    """Return what gates are judged on; a failed row violates each."""
    return pd.DataFrame({
        "row_id": [row.row_id for row in rows],
        "target": [row.target for row in rows],
        "n_reasons": [float(len(row.told)) for row in rows],
        "abstained": [float(bool(row.why)) for row in rows],
        "margin": [row.found.margin if row.found is not None else np.nan for row in rows],
        "n_forbidden": [float(row.n_forbidden) for row in rows],
        "why": [row.why for row in rows],
        "status": ["failed" if row.why == "failed" else "ok" for row in rows],
    })


def _features_of(found: FinishedRun, *, of_all: bool) -> list[str]:
    """Return the features of a run; of the first part alone where all rows have the same ones."""
    names: dict[str, None] = {}
    for records in found.records():
        names |= dict.fromkeys(records.weights["feature"].astype(str).unique().tolist())
        if not of_all:
            break
    return list(names)


def _teller(found: FinishedRun, request: ReasonsRequest) -> _Teller:
    """Read the codes and hold them against the run."""
    asked, numbers = request.asked, found.marker.plan["numbers"]
    book = read_code_book(str(asked.codes))
    check_class(str(asked.against), numbers["outputs"])
    story = story_of(numbers["modality"])
    if not (story.named_by_value or not story.ranks_over_rows):
        known, held = _features_of(found, of_all=False), numbers.get("hold", [])
        check_features(book, known, str(asked.codes), held)
    values = found.marker.plan["selection"].get("values", True)
    if not values and any(code.needs_value for codes in book.codes.values() for code in codes):
        raise UsageError(
            f"{asked.codes}: when asks for values, which the run does not keep (--no-values);"
            " explain without, or leave when out"
        )
    side = WrongSide(
        str(asked.against), tuple(numbers["outputs"]), numbers["output_scale"], asked.threshold
    )
    return _Teller(book, side, asked, _references(found, book), _Tally())


def _check_coded(teller: _Teller, rows: list[RowReasons]) -> None:
    """Refuse codes that lack a reason that would be told."""
    told = {one.name for row in rows for one in row.told if one.text == ""}
    lacking = [name for name in teller.tally.uncoded if name in told]
    if lacking:
        row = teller.tally.uncoded[lacking[0]]
        raise UsageError(
            f"{teller.asked.codes}: no code for {listed(lacking)}, a reason of row {cleaned(row)};"
            f' add [codes."{lacking[0]}"] (or [codes."*"] for all others), or forbid it'
        )


def _check_target(teller: _Teller, found: FinishedRun, rows: list[RowReasons]) -> None:
    """Refuse a run that says nothing of the class."""
    spec = str(found.marker.plan["numbers"]["target"])
    speaks = teller.side.side(spec) is not None or spec.startswith(("predicted", "top:", "all"))
    if not speaks and not rows:
        raise UsageError(
            f"the run explains {spec}, which says nothing of {teller.asked.against!r}; explain"
            f" again with -t {teller.asked.against}"
        )


def _tell(rows: list[RowReasons], teller: _Teller, console: Console) -> None:
    abstained = [row for row in rows if row.why]
    console.note(f"{counted(len(rows))} on the wrong side ({teller.asked.against})")
    counts: dict[str, int] = {}
    for row in abstained:
        counts[row.why] = counts.get(row.why, 0) + 1
    why = ", ".join(f"{count:,} {word}" for word, count in sorted(counts.items()))
    console.note(
        f"{len(rows) - len(abstained):,} have reasons"
        + (f"; {len(abstained):,} abstain: {why}" if abstained else "")
    )
    for name, count in sorted(teller.tally.never.items()):
        kind = "forbidden" if name in teller.book.forbidden else "protected"
        console.warn(
            f"{kind} {cleaned(name)!r} moved {count:,} of these rows; it is named as no reason"
            " (explained with --hold it would move none)"
        )


def _place(found: FinishedRun, asked: audits.ReasonCodes) -> Path:
    if asked.reasons_file is None:
        return (
            found.folder / "reasons.csv"
            if found.place.file is None
            else found.place.beside("reasons", ".csv")
        )
    path = Path(asked.reasons_file)
    if path.suffix.lower() not in {".csv", ".json"}:
        raise UsageError(f"--output {asked.reasons_file}: reasons are written as .csv or .json")
    return path


def _write(
    found: FinishedRun, rows: list[RowReasons], request: ReasonsRequest, console: Console
) -> None:
    asked = request.asked
    if asked.reasons_file == "-":
        stream = console.stream()
        stream.write(_json(rows))
        stream.flush()
        return
    path = _place(found, asked)
    is_json = path.suffix.lower() == ".json"
    write_atomically(path, _json(rows) if is_json else _csv(rows, guarded=request.csv_guard))
    if path.parent == found.folder:
        found.hold(path)
    console.line(str(path))


def _write_letters(letters: Letters, rows: list[RowReasons], against: str) -> None:
    for number, row in enumerate((row for row in rows if not row.why), start=1):
        told = [
            {
                "position": position,
                "code": one.code,
                "text": one.text,
                "feature": one.name,
                "weight": one.weight,
            }
            for position, one in enumerate(row.told, start=1)
        ]
        letters.write(
            number,
            {
                "row_id": row.row_id,
                "target": row.target,
                "against": against,
                "prediction": row.prediction,
                "reasons": told,
            },
        )
    letters.close()


def tell_reasons(request: ReasonsRequest, console: Console) -> int:
    """
    Turn the weights of a finished run into reason codes; return the exit code 0 or 1.

    Raises
    ------
    UsageError
        The codes contradict themselves or the run, or lack a reason that would be told.
    RefusedError
        A file cannot be read or written.
    """
    gates, notes = gates_of(
        request.gates.fail_on, request.gates.gate, REASON_ROWS, of_all=request.shared_gates
    )
    for note in notes:
        console.note(note)
    asked = request.asked
    with brought_here(request.run) as folder:
        found = find_run(folder)
        teller = _teller(found, request)
        letters = open_letters(asked.letter, asked.letters)
        rows = list(_rows(found, teller))
        _check_coded(teller, rows)
        _check_target(teller, found, rows)
        _tell(rows, teller, console)
        if letters is not None:
            _write_letters(letters, rows, str(asked.against))
        _write(found, rows, request, console)
    judged = judge_gates(gates, [_judged_frame(rows)], console)
    return conclude(judged, Lost(), request.gates, "reasons", console)
