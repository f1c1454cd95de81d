"""Weighted ridge regression from sums: one pass over the draws, everything else from its Gram.

With rows [1, z, f] of one repeat and weights w, the Gram matrix S = sum_i w_i v_i v_i^T holds all
that fits, errors and R^2 need. Shapes: n features, t targets, p = 1 + n + t.

Leading axes are rows and repeats. Nothing here may depend on how many of them stand together:
products are taken matrix by matrix, sums over the last, contiguous axis.
"""

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray

# far below any sampling error, far above rounding: keeps features that never vary solvable
_JITTER = 1e-10
# a share of the total weight: features that vary more lose less than 1e-4 standard errors of
# their weight to single precision
_LEAST_VARIANCE = 1e-4
_BLOCK = 8


class _Space(threading.local):
    """Arrays that are filled again and again: fresh memory costs as much as what is done in it."""

    def __init__(self) -> None:
        self._held: dict[Any, Any] = {}

    def array(self, rows: int, columns: int, dtype: Any) -> Any:
        """Return an array (rows, columns) of any content, until the next one of its type."""
        held = self._held.get(dtype)
        if held is None or held.size < rows * columns:
            held = self._held[dtype] = np.empty(rows * columns, dtype=dtype)
        return held[: rows * columns].reshape(rows, columns)


SPACE = _Space()


