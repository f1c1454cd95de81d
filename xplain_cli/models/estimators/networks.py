"""Finds the estimators whose scores NumPy can differentiate: networks, linear models, and blends.

Pipelines, searches and calibrations around them are followed; what cannot be is refused by name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xplain_cli.errors import UsageError
from xplain_cli.explanation import FloatArray
from xplain_cli.models.contract import Signature, UnableError
from xplain_cli.models.estimators.chains import (
    Affine,
    Bend,
    Blend,
    Chain,
    Outputs,
    Relu,
    Stage,
    joined,
)
from xplain_cli.models.estimators.columns import fitted_names, fitted_width, inner, steps_of
from xplain_cli.models.estimators.coordinates import Coordinates, behind, beside, coordinates_of
from xplain_cli.models.gradients import IDENTITY, INPUT, SHARES, SIGMOID, SOFTMAX, Gradient

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
HIDDEN = "hidden_"
"""What the name of a hidden layer begins with; its number follows, counted from 1."""
_FOLLOWED = "needs a network or a linear model that NumPy can follow"


@dataclass(frozen=True)
class _Scores:
    """Stages that end in scores, and how these become outputs."""

    stages: tuple[Stage, ...]
    link: str


def _two_columns(link: str) -> tuple[FloatArray, FloatArray, str]:
    """Return the matrix of one score as the scores of two classes."""
    first = 0.0 if link == SIGMOID else -1.0  # softmax of (0, m) is the sigmoid of m
    return np.array([[first, 1.0]]), np.zeros(2), SOFTMAX if link == SIGMOID else link


def _ends(stages: Sequence[Stage], width: int, outputs: int, link: str) -> _Scores:
    """Return scores with one for each output: a lone one stands for two classes."""
    if width == outputs:
        return _Scores(tuple(stages), link)
    if width != 1 or outputs != 2:
        raise UnableError(f"follows one score for each output, and there are {width} for {outputs}")
    matrix, shift, link = _two_columns(link)
    return _Scores((*stages, Affine(matrix, shift)), link)


def _network(model: Any, outputs: int, response: str) -> _Scores:
    bends: dict[str, tuple[Stage, ...]] = {
        "relu": (Relu(),),
        "identity": (),
        "tanh": (Bend("tanh"),),
        "logistic": (Bend("logistic"),),
    }
    if model.activation not in bends:
        raise UnableError(f"{_FOLLOWED}, and its activation is {model.activation}")
    stages: list[Stage] = []
    for matrix, shift in zip(model.coefs_, model.intercepts_, strict=True):
        stages += bends[model.activation] if stages else ()
        stages.append(Affine(np.asarray(matrix, np.float64), np.asarray(shift, np.float64)))
    ends = {"softmax": SOFTMAX, "logistic": SIGMOID, "identity": IDENTITY, "exp": IDENTITY}
    if model.out_activation_ not in ends:
        raise UnableError(f"{_FOLLOWED}, and its outputs pass through {model.out_activation_}")
    stages += (Bend("exp"),) if model.out_activation_ == "exp" else ()
    link = ends[model.out_activation_]
    if response == "predict" and link != IDENTITY:
        raise UnableError("follows scores, and labels have none: leave --response out")
    return _ends(stages, int(model.n_outputs_), outputs, link)


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


def _linear(model: Any, outputs: int, response: str) -> _Scores:
    line = _line(model)
    width = len(line.shift)
    if type(model).__name__ in _CLASSIFIERS:
        if response == "predict":
            raise UnableError("follows scores, and labels have none: leave --response out")
        return _ends([line], width, outputs, _classifier_link(model, width, response))
    if type(model).__name__ in _LOG_LINKS and getattr(model, "link", "log") != "identity":
        if type(model).__name__ == "TweedieRegressor" and model.link == "auto" and model.power <= 0:
            return _ends([line], width, outputs, IDENTITY)
        return _ends([line, Bend("exp")], width, outputs, IDENTITY)
    return _ends([line], width, outputs, IDENTITY)


@dataclass(frozen=True)
class _Net:
    """A model from the columns of its batch to its scores."""

    coordinates: Coordinates
    stages: tuple[Stage, ...]
    link: str

    @property
    def outputs(self) -> Chain:
        """The chain from coordinates to outputs, not scores."""
        last = () if self.link == IDENTITY else (Outputs(self.link),)
        return Chain((*self.stages, *last))


def _behind(coordinates: Coordinates, stages: Sequence[Stage], link: str) -> _Net:
    """Return a model behind what steps make of coordinates."""
    bare = Coordinates(coordinates.enter, coordinates.owners)
    return _Net(bare, joined([Affine(*coordinates.affine), *stages]), link)


def _after(coordinates: Coordinates, net: _Net) -> _Net:
    """Return a model of numbers behind steps that make these."""
    return _behind(behind(coordinates, net.coordinates), net.stages, net.link)


def _blended(nets: Sequence[_Net], weights: Sequence[float]) -> _Net:
    """Return the weighted mean of what models answer; they may see other coordinates each."""
    if len(nets) == 1:
        return nets[0]
    shares = tuple(float(weight) for weight in np.asarray(weights) / np.sum(weights))
    own: list[Coordinates] = []
    for net in nets:
        if all(net.coordinates.enter != one.enter for one in own):
            own.append(net.coordinates)
    whole = own[0] if len(own) == 1 else beside(own)
    starts = np.cumsum([0, *(len(one.owners) for one in own)])
    chains = []
    for net in nets:
        at = next(i for i, one in enumerate(own) if one.enter == net.coordinates.enter)
        chosen = np.eye(len(whole.owners))[:, starts[at] : starts[at + 1]]
        picked = Affine(chosen, np.zeros(chosen.shape[1]))
        chains.append(Chain(joined([picked, *net.outputs.stages])))
    return _Net(whole, (Blend(tuple(chains), shares),), IDENTITY)


def _calibrated(one: Any, names: Sequence[str], outputs: int) -> _Net:
    """Return one calibrated classifier: a sigmoid of each score, and their shares."""
    if one.method != "sigmoid" or len(one.estimator.classes_) != outputs:
        raise UnableError(f"follows sigmoid calibrations of all classes, and this is {one.method}")
    decides = hasattr(one.estimator, "decision_function")
    response = "decision_function" if decides else "predict_proba"
    net = _read(one.estimator, names, outputs, response)
    chosen = np.eye(outputs)[:, 1:] if outputs == 2 else np.eye(outputs)
    slopes = -np.array([calibrator.a_ for calibrator in one.calibrators])
    shifts = -np.array([calibrator.b_ for calibrator in one.calibrators])
    stages = [*net.outputs.stages, Affine(chosen * slopes, shifts)]
    scores = _ends(stages, len(slopes), outputs, SIGMOID if outputs == 2 else SHARES)
    return _Net(net.coordinates, joined(scores.stages), scores.link)


def _voted(model: Any, names: Sequence[str], outputs: int, response: str) -> _Net:
    """Return a vote over probabilities, or over values."""
    weights = [
        1.0 if model.weights is None else model.weights[i]
        for i, (_, one) in enumerate(model.estimators)
        if one != "drop"
    ]
    if response not in {"predict_proba", "predict"} or (
        response == "predict" and hasattr(model, "voting")
    ):
        raise UnableError("follows votes over probabilities, and this one counts labels")
    return _blended([_read(one, names, outputs, response) for one in model.estimators_], weights)


def _read(estimator: Any, names: Sequence[str], outputs: int, response: str) -> _Net:
    """Return a fitted model from the columns *names* to its scores."""
    model = inner(estimator)
    steps, name = steps_of(model), type(model).__name__
    if steps is not None:
        coordinates = coordinates_of(steps[:-1], names)
        made = [str(i) for i in range(coordinates.width)]
        return _after(coordinates, _read(steps[-1], made, outputs, response))
    if hasattr(model, "calibrated_classifiers_") and response == "predict_proba":
        parts = [_calibrated(one, names, outputs) for one in model.calibrated_classifiers_]
        return _blended(parts, [1.0] * len(parts))
    if name in {"VotingClassifier", "VotingRegressor"}:
        return _voted(model, names, outputs, response)
    if not type(model).__module__.startswith("sklearn."):
        raise UnableError(f"{_FOLLOWED}, and {name} is no estimator of scikit-learn's own")
    if name in NETWORKS:
        found = _network(model, outputs, response)
    elif name in LINEAR_MODELS:
        found = _linear(model, outputs, response)
    else:
        raise UnableError(f"{_FOLLOWED}, not {name}")
    return _Net(coordinates_of([], names), found.stages, found.link)


def _leave(owners: Sequence[int], columns: int) -> Callable[[FloatArray], FloatArray]:
    """Return what adds up coordinates (p, d) over the columns that they come from."""
    if tuple(owners) == tuple(range(columns)):
        return np.asarray

    def leave(parts: FloatArray) -> FloatArray:
        found = np.zeros((len(parts), columns))
        for j, owner in enumerate(owners):
            found[:, owner] += parts[:, j]
        return found

    return leave


def _hidden(stages: Sequence[Stage]) -> dict[str, int]:
    """Return behind how many stages each hidden layer of a network ends, by its name."""
    last = max((i for i, stage in enumerate(stages) if isinstance(stage, Affine)), default=0)
    ends = [i + 1 for i, stage in enumerate(stages[:last]) if isinstance(stage, Relu | Bend)]
    return {f"{HIDDEN}{number}": end for number, end in enumerate(ends, start=1)}


def _at_hidden(whole: Gradient, stages: tuple[Stage, ...], name: str) -> Gradient:
    """Return the gradient by what a hidden layer makes; *whole* is that by the input."""
    known = {} if any(isinstance(stage, Blend) for stage in stages) else _hidden(stages)
    if not known:
        raise UnableError("follows hidden layers of a network, and this model names none")
    if name not in known:
        raise UsageError(f"no layer {name!r} in this model; it has {', '.join(known)}")
    before, after = Chain(stages[: known[name]]), Chain(stages[known[name] :])

    def enter(batch: Any) -> FloatArray:
        return before.in_blocks(whole.enter(batch))

    width = before.in_blocks(np.zeros((1, _width(stages)))).shape[1]
    return replace(
        whole,
        enter=enter,
        leave=np.asarray,
        scores=after.scores,
        derive=after.derive,
        kinks=after.kinks if after.pieces else None,
        smooth=after.smooth,
        shape=(width,),
    )


def _width(stages: Sequence[Stage]) -> int:
    """Return how many numbers the first matrix takes."""
    return next(len(stage.matrix) for stage in stages if isinstance(stage, Affine))


def _words(estimator: Any) -> str:
    """Return the step that makes numbers of texts, where a pipeline begins with one."""
    steps = steps_of(inner(estimator))
    first = type(steps[0]).__name__ if steps else ""
    return first if first.endswith("Vectorizer") and first != "DictVectorizer" else ""


def estimator_gradient(
    estimator: Any, signature: Signature, inputs: Callable[[Any], Any], layer: str = INPUT
) -> Gradient:
    """
    Return the gradient of a fitted estimator, in double precision.

    Parameters
    ----------
    inputs
        Returns a batch as the first step of the estimator takes it.
    layer
        ``hidden_1``, ``hidden_2``, ...: by what that layer of a network makes.

    Raises
    ------
    UnableError
        It is no network and no linear model, or stands behind steps that cannot be followed; or it
        has no hidden layer.
    UsageError
        It has no such layer.
    """
    width = fitted_width(estimator)
    names = fitted_names(estimator) or tuple(map(str, range(width or 0)))
    counted = _words(estimator)
    if counted:
        raise UnableError(
            f"follows texts through the embedding of their words, and {counted} counts words"
        )
    if not names:
        raise UnableError("needs a model that knows how many columns it takes")
    net = _read(estimator, names, len(signature.outputs), signature.response)
    chain, coordinates = Chain(net.stages), net.coordinates
    whole = Gradient(
        enter=lambda batch: np.ascontiguousarray(coordinates.enter(inputs(batch))),
        leave=_leave(coordinates.owners, len(names)),
        scores=chain.scores,
        derive=chain.derive,
        link=net.link,
        kinks=chain.kinks if chain.pieces else None,
        smooth=chain.smooth,
    )
    return whole if layer == INPUT else _at_hidden(whole, net.stages, layer)
