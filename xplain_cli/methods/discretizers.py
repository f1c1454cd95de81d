"""Discretizers: the edges that cut a number into bins (quartiles, deciles, entropy, none)."""

import numpy as np

from xplain_cli.explanation import FloatArray, IntArray

_EXPONENT = 96  # that of float32 goes to 128

DISCRETIZERS = ("quartile", "decile", "entropy", "none")


def quantile_edges(values: FloatArray, parts: int) -> FloatArray:
    """Return the distinct inner quantiles that cut *values* (b,) into equal *parts*."""
    known = values[~np.isnan(values)]
    if not len(known):
        return np.empty(0)
    shares = np.arange(1, parts) * (100.0 / parts)
    return np.unique(np.percentile(known, shares))


def _shrink(x: FloatArray) -> float:
    """
    Return the power of two that makes values (b,) small enough for a tree; 1 where they are.

    Trees hold float32, and add up the values of a column. A power of two changes no digit of a
    value, so edges are the same but for its exponent.
    """
    largest = float(np.abs(x).max())
    if largest <= float(np.finfo(np.float32).max):
        return 1.0
    return float(2.0 ** (_EXPONENT - int(np.frexp(largest)[1])))


def entropy_edges(values: FloatArray, labels: IntArray) -> FloatArray:
    """
    Return the thresholds of a depth-3 entropy tree of *labels* (b,) on *values* (b,).

    As ``lime``'s EntropyDiscretizer: at most 8 bins, the median where no split helps. Rows are
    sorted first, so that their order decides nothing.
    """
    from sklearn.tree import DecisionTreeClassifier

    known = ~np.isnan(values)
    if not known.any():
        return np.empty(0)
    order = np.lexsort((labels[known], values[known]))
    x, y = values[known][order], labels[known][order]
    shrink = _shrink(x)
    tree = DecisionTreeClassifier(criterion="entropy", max_depth=3, random_state=0)
    fitted = tree.fit(x[:, None] * shrink, y).tree_
    edges = fitted.threshold[fitted.children_left > -1] / shrink
    return np.unique(edges) if len(edges) else np.array([float(np.median(x))])
