"""Turns the method, the target and the scale into objects, and measures the law of drawing."""

from dataclasses import dataclass

import numpy as np

from xplain_cli.errors import UsageError
from xplain_cli.explanation import IntArray
from xplain_cli.features.measuring import table_law
from xplain_cli.features.tables import TableLaw
from xplain_cli.methods import METHODS, Method
from xplain_cli.models import Trees
from xplain_cli.opening import PROBE_ROWS, Opened
from xplain_cli.plan import Request
from xplain_cli.pool import Budget, predict_perturbed
from xplain_cli.scales import Scale, parse_scale
from xplain_cli.specs import build
from xplain_cli.targets import Target, parse_target


@dataclass(frozen=True)
class Chosen:
    """The method, its law, the target, its scale and the budget, as objects."""

    method: Method
    law: TableLaw
    target: Target
    scale: Scale
    budget: Budget
    notes: tuple[str, ...]


def _labels(opened: Opened) -> IntArray | None:
    """Return the model's class of each background row, for entropy bins."""
    if opened.settled.task != "classification":
        return None
    labels: IntArray = predict_perturbed(opened.model, opened.background).argmax(axis=1)
    return labels


def _is_bounded(opened: Opened) -> bool:
    """Say whether a single raw output lies in [0, 1] on background rows."""
    if len(opened.settled.outputs) > 1 or opened.settled.scale == "probability":
        return False
    answers = opened.model.predict(opened.background.head(PROBE_ROWS))
    return bool(((answers >= 0) & (answers <= 1)).all())


def _budget(request: Request, method: Method, n: int) -> tuple[Budget, list[str]]:
    """Return the budget and notes: a fit of n features needs at least 4 (n + 1) draws."""
    samples, repeats = method.default_budget()
    samples = request.samples or samples
    if method.exact and request.repeats not in {None, 1}:
        raise UsageError(f"--repeats {request.repeats}: lime:exact=yes has no sampling error")
    repeats = request.repeats or repeats
    least = 4 * (n + 1)
    if samples >= least:
        return Budget(request.seed, samples, repeats), []
    raised = 1 << (least - 1).bit_length()
    note = f"samples raised from {samples} to {raised} a repeat: {n} features need {least}"
    return Budget(request.seed, raised, repeats), [note]


def _check_exact(opened: Opened, scale: Scale) -> None:
    """Refuse a closed form for what is no sum of trees, before anything is written."""
    if not isinstance(opened.model, Trees):
        raise UsageError("lime:exact=yes needs a tree model of scikit-learn; take lime:exact=no")
    opened.model.leaf_boxes()
    if scale.name == "log-odds":
        raise UsageError(
            "lime:exact=yes explains what trees add up to, and log-odds of a sum are none: leave"
            " --output-scale out, or take lime:exact=no"
        )
    if opened.groups:
        raise UsageError("lime:exact=yes has no closed form for --group; take lime:exact=no")


def choose_method(request: Request, opened: Opened) -> Chosen:
    """
    Turn method, target and scale into objects and measure the law on the background.

    Raises
    ------
    UsageError
        An unknown name or an impossible pair, with the reason.
    """
    method: Method = build(request.method, METHODS)
    settled = opened.settled
    target = parse_target(
        request.target,
        settled.outputs,
        task=settled.task,
        positive=settled.positive,
        columns=opened.table.columns,
        force=request.force,
    )
    bounded = request.output_scale is not None and _is_bounded(opened)
    scale = parse_scale(request.output_scale, settled.scale, bounded=bounded)
    if method.exact:
        _check_exact(opened, scale)
    law = table_law(
        opened.background,
        opened.kinds,
        str(method.discretizer),
        discrete=opened.discrete,
        groups=opened.groups,
        labels=_labels(opened) if method.discretizer == "entropy" else None,
    )
    budget, notes = _budget(request, method, len(law.names))
    if budget.repeats == 1 and not method.exact:
        notes.append(
            "one repeat: errors by a sandwich that takes the draws as independent, which"
            " overstates them about two times; --repeats 2 or more measures them"
        )
    if method.exact:
        notes.append(
            f"exact: the weights have no sampling error; their local_r2 is estimated from"
            f" {budget.samples} draws"
        )
    if np.log2(budget.samples) % 1:
        notes.append(f"samples {budget.samples}: a power of two keeps the draws balanced")
    return Chosen(method, law, target, scale, budget, tuple(notes))
