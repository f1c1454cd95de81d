"""Chooses what is explained of a model's answer at the probe: outputs and their names."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain_cli.errors import RefusedError, UsageError, well_formed
from xplain_cli.explanation import FloatArray
from xplain_cli.models.contract import Signature, WrongLengthError
from xplain_cli.targets import MOST_TARGETS, is_unnamed, of_several, position_names

_SHOWN = 8
_MOST_VALUES = {"tabular": MOST_TARGETS, "text": 9, "image": 9}
_ROUNDING = 1e-4  # float32 probabilities of many classes


@dataclass(frozen=True)
class Answer:
    """
    What a model answered at the probe.

    Attributes
    ----------
    source
        The model, for messages.
    response
        What was asked: a method, an ONNX output, ``callable``.
    matrix : (rows, columns)
        The answer.
    names
        The outputs' own names; None: it has none. Two names for one column: a binary margin.
    task
        ``classification``, ``regression``, ``anomaly``; None: read off the numbers.
    scale
        ``probability`` or ``raw``; None: read off the numbers.
    hard
        True for 0/1 indicators of predicted labels.
    way_out
        What to do when the answer is not usable.
    modality
        What the model explains: networks that end in many scores choose among classes, and how
        many are many depends on it.
    labels
        The names by which every later answer is read; empty: it is read by position.
    decides
        Whether the model chooses the class of its largest answer, as far as it says.
    """

    source: str
    response: str
    matrix: FloatArray
    names: tuple[str, ...] | None = None
    task: str | None = None
    scale: str | None = None
    hard: bool = False
    way_out: str = "choose another response, or mend the model"
    modality: str = "tabular"
    labels: tuple[str, ...] = ()
    decides: bool = True


def to_matrix(answer: Any) -> FloatArray:
    """
    Return an answer as a (rows, columns) float64 matrix, C-contiguous.

    Axes of length 1 behind the rows are dropped: networks that pool answer (rows, classes, 1, 1).

    Raises
    ------
    ValueError
        It is not numeric, of complex numbers, or has more than two axes.
    """
    if np.iscomplexobj(answer):  # NumPy would warn, and leave a part of each number out
        raise ValueError("answers complex numbers")
    matrix = np.asarray(answer, dtype=np.float64)
    if matrix.ndim > 2:
        matrix = matrix.reshape([len(matrix), *(n for n in matrix.shape[1:] if n != 1)])
    if matrix.ndim == 1:
        matrix = matrix[:, None]
    if matrix.ndim != 2:
        raise ValueError(f"answers an array of shape {matrix.shape}, not (rows, outputs)")
    return np.ascontiguousarray(matrix)


def expand(matrix: FloatArray, signature: Signature) -> FloatArray:
    """Return the (rows, outputs) answers, with the second class of a lone number written out."""
    if matrix.shape[1] == 1 and len(signature.outputs) == 2:
        other = -matrix if signature.margin else 1.0 - matrix
        return np.ascontiguousarray(np.hstack([other, matrix]))
    if matrix.shape[1] != len(signature.outputs):
        raise ValueError(f"answers {matrix.shape[1]} outputs, not {len(signature.outputs)}")
    return matrix


def is_bounded(matrix: FloatArray) -> bool:
    """Return whether all numbers lie in [0, 1]."""
    return bool(((matrix >= -_ROUNDING) & (matrix <= 1 + _ROUNDING)).all())


def sums_to_one(matrix: FloatArray) -> bool:
    """Return whether the rows are probabilities of exclusive classes."""
    return (
        matrix.shape[1] > 1
        and is_bounded(matrix)
        and bool((np.abs(matrix.sum(axis=1) - 1) <= _ROUNDING).all())
    )


def are_labels(chosen: npt.NDArray[Any], matrix: FloatArray) -> bool:
    """Return whether what is chosen is yes or no for each column, of which several may hold."""
    if matrix.shape[1] < 2 or chosen.shape != matrix.shape or chosen.dtype.kind not in "biuf":
        return False
    return bool(np.isin(chosen, (0, 1)).all()) and not sums_to_one(matrix)


def _is_single(matrix: FloatArray) -> bool:
    """Return whether all numbers are such as float32 holds, which sums in float64 seldom are."""
    with np.errstate(over="ignore"):  # numbers too large for it are none of them
        return bool((matrix == matrix.astype(np.float32)).all())


def wrong_length(answered: int, rows: int) -> str:
    """Say that a model answered another number of rows than it was given."""
    return f"answered {answered} row{'' if answered == 1 else 's'} for {rows}"


def _check(answer: Answer, rows: int) -> None:
    matrix = answer.matrix
    where = f"{answer.source}: {answer.response}"
    if len(matrix) != rows:
        raise WrongLengthError(f"{where} {wrong_length(len(matrix), rows)}; it must answer each")
    if not matrix.shape[1]:
        raise RefusedError(f"{where} answered no outputs")
    broken = ~np.isfinite(matrix).all(axis=1)
    if broken.any():
        seen = matrix[broken][0]
        value = seen[~np.isfinite(seen)][0]
        raise RefusedError(
            f"{where} answered {value:g} on {int(broken.sum())} of the first {rows} rows;"
            f" {answer.way_out}"
        )


def _outputs(answer: Answer, class_names: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the outputs' names; two for one column where they make a margin or a sigmoid."""
    columns = answer.matrix.shape[1]
    own = answer.names or default_names(answer.task, columns)
    if class_names is None:
        twice = next((name for name in own if own.count(name) > 1), None)
        if twice is not None:
            raise RefusedError(
                f"{answer.response}: two of its outputs are called {twice!r}; give each a name of"
                " its own by --class-names FILE"
            )
        return own
    if len(set(class_names)) != len(class_names):
        raise UsageError("--class-names: a name stands twice")
    lone = columns == 1 and len(class_names) == 2 and answer.task != "anomaly"
    if lone and (answer.task is None or is_bounded(answer.matrix)):
        return class_names
    if len(class_names) != len(own):
        raise UsageError(
            f"--class-names: {len(class_names)} names ({_listed(class_names)}) for"
            f" {len(own)} outputs of {answer.response} ({_listed(own)})"
        )
    return class_names


