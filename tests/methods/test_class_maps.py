"""Class activation maps against their formulas, and what they leave out."""

import numpy as np
import pytest
from paths import Rows, explain, plain, relu_net

from xplain_cli.errors import UsageError
from xplain_cli.methods import METHODS
from xplain_cli.models.gradients import Readout
from xplain_cli.specs import build

SHAPE = (3, 2, 2)
NET = relu_net((12, 16, 4))
ROWS = np.abs(np.random.default_rng(5).normal(size=(5, 12)))


class Mapped(Rows):
    """Rows over which a layer lies: channels first."""

    def charted(self, rows, parts, _grid=None):
        return parts.reshape(len(rows), *SHAPE).sum(axis=1)


def said(name, rows=ROWS, block=Mapped, pairs=((1, -1), (0, 2))):
    gradient = plain(NET, shape=SHAPE)
    return explain(
        build(name, METHODS["masks"]), gradient, rows, rows - 7, pairs=pairs, block=block
    )


def slopes(pair):
    readout = Readout(np.tile(pair, (len(ROWS), 1)), "identity", "raw")
    return NET.derive(ROWS, readout.slopes)[0]


def by_channel(own):
    means = own.reshape(-1, 3, 4).mean(axis=2, keepdims=True)
    return np.broadcast_to(means, (len(own), 3, 4)).reshape(len(own), -1)


FORMULAS = {
    "layer-cam": lambda own: np.where(own > 0, own, 0.0),
    "grad-cam": by_channel,
    "odam": lambda own: own,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_weights_are_what_the_formula_says(name):
    got = said(f"{name}:layer=any")
    for target, pair in enumerate(((1, -1), (0, 2))):
        expected = FORMULAS[name](slopes(pair)) * ROWS
        assert got.weights[:, target] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", FORMULAS)
def test_the_base_is_what_the_net_gives_for_0_whatever_the_rows_baselines(name):
    got = said(f"{name}:layer=any")
    scores = NET.scores(np.zeros((1, 12)))[0]
    assert got.base[:, 0] == pytest.approx(np.full(5, scores[1]), abs=1e-12)
    assert got.base[:, 1] == pytest.approx(np.full(5, scores[0] - scores[2]), abs=1e-12)


@pytest.mark.parametrize("name", FORMULAS)
def test_maps_keep_their_sign_and_the_error_of_their_picture_is_told(name):
    got = said(f"{name}:layer=any")
    maps = got.weights.reshape(5, 2, 3, 4).sum(axis=2)
    assert got.maps.reshape(5, 2, 4) == pytest.approx(maps, abs=1e-12)
    scores = NET.scores(ROWS)
    due = np.column_stack([scores[:, 1], scores[:, 0] - scores[:, 2]]) - got.base
    expected = np.abs(np.maximum(maps, 0).sum(axis=2) - due) / np.abs(due)
    assert got.rectified_error == pytest.approx(expected, rel=1e-9)


def test_rows_that_are_no_pictures_have_no_map():
    got = said("odam:layer=any", block=Rows)
    assert got.maps is None
    assert got.rectified_error is None


def test_inputs_are_the_row_at_the_layer_and_both_ends_for_each_target():
    got = said("odam:layer=any", pairs=((1, -1),))
    assert got.n_inputs.tolist() == [3] * 5


def test_a_layers_baseline_needs_a_layer():
    with pytest.raises(UsageError, match="layer="):
        build("ig:layer-baseline=zero", METHODS["masks"])
    made = build("ig:layer=a,layer-baseline=mean", METHODS["masks"])
    assert (made.layer, made.origin) == ("a", "mean")
