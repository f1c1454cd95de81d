"""Asks an estimator, and turns its answer into numbers: probabilities, margins, labels."""

from typing import Any

import numpy as np

from xplain_cli.errors import RefusedError
from xplain_cli.explanation import FloatArray
from xplain_cli.models.estimators.boosters import fitted_classes, package_of, raw_margin
from xplain_cli.models.estimators.columns import inner, moves_threshold, steps_of
from xplain_cli.models.responses import to_matrix

_HALF = 0.5


def final(estimator: Any) -> Any:
    """Return the model at the end of pipelines and searches."""
    nested = inner(estimator)
    steps = steps_of(nested)
    return final(steps[-1]) if steps else nested


def _stated_type(estimator: Any) -> str | None:
    """Return ``classifier``, ``regressor``, ... as the estimator states it; None: it does not."""
    import sklearn.utils

    stated = getattr(estimator, "_estimator_type", None)
    get_tags = getattr(sklearn.utils, "get_tags", None)  # since 1.6
    if stated is None and get_tags is not None:
        try:
            stated = get_tags(estimator).estimator_type
        except (AttributeError, TypeError, ValueError):  # no scikit-learn estimator
            return None
    return None if stated is None else str(stated)


def task_of(estimator: Any) -> str:
    """
    Return ``classification``, ``regression`` or ``anomaly``.

    Raises
    ------
    RefusedError
        It is a clusterer.
    """
    stated = _stated_type(estimator)
    if stated == "clusterer":
        raise RefusedError(
            f"{type(estimator).__name__} finds clusters, which have no score to explain;"
            " fit a classifier on its labels"
        )
    if stated in {"outlier_detector", "regressor"}:
        return "regression" if stated == "regressor" else "anomaly"
    classes = bool(classes_of(estimator)) or hasattr(estimator, "predict_proba")
    return "classification" if classes else "regression"


def classes_of(estimator: Any) -> list[list[str]]:
    """Return the class names of each output; an empty list where it has none."""
    classes = fitted_classes(estimator)
    if classes is None or len(classes) == 0:  # CatBoost's regressors have an empty list of them
        return []
    several = isinstance(classes, list) and len(classes) > 0 and np.ndim(classes[0]) > 0
    return [[_plain(one) for one in part] for part in (classes if several else [classes])]


def _plain(label: Any) -> str:
    return str(label.item() if isinstance(label, np.generic) else label)


def flat_names(classes: list[list[str]]) -> tuple[str, ...]:
    """Return the names of classes; those of several outputs as ``output_0=name``."""
    if len(classes) == 1:
        return tuple(classes[0])
    return tuple(f"output_{i}={name}" for i, part in enumerate(classes) for name in part)


def decides_apart(estimator: Any, response: str) -> bool:
    """Return whether the class that a classifier chooses need not be that of its largest answer."""
    if response == "predict":
        return False
    if moves_threshold(estimator):
        return True
    last = final(estimator)
    if package_of(last) == "catboost":
        threshold = getattr(last, "get_probability_threshold", lambda: None)()
        return threshold is not None and threshold != _HALF
    # its probabilities are calibrated apart from the margin that it decides by (Platt, 1999)
    return response == "predict_proba" and np.size(getattr(last, "_probA", ())) > 0


def _indicators(estimator: Any, labels: Any) -> FloatArray:
    """Return predicted labels as 0/1 columns, one per class (of each output)."""
    table = np.asarray(labels, dtype=object)
    table = table[:, None] if table.ndim == 1 else table
    classes = classes_of(estimator)
    if len(classes) != table.shape[1]:  # labels that are 0/1 columns already
        return to_matrix(labels)
    texts = np.array([[_plain(one) for one in row] for row in table], dtype=object)
    parts = [texts[:, [i]] == np.array(part, dtype=object) for i, part in enumerate(classes)]
    return to_matrix(np.hstack(parts))


def _takes_threads(estimator: Any) -> bool:
    """Return whether it is CatBoost, or a pipeline that hands CatBoost's arguments on."""
    steps = steps_of(estimator)
    return package_of(steps[-1] if steps else estimator) == "catboost"


def ask(estimator: Any, response: str, inputs: Any) -> FloatArray:
    """Return what an estimator answers as a (rows, columns) matrix."""
    package = package_of(final(estimator))
    if response == "decision_function" and package:
        return to_matrix(raw_margin(inner(estimator), inputs, package))
    asked = getattr(estimator, response)
    answer = asked(inputs, thread_count=1) if _takes_threads(estimator) else asked(inputs)
    if response == "predict":
        if classes_of(estimator):
            return _indicators(estimator, answer)
        return to_matrix(answer)
    if isinstance(answer, list):
        return to_matrix(np.hstack(answer))
    return to_matrix(answer)
