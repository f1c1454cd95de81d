"""Reads two finished runs as arrays, and joins them on row, target and feature."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from xplain_cli.explanation import FloatArray, IntArray, Records
from xplain_cli.modalities import Counterparts, Story
from xplain_cli.quality.change import Estimates, degrees_of
from xplain_cli.quality.words import UNSTEADY
from xplain_cli.runs.finished import FinishedRun

Codes: TypeAlias = dict[Any, int]
"""A number for each name, in the order in which names are first met."""


def _coded(names: Any, codes: Codes) -> IntArray:
    """Return the numbers of names; new ones get the next."""
    local, unique = pd.factorize(np.asarray(names, dtype=object), use_na_sentinel=False)
    places = np.array([codes.setdefault(name, len(codes)) for name in unique], dtype=np.int64)
    return places[local] if len(places) else np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class RunLines:
    """
    What a run says, as arrays: a line per row and target, and a weight per feature of it.

    Attributes
    ----------
    row, target : (P,) int
        Codes of the row id and of the target.
    status, precision : (P,) object
    prediction, repeats, same_decision : (P,)
    first : (P + 1,) int
        Where the weights of each line begin, in descending order of their size.
    feature : (W,) int
        Codes of the features.
    weight, std_error : (W,)
    value : (W,) int
        Hash of what is known of the feature's value; equal values have equal ones.
    """

    row: IntArray
    target: IntArray
    status: Any
    precision: Any
    prediction: FloatArray
    repeats: IntArray
    first: IntArray
    feature: IntArray
    weight: FloatArray
    std_error: FloatArray
    value: IntArray

    @property
    def owner(self) -> IntArray:
        """The line (W,) that each weight belongs to."""
        return np.repeat(np.arange(len(self.row)), np.diff(self.first))


@dataclass(frozen=True)
class RunNames:
    """The row ids, targets and features of both runs, by their codes."""

    rows: Codes
    targets: Codes
    features: Codes


def _unique_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Leave out kept columns that bear a name of ours."""
    return frame.loc[:, ~frame.columns.duplicated()]


def _hashes(frame: pd.DataFrame, columns: tuple[str, ...]) -> IntArray:
    """Return a hash of the values of some columns, line by line; an integer equals its float."""
    total = np.zeros(len(frame), dtype=np.int64)
    for column in columns:
        if column not in frame:
            continue
        values = frame[column].tolist()
        # a missing number is no object of its own, and is equal to no other
        own = [hash(v if v == v else None) for v in map(_hashable, values)]  # noqa: PLR0124 - NaN
        total = total * 1_000_003 ^ np.array(own, dtype=np.int64)
    return total


def _hashable(value: Any) -> Any:
    return repr(value) if isinstance(value, list | dict) else value


def _part(
    records: Records, story: Story, names: RunNames, renamed: Counterparts | None
) -> RunLines:
    weights, said = _unique_columns(records.weights), _unique_columns(records.stability)
    keys = story.feature_keys(weights, records.lines)
    if renamed is not None:
        keys = renamed(weights, keys)
    return RunLines(
        row=_coded(said["row_id"].astype(str), names.rows),
        target=_coded(
            said["target"].astype(object).where(said["target"].notna(), ""), names.targets
        ),
        status=said["status"].to_numpy(dtype=object),
        precision=said["precision"].to_numpy(dtype=object),
        prediction=said["prediction"].to_numpy(dtype=np.float64),
        repeats=said["n_repeats"].to_numpy(dtype=np.int64),
        first=np.concatenate([[0], np.cumsum(records.lines)]),
        feature=_coded(keys, names.features),
        weight=weights["weight"].to_numpy(dtype=np.float64),
        std_error=weights["std_error"].to_numpy(dtype=np.float64),
        value=_hashes(weights, story.value_columns),
    )


def _joined(parts: list[RunLines]) -> RunLines:
    """Join what was read part by part."""
    ends = np.cumsum([0, *(len(part.weight) for part in parts)])
    first = [part.first[:-1] + at for part, at in zip(parts, ends[:-1], strict=True)]
    whole = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in RunLines.__dataclass_fields__
        if name != "first"
    }
    return RunLines(first=np.concatenate([*first, ends[-1:]]).astype(np.int64), **whole)


def read_lines(
    run: FinishedRun, story: Story, names: RunNames, renamed: Counterparts | None = None
) -> RunLines:
    """
    Read a run; one part is in memory at a time beside the arrays.

    Parameters
    ----------
    names
        What was met so far; names of this run are added.
    renamed
        Gives features the names that their counterparts have in the other run.
    """
    return _joined([_part(records, story, names, renamed) for records in run.records()])


