"""Weights drawn anew keep their size, and nothing that was learned."""

import numpy as np
import pytest

from xplain_cli.models.redrawing import Redraw, redrawn_shifts, redrawn_weights


def test_weights_keep_their_size_and_no_mean():
    learned = np.full((200, 50), 3.0)
    drawn = redrawn_weights(Redraw(1, 0).source(0), learned)
    assert np.sqrt((drawn**2).mean()) == pytest.approx(3, rel=0.03)
    assert abs(drawn.mean()) < 0.1


def test_shifts_keep_mean_and_spread():
    learned = np.linspace(4, 6, 4000)
    drawn = redrawn_shifts(Redraw(1, 0).source(0), learned)
    assert drawn.mean() == pytest.approx(learned.mean(), abs=0.05)
    assert drawn.std() == pytest.approx(learned.std(), rel=0.05)
    assert (redrawn_shifts(Redraw(1, 0).source(0), np.ones(3)) == 1).all()


def test_a_layer_is_drawn_alike_however_many_are():
    one, three = Redraw(1, 7).source(0), Redraw(3, 7).source(0)
    assert (one.normal(size=5) == three.normal(size=5)).all()
    assert Redraw(1, 8).source(0).normal() != Redraw(1, 7).source(0).normal()
