"""One job under several baselines."""

import pytest
from running import rows_of


def test_several_baselines_are_compared(run, tmp_path, mixed):
    done = run(
        *("tabular", mixed.model, mixed.data, "-m", "kernel-shap", "-b", "median", "-b", "nearest"),
        *("--rows", "0:20", "--stability-k", "2", "-o", "both"),
    )
    assert done.code == 0, done.err
    assert "the first reason changes in" in done.err
    lines = rows_of(tmp_path / "both" / "agreement.csv")
    firsts = {}
    for name in ("median", "nearest"):
        for line in rows_of(tmp_path / "both" / name / "weights.csv"):
            if line["rank"] == "1":
                firsts.setdefault(line["row_id"], []).append(line["feature"])
    assert len(lines) == 20
    for line in lines:
        assert line["first_reasons"] == "; ".join(firsts[line["row_id"]])
        assert 0 <= float(line["topk_jaccard"]) <= 1


def test_methods_whose_units_of_work_have_other_rows_are_compared(run, tmp_path, mixed):
    methods = ("-m", "kernel-shap", "-m", "lime")  # lime's pool is shared: all rows are one unit
    done = run(
        *("tabular", mixed.model, mixed.data, *methods),
        *("--rows", "0:16", "-n", "64", "-r", "2", "-o", "both", "-q"),
    )
    assert done.code == 0, done.err
    lines = rows_of(tmp_path / "both" / "agreement.csv")
    runs = sorted((tmp_path / "both").glob("*/parts"))
    assert len({len(list(parts.iterdir())) for parts in runs}) == 2
    own = rows_of(tmp_path / "both" / "lime" / "stability.csv")
    assert [line["row_id"] for line in lines] == [line["row_id"] for line in own]


def test_a_file_of_several_baselines_has_files_beside_it(run, tmp_path, mixed):
    done = run(
        *("tabular", mixed.model, mixed.data, "-m", "occlusion", "-b", "mean", "-b", "row=1"),
        *("--rows", "0:5", "-o", "w.csv", "-q"),
    )
    assert done.code == 0, done.err
    names = {path.name for path in tmp_path.glob("w.*.csv")}
    assert {"w.mean.csv", "w.row=1.csv", "w.agreement.csv"} <= names


@pytest.mark.parametrize("options", [("-o", "-"), ("-b", "mean")])
def test_baselines_that_cannot_stand_side_by_side_are_refused(run, mixed, options):
    base = ("tabular", mixed.model, mixed.data, "-m", "occlusion", "-b", "mean", "-b", "zero")
    assert run(*base, *options).code == 2
