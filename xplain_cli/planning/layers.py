"""Opens the layer that a method follows: what its features are, and where paths begin there."""

from dataclasses import replace
from typing import Any

import numpy as np

from xplain_cli.engine.layer_units import MOST_UNITS, UnitMasker
from xplain_cli.errors import UsageError
from xplain_cli.explanation import FloatArray, add_up
from xplain_cli.methods import Method
from xplain_cli.methods.defaults import follows_scores, layer_of, needs_layer, origin_of
from xplain_cli.methods.requests import MEAN, OWN
from xplain_cli.modalities import Modality, Neighbourhood
from xplain_cli.models import Model, UnableError
from xplain_cli.models.gradients import Gradient


def check_layer(method: Method, typed: str) -> None:
    """
    Check that a method that exists at layers alone is told of one.

    Raises
    ------
    UsageError
        It is not.
    """
    if needs_layer(method) and not layer_of(method):
        name = typed.partition(":")[0]
        raise UsageError(
            f"--method {typed}: at which layer? {name}:layer=NAME (xplain inspect MODEL lists them)"
        )


def _mean(gradient: Gradient, modality: Modality) -> FloatArray:
    """Return the mean of a layer's value over rows, whatever their order."""
    values = gradient.enter(modality.reference())
    count = int(np.prod(gradient.shape))
    flat = values.reshape(len(values), -1)[:, :count]
    return np.asarray(add_up(np.sort(flat, axis=0)) / len(flat), dtype=np.float64)


def _placed(typed: str, gradient: Gradient, near: Neighbourhood) -> Neighbourhood:
    """Return the rows whose features are what a layer's numbers add up to, or its units."""
    shape = gradient.shape
    if near.perturbation.traits.maps:
        if gradient.grid is not None:
            return near
        lengths = " x ".join(map(str, shape))
        raise UnableError(
            f"lays the map of a layer over pictures, and this one has no places: {lengths}",
            "a layer of three lengths (xplain inspect MODEL lists them)",
        )
    count = int(np.prod(shape))
    if count > MOST_UNITS:
        raise UnableError(f"has a line for each unit of a layer, and this one has {count} units")
    units = UnitMasker(near.perturbation, typed, shape)
    note = f"features are the {count} units of the layer {typed}"
    return replace(near, perturbation=units, features=count, notes=(*near.notes, note))


def _embedded(gradient: Gradient, modality: Modality, near: Neighbourhood) -> Neighbourhood:
    """Return how texts are explained whose tokens are looked up, and what is absent then."""
    if not gradient.absent:
        return near
    rows: Any = near.perturbation.split(modality.typical())
    theirs, mine = rows.ends()
    gradient.enter([*theirs, *mine])  # what stands for a unit must be one token
    if mine and mine[0].token is not None:
        said = f"the tokens of absent units are replaced by {mine[0].token!r} in the embedding"
        return replace(near, meaning=said)
    said = f"{gradient.absent} in place of the tokens of absent units"
    return replace(near, masked=near.baseline, baseline=gradient.absent, meaning=said)


def at_layer(
    method: Method, model: Model, modality: Modality, near: Neighbourhood
) -> Neighbourhood:
    """
    Return how rows are explained at the layer of a method; unchanged where it follows the input.

    Raises
    ------
    UnableError, UsageError
        The model has no such layer, or its numbers belong to no feature.
    """
    layer, opened = layer_of(method), model.capabilities.gradient
    if opened is None or not follows_scores(method):
        return near
    if not layer:
        return _embedded(opened(), modality, near)
    gradient = opened(layer)
    near = _placed(layer, gradient, near)
    facts = {**near.facts, "layer": {"name": layer, "shape": list(gradient.shape)}}
    origin = origin_of(method)
    if origin == OWN:
        said = f"the layer {layer} is compared with what the model makes there of the baseline"
        return replace(near, meaning=f"{said} ({near.baseline})", facts=facts)
    label = f"{origin} at {layer}"
    said = "the mean of its value over rows" if origin == MEAN else "0"
    near = replace(
        near,
        masked=near.baseline,
        baseline=label,
        meaning=f"the value of the layer {layer} is replaced by {said}",
        facts=facts,
    )
    if origin == MEAN:
        near = replace(near, layer_mean=_mean(gradient, modality))
    return near
