"""The additive stand-in: what it finds, what it leaves, and when there is none."""

import numpy as np
import pytest

from xplain_cli.features import Draw
from xplain_cli.methods.additive import count_parts, fit_additive, level_sums
from xplain_cli.methods.requests import Pool

LEVELS = (4, 3, 1, 2)


def drawn(rng, levels=LEVELS, total=2048):
    return np.stack([rng.integers(0, count, total) for count in levels]).astype(np.int8)


def contrasts(table, levels):
    """Each feature's table less its mean: what a constant in it cannot change."""
    parts = np.split(table, np.cumsum(levels)[:-1])
    return np.concatenate([part - part.mean() for part in parts])


@pytest.mark.parametrize("repeats", [1, 3, 8, 12])
def test_a_sum_over_features_is_found_whole(repeats, rng):
    codes = drawn(rng, total=repeats * 512)
    effects = rng.normal(size=sum(LEVELS))
    starts = np.cumsum((0, *LEVELS[:-1]))
    outputs = sum(effects[start + codes[j]] for j, start in enumerate(starts))[:, None]
    got = fit_additive(codes, LEVELS, outputs, repeats)
    assert got.residuals.std() < 0.03 * outputs.std()
    for table in got.tables[:, 0]:
        assert contrasts(table, LEVELS) == pytest.approx(contrasts(effects, LEVELS), abs=0.1)


@pytest.mark.parametrize(
    ("columns", "parts"), [(1, 8), (10, 8), (25, 8), (26, 4), (30, 4), (100, 2), (103, 1), (500, 1)]
)
def test_bins_have_as_many_parts_as_a_tenth_of_the_draws_allow(columns, parts):
    found = count_parts((4,) * columns, np.ones(columns, dtype=bool), 8192)
    assert found.tolist() == [parts] * columns


def test_only_numbers_have_parts():
    assert count_parts((4, 9), np.array([True, False]), 8192).tolist() == [8, 1]


def test_what_changes_inside_bins_is_found_by_parts(rng):
    codes, parts = drawn(rng, (4, 3), 4096), rng.integers(0, 8, (2, 4096)).astype(np.uint8)
    parts[1] = 0  # categories have none
    outputs = (codes[0] + parts[0] / 8.0 + codes[1])[:, None]
    shares = (np.full(4, 0.25), np.full(3, 1 / 3))
    left = [
        Pool(Draw(codes, None, told), outputs, 4, shares).stand_in.residuals.std()
        for told in (np.zeros_like(parts), parts)
    ]
    assert left[1] < 0.2 * left[0]


@pytest.mark.parametrize("levels", [(4,) * 6, (4,) * 300, (9, 2, 2, 700)], ids=["6", "300", "rare"])
def test_what_is_linear_in_the_outputs_stays_so(levels, rng):
    codes = np.stack([rng.integers(0, count, 1024) for count in levels]).astype(np.int32)
    sides = np.column_stack([(codes[:3] > 0).sum(axis=0), np.sin(codes[1] * codes[-1])])
    each = fit_additive(codes, levels, sides, 8)
    both = fit_additive(codes, levels, sides[:, :1] - sides[:, 1:], 8)
    left = each.residuals[0] - each.residuals[1]
    assert both.residuals[0] == pytest.approx(left, abs=1e-5)


def test_steps_find_what_solving_finds(rng):
    levels, total = (4,) * 20, 4096
    codes = drawn(rng, levels, total)
    outputs = np.cumsum(codes[:5] ** 1.5, axis=0).sum(axis=0)[:, None] + rng.normal(size=(total, 1))
    columns = np.concatenate([codes == level for level in range(4)]).T.astype(float)
    left = np.empty(total)
    for at in np.split(np.arange(total), 8):
        train = np.delete(np.arange(total), at)
        means, level = columns[train].mean(axis=0), outputs[train, 0].mean()
        centred = columns[train] - means
        gram = centred.T @ centred + 20 * np.eye(80)
        slopes = np.linalg.solve(gram, centred.T @ (outputs[train, 0] - level))
        left[at] = outputs[at, 0] - level - (columns[at] - means) @ slopes
    got = fit_additive(codes, levels, outputs, 8).residuals[0]
    assert (got - left).std() < 0.01 * outputs.std()
    assert got.var() < 1.01 * left.var()


def test_outputs_that_bins_do_not_explain_stay_as_they_are():
    rng = np.random.default_rng(0)
    levels = (4,) * 300
    outputs = rng.normal(size=(1024, 1))
    got = fit_additive(drawn(rng, levels, 1024), levels, outputs, 8)
    assert got.residuals.var() < 1.2 * outputs.var()


def test_with_more_bins_than_draws_what_is_left_is_less_and_not_more():
    rng = np.random.default_rng(0)
    levels = (4,) * 400
    codes = drawn(rng, levels, 1024)
    outputs = (codes[:5] >= 2).sum(axis=0)[:, None] + 0.1 * rng.normal(size=(1024, 1))
    got = fit_additive(codes, levels, outputs, 8)
    assert got.residuals.var() < 0.9 * outputs.var()


def test_a_constant_output_has_a_stand_in_of_exactly_zero(rng):
    outputs = np.column_stack([np.zeros(512), rng.normal(size=512)])
    got = fit_additive(drawn(rng, total=512), LEVELS, outputs, 4)
    assert not got.tables[:, 0].any()
    assert not got.constants[:, 0].any()
    assert not got.residuals[0].any()


def test_a_level_without_draws_elsewhere_counts_nothing(rng):
    codes = drawn(rng, (2, 2), 512)
    levels = (2, 3)
    codes[1, 0] = 2  # the one draw of its level
    outputs = (codes[0] + 5 * (codes[1] == 2))[:, None] + 0.01 * rng.normal(size=(512, 1))
    got = fit_additive(codes, levels, outputs, 8)
    assert got.tables[0, 0, 4] == 0
    assert got.residuals[0, 0] > 4


def test_sums_by_level_are_sums_over_the_draws_that_have_it(rng):
    codes, values = drawn(rng, total=50), rng.normal(size=(2, 50))
    got = level_sums(codes, LEVELS, values)
    at = 0
    for j, count in enumerate(LEVELS):
        for level in range(count):
            assert got[:, at] == pytest.approx(values[:, codes[j] == level].sum(axis=1))
            at += 1


@pytest.mark.parametrize("unit", [2.0**-200, 2.0**-80, 2.0**80, 2.0**200])
def test_the_unit_of_an_output_scales_its_stand_in_and_nothing_else(unit, rng):
    codes, outputs = drawn(rng, total=1024), rng.normal(size=(1024, 1))
    plain = fit_additive(codes, LEVELS, outputs, 4)
    got = fit_additive(codes, LEVELS, np.column_stack([outputs, outputs * unit]), 4)
    for name in ("tables", "constants"):
        both, wanted = getattr(got, name), getattr(plain, name)[:, 0]
        assert both[:, 0] == pytest.approx(wanted, abs=1e-5)
        assert np.array_equal(both[:, 1], both[:, 0] * unit)
    assert np.array_equal(got.residuals[1], got.residuals[0] * unit)
