"""Steps before a model that are no matrices and have derivatives all the same.

Powers of scikit-learn's ``PowerTransformer``, products of ``PolynomialFeatures``, and rows divided
by their length (``Normalizer``).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.models.contract import UnableError
from xplain_cli.models.estimators.chains import Affine, Stage


@dataclass(frozen=True)
class YeoJohnson:
    """
    Powers after Yeo and Johnson 2000, a column each; they take numbers of either sign.

    Attributes
    ----------
    powers : (d,)
        Lambda of each column.
    """

    powers: FloatArray

    def _halves(self, inputs: FloatArray) -> tuple[BoolArray, FloatArray, FloatArray]:
        """Return where a number is not negative, 1 + its size, and the power on its side."""
        above = inputs >= 0
        return above, 1 + np.abs(inputs), np.where(above, self.powers, 2 - self.powers)

    def forward(self, inputs: FloatArray) -> FloatArray:
        """Return ((1 + x)^p - 1) / p, and its mirror image with 2 - p below 0."""
        above, sizes, powers = self._halves(inputs)
        made = _box_cox(sizes, powers)
        return np.where(above, made, -made)

    def backward(self, inputs: FloatArray, made: FloatArray, slopes: FloatArray) -> FloatArray:  # noqa: ARG002 - the protocol's
        """Return derivatives by the inputs."""
        _, sizes, powers = self._halves(inputs)
        return np.asarray(slopes * sizes ** (powers - 1), dtype=np.float64)


@dataclass(frozen=True)
class BoxCox:
    """
    Powers after Box and Cox 1964, a column each; they take what is above 0.

    Attributes
    ----------
    powers : (d,)
        Lambda of each column.
    """

    powers: FloatArray

    def forward(self, inputs: FloatArray) -> FloatArray:
        """Return (x^p - 1) / p."""
        return _box_cox(inputs, np.broadcast_to(self.powers, inputs.shape))

    def backward(self, inputs: FloatArray, made: FloatArray, slopes: FloatArray) -> FloatArray:  # noqa: ARG002 - the protocol's
        """Return derivatives by the inputs."""
        return np.asarray(slopes * inputs ** (self.powers - 1), dtype=np.float64)


def _box_cox(values: FloatArray, powers: FloatArray) -> FloatArray:
    """Return (x^p - 1) / p, which is log x where p is 0."""
    logs = np.log(values)
    whole = np.where(powers == 0, 1.0, powers)
    return np.where(powers == 0, logs, np.expm1(whole * logs) / whole)


@dataclass(frozen=True)
class Monomials:
    """
    Products of powers of the inputs.

    Attributes
    ----------
    exponents : (e, d) int
        Of each product the power of each input.
    """

    exponents: IntArray

    def forward(self, inputs: FloatArray) -> FloatArray:
        """Return the products (m, e)."""
        made = np.ones((len(inputs), len(self.exponents)))
        for j in range(inputs.shape[1]):
            made *= inputs[:, j : j + 1] ** self.exponents[:, j]
        return made

    def backward(self, inputs: FloatArray, made: FloatArray, slopes: FloatArray) -> FloatArray:  # noqa: ARG002 - the protocol's
        """Return derivatives by the inputs."""
        found = np.zeros(inputs.shape)
        for j in range(inputs.shape[1]):
            held = np.flatnonzero(self.exponents[:, j])
            less = self.exponents[held].copy()
            less[:, j] -= 1
            lower = Monomials(less).forward(inputs) * self.exponents[held, j]
            found[:, j] = (slopes[:, held] * lower).sum(axis=1)
        return found


@dataclass(frozen=True)
class UnitLength:
    """Rows divided by their Euclidean length; a row of zeros stays as it is."""

    def _lengths(self, inputs: FloatArray) -> FloatArray:
        lengths = np.sqrt((inputs * inputs).sum(axis=1, keepdims=True))
        return np.where(lengths == 0, 1.0, lengths)

    def forward(self, inputs: FloatArray) -> FloatArray:
        """Return x / |x|."""
        return np.asarray(inputs / self._lengths(inputs), dtype=np.float64)

    def backward(self, inputs: FloatArray, made: FloatArray, slopes: FloatArray) -> FloatArray:
        """Return derivatives by the inputs."""
        along = (slopes * made).sum(axis=1, keepdims=True)
        return np.asarray((slopes - along * made) / self._lengths(inputs), dtype=np.float64)


def _powers(step: Any) -> tuple[Stage, ...]:
    lambdas = np.asarray(step.lambdas_, dtype=np.float64)
    powers: Stage = BoxCox(lambdas) if step.method == "box-cox" else YeoJohnson(lambdas)
    if not step.standardize:
        return (powers,)
    scaler = step._scaler  # noqa: SLF001 - no public way
    return powers, Affine(np.diag(1 / scaler.scale_), -scaler.mean_ / scaler.scale_)


def _products(step: Any) -> tuple[Stage, ...]:
    return (Monomials(np.asarray(step.powers_, dtype=np.int64)),)


def _lengths(step: Any) -> tuple[Stage, ...]:
    if step.norm != "l2":
        raise UnableError(f"follows rows of Euclidean length 1, and this Normalizer is {step.norm}")
    return (UnitLength(),)


_SMOOTH = {"Normalizer": _lengths, "PolynomialFeatures": _products, "PowerTransformer": _powers}


def smooth_stages(step: Any) -> tuple[Stage, ...] | None:
    """
    Return a fitted step's stages; None: it is none of these.

    Raises
    ------
    UnableError
        It is one of these, in a form that has no derivatives.
    """
    read = _SMOOTH.get(type(step).__name__)
    return None if read is None else read(step)
