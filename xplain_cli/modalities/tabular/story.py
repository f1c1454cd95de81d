"""The story of runs on tables: columns are features, and have values."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.errors import UsageError
from xplain_cli.modalities import Pictured, Story
from xplain_cli.output.cells import cleaned, listed


def _features_said(numbers: Mapping[str, Any], facts: Mapping[str, Any]) -> str:  # noqa: ARG001 - the plan says all
    groups, held = numbers["groups"], numbers.get("hold", [])
    columns = [
        f"{name} (category)" if name in numbers["discrete"] else name
        for name in numbers["columns"]
        if name not in held
    ]
    said = f"{len(columns)} columns: {listed(columns)}"
    said += f"; joined into groups: {listed(sorted(groups))}" if groups else ""
    return said + (f"; held, as the row's own: {listed(held)}" if held else "")


def _spoken(name: str, value: str | None, baseline: str | None) -> str:
    if value is None:
        return name
    contrast = "" if baseline in {None, value} else f" and not {baseline}"
    return f"{name} is {value}{contrast}"


def _removed(n_features: int, n_changed: int | None, origin: str | None) -> str:
    where = f" ({cleaned(origin)})" if origin else ""
    if n_changed is None:
        return f"With its features as in the baseline{where}"
    if n_features == 1:
        return f"With its one feature as in the baseline{where}"
    which = "all" if n_changed == n_features else f"{n_changed} of"
    return f"With {which} its {n_features} features as in the baseline{where}"


def _pictured(rows: Any, place: int, grid: tuple[int, int] | None) -> Pictured | None:
    """Lay the columns of a row out as the pixels of a picture, where a grid says how they lie."""
    if grid is None:
        return None
    table = rows.inputs
    height, width = grid
    if height * width != table.shape[1]:
        raise UsageError(
            f"--grid {height}x{width} has {height * width} pixels, and the model takes"
            f" {table.shape[1]} columns"
        )
    owners = getattr(rows.perturbation, "owners", range(table.shape[1]))
    values = pd.to_numeric(table.iloc[place], errors="coerce").to_numpy(dtype=np.float64)
    return Pictured(
        np.nan_to_num(values).reshape(grid), np.array(owners, dtype=np.int64).reshape(grid)
    )


STORY = Story(
    rows="tables",
    feature="feature",
    value_name="value",
    features_said=_features_said,
    spoken=_spoken,
    removed=_removed,
    any_baseline=True,
    pictured=_pictured,
)
