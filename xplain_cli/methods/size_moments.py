"""The surrogate of a polynomial in a sum over features, in closed form.

Where masks with equally many features are equally likely, products of several features have known
means: those of sampling without replacement. So have the powers of a sum v of numbers that belong
to features, and their products with a feature: a polynomial in v of degree 4, whatever its
coefficients for each number of features, needs no masks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from math import comb, factorial

import numpy as np

from xplain_cli.explanation import FloatArray

DEGREE = 4
_NODES = 8
_JITTER = 1e-10


# means are sums of terms (power of v, features in a product); beside each power of a feature's own
# number a term stands as often as that power can be chosen among the factors of v^degree
_TERMS = ((0, 0), (1, 1), (2, 1), (2, 2), (3, 1), (3, 2), (3, 3), (4, 1), (4, 2), (4, 3), (4, 4))
_OWN = np.array([[comb(power + own, own) for power, _ in _TERMS] for own in range(DEGREE + 1)])
_DEGREES = np.array([[power + own for power, _ in _TERMS] for own in range(DEGREE + 1)])
_THERE = _DEGREES <= DEGREE
_DEGREES = np.minimum(_DEGREES, DEGREE)
_FEATURES = np.array([features for _, features in _TERMS])


def _products(sums: Sequence[FloatArray]) -> FloatArray:
    """
    Return sums over different features of the products in v^0, ..., v^4, (11, n).

    Those of power 3, say, are sums of cubes, of a square and another, and of three different ones.

    Parameters
    ----------
    sums
        Sums of the numbers, of their squares, third and fourth powers, each (n,).
    """
    a, b, c, d = sums
    square, both = a * a, a * b
    pairs = a * c - d
    return np.stack([
        np.ones_like(a),
        a,
        b,
        square - b,
        c,
        3 * (both - c),
        a * square - 3 * both + 2 * c,
        d,
        4 * pairs + 3 * (b * b - d),
        6 * (a * both - b * b - 2 * pairs),
        square * (square - 6 * b) + 3 * b * b + 8 * a * c - 6 * d,
    ])


@dataclass(frozen=True, eq=False)
class SizeMoments:
    """
    Masks of n features, each number of features with its weight, equally many alike.

    Attributes
    ----------
    weights : (n + 1,)
        Of k = 0..n features; their sum is 1.
    """

    weights: FloatArray

    @property
    def n(self) -> int:
        """The number of features."""
        return len(self.weights) - 1

    @cached_property
    def together(self) -> FloatArray:
        """Probabilities that 0..5 given features stay, of k that do, (6, n + 1)."""
        k, n = np.arange(self.n + 1), self.n
        found = [np.ones(n + 1)]
        for known in range(DEGREE + 1):
            found.append(found[-1] * np.maximum(k - known, 0) / max(n - known, 1))
        return np.stack(found)

    def spread(self, numbers: FloatArray) -> FloatArray:
        """Return the standard deviation of the sum v of numbers (n,) that add up to 0, (n + 1,)."""
        _, one, two, *_ = self.together
        return np.asarray(np.sqrt(np.maximum(one - two, 0) * (numbers @ numbers)))

    def fit(self, numbers: FloatArray, terms: FloatArray, ridge: float) -> tuple[FloatArray, float]:
        """
        Return weights (n,) and intercept of the surrogate of a polynomial in v.

        Parameters
        ----------
        numbers : (n,)
            Of each feature. v is the sum of those that stay.
        terms : (5, n + 1)
            Coefficients of v^0, ..., v^4 for each number of features that stay.
        ridge
            The penalty, against a total weight of 1.
        """
        q, p = self.weights, self.together
        powers = np.stack([numbers**power for power in range(DEGREE + 1)])
        sums = powers[1:].sum(axis=1)
        # means over sizes of a coefficient and of so many given features: (5, 6)
        weighted = (terms * q) @ p.T
        all_of_them = _products(sums[:, None])[:, 0]
        mean = float(weighted[_DEGREES[0], _FEATURES] @ all_of_them)
        # and those of a feature with features beside it
        before = np.where(_THERE, _OWN * weighted[_DEGREES, _FEATURES + 1], 0.0)
        products = ((before @ _products(sums[:, None] - powers[1:])) * powers).sum(axis=0)
        stays, both = float(q @ p[1]), float(q @ p[2])
        right = products - stays * mean
        # the normal matrix has two eigenvalues: features are all alike
        own, shared = stays - both, both - stays * stays
        own += ridge + _JITTER * (stays - stays * stays)
        beta = (right - shared * right.sum() / (own + self.n * shared)) / own
        return np.asarray(beta, dtype=np.float64), mean - stays * float(beta.sum())


@cache
def _projection() -> tuple[FloatArray, FloatArray]:
    """Return nodes (8,) of a normal v, and what makes coefficients (5, 8) of values there."""
    from numpy.polynomial import hermite_e

    places, weights = hermite_e.hermegauss(_NODES)
    weights /= weights.sum()
    found = np.zeros((DEGREE + 1, _NODES))
    for degree in range(DEGREE + 1):
        own = np.eye(DEGREE + 1)[degree][: degree + 1]
        coefficients = hermite_e.hermeval(places, own) * weights / factorial(degree)
        found[: degree + 1] += hermite_e.herme2poly(own)[:, None] * coefficients
    return places, found


def project(value: Callable[[FloatArray], FloatArray], spread: FloatArray) -> FloatArray:
    """
    Return the coefficients (5, n + 1) of the polynomial nearest to a function of a normal v.

    Parameters
    ----------
    value
        Returns the function at v (8, n + 1), for each number of features.
    spread : (n + 1,)
        The standard deviation of v; where it is 0 the polynomial is a constant.
    """
    places, to_terms = _projection()
    terms = to_terms @ value(places[:, None] * spread)
    scale = np.where(spread > 0, spread, 1.0)
    return np.asarray(terms / scale ** np.arange(DEGREE + 1)[:, None], dtype=np.float64)
