"""The weighted law of binned draws against the draws themselves."""

import numpy as np
import pytest

from xplain_cli.features import Draw
from xplain_cli.methods.binned_moments import pass_over, see_targets
from xplain_cli.methods.product_law import Draws, count_looked, row_laws
from xplain_cli.methods.requests import Pool

WIDTH = 1.5


def pool_of(rng, n=3, total=1 << 14, repeats=4):
    shares = [rng.dirichlet(np.ones(3)) for _ in range(n)]
    codes = np.stack([rng.choice(3, total, p=share) for share in shares]).astype(np.int8)
    return Pool(
        Draw(codes, np.ones((0, total)), np.zeros_like(codes)),
        np.zeros((total, 1)),
        repeats,
        tuple(shares),
    )


def test_means_and_weight_are_those_of_weighted_draws(rng):
    pool = pool_of(rng)
    own = np.array([[0, 1, 2]])
    laws = row_laws(own, pool, WIDTH)
    match = pool.draw.codes == own[0][:, None]
    weights = np.exp(-(~match).sum(axis=0) / (2 * WIDTH**2))
    assert np.exp(laws.log_weight[0]) == pytest.approx(weights.mean(), rel=0.02)
    assert laws.tilted[0] == pytest.approx(match @ weights / weights.sum(), abs=0.02)


def test_a_level_that_no_draw_has_is_never_matched(rng):
    laws = row_laws(np.array([[-1, 0, 0]]), pool_of(rng), WIDTH)
    assert (laws.tilted[0, 0], laws.seen[0, 0], laws.contrasted[0, 0]) == (0, 0, False)


def test_a_feature_with_one_level_is_always_matched(rng):
    pool = pool_of(rng)
    codes = pool.draw.codes.copy()
    codes[1] = 0
    shares = (pool.frequencies[0], np.ones(1), pool.frequencies[2])
    laws = row_laws(
        np.array([[0, 0, 0]]), Pool(Draw(codes, None, 0 * codes), pool.outputs, 4, shares), WIDTH
    )
    assert (laws.tilted[0, 1], laws.contrasted[0, 1]) == (1, False)


@pytest.mark.parametrize("n", [3, 70, 300])
def test_a_pass_gives_the_sums_of_a_plain_loop(n, rng):
    pool = pool_of(rng, n, total=512)
    rows = rng.integers(0, 3, (2, n)).astype(np.int8)
    width = 0.75 * np.sqrt(n)
    draws = Draws(pool, width)
    laws = row_laws(rows.astype(np.int64), pool, width)
    weights = draws.weights(rows, laws.log_weight)
    values = rng.normal(size=weights.shape[1]).astype(np.float32)
    both = np.stack([weights, weights * values], axis=1)
    got = draws.matched_sums(rows, both)
    size = weights.shape[1] // 4
    for i, own in enumerate(rows):
        match = draws.looked(pool.draw.codes == own[:, None])
        plain = np.exp(-(~match).sum(axis=0) / (2 * width**2) - laws.log_weight[i])
        assert weights[i] == pytest.approx(plain, rel=1e-5)
        for r in range(4):
            at = slice(size * r, size * (r + 1))
            assert got[i, r] == pytest.approx(both[i][:, at] @ match[:, at].T / size, abs=1e-5)


@pytest.mark.parametrize(
    ("n", "looked"), [(2, 1024), (39, 1024), (40, 512), (276, 256), (277, 128), (2000, 64)]
)
def test_the_more_features_the_fewer_draws_are_looked_at(n, looked):
    assert count_looked(n, 0.75 * np.sqrt(n), 1024) == looked


@pytest.mark.parametrize("width", [0.01, 0.3, 1.0])
def test_narrow_kernels_look_at_every_draw(width):
    assert count_looked(300, width, 1000) == 1000


@pytest.mark.parametrize("n", [70, 500])
def test_what_is_looked_at_stands_for_all_draws(n, rng):
    pool = pool_of(rng, n, total=4096)
    width, size = 0.75 * np.sqrt(n), 1024
    draws, rows = Draws(pool, width), rng.integers(0, 3, (2, n))
    pool.outputs[:, 0] = (pool.draw.codes[:3] == rows[0, :3, None]).prod(axis=0)
    seen = see_targets(pool, draws, np.array([[0, -1]]), margin=False)
    laws = row_laws(rows, pool, width)
    got = pass_over(draws, pool, laws, rows, [seen, seen])
    for i, own in enumerate(rows):
        match = pool.draw.codes == own[:, None]
        exact = np.exp(-(~match).sum(axis=0) / (2 * width**2) - laws.log_weight[i])
        looked = draws.looked(exact[None])[0].reshape(4, -1)
        counts = np.ones((4, size))  # a draw that is not looked at counts like the mean of all
        counts[:, : looked.shape[1]] += (looked - 1) * size / looked.shape[1]
        assert counts.shape[1] > looked.shape[1]
        assert draws.whole(looked.ravel()) == pytest.approx(counts.ravel())
        weighted = counts * seen.left[0].reshape(4, size)
        assert got.weight[i] == pytest.approx(counts.mean(axis=1), abs=1e-6)
        assert got.left[i, :, 0] == pytest.approx(weighted.mean(axis=1), abs=1e-6)
        for r in range(4):
            inside = match[:, size * r : size * (r + 1)] / size
            assert got.matched_weight[i, r] == pytest.approx(inside @ counts[r], abs=1e-6)
            assert got.matched[i, r, 0] == pytest.approx(inside @ weighted[r], abs=1e-6)
            assert got.squares[i, r, 0] == pytest.approx(
                (counts[r] * seen.left[0].reshape(4, size)[r] ** 2).mean(), abs=1e-6
            )


def test_what_draws_say_of_a_row_does_not_depend_on_its_neighbours(rng):
    pool = pool_of(rng, 70, total=512)
    rows = rng.integers(0, 3, (5, 70)).astype(np.int8)
    laws, draws = row_laws(rows.astype(np.int64), pool, 6.0), Draws(pool, 6.0)
    weights = draws.weights(rows, laws.log_weight)
    sums = draws.matched_sums(rows, weights[:, None])
    for i in range(5):
        alone = draws.weights(rows[[i]], laws.log_weight[[i]])
        assert np.array_equal(alone[0], weights[i])
        assert np.array_equal(draws.matched_sums(rows[[i]], alone[:, None])[0], sums[i])
