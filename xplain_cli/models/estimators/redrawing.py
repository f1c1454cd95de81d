"""Draws layers of fitted networks and linear models of scikit-learn anew, in place."""

from typing import Any

import numpy as np

from xplain_cli.models.estimators.columns import inner, steps_of
from xplain_cli.models.estimators.scores import LINEAR_MODELS, NETWORKS
from xplain_cli.models.redrawing import Redraw, redrawn_shifts, redrawn_weights


def _ends(estimator: Any) -> list[Any]:
    """Return the models that a fitted estimator answers by: several of a vote."""
    model = inner(estimator)
    steps = steps_of(model)
    if steps is not None:
        return _ends(steps[-1])
    parts = [one.estimator for one in getattr(model, "calibrated_classifiers_", ())]
    if type(model).__name__ in {"VotingClassifier", "VotingRegressor"}:
        parts = list(model.estimators_)
    return [end for part in parts for end in _ends(part)] if parts else [model]


def _depth(model: Any) -> int:
    """Return how many layers a model has; 0 for one that is neither a network nor linear."""
    name = type(model).__name__
    if not type(model).__module__.startswith("sklearn."):
        return 0
    if name in NETWORKS:
        return len(model.coefs_)
    return int(name in LINEAR_MODELS and hasattr(model, "coef_"))


def layers_of(estimator: Any) -> tuple[str, ...]:
    """Return the names of an estimator's layers from the top down; empty: it has none."""
    depths = [_depth(model) for model in _ends(estimator)]
    if not depths or 0 in depths:
        return ()
    deepest = max(depths)
    if deepest == 1:
        return ("coefficients",)
    return ("output layer", *(f"hidden layer {i}" for i in range(deepest - 1, 0, -1)))


def why_no_layers(estimator: Any) -> str:
    """Return why nothing can be drawn anew; empty: it can."""
    odd = [type(model).__name__ for model in _ends(estimator) if not _depth(model)]
    return f"needs layers of weights to draw anew, and {odd[0]} has none" if odd else ""


def redraw_estimator(estimator: Any, redraw: Redraw) -> None:
    """Draw the layers of an estimator anew, so many from the top."""
    for number, model in enumerate(_ends(estimator)):
        for layer in range(min(redraw.layers, _depth(model))):
            source = redraw.source(layer * _APART + number)
            if type(model).__name__ in NETWORKS:
                at = len(model.coefs_) - 1 - layer
                model.coefs_[at] = _like(
                    model.coefs_[at], redrawn_weights(source, model.coefs_[at])
                )
                model.intercepts_[at] = _like(
                    model.intercepts_[at], redrawn_shifts(source, model.intercepts_[at])
                )
            else:
                model.coef_ = _like(model.coef_, redrawn_weights(source, model.coef_))
                shifts = redrawn_shifts(source, np.atleast_1d(model.intercept_))
                model.intercept_ = _like(model.intercept_, shifts)


_APART = 1000
"""Members of a vote that have streams of their own in each layer."""


def _like(learned: Any, drawn: Any) -> Any:
    """Return what was drawn in the type and the shape of what was learned."""
    if np.ndim(learned) == 0:
        return type(learned)(drawn.ravel()[0])
    return np.ascontiguousarray(drawn, dtype=np.asarray(learned).dtype).reshape(np.shape(learned))
