"""Which features a surrogate keeps."""

import numpy as np
from draw_laws import draws
from oracles import forward_selection

from xplain_cli.methods.selection import select
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
