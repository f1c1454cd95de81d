"""Chooses the output of an ONNX model that is explained: probabilities, scores, then labels."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from xplain_cli.errors import RefusedError
from xplain_cli.explanation import FloatArray
from xplain_cli.models.responses import Answer, sums_to_one, to_matrix

_WHOLE = re.compile(r"i\d+")
_FLOATS = frozenset({"tensor(float)", "tensor(double)", "tensor(float16)"})


class _Slot(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...


def _is_zipmap(answer: Any) -> bool:
    return isinstance(answer, list) and bool(answer) and isinstance(answer[0], dict)


def _zipped(answer: list[dict[Any, float]]) -> FloatArray:
    keys = list(answer[0])
    return to_matrix([[row[key] for key in keys] for row in answer])


def read_answer(answers: Sequence[Any]) -> FloatArray:
    """Return the chosen outputs side by side: arrays, or lists of dicts (ZipMap)."""
    parts = [_zipped(one) if _is_zipmap(one) else to_matrix(one) for one in answers]
    return np.ascontiguousarray(np.hstack(parts))


def _from_zipmap(source: str, name: str, answer: list[dict[Any, float]]) -> Answer:
    names = tuple(str(key) for key in answer[0])
    return Answer(source, name, _zipped(answer), names=names, task="classification")


def _rank(slot: _Slot, answer: Any) -> int:
    """Return how much an output is what people mean by the answer; the least is taken."""
    if _is_zipmap(answer):
        return 0
    if slot.type not in _FLOATS:
        return 4
    matrix = np.asarray(answer)
    if matrix.ndim > 2:
        return 5
    if sums_to_one(to_matrix(matrix)):
        return 1
    return 2 if matrix.ndim == 2 and matrix.shape[1] > 1 else 3


def _lone_columns(answers: Mapping[Any, Any]) -> list[tuple[_Slot, FloatArray]]:
    """Return the outputs of one number a row each: a classifier exported column by column."""
    floats = [(slot, np.asarray(one)) for slot, one in answers.items() if slot.type in _FLOATS]
    shaped = [(slot, one) for slot, one in floats if one.ndim <= 2]
    return [(slot, to_matrix(one)) for slot, one in shaped if one.size == len(one)]


def _class_names(outputs: Sequence[str]) -> tuple[str, ...]:
    """Return class names from outputs; skl2onnx writes whole-number classes as i0, i1, ..."""
    if all(_WHOLE.fullmatch(name) for name in outputs):
        return tuple(name[1:] for name in outputs)
    return tuple(outputs)


def choose_answer(source: str, answers: Mapping[Any, Any], outputs: Sequence[_Slot]) -> Answer:
    """
    Choose the explained output among what the probe answered.

    Parameters
    ----------
    source
        The model, for messages.
    answers
        By output: all of them, or the one that the user named.
    outputs
        All outputs of the model: a label among them tells a classifier.

    Raises
    ------
    RefusedError
        There are labels only, of unknown classes; or no table of numbers.
    """
    single = _lone_columns(answers)
    if len(single) > 1:
        joined = np.hstack([matrix for _, matrix in single])
        if sums_to_one(joined):
            response = "+".join(slot.name for slot, _ in single)
            names = _class_names([slot.name for slot, _ in single])
            return Answer(source, response, joined, names=names, task="classification")
    slot = min(answers, key=lambda one: _rank(one, answers[one]))
    answer = answers[slot]
    rank = _rank(slot, answer)
    if rank == 0:
        return _from_zipmap(source, slot.name, answer)
    if rank == 5:
        raise RefusedError(f"{source}: output {slot.name!r} is no table of (rows, outputs)")
    if rank == 4:
        return _from_labels(source, slot, answer)
    labelled = any(one.type not in _FLOATS for one in outputs) and rank < 3
    task = "classification" if labelled else None
    return Answer(source, slot.name, to_matrix(answer), task=task)


def _from_labels(source: str, slot: _Slot, answer: Any) -> Answer:
    array = np.asarray(answer)
    if array.dtype.kind not in "iub":
        raise RefusedError(
            f"{source}: output {slot.name!r} gives labels only; export the probabilities as well"
        )
    return Answer(source, slot.name, to_matrix(array), task="regression")
