"""Finds the names of classes in an ONNX graph: from its label output back to where labels stand.

Exporters write no names on the columns of probabilities. But a graph that answers labels must take
them from somewhere: the attributes of a classifier node, or a constant that an ``ArgMax`` points
into.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.models.onnx.graph import Graph, Node, Value, constant, listed
from xplain_cli.models.responses import is_bounded, sums_to_one

_CLASSIFIERS = frozenset({"TreeEnsembleClassifier", "LinearClassifier", "SVMClassifier"})
_CLASS_LABELS = ("classlabels_int64s", "classlabels_ints", "classlabels_strings")
_UNCHANGED = frozenset({"Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten"})
_TURNED = frozenset({"Transpose"})
_SCORES_ONLY = frozenset({"Normalizer", "LpNormalization", "Softmax", "Sigmoid"})
_PICKED = frozenset({"ArrayFeatureExtractor", "Gather"})
_DEEPEST = 64
_AGREEING = 0.8  # labels by margins and Platt's probabilities differ in a few rows


def _source(graph: Graph, name: str, through: frozenset[str]) -> tuple[str, Node] | None:
    """Return the value that *name* repeats, with its operator, behind operators that only shape."""
    for _ in range(_DEEPEST):
        node = graph.nodes.get(name)
        if node is None:
            return None
        if node.op not in through or not node.inputs:
            return name, node
        name = node.inputs[0]
    return None


def _encoded(graph: Graph, node: Node, columns: int) -> tuple[Value, ...]:
    """Return what a ``LabelEncoder`` makes of the labels that it is given."""
    given = labels_of(graph, node.inputs[0], columns)
    keys = listed(graph, node, ("keys_int64s", "keys_strings"))
    values = listed(graph, node, ("values_int64s", "values_strings"))
    table = dict(zip(keys, values, strict=False))
    return tuple(table[one] for one in given) if set(given) <= set(table) else ()


def labels_of(graph: Graph, output: str, columns: int) -> tuple[Value, ...]:
    """
    Return the labels that an output chooses among, in the order of the columns of its scores.

    Parameters
    ----------
    graph
        The model.
    output
        An output, or any other value.
    columns
        How many scores there are: ``ArgMax`` alone answers their positions.

    Returns
    -------
    the labels; empty where the graph does not show that the output is a label
    """
    found = _source(graph, output, _UNCHANGED | _TURNED)
    if found is None:
        return ()
    name, node = found
    if node.op in _CLASSIFIERS and node.outputs[0] == name:
        return listed(graph, node, _CLASS_LABELS)
    if node.op in _PICKED:
        return constant(graph, node.inputs[0])
    if node.op == "ArgMax" or (node.op == "TopK" and name == node.outputs[-1]):
        return tuple(range(columns))
    return _encoded(graph, node, columns) if node.op == "LabelEncoder" else ()


def _scored(graph: Graph, output: str) -> tuple[Value, ...]:
    """Return the labels of the classifier node whose scores an output repeats."""
    found = _source(graph, output, _UNCHANGED | _SCORES_ONLY)
    if found is None or found[1].op not in _CLASSIFIERS:
        return ()
    name, node = found
    return listed(graph, node, _CLASS_LABELS) if name == node.outputs[-1] else ()


def joined(graph: Graph, output: str) -> tuple[str, ...]:
    """Return the values that an output lays side by side; empty where it does not."""
    found = _source(graph, output, _UNCHANGED)
    is_joined = found is not None and found[1].op in {"Concat", "SequenceConstruct"}
    return found[1].inputs if found is not None and is_joined else ()


def _spelled(values: Sequence[Any], like: Any = None) -> tuple[str, ...]:
    """Return labels as they are written; numbers as the label output, *like*, has them."""
    if like is not None and like.dtype.kind in "iu":
        return tuple(str(int(value)) for value in values)
    return tuple(str(value) for value in values)


def _highest(matrix: FloatArray) -> tuple[IntArray, BoolArray]:
    """Return the class with the highest score in each row, and where no other is as high."""
    if matrix.shape[1] == 1:  # the second of two classes, by its probability or by a margin
        limit = 0.5 if is_bounded(matrix) else 0.0
        return (matrix[:, 0] > limit).astype(np.int64), matrix[:, 0] != limit
    highest = matrix.max(axis=1, keepdims=True)
    return matrix.argmax(axis=1), (matrix == highest).sum(axis=1) == 1


def _agrees(names: Sequence[str], matrix: FloatArray, answered: Sequence[str]) -> bool:
    """Tell whether the label of (nearly) every row is that of its highest score."""
    places, clear = _highest(matrix)
    right: list[bool] = [
        names[at] == answered[i] for i, at in enumerate(places.tolist()) if clear[i]
    ]
    return sum(right) >= _AGREEING * len(right)


def _seen(matrix: FloatArray, answered: Sequence[str]) -> tuple[str, ...] | None:
    """Return the labels as rows show them, if every class is the highest in some row."""
    places, clear = _highest(matrix)
    pairs = {(at, answered[i]) for i, at in enumerate(places.tolist()) if clear[i]}
    classes = max(2, matrix.shape[1])
    if len(pairs) != classes or len(dict(pairs)) != classes:
        return None
    names = tuple(name for _, name in sorted(pairs))
    return names if len(set(names)) == classes else None


def class_names(
    graph: Graph, scores: str, matrix: FloatArray, label: str | None, answered: Any = None
) -> tuple[str, ...] | None:
    """
    Return the names of the classes whose scores are *matrix*; None: nothing says them.

    Parameters
    ----------
    graph
        The model.
    scores
        The output that gives the scores.
    matrix : (rows, columns)
        What it answered at the probe; one column may speak of two classes.
    label
        The output that gives the label; None: there is none.
    answered : (rows,)
        The labels that it answered at the probe; None with no label output.

    Returns
    -------
    The names that the graph states, if the labels at the probe bear them out; else what the rows
    show, if they show all of it.
    """
    columns = matrix.shape[1]
    stated = labels_of(graph, label, columns) if label is not None else ()
    scored = _scored(graph, scores)
    stated = stated or scored
    fits = len(stated) == columns or (columns, len(stated)) == (1, 2)
    names = _spelled(stated, answered) if fits and len(set(stated)) == len(stated) else None
    one_node = stated == scored and sums_to_one(matrix)  # its labels are those of its scores
    if answered is None or (one_node and names is not None):
        return names
    shown = _spelled(answered)
    for order in (names, names[::-1] if names is not None and columns == 1 else None):
        if order is not None and _agrees(order, matrix, shown):
            return order
    return _seen(matrix, shown)
