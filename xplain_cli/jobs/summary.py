"""``xplain summary``: sums up a finished run again, whole or by groups of its rows."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.console import Console
from xplain_cli.errors import UsageError, nearest
from xplain_cli.explanation import BoolArray, Records
from xplain_cli.jobs.finish import across_rows
from xplain_cli.modalities import story_of
from xplain_cli.quality.closing_table import group_lines
from xplain_cli.quality.row_filter import RowFilter
from xplain_cli.quality.summary import Tally
from xplain_cli.runs.delivery import brought_here
from xplain_cli.runs.finished import FinishedRun, find_run

_MOST_VALUES = 10
"""Numbers with more values than these are cut at their quartiles."""
_MOST_GROUPS = 50


def _part_of(records: Records, met: BoolArray) -> Records:
    """Return the records of some lines of stability."""
    if met.all():
        return records
    weights = records.weights[np.repeat(met, records.lines)].reset_index(drop=True)
    stability = records.stability[met].reset_index(drop=True)
    return Records(weights, stability, records.lines[met], {})


def _of_feature(records: Records, name: str) -> "pd.Series[Any]":
    """Return the value of a feature in the row of each line of stability; missing where none is."""
    line = np.repeat(np.arange(len(records.lines)), records.lines)
    own = (records.weights["feature"] == name).to_numpy()
    found = pd.Series(None, index=range(len(records.lines)), dtype=object)
    found.iloc[line[own]] = records.weights["feature_value"].to_numpy(dtype=object)[own]
    return found


def _values(records: Records, by: str, *, shown: bool) -> "pd.Series[Any]":
    """Return what the lines of a part are grouped by; features only where values are *shown*."""
    if by in records.stability:
        return records.stability[by].reset_index(drop=True)
    if not shown:
        hint = nearest(by, map(str, records.stability.columns))
        raise UsageError(
            f"--by {by!r}: no column of stability.csv{hint}; values of features are"
            " hidden in this run (--no-values, --hash-units)"
        )
    if (records.weights["feature"] == by).any():
        return _of_feature(records, by)
    features = records.weights["feature"].astype(str).unique().tolist()
    known = [*map(str, records.stability.columns), *features]
    raise UsageError(f"--by {by!r}: no column of stability.csv, no feature{nearest(by, known)}")


def _records(found: FinishedRun, wanted: RowFilter) -> Iterator[Records]:
    """Yield the explained lines that are wanted, part by part."""
    for records in found.records():
        yield _part_of(records, wanted.mask(records.stability))


def _edges(found: FinishedRun, by: str, wanted: RowFilter, *, shown: bool) -> list[float] | None:
    """Return the quartiles of a column of many numbers; None: its values are the groups."""
    parts = (records for records in _records(found, wanted) if len(records.stability))
    seen = [_values(records, by, shown=shown) for records in parts]
    values = pd.concat(seen, ignore_index=True) if seen else pd.Series(dtype=object)
    numbers = pd.to_numeric(values, errors="coerce")
    numeric = bool(values.notna().any()) and bool(numbers.notna().eq(values.notna()).all())
    if not numeric or numbers.nunique() <= _MOST_VALUES:
        return None
    edges = np.unique(np.quantile(numbers.dropna(), (0.25, 0.5, 0.75)))
    return [float(edge) for edge in edges]


def _words(edges: list[float]) -> list[str]:
    """Return the edges with as many digits as tell them apart: equal words would join groups."""
    for digits in range(6, 17):
        words = [f"{edge:.{digits}g}" for edge in edges]
        if len(set(words)) == len(words):
            return words
    return [repr(edge) for edge in edges]


def _label(value: Any, edges: list[float] | None) -> str:
    if value is None or pd.isna(value):
        return "missing"
    if edges is None:
        return f"{value:.6g}" if isinstance(value, float) else str(value)
    at, words = int(np.searchsorted(edges, float(value))), _words(edges)
    if at == 0:
        return f"<= {words[0]}"
    return f"> {words[-1]}" if at == len(words) else f"{words[at - 1]} to {words[at]}"


def _grouped(
    found: FinishedRun, by: str, wanted: RowFilter, top_k: int, *, shown: bool
) -> dict[str, Tally]:
    """Return the sums of each group, numbers in their order, words by their number of lines."""
    edges = _edges(found, by, wanted, shown=shown)
    tallies: dict[str, Tally] = {}
    sizes: Counter[str] = Counter()
    for records in _records(found, wanted):
        if not len(records.stability):
            continue
        values = _values(records, by, shown=shown)
        labels = np.array([_label(value, edges) for value in values], dtype=object)
        for label in dict.fromkeys(labels.tolist()):
            met = np.asarray(labels == label)
            sizes[label] += int(met.sum())
            if label not in tallies and len(tallies) >= _MOST_GROUPS:
                raise UsageError(
                    f"--by {by!r}: has more than {_MOST_GROUPS} values; take a column of fewer, or"
                    " choose rows by --where"
                )
            tallies.setdefault(label, Tally(top_k)).add(_part_of(records, met))
    names = sorted(tallies, key=lambda label: (-sizes[label], label))
    if edges is not None:
        order = [_label(edge, edges) for edge in edges] + [f"> {_words(edges)[-1]}", "missing"]
        names = [name for name in order if name in tallies]
    return {name: tallies[name] for name in names}


def _warn_of_none(count: int, wanted: RowFilter, console: Console) -> None:
    if not count and not wanted.is_open:
        console.warn(f"no row of the run is among {wanted.said}")


def sum_up(run: str, by: str | None, wanted: RowFilter, console: Console) -> int:
    """
    Print the closing table of a finished run, or a line for each group of its rows; return 0.

    Parameters
    ----------
    by
        A column of stability.csv, a kept one, or a feature.
    wanted
        Which rows count.

    Raises
    ------
    XplainError
        There is no finished run, or the column is not there.
    """
    with brought_here(run) as folder:
        found = find_run(folder)
        facts = found.facts()
        numbers, selection = facts["plan"]["numbers"], facts["plan"]["selection"]
        story, top_k = story_of(numbers["modality"]), int(numbers["stability_k"])
        if by is None:
            tally = Tally(top_k)
            for records in _records(found, wanted):
                tally.add(records)
            whole = tally.summary()
            _warn_of_none(whole.rows + whole.failed + whole.empty, wanted, console)
            console.table(across_rows(whole, story, numbers, values=selection["values"]))
            return 0
        values = selection["values"]
        tallies = _grouped(found, by, wanted, top_k, shown=values)
        _warn_of_none(len(tallies), wanted, console)
        groups = {
            name: across_rows(tally.summary(3), story, numbers, values=values)
            for name, tally in tallies.items()
        }
        for line in group_lines(by, groups):
            console.line(line)
    return 0
