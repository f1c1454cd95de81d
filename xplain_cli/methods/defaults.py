"""Answers that most methods share: a method borrows them by assignment in its class body."""

from collections.abc import Callable
from typing import Any

from xplain_cli.samples import NO_BUDGET, SHAPLEY_BUDGET


def no_constants(_method: object, _law: object) -> dict[str, Any]:
    """Return what the manifest says of a method without constants."""
    return {}


def nothing_sampled(_method: object, _law: object) -> tuple[int, int]:
    """Return the default (samples per repeat, repeats) of a method that samples nothing."""
    return NO_BUDGET


def coalitions_sampled(_method: object, _law: object) -> tuple[int, int]:
    """Return the default (samples per repeat, repeats) of Shapley values."""
    return SHAPLEY_BUDGET


def default_goal(method: Any, perturbation: Any) -> float | None:
    """Return the precision to which rows are asked where nobody says; most methods have none."""
    goal: Callable[[Any], float | None] | None = getattr(method, "default_goal", None)
    return None if goal is None else goal(perturbation)


def follows_scores(method: Any) -> bool:
    """Tell whether a method differentiates a model's scores."""
    return "gradient" in method.needs


def layer_of(method: Any) -> str:
    """Return the layer whose value a method follows; empty for the input."""
    return str(getattr(method, "layer", ""))


def origin_of(method: Any) -> str:
    """Return where the paths of a method begin (``requests.NeedRoutes.origin``)."""
    return str(getattr(method, "origin", ""))


def needs_layer(method: Any) -> bool:
    """Tell whether a method exists at layers alone."""
    return bool(getattr(method, "needs_layer", False))


def own_columns(method: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the further columns of weights.csv and stability.csv; most methods have none."""
    weights: tuple[str, ...] = getattr(method, "weight_columns", ())
    stability: tuple[str, ...] = getattr(method, "stability_columns", ())
    return weights, stability
