"""Gives the gradients of fitted estimators, by what they are given or by a hidden layer."""

from collections.abc import Callable, Sequence
from dataclasses import replace
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
    Relu,
    Stage,
)
from xplain_cli.models.estimators.columns import fitted_names, fitted_width, inner, steps_of
from xplain_cli.models.estimators.composed import net_of
from xplain_cli.models.gradients import INPUT, Gradient

HIDDEN = "hidden_"
"""What the name of a hidden layer begins with; its number follows, counted from 1."""


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
    ends = [
        i + 1
        for i, stage in enumerate(stages[:last])
        if isinstance(stage, Relu | Bend) and stage != Bend("exp")
    ]
    return {f"{HIDDEN}{number}": end for number, end in enumerate(ends, start=1)}


def _at_hidden(whole: Gradient, stages: tuple[Stage, ...], width: int, name: str) -> Gradient:
    """Return the gradient by what a hidden layer makes; *whole* is that by the input."""
    known = {} if any(isinstance(stage, Blend) for stage in stages) else _hidden(stages)
    if not known:
        raise UnableError("follows hidden layers of a network, and this model names none")
    if name not in known:
        raise UsageError(f"no layer {name!r} in this model; it has {', '.join(known)}")
    before, after = Chain(stages[: known[name]]), Chain(stages[known[name] :])

    def enter(batch: Any) -> FloatArray:
        return before.in_blocks(whole.enter(batch))

    with np.errstate(all="ignore"):  # only how many come out is asked
        made = before.in_blocks(np.ones((1, width))).shape[1]
    return replace(
        whole,
        enter=enter,
        leave=np.asarray,
        scores=after.scores,
        derive=after.derive,
        kinks=after.kinks if after.pieces else None,
        smooth=after.smooth,
        shape=(made,),
    )


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
    net = net_of(estimator, names, len(signature.outputs), signature.response)
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
    return (
        whole if layer == INPUT else _at_hidden(whole, net.stages, len(coordinates.owners), layer)
    )
