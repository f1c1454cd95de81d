"""The story of runs on texts: units are features, and a vocabulary sums them up."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.errors import RefusedError
from xplain_cli.modalities import ExtraFiles, Story, WholeRun
from xplain_cli.modalities.text.vocabulary import vocabulary
from xplain_cli.options.request import Request
from xplain_cli.output import csv_bytes
from xplain_cli.output.cells import cleaned
from xplain_cli.runs.paths import write_atomically


def _features_said(numbers: Mapping[str, Any], facts: Mapping[str, Any]) -> str:  # noqa: ARG001 - the plan says all
    merged = "equal units are one" if numbers["occurrences"] == "merge" else "each is its own"
    hashed = "" if numbers["hashed"] is None else "; shown as salted hashes"
    unit = f"{cleaned(numbers['unit'])} units of column {cleaned(numbers['text_column'])}"
    return f"{unit}, {merged}{hashed}"


def _spoken(name: str, value: str | None, baseline: str | None) -> str:  # noqa: ARG001 - the name is the value
    return f"\u201c{name}\u201d"


def _removed(n_features: int, n_changed: int | None, origin: str | None) -> str:  # noqa: ARG001 - all units go
    return "With all of its units taken away"


def _extra_files(whole: WholeRun) -> ExtraFiles:
    """Write the units of all texts."""
    found = vocabulary(records for _, _, records in whole.parts())
    path = whole.place.vocabulary
    write_atomically(path, csv_bytes(found, guarded=whole.rendering["csv_guard"]))
    return ExtraFiles(outputs=(path,))


def _originals(
    request: Request, numbers: Mapping[str, Any], rows: Collection[int]
) -> Mapping[int, str]:
    """Return the texts of some rows, from DATA; never where their units are hidden."""
    if numbers["hashed"] is not None:
        raise RefusedError("its units are shown as hashes")
    from xplain_cli.modalities.text.originals import original_texts

    return original_texts(request, numbers["text_column"], numbers["data"], rows)


def _feature_keys(weights: Any, lines: Any) -> Any:
    """Tell units of a text apart by their letters, and equal ones by where they stand."""
    names = weights["feature"].to_numpy(dtype=object)
    owner = np.repeat(np.arange(len(lines)), lines)
    twice = pd.DataFrame({"owner": owner, "name": names}).duplicated(keep=False).to_numpy()
    places = weights["spans"].to_numpy(dtype=object)
    keys = names.copy()
    keys[twice] = [f"{a} {b}" for a, b in zip(names[twice], places[twice], strict=True)]
    return keys


STORY = Story(
    rows="texts",
    feature="unit",
    value_name="times",
    features_said=_features_said,
    spoken=_spoken,
    removed=_removed,
    named_by_value=True,
    in_spans=True,
    several_baselines=False,
    extra_files=_extra_files,
    feature_keys=_feature_keys,
    originals=_originals,
    value_columns=("feature_value", "spans"),
)
