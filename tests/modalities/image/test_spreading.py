"""Cells of a layer over pixels: the sum stays, and nothing is moved to the other side."""

import numpy as np
import pytest

from xplain_cli.modalities.image.spreading import spread

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("size", [(8, 8), (7, 13), (3, 3), (2, 9), (1, 1)])
def test_the_sum_stays_whatever_the_sizes(size):
    cells = RNG.normal(size=(3, 4))
    assert spread(cells, *size).sum() == pytest.approx(cells.sum(), abs=1e-12)


def test_cells_of_the_size_of_the_picture_are_its_pixels():
    cells = RNG.normal(size=(5, 6))
    assert spread(cells, 5, 6) == pytest.approx(cells, abs=1e-15)


def test_equal_cells_make_an_even_map_where_sizes_divide():
    assert spread(np.ones((2, 3)), 8, 9) == pytest.approx(np.full((8, 9), 6 / 72), abs=1e-15)


def test_pixels_between_two_middles_are_interpolated():
    made = spread(np.array([[0.0, 4.0]]), 1, 4)[0]
    assert made == pytest.approx([0.0, 0.5, 1.5, 2.0])


def test_the_corner_of_a_map_lies_at_the_corner_of_the_picture():
    cells = np.zeros((4, 4))
    cells[0, 3] = 1.0
    made = spread(cells, 16, 16)
    assert made[0, 15] == pytest.approx(made.max())
    assert made[8:].sum() == 0
    assert made[:, :8].sum() == 0