def _products(coordinates: Any, roots: Any, repeats: int) -> Any:
    """Return the Gram matrices of [1, coordinates] times *roots*, in their precision."""
    n, total = coordinates.shape
    # products of whole blocks are up to a third faster than of a block and a few rows
    rows = SPACE.array(-(-(1 + n) // _BLOCK) * _BLOCK, total, roots.dtype.type)
    rows[0] = 1
    rows[1 : 1 + n] = coordinates
    rows[: 1 + n] *= roots
    rows[1 + n :] = 0
    by_repeat = rows.reshape(len(rows), repeats, total // repeats).transpose(1, 0, 2)
    # a product with its own transpose is computed as half a product (BLAS syrk)
    return (by_repeat @ by_repeat.transpose(0, 2, 1))[:, : 1 + n, : 1 + n]


def _rounded(coordinates: BoolArray, weights: FloatArray, repeats: int) -> FloatArray | None:
    """Return ``_products`` in single precision; None where they are too coarse."""
    roots = np.sqrt(weights).astype(np.float32)
    sums: FloatArray = np.asarray(_products(coordinates, roots, repeats), dtype=np.float64)
    for j in np.flatnonzero(coordinates.all(axis=1)) + 1:
        sums[:, j], sums[:, :, j] = sums[:, 0], sums[:, :, 0]
    pooled = sums.sum(axis=0)
    total, own = pooled[0, 0], np.diagonal(pooled)[1:]
    if not (total > 0 and np.isfinite(pooled).all()):
        return None
    varying = own[(own > 0) & (own < total)]
    return None if (varying - varying**2 / total < _LEAST_VARIANCE * total).any() else sums


def gram(coordinates: Any, values: FloatArray, weights: FloatArray, repeats: int) -> FloatArray:
    """
    Return the weighted Gram matrix of [1, coordinates, values] for each repeat.

    Coordinates that say yes or no are multiplied with each other in single precision, in half the
    time, unless one of them is so seldom yes, or no, that it would show. Their products with values
    are not: weights stay as additive in the values as the algebra has them. (Nor is a single
    repeat: its errors take a pass over the draws, against which the product is cheap.)

    Parameters
    ----------
    coordinates : (n, r * m) bool or float
    values : (t, r * m) float
    weights : (r * m,) float
    repeats : r

    Returns
    -------
    (r, p, p) float
    """
    inner = None
    if coordinates.dtype == np.bool_ and repeats > 1:
        inner = _rounded(coordinates, weights, repeats)
    if inner is None:
        inner = _products(coordinates, np.sqrt(weights), repeats)
    (n, total), t = coordinates.shape, len(values)
    weighted = (values * weights).reshape(t, repeats, total // repeats).transpose(1, 0, 2)
    numbers = SPACE.array(n, total, np.float64)
    numbers[:] = coordinates
    by_repeat = numbers.reshape(n, repeats, -1).transpose(1, 2, 0)
    sums = np.empty((repeats, 1 + n + t, 1 + n + t))
    sums[:, : 1 + n, : 1 + n] = inner
    sums[:, 1 + n :, 0] = np.ascontiguousarray(weighted).sum(axis=-1)
    sums[:, 1 + n :, 1 : 1 + n] = weighted @ by_repeat
    sums[:, : 1 + n, 1 + n :] = sums[:, 1 + n :, : 1 + n].transpose(0, 2, 1)
    sums[:, 1 + n :, 1 + n :] = weighted @ values.reshape(t, repeats, -1).transpose(1, 2, 0)
    return sums


@dataclass(frozen=True)
class Basis:
    """
    Weighted coordinates that several rows share.

    Attributes
    ----------
    rows : (r, 1 + n, m)
        [1, coordinates], times the root of the weight of each draw.
    roots : (r, m)
        Roots of the weights.
    own : (r, 1 + n, 1 + n)
        Their Gram matrix.
    """

    rows: FloatArray
    roots: FloatArray
    own: FloatArray


def make_basis(coordinates: Any, weights: FloatArray) -> Basis:
    """Return the basis of coordinates (r, m, n) with weights (r, m)."""
    roots = np.sqrt(weights)
    r, m, n = coordinates.shape
    rows = np.empty((r, 1 + n, m))
    rows[:, 0] = roots
    np.multiply(coordinates.transpose(0, 2, 1), roots[:, None, :], out=rows[:, 1:])
    return Basis(rows, roots, rows @ rows.transpose(0, 2, 1))


def gram_on(basis: Basis, values: FloatArray) -> FloatArray:
    """
    Return the weighted Gram matrices of [1, coordinates, values] on a shared basis.

    Parameters
    ----------
    values : (b, t, r * m) float
        Of b rows.

    Returns
    -------
    (b, r, p, p) float
    """
    r, p, m = basis.rows.shape
    b, t = values.shape[:2]
    weighted = values.reshape(b, t, r, m).transpose(0, 2, 1, 3) * basis.roots[:, None, :]
    sums = np.empty((b, r, p + t, p + t))
    sums[:, :, :p, :p] = basis.own
    for i in range(b):  # row by row: last digits must not depend on how many stand together
        cross = weighted[i] @ basis.rows.transpose(0, 2, 1)
        sums[i, :, p:, :p] = cross
        sums[i, :, :p, p:] = cross.transpose(0, 2, 1)
        sums[i, :, p:, p:] = weighted[i] @ weighted[i].transpose(0, 2, 1)
    return sums


def centre(sums: FloatArray, n: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """
    Return the centred normal equations of sums (..., p, p).

    Returns
    -------
    matrix : (..., n, n), sum w (z - zbar)(z - zbar)^T
    right : (..., n, t), sum w (z - zbar)(f - fbar)
    means : (..., n + t), zbar and fbar
    """
    total = sums[..., 0, 0]
    means = sums[..., 0, 1:] / total[..., None]
    centred = sums[..., 1:, 1:] - total[..., None, None] * means[..., :, None] * means[..., None, :]
    return centred[..., :n, :n], centred[..., :n, n:], means


def penalised(matrix: FloatArray, ridge: float) -> FloatArray:
    """Return centred normal matrices (..., n, n) with their penalty, which can be solved."""
    largest = np.diagonal(matrix, axis1=-2, axis2=-1).max(axis=-1)
    bump = ridge + np.where(largest > 0, _JITTER * largest, 1.0)
    return np.asarray(matrix + bump[..., None, None] * np.eye(matrix.shape[-1]))


def solve(
    sums: FloatArray, n: int, ridge: float, selected: BoolArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """
    Fit f ~ intercept + z . beta by weighted ridge (the intercept is free).

    Parameters
    ----------
    sums : (..., p, p)
        Gram matrices of ``gram``.
    n
        Number of features.
    ridge
        Penalty on sum beta^2, on the scale of the summed weights.
    selected : (..., t, n) bool, optional
        Features that each target may use; the others get 0.

    Returns
    -------
    beta : (..., t, n)
    intercept : (..., t)
    """
    matrix, right, means = centre(sums, n)
    matrix = penalised(matrix, ridge)
    if selected is None:
        beta = np.swapaxes(np.linalg.solve(matrix, right), -1, -2).copy()
    else:
        both = selected[..., :, None] & selected[..., None, :]
        kept = np.where(both, matrix[..., None, :, :], np.eye(n))
        wanted = np.where(selected, np.swapaxes(right, -1, -2), 0.0)
        beta = np.linalg.solve(kept, wanted[..., None])[..., 0]
    intercept = means[..., n:] - (beta * means[..., None, :n]).sum(axis=-1)
    return beta, intercept


def solve_alike(sums: FloatArray, n: int, ridge: float) -> tuple[FloatArray, FloatArray]:
    """
    Return what ``solve`` does, of rows that have the same draws with the same weights.

    Their normal matrices are one, which is inverted once: (b, ..., p, p), b rows.
    """
    matrix, _, means = centre(sums[0], n)
    inverse = np.linalg.inv(penalised(matrix, ridge))
    total, inner = sums[0, ..., 0, 0], means[..., :n]
    levels = sums[..., 0, 1 + n :] / total[..., None]
    right = sums[..., 1 : 1 + n, 1 + n :] - inner[..., None] * sums[..., :1, 1 + n :]
    # a product for each row: last digits do not depend on how many stand together
    beta = np.swapaxes(inverse @ right, -1, -2).copy()
    return beta, levels - (beta * inner[..., None, :]).sum(axis=-1)


def residual_sums(sums: FloatArray, beta: FloatArray, intercept: FloatArray) -> FloatArray:
    """Return sum w (f - intercept - z . beta)^2 over the draws of *sums* (..., p, p): (..., t)."""
    n, t = beta.shape[-1], beta.shape[-2]
    fit = np.concatenate([-intercept[..., None], -beta], axis=-1)  # (..., t, 1 + n)
    inner = sums[..., : 1 + n, : 1 + n]
    cross = np.swapaxes(sums[..., : 1 + n, 1 + n :], -1, -2).copy()
    own = np.diagonal(sums, axis1=-2, axis2=-1)[..., 1 + n : 1 + n + t]
    squares = ((fit @ inner) * fit).sum(axis=-1)
    crosses = (fit * cross).sum(axis=-1)
    return np.asarray(own + 2 * crosses + squares, dtype=np.float64)


def total_sums(sums: FloatArray, n: int) -> FloatArray:
    """Return sum w (f - fbar)^2 over the draws of *sums* (..., p, p): (..., t)."""
    total = sums[..., 0, 0]
    means = sums[..., 0, 1 + n :] / total[..., None]
    own = np.diagonal(sums, axis1=-2, axis2=-1)[..., 1 + n :]
    return np.asarray(own - total[..., None] * means**2, dtype=np.float64)


def sandwich(
    coordinates: FloatArray,
    values: FloatArray,
    weights: FloatArray,
    beta: FloatArray,
    intercept: FloatArray,
    ridge: float,
) -> tuple[FloatArray, FloatArray]:
    """
    Return HC3 error factors and the leave-one-out residual sums of one repeat.

    MacKinnon and White 1985: V = A^-1 (sum s s^T) A^-1 with s = w zc r / (1 - h). The draws are
    taken as independent; for a Sobol sequence this overstates the error.

    Parameters
    ----------
    coordinates : (n, m), values : (t, m), weights : (m,), beta : (t, n), intercept : (t,)

    Returns
    -------
    error_factors : (n, t, n), outer products of which sum to the covariance
    left_out : (t,), sum w (r / (1 - h))^2
    """
    z = np.asarray(coordinates, dtype=np.float64)
    total = weights.sum()
    centred = z - (z @ weights / total)[:, None]
    matrix = (centred * weights) @ centred.T
    largest = np.diagonal(matrix).max()
    matrix += (ridge + (_JITTER * largest if largest > 0 else 1.0)) * np.eye(len(z))
    influence = np.linalg.solve(matrix, centred * weights)
    leverage = np.einsum("nm,nm->m", influence, centred) + weights / total
    residuals = values - intercept[:, None] - beta @ z
    residuals = residuals / np.maximum(1 - leverage, 1e-6)
    error_factors = np.zeros((len(z), len(values), len(z)))
    for target, left_out in enumerate(residuals):
        scores = influence * left_out
        spread, axes = np.linalg.eigh(scores @ scores.T)
        error_factors[:, target] = (axes * np.sqrt(np.maximum(spread, 0.0))).T
    return error_factors, (weights * residuals**2).sum(axis=1)
