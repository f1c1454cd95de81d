"""Scrambled Sobol points: those of scipy."""

import numpy as np
import pytest
from scipy.stats import qmc

from xplain_cli.methods import sobol
from xplain_cli.methods.sobol import sobol_points


@pytest.mark.parametrize(
    ("dimensions", "count"), [(1, 1), (1, 2), (3, 1), (5, 8), (26, 256), (65, 1000), (700, 64)]
)
def test_points_are_those_of_scipy_to_the_last_bit(dimensions, count):
    peer = qmc.Sobol(d=dimensions, scramble=True, rng=np.random.default_rng(7))
    wanted = peer.random_base2(int(np.ceil(np.log2(count))))[:count]
    assert (sobol_points(dimensions, count, np.random.default_rng(7)) == wanted).all()


def test_points_of_one_stream_follow_each_other_as_those_of_scipy():
    peer, own = np.random.default_rng(3), np.random.default_rng(3)
    wanted = [qmc.Sobol(d=2, scramble=True, rng=peer).random_base2(3) for _ in range(2)]
    assert (np.stack([sobol_points(2, 8, own) for _ in range(2)]) == np.stack(wanted)).all()


def test_more_dimensions_than_there_are_numbers_for_are_refused():
    with pytest.raises(ValueError, match="21202 dimensions: there are numbers for 21201"):
        sobol_points(21202, 2, np.random.default_rng(0))


def test_without_scipys_file_the_numbers_are_read_off_its_points(monkeypatch):
    wanted = sobol_points(70, 500, np.random.default_rng(1))
    sobol._direction_numbers.cache_clear()
    monkeypatch.setattr(sobol, "_polynomials", lambda _: np.load("elsewhere.npz"))
    assert (sobol_points(70, 500, np.random.default_rng(1)) == wanted).all()
    with pytest.raises(ValueError, match="21202 dimensions"):
        sobol_points(21202, 2, np.random.default_rng(0))
    sobol._direction_numbers.cache_clear()
