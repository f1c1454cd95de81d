"""The self-test has a case for every method, passes here, and finds what is wrong."""

import pickle
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from xplain_cli.jobs.selftest import _ground, all_cases, check_case
from xplain_cli.methods import METHODS
from xplain_cli.quality import known_slopes as slopes


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    return _ground(tmp_path_factory.mktemp("known"))


def case(ground, name):
    return next(one for one in all_cases(ground) if one.name == name)


GRADIENTS = (
    "table ig, network",
    "table ig, logistic",
    "table input-x-gradient, network",
    "table saliency, network",
    "table smooth, shallow",
    "table idgi:tol=0.001, network",
)


def test_every_method_has_a_case_but_those_at_layers_of_torch_files(ground):
    named = {one.options["method"].partition(":")[0] for one in all_cases(ground)}
    shelf = {name for methods in METHODS.values() for name in methods}
    assert shelf - {"layer-cam", "grad-cam", "odam"} <= named
    assert {one.modality for one in all_cases(ground)} == {"tabular", "text", "image"}


def test_all_quick_cases_are_right_here(run, tmp_path):
    done = run("selftest", "--quick", "--junit", "s.xml")
    assert done.code == 0, done.out
    assert done.out.count("ok      ") == done.out.count("\n") >= 23
    assert 'failures="0"' in (tmp_path / "s.xml").read_text()


@pytest.mark.parametrize(
    "name", ["table occlusion", "image rise", "table lime on draws", *GRADIENTS]
)
def test_a_weight_that_is_off_is_found(ground, name):
    right = case(ground, name)
    wrong = replace(right, truth=lambda at: right.truth(at) * 1.3)
    assert check_case(wrong, ground.folder).failed


def test_an_installation_that_cannot_explain_is_found(ground):
    broken = replace(case(ground, "table occlusion"), model="nothing.here:at_all")
    found = check_case(broken, ground.folder)
    assert found.failed
    assert found.message.startswith("cannot be explained: RefusedError")


def test_known_integrals_are_what_midpoints_come_to(ground):
    net = slopes.net_of(pickle.loads((ground.folder / "network.pkl").read_bytes()))
    start, row = np.zeros(4), ground.numbers.iloc[0].to_numpy()
    whole = slopes.path_integral(net, start, row)
    assert whole.sum() == pytest.approx(net.score(row) - net.score(start), rel=1e-12)
    steps = 4096
    points = start + np.linspace(0, 1, steps + 1)[:, None] * (row - start)
    found = [net.slopes((a + b) / 2) for a, b in pairwise(points)]
    assert whole == pytest.approx(row * np.mean(found, axis=0), abs=1e-3 * np.abs(whole).max())
    gains = np.diff([net.score(point) for point in points])
    shares = np.square(found) / np.square(found).sum(axis=1, keepdims=True)
    directions = slopes.important_directions(net, start, row)
    assert directions == pytest.approx(gains @ shares, abs=1e-3 * np.abs(directions).max())


def test_known_derivatives_are_what_steps_and_draws_come_to(ground):
    net = slopes.net_of(pickle.loads((ground.folder / "shallow.pkl").read_bytes()))
    row, spread = ground.numbers.iloc[1].to_numpy(), np.array([0.1, 0.2, 0.3, 0.4])
    steps = np.eye(4) * 1e-6
    moved = [(net.score(row + step) - net.score(row - step)) / 2e-6 for step in steps]
    assert net.slopes(row) == pytest.approx(moved, rel=1e-6)
    noise = np.random.default_rng(0).normal(size=(4000, 4)) * spread
    drawn = np.array([net.slopes(row + one) for one in noise])
    known = slopes.noisy_slopes(net, row, spread)
    assert (np.abs(drawn.mean(axis=0) - known) <= 4 * drawn.std(axis=0) / np.sqrt(4000)).all()
