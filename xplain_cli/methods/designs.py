"""Designs: the masks on which a surrogate is fitted, all of them or a balanced sample.

LIME takes features of a row away by a law of its own: for texts every number of features equally
often, for pictures each feature with probability 1/2. Every design here samples that law, or
weighs its masks so that the expectation is the law's; the kernel of a mask with k of n features
multiplies them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.methods.linear_codes import capacity, code_masks, code_rows
from xplain_cli.methods.sobol import WHOLE, sobol_numbers
from xplain_cli.methods.solvers import Basis, make_basis
from xplain_cli.seeds import MASKS, stream

KERNELS = ("cosine", "share", "flat")


@dataclass(frozen=True, eq=False)
class Design:
    """
    Masks with their weights.

    Attributes
    ----------
    masks : (r, m, n) bool
        True where a feature stays; r independent randomisations.
    weights : (r, m) float
        Kernel times probability of the law over that of the design.
    kernel : n + 1 numbers
        The weight of each number of features that stay.
    exact
        All masks that the law can give, with their probabilities.
    """

    masks: BoolArray
    weights: FloatArray
    kernel: tuple[float, ...]
    exact: bool = False

    @cached_property
    def places(self) -> IntArray:
        """The places of masks that have any weight, all repeats together."""
        return np.flatnonzero(self.weights.ravel() > 0)

    @cached_property
    def used(self) -> BoolArray:
        """The masks (u, n) that have any weight: the only ones that the model is asked on."""
        flat = self.masks.reshape(-1, self.masks.shape[-1])
        return np.ascontiguousarray(flat[self.places])

    @cached_property
    def lacks_contrast(self) -> bool:
        """Whether all masks leave equally many features: the row itself must join the fit."""
        return len(set(self.used.sum(axis=1).tolist())) < 2

    @cached_property
    def basis(self) -> Basis:
        """What rows with as many features share of their sums."""
        return make_basis(self.masks, self.weights)


def size_law(inclusion: str, n: int) -> FloatArray:
    """Return the probability that LIME leaves k of n features, k = 0..n: (n + 1,)."""
    if inclusion == "uniform-size":  # the package removes 1..n words, each number equally often
        return np.append(np.full(n, 1 / n), 0.0)
    from scipy.stats import binom

    return np.asarray(binom.pmf(np.arange(n + 1), n, 0.5), dtype=np.float64)


def kernel_weights(kernel: str, width: float, n: int) -> FloatArray:
    """
    Return the weight of a mask with k of n features, k = 0..n: (n + 1,).

    ``cosine``: exp(-(1 - sqrt(k / n))^2 / (2 width^2)), the cosine distance from the full row.
    ``flat``: 1.
    ``share``: k / n; a lone feature can only be compared with its absence, which counts then.
    """
    share = np.arange(n + 1) / n
    if kernel == "flat":
        return np.ones(n + 1)
    if kernel == "share":
        return share if n > 1 else np.ones(2)
    return np.asarray(np.exp(-((1 - np.sqrt(share)) ** 2) / (2 * width**2)), dtype=np.float64)


def _log_choose(n: int) -> FloatArray:
    from scipy.special import gammaln

    k = np.arange(n + 1)
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1), dtype=np.float64)


def all_masks(n: int) -> BoolArray:
    """Return all 2^n masks, (2^n, n)."""
    return ((np.arange(1 << n)[:, None] >> np.arange(n)) & 1).astype(bool)


def enumerate_masks(inclusion: str, kernel: FloatArray) -> Design:
    """Return every mask that the law can give; *kernel* (n + 1,) is the weight of each size."""
    n = len(kernel) - 1
    masks = all_masks(n)
    counts = masks.sum(axis=1)
    weights = (size_law(inclusion, n) * np.exp(-_log_choose(n)) * kernel)[counts]
    possible = weights > 0
    return Design(
        masks[possible][None], weights[possible][None], tuple(kernel.tolist()), exact=True
    )


def _folded(half: BoolArray, count: int) -> BoolArray:
    """Add the complement of every mask."""
    return np.concatenate([half, ~half])[:count]


def _uniform_points(n: int, count: int, source: np.random.Generator, *, sobol: bool) -> BoolArray:
    """Draw p ~ U(0, 1), then each feature with probability p: all numbers equally often."""
    points = sobol_numbers(n + 1, count, source) if sobol else source.random((count, n + 1)).T
    return np.ascontiguousarray((points[1:] < points[0]).T)


def _half_points(n: int, count: int, source: np.random.Generator, *, sobol: bool) -> BoolArray:
    if not sobol:
        return source.random((count, n)) < 0.5
    return np.ascontiguousarray((sobol_numbers(n, count, source) < WHOLE // 2).T)


_POINTS: dict[str, Callable[..., BoolArray]] = {
    "uniform-size": _uniform_points,
    "bernoulli": _half_points,
}


def sobol_masks(inclusion: str, n: int, count: int, source: np.random.Generator) -> BoolArray:
    """Return scrambled Sobol masks and their complements, (count, n)."""
    return _folded(_POINTS[inclusion](n, -(-count // 2), source, sobol=True), count)


def paired_masks(inclusion: str, n: int, count: int, source: np.random.Generator) -> BoolArray:
    """Return independent masks and their complements, (count, n)."""
    return _folded(_POINTS[inclusion](n, -(-count // 2), source, sobol=False), count)


def plain_masks(inclusion: str, n: int, count: int, source: np.random.Generator) -> BoolArray:
    """Return independent masks, as the package ``lime`` draws them, (count, n)."""
    return _POINTS[inclusion](n, count, source, sobol=False)


def is_coded(inclusion: str, n: int, count: int) -> bool:
    """Return whether *count* masks of n features can be a linear code."""
    return inclusion == "bernoulli" and capacity(count) >= n


def coded_masks(inclusion: str, n: int, count: int, source: np.random.Generator) -> BoolArray:
    """Return a linear code of *count* masks; where none serves n features, pairs: (count, n)."""
    if is_coded(inclusion, n, count):
        return code_masks(n, count, source)
    return paired_masks(inclusion, n, count, source)


DESIGNS: dict[str, Callable[[str, int, int, np.random.Generator], BoolArray]] = {
    "sobol": sobol_masks,
    "codes": coded_masks,
    "pairs": paired_masks,
    "plain": plain_masks,
}
"""Ways to sample the law; each mask has probability 1 / ((n + 1) C(n, k)) where numbers are
uniform, else 2^-n."""


DEFAULTS = {"uniform-size": "sobol", "bernoulli": "codes"}
"""The design of each law, where nobody asks for another."""


def whole(design: str, n: int, samples: int) -> int:
    """Return how many of *samples* masks a repeat takes: a fragment of a code loses its balance."""
    return (code_rows(n, samples) or samples) if design == "codes" else samples


def _reweigh(inclusion: str, kernel: FloatArray, counts: IntArray) -> FloatArray:
    """Return the weights of sampled masks with *counts* features."""
    n = len(kernel) - 1
    own = np.full(n + 1, 1 / (n + 1)) if inclusion == "uniform-size" else size_law(inclusion, n)
    return np.asarray((size_law(inclusion, n) / own * kernel)[counts], dtype=np.float64)


def sample_masks(
    design: str,
    inclusion: str,
    kernel: FloatArray,
    budget: tuple[int, int],
    key: tuple[int, ...],
    purpose: int = MASKS,
) -> Design:
    """
    Sample masks.

    Parameters
    ----------
    design
        A key of ``DESIGNS``.
    inclusion
        How features are included (``features.Masker.inclusion``).
    kernel : (n + 1,)
        The weight of each number of features.
    budget
        Masks in a repeat, repeats.
    key
        The run's seed.
    purpose
        What the masks are for (``seeds``).
    """
    n = len(kernel) - 1
    samples, repeats = budget
    masks = np.stack([
        DESIGNS[design](inclusion, n, samples, stream(purpose, *key, n, r)) for r in range(repeats)
    ])
    return Design(masks, _reweigh(inclusion, kernel, masks.sum(axis=2)), tuple(kernel.tolist()))
