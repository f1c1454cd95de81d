"""LIME's law of drawing rows of a table."""

import numpy as np
import pandas as pd
import pytest

from xplain_cli.modalities.tabular.draws import _fill, row_keys
from xplain_cli.modalities.tabular.fit import table_law


def sobol_points(n, count, key):
    found = np.empty((n, count))
    _fill(found, key)
    return found.T


def frame(rng, rows=120):
    return pd.DataFrame({
        "x": rng.normal(size=rows),
        "city_a": rng.integers(0, 2, rows).astype(float),
        "city_b": rng.integers(0, 2, rows).astype(float),
        "kind": rng.choice(["u", "v"], rows).astype(object),
    })


def law_of(table, discretizer="quartile", **rest):
    kinds = dict.fromkeys(table.columns, "number")
    return table_law(table, kinds, discretizer, discrete=frozenset({"kind"}), **rest)


def test_no_column_of_a_wide_table_stands_in_a_fixed_relation_to_another():
    """In any seed: a column would take over the effects of the other."""
    columns, quarters, eighths, worst = 128, 4, 8, []
    for seed in range(6):
        points = sobol_points(columns, 1024, (0, seed, 0))
        first = [((points * quarters).astype(int) == a).astype(np.float32) for a in range(quarters)]
        other = [((points * eighths).astype(int) == b).astype(np.float32) for b in range(eighths)]
        cells = [a.T @ b * quarters * eighths / 1024 - 1 for a in first for b in other]
        worst.append(np.abs(cells).max(axis=0))
    found = np.mean(worst, axis=0)
    np.fill_diagonal(found, 0)
    assert found.max() < 0.8  # 1 where cells are empty, or twice as full, in every seed


def test_few_columns_have_one_sequence():
    assert (
        sobol_points(31, 1024, (0, 1, 2))[:, :5] == sobol_points(40, 1024, (0, 1, 2))[:, :5]
    ).all()


def test_statistics_do_not_depend_on_row_order(rng):
    table = frame(rng)
    shuffled = table.sample(frac=1, random_state=1)
    groups = {"city": ("city_a", "city_b")}
    draw, rows = law_of(table, groups=groups).draw(64, [(1, 2)])
    again, same = law_of(shuffled, groups=groups).draw(64, [(1, 2)])
    assert draw.codes.tobytes() == again.codes.tobytes()
    pd.testing.assert_frame_equal(rows, same)


def test_a_group_is_drawn_from_background_rows_and_on_when_all_match(rng):
    table = frame(rng)
    perturbation = law_of(table, groups={"city": ("city_a", "city_b")})
    draw, rows = perturbation.draw(256, [(0, 0)])
    assert perturbation.names == ("x", "city", "kind")
    block = perturbation.split(table.head(1))
    coordinates, distances = perturbation.contrast(draw, block, 0)
    own = table.iloc[0]
    both = (rows["city_a"] == own["city_a"]) & (rows["city_b"] == own["city_b"])
    assert coordinates[1].tolist() == both.tolist()
    assert distances.tolist() == (3 - coordinates.sum(axis=0)).tolist()


def test_draws_depend_on_seed_and_repeat_only(rng):
    perturbation = law_of(frame(rng))
    first, _ = perturbation.draw(64, [(5, 0)])
    assert first.codes.tobytes() == perturbation.draw(64, [(5, 0)])[0].codes.tobytes()
    assert first.codes.tobytes() != perturbation.draw(64, [(5, 1)])[0].codes.tobytes()


def test_without_bins_numbers_are_standardised_and_distances_euclidean(rng):
    table = frame(rng)
    perturbation = law_of(table, "none")
    draw, rows = perturbation.draw(128, [(0, 0)])
    block = perturbation.split(table.head(2))
    coordinates, distances = perturbation.contrast(draw, block, 1)
    x = (rows["x"] - table["x"].mean()) / table["x"].std(ddof=0)
    assert coordinates[0] == pytest.approx(x.to_numpy())
    own = block.positions[1]
    assert distances == pytest.approx(((coordinates - own[:, None]) ** 2).sum(axis=0))


def test_around_centres_numbers_on_the_row(rng):
    table = frame(rng)
    row = table.head(1)
    _, rows = law_of(table, "none").draw(4096, [(0, 0)], row)
    assert rows["x"].mean() == pytest.approx(row["x"].iloc[0], abs=0.01)
    assert rows["x"].std() == pytest.approx(table["x"].std(ddof=0), rel=0.02)


def test_many_features_are_counted_right(rng):
    table = pd.DataFrame(rng.normal(size=(50, 200))).rename(columns=str)
    perturbation = table_law(table, dict.fromkeys(table.columns, "number"), "quartile")
    draw, _ = perturbation.draw(64, [(0, 0)])
    coordinates, distances = perturbation.contrast(draw, perturbation.split(table), 3)
    assert distances.tolist() == (200 - coordinates.sum(axis=0)).tolist()


def test_equal_rows_have_equal_keys_and_others_have_not():
    table = pd.DataFrame({"x": [0.0, -0.0, 1.0, np.nan, np.nan], "c": ["a", "a", "a", "a", None]})
    keys = row_keys(table)
    assert keys[0] == keys[1]
    assert len(set(keys)) == 4
