"""How many samples a run takes is decided in one place."""

import ast
from pathlib import Path

import pytest

import xplain_cli
from xplain_cli.samples import (
    all_masks_fit,
    doublings,
    enough_samples,
    growing_repeats,
    least_samples,
    needed,
    pool_budget,
)

HOUSE = Path(xplain_cli.__file__).parent


@pytest.mark.parametrize(
    ("n", "least"), [(1, 8), (3, 16), (4, 32), (30, 128), (31, 128), (32, 256)]
)
def test_a_fit_gets_the_power_of_two_that_holds_four_draws_a_number(n, least):
    assert least_samples(n) == least
    assert least >= needed(n) > least / 2


def test_more_samples_than_a_fit_needs_stay_as_they_are():
    assert [enough_samples(30, samples) for samples in (1, 128, 1000)] == [128, 128, 1000]


def test_masks_are_enumerated_where_repeats_together_hold_them_all():
    assert [all_masks_fit(n, (512, 4)) for n in (11, 12)] == [True, False]
    assert not all_masks_fit(21, (1 << 30, 4))


def test_a_budget_doubles_up_to_memory_or_to_what_the_model_can_be_asked():
    assert doublings(1, 1 << 20, lambda _: True) == [8, 16]
    assert doublings(100, 1, lambda samples: samples < 400) == [100, 200, 400]


def test_repeats_grow_up_to_all_draws():
    assert growing_repeats(4, 128, 4000) == (4, 6, 8, 12, 16, 24)


def test_nobody_else_rounds_samples_up_to_a_power_of_two():
    def rounds(path):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        return any(getattr(node, "attr", None) == "bit_length" for node in ast.walk(tree))

    rooms = [HOUSE / room for room in ("engine", "methods", "planning", "quality")]
    found = {path.name for room in rooms for path in room.glob("*.py") if rounds(path)}
    # the dimension of a code; the nodes of a path, which double; the direction numbers of points
    assert found <= {"linear_codes.py", "quadrature.py", "sobol.py"}


@pytest.mark.parametrize(
    ("features", "pools", "samples"),
    [
        *[(1, 1, 4096), (8, 1, 4096), (9, 1, 2048), (16, 1, 2048), (17, 1, 1024), (500, 1, 1024)],
        (8, 2, 1024),
    ],
)
def test_few_features_share_more_draws(features, pools, samples):
    assert pool_budget(features, pools) == (samples, 8)
