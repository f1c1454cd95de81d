"""Reads networks and linear models of scikit-learn as stages that end in scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xplain_cli.explanation import FloatArray
from xplain_cli.models.contract import UnableError
from xplain_cli.models.estimators.chains import Affine, Bend, Relu, Stage
from xplain_cli.models.gradients import IDENTITY, SHARES, SIGMOID, SOFTMAX

NETWORKS = frozenset({"MLPClassifier", "MLPRegressor"})
_LINEAR = frozenset({
    *("ARDRegression", "BayesianRidge", "ElasticNet", "ElasticNetCV", "HuberRegressor", "Lars"),
    *("LarsCV", "Lasso", "LassoCV", "LassoLars", "LassoLarsCV", "LassoLarsIC", "LinearRegression"),
    *("LinearSVR", "MultiTaskElasticNet", "MultiTaskElasticNetCV", "MultiTaskLasso"),
    *("MultiTaskLassoCV", "OrthogonalMatchingPursuit", "OrthogonalMatchingPursuitCV"),
    *("PassiveAggressiveRegressor", "QuantileRegressor", "Ridge", "RidgeCV", "SGDRegressor"),
    "TheilSenRegressor",
})
_CLASSIFIERS = frozenset({
    *("LinearDiscriminantAnalysis", "LinearSVC", "LogisticRegression", "LogisticRegressionCV"),
    *("PassiveAggressiveClassifier", "Perceptron", "RidgeClassifier", "RidgeClassifierCV"),
    "SGDClassifier",
})
_LOG_LINKS = frozenset({"GammaRegressor", "PoissonRegressor", "TweedieRegressor"})
LINEAR_MODELS = _LINEAR | _CLASSIFIERS | _LOG_LINKS
FOLLOWED = "needs a network or a linear model that NumPy can follow"


@dataclass(frozen=True)
class Scores:
    """Stages that end in scores, and how these become outputs."""

    stages: tuple[Stage, ...]
    link: str


def _two_columns(link: str) -> tuple[FloatArray, FloatArray, str]:
    """Return the matrix of one score as the scores of two classes."""
    first = 0.0 if link == SIGMOID else -1.0  # softmax of (0, m) is the sigmoid of m
    return np.array([[first, 1.0]]), np.zeros(2), SOFTMAX if link == SIGMOID else link


def ends(stages: Sequence[Stage], width: int, outputs: int, link: str) -> Scores:
    """Return scores with one for each output: a lone one stands for two classes."""
    if width == outputs:
        return Scores(tuple(stages), link)
    if width != 1 or outputs != 2:
        raise UnableError(f"follows one score for each output, and there are {width} for {outputs}")
    matrix, shift, link = _two_columns(link)
    return Scores((*stages, Affine(matrix, shift)), link)


def _network(model: Any, outputs: int, response: str) -> Scores:
    bends: dict[str, tuple[Stage, ...]] = {
        "relu": (Relu(),),
        "identity": (),
        "tanh": (Bend("tanh"),),
        "logistic": (Bend("logistic"),),
    }
    if model.activation not in bends:
        raise UnableError(f"{FOLLOWED}, and its activation is {model.activation}")
    stages: list[Stage] = []
    for matrix, shift in zip(model.coefs_, model.intercepts_, strict=True):
        stages += bends[model.activation] if stages else ()
        stages.append(Affine(np.asarray(matrix, np.float64), np.asarray(shift, np.float64)))
    links = {"softmax": SOFTMAX, "logistic": SIGMOID, "identity": IDENTITY, "exp": IDENTITY}
    if model.out_activation_ not in links:
        raise UnableError(f"{FOLLOWED}, and its outputs pass through {model.out_activation_}")
    stages += (Bend("exp"),) if model.out_activation_ == "exp" else ()
    link = links[model.out_activation_]
    if response == "predict" and link != IDENTITY:
        raise UnableError("follows scores, and labels have none: leave --response out")
    return ends(stages, int(model.n_outputs_), outputs, link)


def _classifier_link(model: Any, width: int, response: str) -> str:
    """Return how the decision function of a linear classifier becomes what it answers."""
    name = type(model).__name__
    if response == "decision_function":
        return IDENTITY
    if name == "SGDClassifier" and model.loss != "log_loss":
        raise UnableError("follows scores: take --response decision_function")
    if width == 1:
        return SIGMOID
    exclusive = name == "LinearDiscriminantAnalysis" or (
        name.startswith("LogisticRegression")
        and getattr(model, "multi_class", "auto") in {"auto", "deprecated", "multinomial"}
        and model.solver != "liblinear"
    )
    return SOFTMAX if exclusive else SHARES


def _line(model: Any) -> Affine:
    matrix = np.atleast_2d(np.asarray(model.coef_, dtype=np.float64)).T
    shift = np.broadcast_to(np.asarray(model.intercept_, np.float64), matrix.shape[1])
    return Affine(np.ascontiguousarray(matrix), np.array(shift))


def _linear(model: Any, outputs: int, response: str) -> Scores:
    line = _line(model)
    width = len(line.shift)
    if type(model).__name__ in _CLASSIFIERS:
        if response == "predict":
            raise UnableError("follows scores, and labels have none: leave --response out")
        return ends([line], width, outputs, _classifier_link(model, width, response))
    if type(model).__name__ in _LOG_LINKS and getattr(model, "link", "log") != "identity":
        if type(model).__name__ == "TweedieRegressor" and model.link == "auto" and model.power <= 0:
            return ends([line], width, outputs, IDENTITY)
        return ends([line, Bend("exp")], width, outputs, IDENTITY)
    return ends([line], width, outputs, IDENTITY)


def scores_of(model: Any, outputs: int, response: str) -> Scores:
    """
    Return the scores of a fitted network or linear model.

    Raises
    ------
    UnableError
        It is neither, or its answers are no function of scores.
    """
    name = type(model).__name__
    if not type(model).__module__.startswith("sklearn."):
        raise UnableError(f"{FOLLOWED}, and {name} is no estimator of scikit-learn's own")
    if name in NETWORKS:
        return _network(model, outputs, response)
    if name in LINEAR_MODELS:
        return _linear(model, outputs, response)
    raise UnableError(f"{FOLLOWED}, not {name}")
