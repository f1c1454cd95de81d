"""Linear codes: masks in which any five features show all their patterns equally often."""

import functools

import numpy as np

from xplain_cli.explanation import BoolArray, IntArray

# irreducible polynomials over GF(2), by degree: the field of 2^degree elements
_FIELDS = {5: 0b100101, 6: 0b1000011, 7: 0b10000011}
# greedy search tries the columns in the order 0, s, 2s, ...: the strides that leave the most
_STRIDES = {9: 159, 11: 519}
_BITS = range(4, 15)


def _multiply(a: IntArray, b: IntArray, degree: int) -> IntArray:
    """Return the products of field elements, written as polynomials in bits."""
    product = np.zeros_like(a)
    for bit in range(degree):
        product ^= np.where(b >> bit & 1, a << bit, 0)
    for bit in range(2 * degree - 2, degree - 1, -1):
        product ^= np.where(product >> bit & 1, _FIELDS[degree] << bit - degree, 0)
    return product


def _cubes(degree: int) -> IntArray:
    """Return the 2^degree columns (x, x^3): no two pairs of them have the same sum."""
    x = np.arange(1 << degree)
    cubes = _multiply(_multiply(x, x, degree), x, degree)
    return x << degree | cubes


def _greedy(bits: int) -> IntArray:
    """Take each column that is no sum of three columns taken before."""
    allowed = np.ones(1 << bits, dtype=bool)
    columns, pairs = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    for column in np.arange(1 << bits) * _STRIDES.get(bits, 1) % (1 << bits):
        if allowed[column]:
            allowed[column] = False
            allowed[column ^ pairs] = False
            pairs = np.concatenate([pairs, columns ^ column])
            columns = np.append(columns, column)
    return columns


@functools.cache
def sidon_columns(bits: int) -> IntArray:
    """
    Return columns in F_2^bits of which no two pairs have the same sum: any four are independent.

    For an even number of bits from 10 on the columns (x, x^3) over GF(2^(bits/2)), the parity
    checks of a BCH code of distance 5 (Bose and Ray-Chaudhuri 1960); else a greedy search. What
    comes out: 6, 7, 9, 12, 18, 24, 32, 41, 64, 70 and 128 columns for 4 to 14 bits.
    """
    columns = _cubes(bits // 2) if bits in {10, 12, 14} else _greedy(bits)
    columns.setflags(write=False)
    return columns


def capacity(rows: int) -> int:
    """Return how many features a code of *rows* masks, a power of two, serves; 0: none."""
    bits = rows.bit_length() - 2
    return len(sidon_columns(bits)) if bits in _BITS and rows == 2 << bits else 0


def code_rows(n: int, limit: int) -> int:
    """Return the rows of the largest whole code for *n* features within *limit*; 0: none."""
    able = [2 << bits for bits in _BITS if 2 << bits <= limit and capacity(2 << bits) >= n]
    return max(able, default=0)


def code_size(n: int) -> int:
    """Return the rows of the smallest code for *n* features; 0: none of up to 32768 rows."""
    able = [2 << bits for bits in _BITS if capacity(2 << bits) >= n]
    return min(able, default=0)


def code_masks(n: int, m: int, stream: np.random.Generator) -> BoolArray:
    """
    Draw a randomised linear code: any five features show all 32 patterns equally often.

    Row t keeps feature j where <t, c_j> xor s_j is 1, with the columns c of ``sidon_columns``, and
    each row is followed in the second half by its complement (which adds a bit that all columns
    share, so any five are independent). So a main effect is clear of all interactions of up to four
    features. The shifts s are uniform, hence every row is uniform on the 2^n masks; which column a
    feature gets is uniform too. A random invertible bit matrix would add nothing: it permutes rows.

    Parameters
    ----------
    n
        Features, at most ``capacity(m)``.
    m
        Masks, 2^(bits + 1).

    Returns
    -------
    (m, n) bool

    Raises
    ------
    ValueError
        No code of *m* masks serves *n* features.
    """
    if n > capacity(m):
        raise ValueError(f"no code of {m} masks for {n} features")
    bits = m.bit_length() - 2
    columns = stream.permutation(sidon_columns(bits))[:n]
    rows = stream.integers(0, 2, (1, n)).astype(bool)
    for bit in range(bits):
        rows = np.concatenate([rows, rows ^ (columns >> bit & 1).astype(bool)])
    return np.concatenate([rows, ~rows])
