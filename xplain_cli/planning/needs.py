"""Checks that a method and a model fit: the model can do what the method needs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from xplain_cli.errors import UsageError
from xplain_cli.features import Perturbation
from xplain_cli.methods import Method
from xplain_cli.methods.defaults import follows_scores
from xplain_cli.models import Capabilities, Model, UnableError
from xplain_cli.models.scored import missed
from xplain_cli.scales import Scale


def check_needs(method: Method, capabilities: Capabilities, scale: Scale) -> None:
    """
    Check that a model can do what a method needs, on the scale that is explained.

    Raises
    ------
    UnableError
        It cannot, with the reason.
    """
    capabilities.check(method.needs)
    if "leaves" in method.needs and scale.name == "log-odds":
        raise UnableError(
            "explains what trees add up to, and log-odds of a sum are none",
            "the model's own scale (leave --output-scale out)",
        )


def check_perturbation(method: Method, perturbation: Perturbation) -> None:
    """
    Check that the rows of a perturbation have the closed form, or the path, that a method takes.

    Raises
    ------
    UnableError
        They have none, with the reason.
    """
    if "leaves" in method.needs and perturbation.traits.no_closed_form is not None:
        raise UnableError(perturbation.traits.no_closed_form)
    if follows_scores(method) and perturbation.traits.no_path is not None:
        raise UnableError(perturbation.traits.no_path)
    if method.wants.every and perturbation.traits.no_slope is not None:
        raise UnableError(perturbation.traits.no_slope, "-m input-x-gradient or ig")


def check_gradient(method: Method, model: Model, rows: Any, scale: Scale) -> None:
    """
    Check that the scores that a method differentiates lead to the model's own answers.

    Parameters
    ----------
    rows
        A few rows that the model answers.
    scale
        The scale that is explained.

    Raises
    ------
    UnableError
        The model cannot be differentiated, or its answers are others than its scores lead to.
    """
    opened = model.capabilities.gradient
    if not follows_scores(method) or opened is None:
        return
    if scale.eps is not None:
        raise UnableError(
            "follows the scores themselves, of which eps cuts off the ends (leave eps out)"
        )
    apart = missed(model, opened(), rows)
    if apart:
        raise UnableError(f"follows scores, and these lead to {apart}")


def default_scale(method: Method, model: Model) -> str | None:
    """Return the scale on which a method explains where nobody names one; None: the model's own."""
    scores = follows_scores(method) and model.signature.scale == "probability"
    return "log-odds" if scores else None


@contextmanager
def refusals_named(method: Method, typed: str) -> Iterator[None]:
    """
    Turn what a model cannot do into an error under the name that the user gave the method.

    Parameters
    ----------
    method
        The method, which knows what to take instead.
    typed
        Its name and settings as the user typed them.

    Raises
    ------
    UsageError
        What the method comes up against, and what to take.
    """
    try:
        yield
    except UnableError as error:
        # what mends the pair, then the method that needs no mending
        ways = f": take {error.instead}, or " if error.instead else "; take "
        raise UsageError(f"{typed} {error.reason}{ways}{method.instead}") from error
