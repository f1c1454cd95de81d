"""Checks that a method and a model fit: the model can do what the method needs."""

from collections.abc import Iterator
from contextlib import contextmanager

from xplain_cli.errors import UsageError
from xplain_cli.features import Perturbation
from xplain_cli.methods import Method
from xplain_cli.models import Capabilities, UnableError
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
    Check that the rows of a perturbation have the closed form that a method reads off leaves.

    Raises
    ------
    UnableError
        They have none, with the reason.
    """
    if "leaves" in method.needs and perturbation.traits.no_closed_form is not None:
        raise UnableError(perturbation.traits.no_closed_form)


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
