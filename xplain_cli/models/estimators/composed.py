"""Follows estimators around others to the scores of those inside: pipelines, votes, stacks, bags.

What cannot be followed is refused by name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xplain_cli.models.contract import UnableError
from xplain_cli.models.estimators.chains import Affine, Bend, Chain, Outputs, Stage, blend, joined
from xplain_cli.models.estimators.columns import inner, steps_of
from xplain_cli.models.estimators.coordinates import (
    Coordinates,
    Numbers,
    behind,
    beside,
    coordinates_of,
)
from xplain_cli.models.estimators.scores import ends, scores_of
from xplain_cli.models.gradients import IDENTITY, SHARES, SIGMOID, SOFTMAX

_LOGARITHMS: dict[Any, float] = {np.exp: 0.0, np.expm1: -1.0}
"""What turns logarithms of a target back, and what is added behind exp."""


@dataclass(frozen=True)
class Net:
    """A model from the columns of its batch to its scores."""

    coordinates: Coordinates
    stages: tuple[Stage, ...]
    link: str

    @property
    def outputs(self) -> Chain:
        """The chain from coordinates to outputs, not scores."""
        last = () if self.link == IDENTITY else (Outputs(self.link),)
        return Chain((*self.stages, *last))

    def then(self, stages: Sequence[Stage], link: str = IDENTITY) -> "Net":
        """Return what further stages make of the outputs."""
        return Net(self.coordinates, joined([*self.outputs.stages, *stages]), link)


def _behind(coordinates: Coordinates, stages: Sequence[Stage], link: str) -> Net:
    """Return a model behind what steps make of coordinates."""
    bare = Coordinates(coordinates.enter, coordinates.owners)
    return Net(bare, joined([*coordinates.stages, *stages]), link)


def _after(coordinates: Coordinates, net: Net) -> Net:
    """Return a model of numbers behind steps that make these."""
    return _behind(behind(coordinates, net.coordinates), net.stages, net.link)


def _chosen(width: int, kept: Sequence[int]) -> Affine:
    """Return the matrix that keeps some of so many numbers."""
    return Affine(np.eye(width)[:, list(kept)], np.zeros(len(kept)))


def _blended(nets: Sequence[Net], weights: Sequence[float]) -> Net:
    """Return the weighted sum of what models answer; they may see other coordinates each."""
    if len(nets) == 1 and weights[0] == 1:
        return nets[0]
    own: list[Coordinates] = []
    for net in nets:
        if all(net.coordinates.enter != one.enter for one in own):
            own.append(net.coordinates)
    whole = own[0] if len(own) == 1 else beside(own)
    starts = np.cumsum([0, *(len(one.owners) for one in own)])
    chains = []
    for net in nets:
        at = next(i for i, one in enumerate(own) if one.enter == net.coordinates.enter)
        picked = _chosen(len(whole.owners), range(starts[at], starts[at + 1]))
        chains.append(Chain(joined([picked, *net.outputs.stages])))
    return Net(whole, (blend(chains, [float(weight) for weight in weights]),), IDENTITY)


def _mean(nets: Sequence[Net], weights: Sequence[float] | None = None) -> Net:
    """Return the weighted mean of what models answer."""
    own = np.ones(len(nets)) if weights is None else np.asarray(weights, dtype=np.float64)
    return _blended(nets, (own / own.sum()).tolist())


def _side_by_side(nets: Sequence[Net], widths: Sequence[int]) -> Net:
    """Return what models answer, so many numbers each, side by side."""
    ends_at = np.cumsum(widths)
    placed = []
    for net, width, end in zip(nets, widths, ends_at.tolist(), strict=True):
        place = np.eye(int(ends_at[-1]))[end - width : end]
        placed.append(net.then([Affine(place, np.zeros(len(place.T)))]))
    return _blended(placed, [1.0] * len(placed))


def _calibrated(one: Any, names: Sequence[str], outputs: int) -> Net:
    """Return one calibrated classifier: a sigmoid of each score, and their shares."""
    if one.method != "sigmoid" or len(one.estimator.classes_) != outputs:
        raise UnableError(f"follows sigmoid calibrations of all classes, and this is {one.method}")
    decides = hasattr(one.estimator, "decision_function")
    response = "decision_function" if decides else "predict_proba"
    net = net_of(one.estimator, names, outputs, response)
    chosen = np.eye(outputs)[:, 1:] if outputs == 2 else np.eye(outputs)
    slopes = -np.array([calibrator.a_ for calibrator in one.calibrators])
    shifts = -np.array([calibrator.b_ for calibrator in one.calibrators])
    stages = [*net.outputs.stages, Affine(chosen * slopes, shifts)]
    scores = ends(stages, len(slopes), outputs, SIGMOID if outputs == 2 else SHARES)
    return Net(net.coordinates, joined(scores.stages), scores.link)


def _calibrations(model: Any, names: Sequence[str], outputs: int, response: str) -> Net:
    if response != "predict_proba":
        raise UnableError("follows probabilities of a calibration: leave --response out")
    return _mean([_calibrated(one, names, outputs) for one in model.calibrated_classifiers_])


def _voted(model: Any, names: Sequence[str], outputs: int, response: str) -> Net:
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
    return _mean([net_of(one, names, outputs, response) for one in model.estimators_], weights)


def _bagged(model: Any, names: Sequence[str], outputs: int, response: str) -> Net:
    """Return the mean of members that see some of the columns each."""
    if response == "decision_function" or (
        response == "predict_proba"
        and not all(hasattr(one, "predict_proba") for one in model.estimators_)
    ):
        raise UnableError("follows bags that average probabilities, and this one does not")
    nets = []
    for one, features in zip(model.estimators_, model.estimators_features_, strict=True):
        if response == "predict_proba" and len(one.classes_) != outputs:
            raise UnableError("follows bags whose members know all classes, and one does not")
        kept = [int(place) for place in features]
        if kept == list(range(len(names))):
            nets.append(net_of(one, names, outputs, response))
            continue
        seen = Coordinates(Numbers(tuple(kept)), tuple(kept))
        nets.append(_after(seen, net_of(one, [names[i] for i in kept], outputs, response)))
    return _mean(nets)


def _one_against_rest(model: Any, names: Sequence[str], outputs: int, response: str) -> Net:
    """Return a score of each class; probabilities are shares of theirs."""
    if len(model.estimators_) != outputs:
        if outputs != 2:
            raise UnableError("follows one model for each class, and some are missing")
        return net_of(model.estimators_[0], names, 2, response)
    if model.multilabel_:
        raise UnableError("follows classes that exclude each other, and here several hold at once")
    differences, nets = Affine(np.array([[-1.0], [1.0]]), np.zeros(1)), []
    for one in model.estimators_:
        net = net_of(one, names, 2, response)
        if net.link not in {SOFTMAX, IDENTITY}:
            raise UnableError("follows scores of each class, and a member has none")
        half = Affine(differences.matrix / 2, differences.shift)
        last = differences if net.link == SOFTMAX else half
        nets.append(Net(net.coordinates, joined([*net.stages, last]), IDENTITY))
    found = _side_by_side(nets, [1] * outputs)
    return Net(found.coordinates, found.stages, SHARES if response == "predict_proba" else IDENTITY)


def _stacked(model: Any, names: Sequence[str], outputs: int, response: str) -> Net:
    """Return a model of what others answer, and of the columns where they are passed through."""
    nets, widths = [], []
    for one, asked in zip(model.estimators_, model.stack_method_, strict=True):
        classes = len(getattr(inner(one), "classes_", "."))
        if asked == "predict" and classes > 1:
            raise UnableError("follows stacks of scores, and this one is of labels")
        net = net_of(one, names, classes, asked)
        # of two classes the last alone is stacked
        nets.append(net.then([_chosen(2, [1])]) if classes == 2 else net)
        widths.append(1 if classes == 2 else classes)
    if model.passthrough:
        nets.append(Net(coordinates_of([], names), (), IDENTITY))
        widths.append(len(names))
    found = _side_by_side(nets, widths)
    made = [str(i) for i in range(sum(widths))]
    last = net_of(model.final_estimator_, made, outputs, response)
    return _after(
        Coordinates(found.coordinates.enter, found.coordinates.owners, found.stages), last
    )


def _several_targets(model: Any, names: Sequence[str], outputs: int, response: str) -> Net:
    """Return a regressor for each output."""
    nets = [net_of(one, names, 1, response) for one in model.estimators_]
    return _side_by_side(nets, [1] * outputs)


def _turned_back(model: Any, names: Sequence[str], outputs: int, response: str) -> Net:
    """Return a regressor whose target was scaled, or whose logarithm it learned."""
    net, back = net_of(model.regressor_, names, outputs, response), model.transformer_
    if type(back).__name__ == "FunctionTransformer":
        if back.inverse_func not in _LOGARITHMS:
            raise UnableError("follows targets that were scaled or whose logarithm was taken")
        shift = np.full(outputs, _LOGARITHMS[back.inverse_func])
        return net.then([Bend("exp"), Affine(np.eye(outputs), shift)])
    shift = np.asarray(back.inverse_transform(np.zeros((1, outputs))), dtype=np.float64)[0]
    matrix = np.asarray(back.inverse_transform(np.eye(outputs)), dtype=np.float64) - shift
    probe = np.full((1, outputs), -2.5)
    found = np.asarray(back.inverse_transform(probe), dtype=np.float64)[0]
    if not np.allclose(found, probe[0] @ matrix + shift, rtol=1e-9, atol=0):
        raise UnableError(
            "follows targets that were scaled or whose logarithm was taken, and"
            f" {type(back).__name__} does neither"
        )
    return net.then([Affine(matrix, shift)])


_AROUND: dict[str, Callable[[Any, Sequence[str], int, str], Net]] = {
    "BaggingClassifier": _bagged,
    "BaggingRegressor": _bagged,
    "CalibratedClassifierCV": _calibrations,
    "MultiOutputRegressor": _several_targets,
    "OneVsRestClassifier": _one_against_rest,
    "StackingClassifier": _stacked,
    "StackingRegressor": _stacked,
    "TransformedTargetRegressor": _turned_back,
    "VotingClassifier": _voted,
    "VotingRegressor": _voted,
}


def net_of(estimator: Any, names: Sequence[str], outputs: int, response: str) -> Net:
    """
    Return a fitted model from the columns *names* to its scores.

    Parameters
    ----------
    outputs
        How many it answers.
    response
        The method that is asked.

    Raises
    ------
    UnableError
        A part of it cannot be followed.
    """
    model = inner(estimator)
    steps = steps_of(model)
    if steps is not None:
        coordinates = coordinates_of(steps[:-1], names)
        made = [str(i) for i in range(coordinates.width)]
        return _after(coordinates, net_of(steps[-1], made, outputs, response))
    around = _AROUND.get(type(model).__name__)
    if around is not None and type(model).__module__.startswith("sklearn."):
        return around(model, names, outputs, response)
    found = scores_of(model, outputs, response)
    return Net(coordinates_of([], names), found.stages, found.link)
