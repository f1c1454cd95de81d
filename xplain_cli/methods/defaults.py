"""Answers that most methods share: a method borrows them by assignment in its class body."""

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
