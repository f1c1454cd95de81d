"""Turns method, target and scale into objects, and opens the perturbation of the method."""

from dataclasses import dataclass, replace

import numpy as np

from xplain_cli.errors import UsageError, XplainError, nearest
from xplain_cli.features import Perturbation
from xplain_cli.methods import METHODS, Method
from xplain_cli.methods.defaults import default_goal
from xplain_cli.modalities import Neighbourhood
from xplain_cli.options.request import Request
from xplain_cli.planning.inputs import Inputs
from xplain_cli.planning.layers import at_layer, check_layer
from xplain_cli.planning.needs import (
    check_gradient,
    check_needs,
    check_perturbation,
    default_scale,
    refusals_named,
)
from xplain_cli.quality.precision import Budget, PrecisionTarget
from xplain_cli.remote import redact
from xplain_cli.samples import MOST_POOLS, default_most, least_samples, needed
from xplain_cli.scales import Scale, parse_scale
from xplain_cli.specs import build, split_spec
from xplain_cli.targets import Target, parse_target


@dataclass(frozen=True)
class Choices:
    """The method, its perturbation, target, scale and budget, and whether the model is steady."""

    method: Method
    neighbourhood: Neighbourhood
    target: Target
    scale: Scale
    budget: Budget
    notes: tuple[str, ...]
    steady: bool = True

    @property
    def perturbation(self) -> Perturbation:
        """The perturbation by which rows are split."""
        return self.neighbourhood.perturbation


def _is_bounded(opened: Inputs) -> bool:
    """Say whether a single raw output lies in [0, 1] on typical rows."""
    if len(opened.signature.outputs) > 1 or opened.signature.scale == "probability":
        return False
    answers = opened.model.predict(opened.modality.typical())
    return bool(((answers >= 0) & (answers <= 1)).all())


def _names_its_draws(request: Request) -> bool:
    """Say whether the user says how many draws there shall be."""
    sampling = request.sampling
    return any((sampling.samples, sampling.repeats, sampling.budget))


def _told_goal(goal: float, budget: Budget) -> str:
    """Say what a method goes on to where nobody says how far."""
    most = default_most(budget.samples, budget.repeats)
    return (
        f"each row is asked until max_rel_se is {goal:g}, from {budget.samples * budget.repeats:,}"
        f" to {most:,} model inputs (--max-rel-se E, or --samples N of each repeat)"
    )


def _budget(
    request: Request, method: Method, perturbation: Perturbation
) -> tuple[Budget, list[str]]:
    """Return the budget and notes: samples are raised to what a fit needs."""
    samples, repeats = method.default_budget(perturbation)
    if not method.sampled:
        if request.sampling.samples or request.sampling.repeats:
            name = request.method.partition(":")[0]
            raise UsageError(f"--samples and --repeats: {name} samples nothing; leave them out")
        return Budget(request.sampling.seed, samples, repeats), []
    samples = request.sampling.samples or samples
    if method.exact and request.sampling.repeats not in {None, 1}:
        raise UsageError(
            f"--repeats {request.sampling.repeats}: {request.method} has no sampling error"
        )
    repeats = request.sampling.repeats or repeats
    budget, notes = Budget(request.sampling.seed, samples, repeats), []
    n = perturbation.traits.n_fitted
    if n and samples < needed(n):
        raised = least_samples(n)
        budget = Budget(request.sampling.seed, raised, repeats)
        notes.append(
            f"samples raised from {samples} to {raised} a repeat: {n} features need {needed(n)}"
        )
    goal = request.sampling.max_rel_se
    if goal is None and not _names_its_draws(request):
        goal = default_goal(method, perturbation)
        notes += [] if goal is None else [_told_goal(goal, budget)]
    if goal is not None:
        samples, repeats = budget.samples, budget.repeats
        most = request.sampling.max_samples or default_most(samples, repeats)
        budget = replace(budget, goal=PrecisionTarget(goal, repeats, samples, most))
    if np.log2(budget.samples) % 1:
        notes.append(f"samples {budget.samples}: a power of two keeps the draws balanced")
    return budget, notes


def _check_method(text: str) -> None:
    """Refuse a method that is on no shelf, with all that there are."""
    known = sorted({name for shelf in METHODS.values() for name in shelf})
    name = split_spec(text)[0]
    if name in known:
        return
    plain = {one.replace("-", ""): one for one in known}
    typed = "".join(letter for letter in name.lower() if letter.isalnum())
    alike = [one for short, one in plain.items() if typed and (typed in short or short in typed)]
    hint = f"; did you mean {' or '.join(map(repr, alike))}?" if alike else nearest(name, known)
    raise UsageError(f"--method {name!r}: no such method; there is {', '.join(known)}{hint}")


