"""A finished run in pandas, for notebooks: the one Python door, and for reading only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.errors import UsageError, nearest, require
from xplain_cli.explanation import Records, join_records
from xplain_cli.output.rendering import WideWords, widen
from xplain_cli.runs.finished import find_run

_SHOWN = ("row_id", "target", "prediction", "base_value", "precision", "fidelity", "status")
_INSTEAD = "take .weights, which has a line for each feature"
_LINES = 10  # of a run in a notebook


def _coded(values: "pd.DataFrame") -> "pd.DataFrame":
    """Return values as numbers: words become codes in alphabetical order, missing ones NaN."""
    columns = {}
    for name, column in values.items():
        numbers = pd.to_numeric(column, errors="coerce")
        if bool(numbers.notna().eq(column.notna()).all()):
            columns[name] = numbers.astype(float)
        else:
            codes = pd.Categorical(column.astype(str).where(column.notna())).codes
            columns[name] = pd.Series(codes, index=column.index, dtype=float).replace(-1.0, np.nan)
    return pd.DataFrame(columns, index=values.index)


@dataclass(frozen=True)
class LoadedRun:
    """
    A finished run.

    Attributes
    ----------
    folder : Path
        Where it stands.
    manifest : dict
        What it is: ``manifest.json``.
    weights : DataFrame
        The lines of ``weights.csv``, unescaped; with those that ``--top-k`` left out of the file.
    stability : DataFrame
        The lines of ``stability.csv``, unescaped.
    """

    folder: Path
    manifest: Mapping[str, Any]
    weights: pd.DataFrame
    stability: pd.DataFrame
    _records: Records = field(repr=False)

    def _of_target(self, target: str | None) -> Records:
        """Return what the run says of one target of each explained row."""
        told, lines = self.stability, self._records.lines
        met = told["status"].ne("failed").to_numpy(copy=True)
        if target is not None:
            known = sorted(set(told["target"].dropna().astype(str)))
            if target not in known:
                raise UsageError(f"target {target!r}: not one of this run{nearest(target, known)}")
            met &= told["target"].astype(str).eq(target).to_numpy()
        elif bool(told.loc[met, "row"].duplicated().any()):
            known = sorted(set(told["target"].dropna().astype(str)))
            raise UsageError(f"rows have several targets: name one of {', '.join(known)}")
        weights = self.weights[np.repeat(met, lines)].reset_index(drop=True)
        return Records(weights, told[met].reset_index(drop=True), lines[met], {})

    def to_wide(self) -> pd.DataFrame:
        """
        Return a line per explained row and target, with a column of weights per feature.

        Raises
        ------
        UsageError
            The rows have different features, as texts and pictures do.
        """
        return widen(self._records, None, WideWords(".to_wide()", _INSTEAD))

    def to_shap(self, target: str | None = None) -> Any:
        """
        Return the weights as a ``shap.Explanation``, for the plots of shap.

        ``values`` are the weights, ``base_values`` the base values, ``error_std`` the standard
        errors. ``data`` holds the values of the rows as numbers (words as codes),
        ``display_data`` as they are.

        Parameters
        ----------
        target : str, optional
            Which one, where rows have several.

        Raises
        ------
        UsageError
            shap is not installed, the rows have different features, or several targets.
        """
        shap = require("shap", "shap")
        records = self._of_target(target)
        wide = widen(records, None, WideWords(".to_shap()", _INSTEAD))
        names = list(wide.columns[4:])
        line = np.repeat(np.arange(len(records.lines)), records.lines)
        order = np.lexsort([records.weights["feature_index"].to_numpy(int), line])

        def of(column: str) -> pd.DataFrame:
            cells = records.weights[column].to_numpy(dtype=object)[order]
            return pd.DataFrame(cells.reshape(len(wide), len(names)), columns=names)

        shown = of("feature_value")
        return shap.Explanation(
            values=of("weight").to_numpy(float),
            base_values=wide["base_value"].to_numpy(float),
            data=_coded(shown).to_numpy(float),
            display_data=shown.to_numpy(object),
            feature_names=names,
            instance_names=[str(name) for name in wide["row_id"]],
            error_std=of("std_error").to_numpy(float),
        )

    def _repr_html_(self) -> str:
        """Return what a notebook shows: what was explained, and the first lines."""
        facts, told = self.manifest, self.stability
        numbers = facts["plan"]["numbers"]
        words = {
            "model": facts["model"]["source"],
            "target": numbers["target"],
            "scale": facts["output_scale"],
            "compared with": numbers["baseline"],
            "method": facts["method"],
        }
        said = "; ".join(
            f"{escape(name)}: <b>{escape(str(text))}</b>" for name, text in words.items()
        )
        head = told.loc[:, [name for name in _SHOWN if name in told]].head(_LINES)
        more = f"<p>{len(told)} lines in all</p>" if len(told) > _LINES else ""
        return (
            f"<p>xplain run {escape(facts['run_id'])}: {said}</p>{head.to_html(index=False)}{more}"
        )


def load(run: str | Path) -> LoadedRun:
    """
    Read a finished run.

    Parameters
    ----------
    run
        A run folder, or any file of one.

    Raises
    ------
    RefusedError
        There is no finished run.
    """
    found = find_run(str(run))
    records = join_records(list(found.records()))
    return LoadedRun(found.folder, found.facts(), records.weights, records.stability, records)
