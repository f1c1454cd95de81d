"""Designs of masks: they sample their law."""

import numpy as np
import pytest
from mask_laws import Perturbation, explain, index

from xplain_cli.errors import UsageError
from xplain_cli.methods import METHODS
from xplain_cli.methods.designs import (
    DESIGNS,
    all_masks,
    enumerate_masks,
    kernel_weights,
    sample_masks,
    size_law,
)
from xplain_cli.specs import build

SIZES = ["uniform-size", "bernoulli"]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("name", DESIGNS)
def test_designs_sample_the_law(name, sizes):
    n = 6
    design = sample_masks(name, sizes, np.ones(n + 1), (4096, 2), (0,))
    counts = design.masks.sum(axis=2).ravel()
    share = np.bincount(counts, design.weights.ravel(), minlength=n + 1)
    assert share / share.sum() == pytest.approx(size_law(sizes, n), abs=0.02)


def test_masks_without_weight_are_never_asked():
    design = sample_masks("sobol", "uniform-size", kernel_weights("cosine", 0.25, 4), (64, 2), (0,))
    assert (design.used.sum(axis=1) < 4).all()
    assert (enumerate_masks("uniform-size", np.ones(5)).used.sum(axis=1) < 4).all()


def test_all_masks_are_all_and_distinct():
    assert len(np.unique(all_masks(6), axis=0)) == 64


def test_codes_are_for_features_that_stay_with_one_half():
    method = build("lime:design=codes", METHODS["masks"])
    with pytest.raises(UsageError, match="the law of texts does not"):
        method.default_budget(Perturbation("uniform-size"))


def test_the_default_design_of_pictures_is_a_whole_code():
    got = explain(
        build("lime:control=none", METHODS["masks"]), "bernoulli", 16, index(16), samples=700
    )
    assert got.n_samples == 512


def test_a_code_has_far_less_variance_than_plain_masks():
    spread = {}
    for design in ("plain", "codes"):
        method = build(f"lime:design={design},control=none", METHODS["masks"])
        runs = [
            explain(method, "bernoulli", 16, index(16), samples=512, repeats=2, seed=s).weights[
                0, 0
            ]
            for s in range(24)
        ]
        spread[design] = np.var(runs, axis=0, ddof=1).mean()
    assert spread["plain"] > 10 * spread["codes"]