def _check_foil(perturbation: Perturbation, target: Target) -> None:
    """Refuse a baseline of the class a row is explained against where there are several."""
    several = target.kind == "top" or len(target.pairs) > 1
    if several and perturbation.traits.needs_foil:
        raise UsageError(
            f"--target {target.spec} explains several numbers of each row: name the class of the"
            " baseline (class=NAME)"
        )


def _perturbed(method: Method, typed: str, opened: Inputs) -> tuple[Method, Neighbourhood]:
    """
    Open the perturbation of a method; rows get draws of their own where pools would be too many.

    Raises
    ------
    UsageError
        They would be, and the settings of the method speak of what pools alone have.
    """
    found = opened.modality.perturbation_for(method, opened.model, opened.signature)
    if not method.pooled or found.perturbation.traits.pools <= MOST_POOLS:
        return method, found
    why = f"held values have more than {MOST_POOLS} combinations in DATA"
    settings = split_spec(typed)[1]
    bound = [name for name in ("sample", "discretizer", "exact") if name in settings]
    if bound:
        raise UsageError(
            f"{typed}: {bound[0]}={settings[bound[0]]} needs a pool of draws for each combination"
            f" of held values, and {why}; leave it out (then sample=around), hold less, or take"
            " -m kernel-shap"
        )
    own: Method = replace(method, sample="around", discretizer=None)  # type: ignore[type-var]  # a dataclass, as every method
    try:
        around = opened.modality.perturbation_for(own, opened.model, opened.signature)
    except XplainError as error:
        raise UsageError(
            f"--hold: {why}, so each row needs draws of its own, without bins, which are not to be"
            f" had ({error}); take -m kernel-shap or -m lime:space=baseline, or hold less"
        ) from error
    note = (
        f"sample=around: {why}, so each row has draws of its own around it, and numbers no bins"
        " (-m kernel-shap, or -m lime:space=baseline, need neither)"
    )
    return own, replace(around, notes=(*around.notes, note))


def choose_method(request: Request, opened: Inputs) -> Choices:
    """
    Turn method, target and scale into objects and open the perturbation of the method.

    Raises
    ------
    UsageError
        An unknown name or an impossible pair, with the reason.
    """
    _check_method(request.method)
    method: Method = build(request.method, METHODS[opened.modality.gives(request.method)])
    check_layer(method, request.method)
    signature = opened.signature
    target = parse_target(
        request.explanation.target,
        signature.outputs,
        task=signature.task,
        positive=signature.positive,
        columns=opened.modality.columns,
        force=request.safety.force,
    )
    bounded = request.explanation.output_scale is not None and _is_bounded(opened)
    named = request.explanation.output_scale or default_scale(method, opened.model)
    scale = parse_scale(named, signature.scale, bounded=bounded)
    with refusals_named(method, request.method):
        check_needs(method, opened.model.capabilities, scale)
        check_gradient(method, opened.model, opened.modality.typical(), scale)
        method, neighbourhood = _perturbed(method, request.method, opened)
        check_perturbation(method, neighbourhood.perturbation)
        neighbourhood = at_layer(method, opened.model, opened.modality, neighbourhood)
    # what it names may be an address with a signature, which every line of the output would show
    neighbourhood = replace(
        neighbourhood,
        baseline=redact(neighbourhood.baseline),
        meaning=redact(neighbourhood.meaning),
        masked=redact(neighbourhood.masked),
    )
    _check_foil(neighbourhood.perturbation, target)
    undrawn = Budget(request.sampling.seed, 0, 0)
    if named != request.explanation.output_scale:
        said = "explaining log-odds, the model's scores (--output-scale probability: its outputs)"
        neighbourhood = replace(neighbourhood, notes=(said, *neighbourhood.notes))
    steady = not opened.unsteady
    return with_draws(
        request, Choices(method, neighbourhood, target, scale, undrawn, (), steady=steady)
    )


def with_draws(request: Request, chosen: Choices) -> Choices:
    """Return what was chosen with the samples and repeats that the request asks for."""
    method, neighbourhood = chosen.method, chosen.neighbourhood
    budget, notes = _budget(request, method, neighbourhood.perturbation)
    if budget.repeats == 1 and method.sampled and not method.exact:
        notes.append(
            "one repeat: errors by a sandwich that takes the draws as independent, which"
            " overstates them: about two times, with few features and a smooth model up to ten;"
            " --repeats 2 or more measures them"
        )
    if method.exact and method.sampled:
        exact = "exact: " if chosen.steady else ""
        notes.append(
            f"{exact}the weights have no sampling error; their local_r2 is estimated from"
            f" {budget.samples} draws"
        )
    return replace(chosen, budget=budget, notes=(*neighbourhood.notes, *notes))