@dataclass(frozen=True)
class Pairs:
    """
    Two runs joined.

    Attributes
    ----------
    old_line, new_line : (P,) int
        The lines of both that explain the same target of the same row, in the order of OLD.
    pair, feature : (L,) int
        For each weight the pair and the feature; those of a pair together, as OLD ranks them.
    old_weight, new_weight : (L,) int
        Where the weight stands in either run; -1 where only the other has the feature.
    failed : (F,) int
        Lines of OLD and of NEW, as codes of rows, that failed in one of the two alone.
    only_old, only_new : (n,) int
        Codes of rows that only one of them has.
    retargeted : (n,) int
        Codes of rows that are explained in both, for no target in common.
    """

    old_line: IntArray
    new_line: IntArray
    pair: IntArray
    feature: IntArray
    old_weight: IntArray
    new_weight: IntArray
    failed: IntArray
    only_old: IntArray
    only_new: IntArray
    retargeted: IntArray


def _matched(old: Any, new: Any) -> tuple[IntArray, IntArray]:
    """Return the places of equal keys in two arrays without repeats, in the order of the first."""
    order = np.argsort(new, kind="stable")
    at = np.searchsorted(new[order], old)
    at[at == len(new)] = 0
    found = new[order][at] == old if len(new) else np.zeros(len(old), dtype=bool)
    return np.flatnonzero(found), order[at[found]]


def _weights_of(lines: RunLines, chosen: IntArray) -> tuple[IntArray, IntArray]:
    """Return for the weights of some lines which of these they belong to, and their places."""
    sizes = (lines.first[1:] - lines.first[:-1])[chosen]
    pair = np.repeat(np.arange(len(chosen)), sizes)
    starts = np.repeat(lines.first[chosen] - (np.cumsum(sizes) - sizes), sizes)
    return pair, starts + np.arange(len(pair))


def _join_weights(
    old: RunLines, new: RunLines, lines: tuple[IntArray, IntArray], n_features: int
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Return pair, feature, and the places in OLD and NEW of the weights of joined lines."""
    (old_pair, old_at), (new_pair, new_at) = (
        _weights_of(run, chosen) for run, chosen in zip((old, new), lines, strict=True)
    )
    old_key = old_pair * n_features + old.feature[old_at]
    new_key = new_pair * n_features + new.feature[new_at]
    here, there = _matched(old_key, new_key)
    partner = np.full(len(old_key), -1)
    partner[here] = new_at[there]
    alone = np.ones(len(new_key), dtype=bool)
    alone[there] = False
    pair = np.concatenate([old_pair, new_pair[alone]])
    order = np.argsort(pair, kind="stable")
    return (
        pair[order],
        np.concatenate([old.feature[old_at], new.feature[new_at[alone]]])[order],
        np.concatenate([old_at, np.full(int(alone.sum()), -1)])[order],
        np.concatenate([partner, new_at[alone]])[order],
    )


def join_lines(old: RunLines, new: RunLines, names: RunNames) -> Pairs:
    """Join two runs on row id and target; pairs are the rows that neither failed on."""
    n_targets = max(len(names.targets), 1)
    done_old, done_new = (np.flatnonzero(run.status != "failed") for run in (old, new))
    keys = [
        run.row[done] * n_targets + run.target[done]
        for run, done in ((old, done_old), (new, done_new))
    ]
    here, there = _matched(*keys)
    lines = done_old[here], done_new[there]
    pair, feature, old_weight, new_weight = _join_weights(
        old, new, lines, max(len(names.features), 1)
    )
    explained_old, explained_new = np.unique(old.row[done_old]), np.unique(new.row[done_new])
    both = np.intersect1d(explained_old, explained_new)
    all_old, all_new = np.unique(old.row), np.unique(new.row)
    common = np.intersect1d(all_old, all_new)
    return Pairs(
        *lines,
        pair=pair,
        feature=feature,
        old_weight=old_weight,
        new_weight=new_weight,
        failed=np.intersect1d(common, np.setxor1d(explained_old, explained_new)),
        only_old=np.setdiff1d(all_old, all_new),
        only_new=np.setdiff1d(all_new, all_old),
        retargeted=np.setdiff1d(both, old.row[lines[0]]),
    )


def estimates(lines: RunLines, places: IntArray) -> Estimates:
    """Return the weights of a run at some places; -1 is a missing one."""
    missing = places < 0
    owner = lines.owner[places]
    precision = lines.precision[owner]
    error = lines.std_error[places]
    exact = (precision == "exact") | ((error == 0) & (precision != UNSTEADY))
    return Estimates(
        weight=np.where(missing, np.nan, lines.weight[places]),
        std_error=np.where(missing, np.nan, error),
        degrees=degrees_of(lines.repeats[owner]),
        exact=np.asarray(exact, dtype=bool) & ~missing,
    )