def default_names(task: str | None, columns: int) -> tuple[str, ...]:
    """Return what outputs without names are called: by their position, unless there is one."""
    if task == "anomaly":
        return ("anomaly_score",)
    if columns == 1:
        return ("value",)
    if task == "regression":  # its values are several outputs, as scikit-learn calls them
        return tuple(f"output_{i}" for i in range(columns))
    return position_names(columns)


def _listed(names: tuple[str, ...]) -> str:
    more = f", ... {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _note(signature: Signature, *, hard: bool, decides: bool) -> str:
    count = len(signature.outputs)
    listed = _listed(signature.outputs)
    nameless = "" if not is_unnamed(signature.outputs) else " that the model does not name"
    values = "value" if count == 1 else "values"
    classes = "class" if count == 1 else "classes"
    if signature.task == "anomaly":
        what = "anomaly score, the lower the more abnormal"
    elif signature.task == "regression":
        what = f"{count} {values}: {listed}"
    elif hard:
        what = f"hard labels, 0 or 1, of {count} {classes}: {listed}"
    elif signature.margin:
        what = f"margin between 2 classes: {listed}"
    else:
        number = "probability" if signature.scale == "probability" else "raw score"
        what = f"{number} of {count} {classes}{nameless}: {listed}"
    if not decides:
        what += "; it decides at a threshold of its own, predicted is the class of the largest"
    return f"explaining {signature.response} ({what})"


def settle_answer(answer: Answer, rows: int, class_names: tuple[str, ...] | None) -> Signature:
    """
    Read off the probe's answer what is explained.

    Parameters
    ----------
    answer
        What the model answered.
    rows
        How many rows it was given.
    class_names
        The user's names of the outputs, or None.

    Raises
    ------
    RefusedError
        NaN, infinity, no outputs, or another number of rows.
    UsageError
        Class names whose count does not fit.
    """
    _check(answer, rows)
    outputs = tuple(map(well_formed, _outputs(answer, class_names)))
    lone = answer.matrix.shape[1] == 1 and len(outputs) == 2
    exclusive = sums_to_one(answer.matrix)
    sigmoid = lone and answer.scale != "raw" and is_bounded(answer.matrix)
    bounded = answer.scale != "probability" or is_bounded(answer.matrix)
    scale = answer.scale if bounded else "raw"  # a custom objective has no probabilities
    scale = scale or ("probability" if exclusive or sigmoid else "raw")
    task = answer.task
    if task is None or sigmoid:
        named = answer.names is not None or class_names is not None
        many = len(outputs) > (1 if named else _MOST_VALUES.get(answer.modality, 9))
        task = "classification" if exclusive or lone or many else "regression"
    two = task == "classification" and len(outputs) == 2 and not of_several(outputs)
    positive = 1 if two and (lone or exclusive or scale == "raw") else None
    margin = lone and not sigmoid
    scale = "probability" if sigmoid else scale
    bare = Signature(answer.response, task, scale, outputs, positive, margin, "")
    return replace(
        bare,
        note=_note(bare, hard=answer.hard, decides=answer.decides),
        single=_is_single(answer.matrix),
        labels=answer.labels,
        # probabilities that do not sum to one are of labels, of which several may hold
        decides=answer.decides and (exclusive or lone or scale != "probability"),
    )
