"""The bin that a weight speaks of holds the row's value, in words as in numbers."""

import json
import math
import re

import numpy as np
import pandas as pd
import pytest
from pages import page_of
from running import SMALL, rows_of

from xplain_cli.modalities.tabular.conditions import COLUMNS, conditions, edges_said
from xplain_cli.modalities.tabular.fit import table_law

KINDS = {"age": "integer", "job": "text", "hours": "number"}
TABLE = pd.DataFrame({
    "age": np.arange(20, 60, dtype=float),
    "job": ["clerk", "cook"] * 20,
    "hours": [np.nan, 40.0, 45.0, 50.0] * 10,
})


def law(**more):
    return table_law(TABLE, KINDS, "quartile", discrete=frozenset({"job"}), **more)


def said(sampler, table):
    found = conditions(sampler.cells, sampler.split(table).codes)
    told = found | {"condition": found["condition"].objects()}
    return [
        dict(zip(COLUMNS, line, strict=True))
        for line in zip(*(told[c][0] for c in COLUMNS), strict=True)
    ]


def test_a_bin_is_said_in_words_and_numbers():
    edges = np.quantile(TABLE["age"], (0.25, 0.5, 0.75))
    row = TABLE.iloc[[12]]
    age, job, hours = said(law(), row)
    assert age == {
        "condition": f"{edges[0]:.6g} < age <= {edges[1]:.6g}",
        "bin_low": edges[0],
        "bin_high": edges[1],
    }
    assert job["condition"] == "job = clerk"
    assert math.isnan(job["bin_low"])
    assert hours["condition"] == "hours is missing"


def test_open_ends_and_values_that_the_background_lacks():
    row = pd.DataFrame({"age": [99.0], "job": ["king"], "hours": [1.0]})
    age, job, hours = said(law(), row)
    assert (age["condition"], age["bin_high"]) == (
        f"age > {age['bin_low']:.6g}",
        pytest.approx(math.nan, nan_ok=True),
    )
    assert job["condition"] is None
    assert hours["condition"].startswith("hours <= ")


def test_a_group_joins_the_conditions_of_its_columns():
    (group, _) = said(law(groups={"who": ("age", "job")}), TABLE.iloc[[0]])
    assert re.fullmatch(r"age <= \S+ and job = clerk", group["condition"])


def test_without_bins_there_is_no_condition():
    numbers = TABLE[["age"]]
    sampler = table_law(numbers, KINDS, "none")
    assert said(sampler, numbers.head(1))[0]["condition"] is None
    assert edges_said(sampler.cells) == {}


def test_every_weight_of_a_run_has_the_bin_of_its_value(run, cancer, tmp_path):
    options = ("--rows", "0:20", *SMALL, "--id-column", "id", "-o", "out")
    assert run("tabular", cancer.model, cancer.data, *options).code == 0
    edges = json.loads((tmp_path / "out" / "manifest.json").read_text())["bin_edges"]
    lines = rows_of(tmp_path / "out" / "weights.csv")
    assert len(lines) == 600
    for line in lines:
        value, own = float(line["feature_value"]), edges[line["feature"]]
        low, high = (float(line[name] or "nan") for name in ("bin_low", "bin_high"))
        assert math.isnan(low) or low in own
        assert math.isnan(high) or high in own
        assert not (value <= low)
        assert not (value > high)
        assert own[np.searchsorted(own, value) - 1] == low or math.isnan(low)
        assert line["feature"] in line["condition"]


def test_what_hides_values_hides_their_bins(run, cancer, tmp_path):
    options = ("--rows", "0:2", *SMALL, "--no-values", "-o", "out", "--report", "p.html")
    assert run("tabular", cancer.model, cancer.data, *options).code == 0
    lines = rows_of(tmp_path / "out" / "weights.csv")
    assert {line[name] for line in lines for name in COLUMNS} == {""}
    assert "bin_edges" not in json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert " &lt;= " not in "".join(page_of(tmp_path / "p.html").articles)


def test_sentences_name_the_bin(run, looked_at):
    weights = pd.read_csv(looked_at / "weights.csv", dtype={"row_id": str})
    first = weights.query("row_id == 'p3' and rank == 1")["condition"].item()
    assert first in " ".join(run("show", looked_at, "--row", "p3").out.split())
