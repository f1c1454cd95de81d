"""Large tables that are their own background: a sample of their rows, taken in one pass."""

import numpy as np
import pandas as pd
import pytest

from xplain_cli.modalities.tabular import reading
from xplain_cli.modalities.tabular.row_sample import RowSample


def sampled(table, most, piece):
    """Return the rows of a table that are kept, fed in pieces, and where they stand."""
    sample = RowSample(most)
    for start in range(0, len(table), piece):
        part = table.iloc[start : start + piece].reset_index(drop=True)
        sample.add(part, start + np.arange(len(part)))
    return sample.rows()


def table_of(rows, seed=0):
    """Return numbers of few values and words: many rows are equal."""
    stream = np.random.default_rng(seed)
    words = np.array(["red", "green", "blue"], dtype=object)
    return pd.DataFrame({
        "a": stream.integers(0, 4, rows) / 2,
        "b": words[stream.integers(0, 3, rows)],
    })


@pytest.mark.parametrize("most", [1, 7, 100, 999, 1000])
def test_neither_pieces_nor_order_decide_which_rows_are_kept(most):
    table = table_of(1000)
    kept, places = sampled(table, most, 1000)
    assert len(kept) == most
    assert (np.diff(places) > 0).all()
    assert kept.equals(table.iloc[places].reset_index(drop=True))
    for piece in (1, 33, 400):
        again, stand = sampled(table, most, piece)
        assert again.equals(kept)
        assert (stand == places).all()
    shuffled = table.sample(frac=1, random_state=3).reset_index(drop=True)
    other = sampled(shuffled, most, 64)[0]
    assert other.value_counts().sort_index().equals(kept.value_counts().sort_index())


def test_equal_rows_are_kept_in_proportion():
    table = pd.DataFrame({"a": np.repeat([1.0, 2.0, 3.0], [8000, 1500, 500])})
    counts = sampled(table, 2000, 700)[0]["a"].value_counts()
    for value, share in ((1.0, 0.8), (2.0, 0.15), (3.0, 0.05)):
        assert abs(counts[value] - 2000 * share) < 4 * np.sqrt(2000 * share * (1 - share))


def test_every_row_is_kept_equally_often():
    numbers = np.arange(20_000.0)
    kept = sampled(pd.DataFrame({"a": numbers}), 5000, 4096)[0]["a"].to_numpy()
    counts = np.histogram(kept, bins=20, range=(0, 20_000))[0]
    assert ((counts - 250) ** 2 / (250 * 0.75)).sum() < 43.8  # chi-squared of 19, .999


def test_a_long_table_that_is_its_own_background_is_sampled(run, cancer, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_MOST_BACKGROUND", 40)
    options = ("-n", "64", "-r", "2", "--id-column", "id")
    done = run("tabular", cancer.model, cancer.data, *options, "-o", "out")
    assert done.code == 0, done.err
    lines = pd.read_csv(cancer.data, dtype=str)
    assert f"background: 40 of the {len(lines)} rows of DATA" in done.err
    lines.sample(frac=1, random_state=1).to_csv(tmp_path / "shuffled.csv", index=False)
    assert run("tabular", cancer.model, "shuffled.csv", *options, "-o", "other").code == 0
    names = ["row_id", "feature"]
    first, second = (
        pd.read_csv(tmp_path / name / "weights.csv").sort_values(names).reset_index(drop=True)
        for name in ("out", "other")
    )
    assert first["weight"].tolist() == second["weight"].tolist()
    whole = run(
        "tabular", cancer.model, cancer.data, *options, "--background", cancer.data, "-o", "w"
    )
    assert "rows of DATA" not in whole.err
