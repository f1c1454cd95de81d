"""Chooses the output of an ONNX model that is explained: probabilities, scores, never labels."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from xplain_cli.errors import RefusedError
from xplain_cli.explanation import FloatArray
from xplain_cli.models.onnx.graph import Graph
from xplain_cli.models.onnx.labels import class_names, joined, labels_of
from xplain_cli.models.responses import Answer, is_bounded, sums_to_one, to_matrix
from xplain_cli.targets import position_names

_WHOLE = re.compile(r"i-?\d+")
_FLOATS = frozenset({"tensor(float)", "tensor(double)", "tensor(float16)"})
_HALF = 0.5
_LABELS, _UNREADABLE = 4, 5


class _Slot(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...


def _is_zipmap(answer: Any) -> bool:
    return isinstance(answer, list) and bool(answer) and isinstance(answer[0], dict)


def _is_numbers(slot: _Slot, answer: Any) -> bool:
    """Tell whether an output holds scores: a matrix, or one matrix for each of several outputs."""
    if isinstance(answer, list):
        kinds = {getattr(one, "dtype", np.dtype(object)).kind for one in answer}
        return kinds == {"f"}
    return slot.type in _FLOATS


def _zipped(answer: list[dict[Any, float]]) -> FloatArray:
    keys = list(answer[0])
    return to_matrix([[row[key] for key in keys] for row in answer])


def _matrices(answer: Any, rows: int) -> list[FloatArray]:
    """
    Return the (rows, columns) matrices of an answer: one, or one for each of several outputs.

    A sequence has one for each output. A stack of them (outputs, rows, classes) is what skl2onnx
    makes of forests; it is told by its second axis, for in other arrays rows come first.
    """
    if _is_zipmap(answer):
        return [_zipped(answer)]
    if isinstance(answer, list):
        return [to_matrix(one) for one in answer]
    array = np.asarray(answer)
    stacked = array.ndim == 3 and array.shape[1] == rows and array.shape[2] > 1
    if stacked and array.shape != (rows, 1, array.shape[2]):
        return [to_matrix(one) for one in array]
    return [to_matrix(array)]


def read_answer(answers: Sequence[Any], rows: int) -> FloatArray:
    """
    Return the chosen outputs side by side: arrays, sequences of arrays, or lists of dicts (ZipMap).

    Parameters
    ----------
    answers
        What the session answered.
    rows
        How many rows it was given.
    """
    parts = [matrix for one in answers for matrix in _matrices(one, rows)]
    return np.ascontiguousarray(np.hstack(parts))


def _from_zipmap(source: str, name: str, answer: list[dict[Any, float]], answered: Any) -> Answer:
    matrix, names = _zipped(answer), tuple(str(key) for key in answer[0])
    if answered is not None and _are_yes_or_no(matrix, answered):
        return _of_labels(source, name, matrix, names)
    return Answer(source, name, matrix, names=names, task="classification")


def _are_yes_or_no(matrix: FloatArray, answered: Any) -> bool:
    """Return whether each column has a label of its own: several of them may hold."""
    return bool(matrix.shape[1] > 1 and matrix.shape == answered.shape) and (
        answered.dtype.kind in "iub"
    )


def _of_labels(source: str, name: str, matrix: FloatArray, labels: Sequence[str]) -> Answer:
    """Return the numbers of labels that do not exclude each other."""
    names = tuple(f"output_{label}=1" for label in labels)
    scale = "probability" if is_bounded(matrix) else None
    return Answer(source, name, matrix, names, scale=scale)


def _points_elsewhere(matrix: FloatArray, own: Any) -> bool:
    """Return whether most labels are places of other columns than the largest: of distances."""
    if own is None or own.dtype.kind not in "iu" or matrix.shape[1] < 2:
        return False
    if own.min() < 0 or own.max() >= matrix.shape[1]:  # labels, and no places
        return False
    return bool((matrix.argmax(axis=1) == own).mean() < _HALF)


def _rank(slot: _Slot, answer: Any, rows: int) -> int:
    """Return how much an output is what people mean by the answer; the least is taken."""
    if _is_zipmap(answer):
        return 0
    if not _is_numbers(slot, answer):
        return _LABELS
    try:
        matrices = _matrices(answer, rows)
    except ValueError:
        return _UNREADABLE
    if all(map(sums_to_one, matrices)):
        return 1
    return 2 if matrices[0].shape[1] > 1 else 3


def _lone_columns(answers: Mapping[Any, Any]) -> list[tuple[_Slot, FloatArray]]:
    """Return the outputs of one number a row each: a classifier exported column by column."""
    floats = [(slot, np.asarray(one)) for slot, one in answers.items() if slot.type in _FLOATS]
    shaped = [(slot, one) for slot, one in floats if one.ndim <= 2]
    return [(slot, to_matrix(one)) for slot, one in shaped if one.size == len(one)]


def _column_names(outputs: Sequence[str], answered: Any) -> tuple[str, ...]:
    """
    Return class names from outputs: skl2onnx writes whole numbers as i0, i1, ..., texts as sNAME.

    Of texts only the labels *answered* tell whether the letter is part of the name.
    """
    bare = tuple(name[1:] for name in outputs)
    texts = {name[0] for name in outputs} == {"s"} and answered is not None
    if texts and set(map(str, answered.ravel().tolist())) <= set(bare):
        return bare
    return bare if all(_WHOLE.fullmatch(name) for name in outputs) else tuple(outputs)


def _label(answers: Mapping[Any, Any], rows: int) -> tuple[str | None, Any]:
    """Return the output that answers labels, and them as (rows, outputs); None: there is none."""
    for slot, answer in answers.items():
        if _is_zipmap(answer) or isinstance(answer, list) or slot.type in _FLOATS:
            continue
        array = np.asarray(answer)
        if array.size == rows:  # some exporters answer (1, rows)
            return slot.name, array.reshape(rows, 1)
        if array.ndim == 2 and len(array) == rows:
            return slot.name, array
    return None, None


def choose_answer(
    source: str, answers: Mapping[Any, Any], graph: Graph, rows: int, wanted: str | None = None
) -> Answer:
    """
    Choose the explained output among what the probe answered.

    Parameters
    ----------
    source
        The model, for messages.
    answers
        By output: all of them; a label among them tells a classifier, and names its classes.
    graph
        The model's operators, which say where labels come from.
    rows
        How many rows the probe gave.
    wanted
        The output that the user named; None: the one that people mean by the answer.

    Raises
    ------
    RefusedError
        There are labels only; or no table of numbers.
    """
    single = _lone_columns(answers) if wanted is None else []
    if len(single) > 1:
        side_by_side = np.hstack([matrix for _, matrix in single])
        if sums_to_one(side_by_side):
            response = "+".join(slot.name for slot, _ in single)
            names = _column_names([slot.name for slot, _ in single], _label(answers, rows)[1])
            return Answer(source, response, side_by_side, names=names, task="classification")
    chosen = [slot for slot in answers if wanted in {None, slot.name}]
    slot = min(chosen, key=lambda one: _rank(one, answers[one], rows))
    answer, rank = answers[slot], _rank(slot, answers[slot], rows)
    if _is_zipmap(answer):
        return _from_zipmap(source, slot.name, answer, _label(answers, rows)[1])
    if rank == _UNREADABLE:
        raise RefusedError(f"{source}: output {slot.name!r} is no table of (rows, outputs)")
    if rank == _LABELS:
        return _from_labels(source, slot, answer, graph, named=wanted is not None)
    matrices, label = _matrices(answer, rows), _label(answers, rows)
    labelled = label[1] is not None and label[1].shape[1] == len(matrices)
    if len(matrices) > 1 and not isinstance(answer, list) and not labelled:
        raise RefusedError(f"{source}: output {slot.name!r} is no table of (rows, outputs)")
    return _from_scores(source, slot.name, matrices, graph, label)


def _from_scores(
    source: str,
    scores: str,
    matrices: Sequence[FloatArray],
    graph: Graph,
    label: tuple[str | None, Any],
) -> Answer:
    """Return scores with the names of their classes, as far as the graph or its labels say them."""
    matrix, answered = np.hstack(matrices), label[1]
    names: tuple[str, ...] | None = None
    if len(matrices) > 1:
        names = _of_several(scores, matrices, graph, label)
        scale = "probability" if all(map(sums_to_one, matrices)) else None
        return Answer(source, scores, matrix, names, task="classification", scale=scale)
    if answered is not None and answered.shape[1] > 1:
        if _are_yes_or_no(matrix, answered):
            return _of_labels(source, scores, matrix, tuple(map(str, range(matrix.shape[1]))))
        return Answer(source, scores, matrix)
    own = None if answered is None else answered[:, 0]
    names = class_names(graph, scores, matrix, label[0], own)
    if names is None and _points_elsewhere(matrix, own):
        return Answer(source, scores, matrix, task="regression")
    lone = matrix.shape[1] == 1 and names is None
    labelled = names is not None or (answered is not None and not lone)
    task = "classification" if labelled else None
    return Answer(source, scores, matrix, names=names, task=task)


def _of_several(
    scores: str, matrices: Sequence[FloatArray], graph: Graph, label: tuple[str | None, Any]
) -> tuple[str, ...]:
    """Return the names of the classes of several outputs: ``output_0=name``."""
    name, answered = label
    parts = joined(graph, name) if name is not None else ()
    own_scores = joined(graph, scores)
    fits = answered is not None and answered.shape[1] == len(matrices)
    names: list[str] = []
    for i, matrix in enumerate(matrices):
        found = class_names(
            graph,
            own_scores[i] if len(own_scores) == len(matrices) else scores,
            matrix,
            parts[i] if len(parts) == len(matrices) else None,
            answered[:, i] if fits else None,
        )
        classes = found or position_names(matrix.shape[1])
        names += [f"output_{i}={one}" for one in classes]
    return tuple(names)


def _from_labels(source: str, slot: _Slot, answer: Any, graph: Graph, *, named: bool) -> Answer:
    """Return whole numbers that are no labels, and are wanted by name: they may be amounts."""
    array = np.asarray(answer)
    if array.dtype.kind not in "iu" or labels_of(graph, slot.name, 2):
        raise RefusedError(
            f"{source}: output {slot.name!r} gives labels only; export the probabilities as well"
        )
    if not named:
        raise RefusedError(
            f"{source}: output {slot.name!r} gives whole numbers, which may be labels of classes;"
            f" export the probabilities as well, or say --model-output {slot.name} if they are"
            " amounts"
        )
    return Answer(source, slot.name, to_matrix(array), task="regression")
