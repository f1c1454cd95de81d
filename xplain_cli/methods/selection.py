"""Selects the K features that a surrogate may use: LIME's three ways, from sums alone."""

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray

SELECTIONS = ("auto", "forward", "highest", "lasso")


def _forward(matrix: FloatArray, right: FloatArray, _own: FloatArray, k: int) -> list[int]:
    """
    Add the feature with the largest gain in R^2, k times, sweeping it out of the Gram matrix.

    The same list as refitting every candidate (``lime``'s forward selection).
    """
    matrix, right = matrix.copy(), right.copy()
    floor = 1e-12 * np.diagonal(matrix).copy()
    chosen: list[int] = []
    for _ in range(min(k, len(right))):
        spread = np.diagonal(matrix)
        usable = spread > np.maximum(floor, 0)
        usable[chosen] = False
        gains = np.where(usable, right**2 / np.where(usable, spread, 1.0), -1.0)
        best = int(np.argmax(gains))
        if gains[best] < 0:
            break
        chosen.append(best)
        column = matrix[:, best] / matrix[best, best]
        right -= column * right[best]
        matrix -= np.outer(column, matrix[best])
    return chosen


def _highest(matrix: FloatArray, right: FloatArray, own: FloatArray, k: int) -> list[int]:
    """Take the k largest |weight x the row's own coordinate| of a ridge fit, penalty 0.01."""
    beta = np.linalg.solve(matrix + 0.01 * np.eye(len(right)), right)
    return [int(j) for j in np.argsort(-np.abs(beta * own), kind="stable")[:k]]


def _lasso(matrix: FloatArray, right: FloatArray, _own: FloatArray, k: int) -> list[int]:
    """Take the last knot of the lasso path with at most k features."""
    from sklearn.linear_model import lars_path_gram

    _, _, path = lars_path_gram(right, matrix, n_samples=1, method="lasso")
    for knot in path.T[::-1]:
        used = np.flatnonzero(knot)
        if len(used) <= k:
            return [int(j) for j in used]
    return []


def select(matrix: FloatArray, right: FloatArray, own: FloatArray, k: int, how: str) -> BoolArray:
    """
    Choose at most *k* features for each target.

    Parameters
    ----------
    matrix : (n, n), right : (n, t)
        Centred normal equations (``solvers.centre``).
    own : (n,)
        The row's own coordinates (1 for a feature with bins).
    k
        How many features.
    how
        "forward", "highest", "lasso", or "auto": forward up to 6 features, else highest weights
        (``lime``'s rule).

    Returns
    -------
    (t, n) bool
    """
    if how == "auto":
        how = "forward" if k <= 6 else "highest"
    choose = {"forward": _forward, "highest": _highest, "lasso": _lasso}[how]
    selected = np.zeros((right.shape[1], len(matrix)), dtype=bool)
    for target in range(right.shape[1]):
        selected[target, choose(matrix, right[:, target], own, k)] = True
    return selected


def select_diagonal(diagonal: FloatArray, right: FloatArray, k: int, how: str) -> BoolArray:
    """
    Choose at most *k* features for each target where features are independent.

    Then each way is an order of its own: forward selection by the gain in R^2, highest weights by
    size, and on the lasso path a feature enters at the penalty that equals its right side.

    Parameters
    ----------
    diagonal : (b, n), right : (b, t, n)
        Normal equations, a diagonal matrix, of b rows with own coordinates of 1.
    k, how
        As of ``select``.

    Returns
    -------
    (b, t, n) bool
    """
    if how == "auto":
        how = "forward" if k <= 6 else "highest"
    matrix = np.broadcast_to(diagonal[:, None], right.shape)
    usable = matrix > 1e-12 * diagonal.max(axis=-1)[:, None, None]
    if how == "forward":
        size = np.where(usable, right**2 / np.where(usable, matrix, 1.0), -1.0)
    elif how == "highest":
        size = np.abs(right / (matrix + 0.01))
    else:
        size = np.where(right != 0, np.abs(right), -1.0)
    order = np.argsort(-size, axis=-1, kind="stable")[..., :k]
    selected = np.zeros(right.shape, dtype=bool)
    np.put_along_axis(selected, order, values=True, axis=-1)
    return selected & (size >= 0)
