"""The story of runs on tables: columns are features, and have values."""

from collections.abc import Mapping
from typing import Any

from xplain_cli.modalities import Story
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
    which = "all" if n_changed == n_features else f"{n_changed} of"
    return f"With {which} its {n_features} features as in the baseline{where}"


STORY = Story(
    rows="tables",
    feature="feature",
    value_name="value",
    features_said=_features_said,
    spoken=_spoken,
    removed=_removed,
    any_baseline=True,
)
