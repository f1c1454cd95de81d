"""features: LIME's law of drawing rows of a table."""

import numpy as np
import pandas as pd
import pytest

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.methods.discretizers import entropy_edges, quantile_edges
from xplain_cli.modalities.tabular.cells import UNSEEN, count, cut, join
from xplain_cli.modalities.tabular.draws import row_keys
from xplain_cli.modalities.tabular.fit import parse_groups, table_law


def numbers(values):
    return np.array(values, dtype=float)


def test_quartile_bins_are_those_of_lime(rng):
    from lime.discretize import QuartileDiscretizer

    values = rng.normal(size=(200, 1))
    theirs = QuartileDiscretizer(values, [], ["x"])
    ours = cut("x", values[:, 0], quantile_edges(values[:, 0], 4))
    assert ours.code(pd.DataFrame({"x": values[:, 0]})).tolist() == (
        theirs.discretize(values)[:, 0].astype(int).tolist()
    )
    assert ours.means == pytest.approx(np.array(theirs.means[0]))
    assert ours.sds == pytest.approx(np.array(theirs.stds[0]))


def test_draws_follow_the_frequencies_and_stay_in_their_bin(rng):
    cell = cut("x", rng.exponential(size=300), numbers([0.5, 1.0, 2.0]))
    codes, drawn = cell.draw((np.arange(4096) + 0.5) / 4096)
    assert np.bincount(codes) / 4096 == pytest.approx(cell.frequencies, abs=1e-3)
    assert cell.code(pd.DataFrame(drawn)).tolist() == codes.tolist()


def test_a_bin_without_width_draws_its_value():
    """lime 0.2 draws the z-score 0 there: 37.7 % of draws are 0, none is 5."""
    values = numbers([5] * 40 + list(np.linspace(5.1, 10, 60)))
    cell = cut("x", values, quantile_edges(values, 4))
    _, drawn = cell.draw((np.arange(1000) + 0.5) / 1000)
    assert (drawn["x"] == 5).mean() == pytest.approx(0.4, abs=0.01)
    assert drawn["x"].min() == 5


def test_a_constant_column_is_drawn_as_itself():
    values = numbers([1.0] * 30)
    _, drawn = cut("x", values, quantile_edges(values, 4)).draw(np.linspace(0, 0.999, 64))
    assert set(drawn["x"]) == {1.0}


def test_missing_values_are_a_bin_of_their_own():
    values = numbers([1, 2, 3, 4, np.nan])
    cell = cut("x", values, quantile_edges(values, 4))
    _, drawn = cell.draw((np.arange(1000) + 0.5) / 1000)
    assert np.isnan(drawn["x"]).mean() == pytest.approx(0.2, abs=0.01)
    assert cell.code(pd.DataFrame({"x": [np.nan, 1.0]})).tolist() == [4, 0]


def test_a_missing_value_that_the_background_lacks_is_unseen():
    cell = cut("x", numbers([1, 2, 3]), numbers([2]))
    assert cell.code(pd.DataFrame({"x": [np.nan]})).tolist() == [UNSEEN]


def test_interval_probabilities_match_draws(rng):
    cell = cut("x", rng.normal(size=200), numbers([-0.5, 0.0, 0.5]))
    lower, upper = numbers([-np.inf, -0.2, 0.1]), numbers([0.2, 0.3, np.inf])
    codes, drawn = cell.draw((np.arange(40000) + 0.5) / 40000)
    share = cell.interval(lower, upper, np.zeros(3, dtype=bool))
    for low, high, row in zip(lower, upper, share, strict=True):
        inside = (low < drawn["x"]) & (drawn["x"] <= high)
        found = [inside[codes == b].mean() for b in range(4)]
        assert row == pytest.approx(found, abs=2e-3)


def test_interval_counts_a_missing_value_where_it_goes():
    cell = cut("x", numbers([1, 2, np.nan]), numbers([1.5]))
    share = cell.interval(numbers([0, 0]), numbers([9, 9]), np.array([True, False]))
    assert share[:, -1].tolist() == [1.0, 0.0]


def test_categories_are_drawn_by_frequency_and_keep_their_type():
    cell = count("c", pd.Series(["b", "a", None, "a"], dtype=object))
    codes, drawn = cell.draw((np.arange(400) + 0.5) / 400)
    assert cell.levels == ("a", "b", None)
    assert np.bincount(codes).tolist() == [200, 100, 100]
    assert cell.code(pd.DataFrame({"c": ["a", "z", None]})).tolist() == [0, UNSEEN, 2]
    assert drawn["c"].dtype == object


def test_categories_of_booleans_stay_booleans():
    _, drawn = count("c", pd.Series([True, False, True])).draw(np.linspace(0, 0.99, 8))
    assert drawn["c"].dtype == bool


def test_entropy_edges_split_where_labels_change():
    values = np.linspace(0, 1, 100)
    assert entropy_edges(values, (values > 0.37).astype(int)) == pytest.approx([0.37], abs=0.01)


