"""Scrambled Sobol points: those of scipy to the last bit, at less than half of its time.

Sobol 1967; direction numbers of Joe and Kuo 2008, 10.1137/070709359; scrambled by random lower
triangular matrices and a digital shift (Matousek 1998, 10.1006/jcom.1998.0489), as
``scipy.stats.qmc.Sobol`` does bit by bit, for each of thirty bits. A design of masks takes its
points anew for each number of features and each repeat, and of a long sequence only the first ones:
here all dimensions are scrambled at once, as whole numbers, and only the direction numbers that are
used.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from xplain_cli.explanation import FloatArray

_BITS = 30
WHOLE = 1 << _BITS  # one, in whole numbers
_MOST_BITS_OF_A_POLYNOMIAL = 18
_DIMENSIONS = 64  # direction numbers are made for a multiple of so many


def _polynomials(dimensions: int) -> tuple[Any, Any]:
    """Return the primitive polynomials (d,) and first direction numbers (d, 18) of scipy's file."""
    import scipy

    path = Path(scipy.__file__).parent / "stats" / "_sobol_direction_numbers.npz"
    with np.load(path) as found:
        return found["poly"][:dimensions], found["vinit"][:dimensions]


def _read_off(dimensions: int, used: int) -> Any:
    """
    Return direction numbers (d, used) read off scipy's own points, should its file be elsewhere.

    In the order of Gray's code a point differs from the one before it by one direction number, and
    those at the powers of 2 bring in a new one. Slower, as ``scipy.stats`` is imported.
    """
    from scipy.stats import qmc

    dimensions = min(dimensions, qmc.Sobol.MAXDIM)
    points = qmc.Sobol(dimensions, scramble=False, bits=_BITS).random_base2(used)
    numbers = (points * WHOLE).astype(np.int64)
    return np.stack([numbers[1 << k] ^ numbers[(1 << k) - 1] for k in range(used)], axis=1)


@cache
def _direction_numbers(dimensions: int, used: int) -> Any:
    """Return direction numbers before they are scrambled, (d, used) int64; fewer where none are."""
    if not used:
        return np.zeros((dimensions, 0), dtype=np.int64)
    try:
        polynomials, first = _polynomials(dimensions)
    except (OSError, KeyError):
        return _read_off(dimensions, used)
    dimensions = len(polynomials)
    degrees = np.frexp(polynomials.astype(np.float64))[1] - 1
    found = np.zeros((dimensions, used), dtype=np.int64)
    found[0] = 1
    for bit in range(used):
        known = degrees > bit
        found[known, bit] = first[known, min(bit, first.shape[1] - 1)]
        for degree in range(1, min(bit, _MOST_BITS_OF_A_POLYNOMIAL) + 1):
            own = np.flatnonzero(degrees == degree)
            value = found[own, bit - degree]
            for back in range(degree):
                takes = polynomials[own] >> (degree - 1 - back) & 1
                value = value ^ (takes * (found[own, bit - back - 1] << (back + 1)))
            found[own, bit] = value
    return found << np.arange(_BITS - 1, _BITS - 1 - used, -1)


def _parity(numbers: Any) -> Any:
    """Return the parity of 32-bit numbers, 0 or 1."""
    for shift in (16, 8, 4, 2, 1):
        numbers = numbers ^ (numbers >> shift)
    return numbers & 1


def _scrambled(numbers: Any, source: np.random.Generator) -> tuple[Any, Any]:
    """Return direction numbers (d, u) times random triangular matrices, and shifts (d,)."""
    d, source = len(numbers), source.spawn(1)[0]  # as scipy takes its stream
    shifts = source.integers(2, size=(d, _BITS), dtype=np.uint32) @ (1 << np.arange(_BITS))
    rows = np.tril(source.integers(2, size=(d, _BITS, _BITS), dtype=np.uint32), -1)
    worth = 1 << np.arange(_BITS - 1, -1, -1)
    matrix = rows.astype(np.int64) @ worth + worth  # the diagonal is 1
    bits = _parity(matrix[:, :, None] & numbers[:, None, :])
    return (bits * worth[:, None]).sum(axis=1), shifts


def sobol_numbers(dimensions: int, count: int, source: np.random.Generator) -> Any:
    """Return scrambled Sobol points as whole numbers below 2^30, (dimensions, count) uint32."""
    used = max(count - 1, 0).bit_length()
    stored = -(-dimensions // _DIMENSIONS) * _DIMENSIONS
    known = _direction_numbers(stored, used)
    if dimensions > len(known):
        raise ValueError(f"{dimensions} dimensions: there are numbers for {len(known)}")
    numbers, shifts = _scrambled(known[:dimensions], source)
    points = np.empty((dimensions, 1 << used), dtype=np.uint32)
    points[:, 0] = shifts
    for bit in range(used):  # in the order of Gray's code, which runs backwards after every bit
        here = 1 << bit
        before = points[:, here - 1 :: -1] if here < points.shape[1] else points[:, ::-1]
        points[:, here : 2 * here] = before ^ numbers[:, bit, None].astype(np.uint32)
    return points[:, :count]


def sobol_points(dimensions: int, count: int, source: np.random.Generator) -> FloatArray:
    """Return scrambled Sobol points in [0, 1), (count, dimensions)."""
    return np.asarray(sobol_numbers(dimensions, count, source).T / WHOLE, dtype=np.float64)
