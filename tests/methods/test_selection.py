"""Which features a surrogate keeps."""

import numpy as np
import pytest
from draw_laws import draws
from oracles import forward_selection

from xplain_cli.methods.selection import select, select_diagonal
from xplain_cli.methods.solvers import centre, gram


def test_forward_selection_by_sweep_is_refitting_every_candidate(rng):
    z, f, w = draws(rng, n=8, t=1)
    f = f + z[3] * 1.5 + z[6] * z[2]
    matrix, right, _ = centre(gram(z, f, w, 1)[0], 8)
    for k in (1, 3, 5):
        expected = forward_selection(z.T.astype(float), f[0], w, k)
        found = select(matrix, right, np.ones(8), k, "forward")[0]
        assert set(np.flatnonzero(found)) == set(expected)


def test_highest_weights_count_the_rows_own_coordinate():
    matrix, right = np.eye(3), np.array([[1.0], [2.0], [3.0]])
    own = np.array([9.0, 2.0, 0.1])
    assert select(matrix, right, own, 1, "highest").tolist() == [[True, False, False]]


@pytest.mark.parametrize("how", ["forward", "highest", "lasso", "auto"])
@pytest.mark.parametrize("k", [1, 3, 6])
def test_independent_features_are_chosen_as_from_their_whole_gram_matrix(how, k, rng):
    diagonal, right = rng.random((4, 8)) + 0.1, rng.normal(size=(4, 2, 8))
    got = select_diagonal(diagonal, right, k, how)
    for i in range(4):
        wanted = select(np.diag(diagonal[i]), right[i].T, np.ones(8), k, how)
        assert got[i].tolist() == wanted.tolist()