def test_entropy_edges_without_a_useful_split_are_the_median():
    assert entropy_edges(numbers([1, 2, 3]), np.zeros(3, dtype=int)).tolist() == [2.0]


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


def test_statistics_do_not_depend_on_row_order(rng):
    table = frame(rng)
    shuffled = table.sample(frac=1, random_state=1)
    groups = {"city": ("city_a", "city_b")}
    draw, rows = law_of(table, groups=groups).draw(64, (1, 2))
    again, same = law_of(shuffled, groups=groups).draw(64, (1, 2))
    assert draw.codes.tobytes() == again.codes.tobytes()
    pd.testing.assert_frame_equal(rows, same)


def test_a_group_is_drawn_from_background_rows_and_on_when_all_match(rng):
    table = frame(rng)
    law = law_of(table, groups={"city": ("city_a", "city_b")})
    draw, rows = law.draw(256, (0, 0))
    assert law.names == ("x", "city", "kind")
    block = law.split(table.head(1))
    coordinates, distances = law.contrast(draw, block, 0)
    own = table.iloc[0]
    both = (rows["city_a"] == own["city_a"]) & (rows["city_b"] == own["city_b"])
    assert coordinates[1].tolist() == both.tolist()
    assert distances.tolist() == (3 - coordinates.sum(axis=0)).tolist()


def test_joint_values_are_only_those_of_the_background():
    table = pd.DataFrame({"a": [0.0, 1.0, 0.0], "b": [1.0, 0.0, 0.0]})
    joint = join((count("a", table["a"]), count("b", table["b"])), table)
    _, drawn = joint.draw((np.arange(99) + 0.5) / 99)
    assert set(zip(drawn["a"], drawn["b"], strict=True)) == {(0, 1), (1, 0), (0, 0)}
    assert joint.code(pd.DataFrame({"a": [1.0], "b": [1.0]})).tolist() == [UNSEEN]


def test_draws_depend_on_seed_and_repeat_only(rng):
    law = law_of(frame(rng))
    first, _ = law.draw(64, (5, 0))
    assert first.codes.tobytes() == law.draw(64, (5, 0))[0].codes.tobytes()
    assert first.codes.tobytes() != law.draw(64, (5, 1))[0].codes.tobytes()


def test_without_bins_numbers_are_standardised_and_distances_euclidean(rng):
    table = frame(rng)
    law = law_of(table, "none")
    draw, rows = law.draw(128, (0, 0))
    block = law.split(table.head(2))
    coordinates, distances = law.contrast(draw, block, 1)
    x = (rows["x"] - table["x"].mean()) / table["x"].std(ddof=0)
    assert coordinates[0] == pytest.approx(x.to_numpy())
    own = block.positions[1]
    assert distances == pytest.approx(((coordinates - own[:, None]) ** 2).sum(axis=0))


def test_around_centres_numbers_on_the_row(rng):
    table = frame(rng)
    row = table.head(1)
    _, rows = law_of(table, "none").draw(4096, (0, 0), row)
    assert rows["x"].mean() == pytest.approx(row["x"].iloc[0], abs=0.01)
    assert rows["x"].std() == pytest.approx(table["x"].std(ddof=0), rel=0.02)


def test_many_features_are_counted_right(rng):
    table = pd.DataFrame(rng.normal(size=(50, 200))).rename(columns=str)
    law = table_law(table, dict.fromkeys(table.columns, "number"), "quartile")
    draw, _ = law.draw(64, (0, 0))
    coordinates, distances = law.contrast(draw, law.split(table), 3)
    assert distances.tolist() == (200 - coordinates.sum(axis=0)).tolist()


def test_equal_rows_have_equal_keys_and_others_have_not():
    table = pd.DataFrame({"x": [0.0, -0.0, 1.0, np.nan, np.nan], "c": ["a", "a", "a", "a", None]})
    keys = row_keys(table)
    assert keys[0] == keys[1]
    assert len(set(keys)) == 4


def test_infinite_background_values_are_refused():
    table = pd.DataFrame({"x": [1.0, np.inf]})
    with pytest.raises(RefusedError, match="infinite"):
        table_law(table, {"x": "number"}, "quartile")


def test_missing_values_without_bins_are_refused():
    with pytest.raises(UsageError, match="missing values"):
        table_law(pd.DataFrame({"x": [1.0, np.nan]}), {"x": "number"}, "none")


@pytest.mark.parametrize("text", ["city", "=a*", "g=", "g=nothing*", "x=city_a"])
def test_groups_that_mean_nothing_are_refused(text):
    with pytest.raises(UsageError):
        parse_groups([text], ["x", "city_a", "city_b"])


def test_a_column_in_two_groups_is_refused():
    with pytest.raises(UsageError, match="'city_a' is in"):
        parse_groups(["g=city_*", "h=city_a"], ["x", "city_a", "city_b"])
