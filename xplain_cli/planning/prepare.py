"""Prepares a job: everything opened and chosen, its plan, and the work of a worker."""

import time
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from xplain_cli.console import Console
from xplain_cli.engine.explainer import Assignment
from xplain_cli.engine.records import Labels
from xplain_cli.errors import quoting, staying
from xplain_cli.methods.defaults import follows_scores, own_columns
from xplain_cli.options.request import Request
from xplain_cli.output import Rendering, check_rendering
from xplain_cli.plan import Plan
from xplain_cli.planning.choices import Choices, choose_method
from xplain_cli.planning.inputs import Inputs, open_inputs
from xplain_cli.quality.gates import Gate, tolerated
from xplain_cli.quality.named_gates import gates_of
from xplain_cli.specs import settings_of


@dataclass(frozen=True)
class Job:
    """All that the steps of one run share; nothing is written yet."""

    request: Request
    opened: Inputs
    chosen: Choices
    plan: Plan
    rendering: Rendering
    gates: tuple[Gate, ...]
    console: Console
    opening_seconds: float

    @property
    def notes(self) -> tuple[str, ...]:
        """All that was decided and told."""
        return (*self.opened.notes, *self.chosen.notes)

    @property
    def tolerated(self) -> int:
        """How many rows may fail."""
        return tolerated(self.request.gates.max_failed, self.opened.stop - self.opened.start)


def assign(job: Job, pool_folder: Path | None, secret: str = "") -> Assignment:
    """
    Collect what workers need.

    Parameters
    ----------
    pool_folder
        Where the shared pool lies, if there is one.
    secret
        What units are hashed with where nobody gave a salt.
    """
    request, opened, chosen = job.request, job.opened, job.chosen
    # workers open the very bytes that were judged here
    recipe = replace(opened.recipe, sha256=opened.loaded.sha256)
    further = own_columns(chosen.method)
    return Assignment(
        identity=job.plan.identity,
        recipe=recipe,
        signature=opened.signature,
        perturbation=chosen.perturbation.salted(secret),
        method=chosen.method,
        target=chosen.target,
        scale=chosen.scale,
        budget=chosen.budget,
        judge=chosen.neighbourhood.judge,
        stability_k=request.sampling.stability_k,
        labels=Labels(
            run_id=job.plan.run_id,
            target_spec=chosen.target.spec,
            method=method_label(request, chosen),
            output_scale=chosen.scale.label,
            baseline=chosen.neighbourhood.baseline,
            steady=not opened.unsteady,
            weight_columns=(*chosen.perturbation.weight_columns, *further[0]),
            stability_columns=(*chosen.perturbation.stability_columns, *further[1]),
        ),
        layer_mean=chosen.neighbourhood.layer_mean,
        pool_folder=None if pool_folder is None else str(pool_folder.resolve()),
        batch_rows=opened.modality.batch_rows,
        sparse=chosen.neighbourhood.sparse,
        with_values=request.shows_values,
        with_repeats=request.result.write_repeats,
    )


def prepare(request: Request, console: Console) -> Job:
    """
    Open and check everything.

    Raises
    ------
    XplainError
        What the request names is refused, or cannot be done.
    """
    began = time.perf_counter()
    gates, unjudged = gates_of(request.gates.fail_on, request.gates.gate)
    tolerated(request.gates.max_failed, 1)
    rendering = Rendering(request.result.top_k, request.result.csv_guard, request.result.wide)
    check_rendering(rendering, request.result.output_format)
    with staying(request.sources.model), quoting(shown=request.shows_values):
        opened = open_inputs(request)
        chosen = choose_method(request, opened)
    plan = make_plan(request, opened, chosen)
    took = time.perf_counter() - began - opened.checking_seconds
    for note in unjudged:
        console.note(note)
    return Job(request, opened, chosen, plan, rendering, gates, console, took)


SCHEMA_VERSION = 3


def method_label(request: Request, chosen: Choices) -> str:
    """Return the method with the settings that differ from its defaults, in a fixed order."""
    method = chosen.method
    name = request.method.partition(":")[0].strip()
    plain = settings_of(type(method)())
    keys = {part.name: str(part.metadata.get("key", part.name)) for part in fields(method)}  # type: ignore[arg-type]  # every method is a dataclass
    changed = {keys[k]: v for k, v in settings_of(method).items() if v != plain.get(k)}
    if not method.pooled:
        changed.pop("discretizer", None)  # it follows
    words = {True: "yes", False: "no"}
    pairs = [f"{k}={words.get(v, v) if isinstance(v, bool) else v}" for k, v in changed.items()]
    return name + (":" + ",".join(pairs) if pairs else "")


def _rendering(request: Request, chosen: Choices) -> dict[str, Any]:
    """Return how results are shown."""
    rendering = {
        "format": request.result.output_format,
        "top_k": request.result.top_k,
        "csv_guard": request.result.csv_guard,
        "wide": request.result.wide,
        "maps": request.heatmaps.maps,
        "write_maps": request.heatmaps.write_maps,
    }
    if request.heatmaps.maps and chosen.perturbation.traits.maps and follows_scores(chosen.method):
        rendering["panels"] = True
    return rendering


def _of_this_model(request: Request, opened: Inputs) -> dict[str, Any]:
    """Return what decides the numbers where the digest of the file does not say all."""
    found: dict[str, Any] = {}
    if opened.unsteady:
        found["unsteady"] = True  # parts of such a run carry another word for their precision
    if opened.recipe.member is not None:  # the digest is that of the whole file
        found["member"] = opened.recipe.member
    if request.redrawn is not None:  # another model than its file
        found["redrawn"] = list(request.redrawn)
    return found


def make_plan(request: Request, opened: Inputs, chosen: Choices) -> Plan:
    """Collect everything that decides the numbers, what parts hold, and how they are shown."""
    signature = opened.signature
    numbers: dict[str, Any] = {
        "schema": SCHEMA_VERSION,
        "modality": request.modality,
        "model": opened.loaded.sha256,
        "response": signature.response,
        "outputs": list(signature.outputs),
        "data": opened.modality.sha256,
        **opened.modality.numbers(),
        "method": {
            "name": request.method.partition(":")[0],
            **settings_of(chosen.method),
        },
        "target": chosen.target.spec,
        "output_scale": chosen.scale.label,
        "baseline": chosen.neighbourhood.baseline,
        "sparse": chosen.neighbourhood.sparse,
        "samples": chosen.budget.samples,
        "repeats": chosen.budget.repeats,
        "seed": request.sampling.seed,
        "stability_k": request.sampling.stability_k,
        "model_batch_rows": opened.modality.batch_rows,
    }
    numbers |= _of_this_model(request, opened)
    goal = chosen.budget.goal
    if goal is not None:
        numbers |= {"max_rel_se": goal.max_rel_se, "max_samples": goal.max_samples}
    selection: dict[str, Any] = {
        "rows": [opened.start, opened.stop],
        "id_column": request.ids.id_column,
        "keep": list(dict.fromkeys(request.ids.keep)),
        "values": not request.result.no_values,
        "repeats": request.result.write_repeats,
    }
    if request.slices.shard is not None:
        number, count = request.slices.shard
        selection["shard"] = {"number": number, "of": count, "of_rows": list(opened.whole)}
    return Plan(numbers, selection, _rendering(request, chosen), request.sampling.budget)


_CHUNKS_OF_EACH = 10  # units of work for each worker, in a job that has so many rows
# What is done column by column costs as much for 500 rows as for 2,000: of 20,000 rows of 30
# columns it was an eighth of a job. More weights than this in one chunk take memory and no time.
_CHUNK_WEIGHTS = 1 << 16
_TIMES_AS_MANY = 4
_LITTLE_MORE = 1.25  # of what is usual: a second chunk for the rest costs more than it takes


def _weights_of_row(chosen: Choices) -> int:
    """Return how many lines of weights a row has."""
    target = chosen.target
    return max(1, chosen.neighbourhood.features or 0) * max(1, len(target.pairs), target.top)


def chunk_rows(job: Job) -> int:
    """
    Return the rows of a unit of work.

    Fewer of a short job, lest workers wait for the last; of rows that share a pool more of a long
    one, as each by itself takes little: whole model batches, which are filled up.
    """
    import joblib

    opened, chosen = job.opened, job.chosen
    usual = opened.modality.chunk_rows(chosen.method, chosen.neighbourhood)
    rows, jobs = opened.stop - opened.start, job.request.workers.jobs or joblib.cpu_count()
    each = rows // (_CHUNKS_OF_EACH * jobs)
    if chosen.method.pooled:
        light, batch = _CHUNK_WEIGHTS // _weights_of_row(chosen), opened.modality.batch_rows
        whole = min(each, light, _TIMES_AS_MANY * usual) // batch * batch
        return rows if usual < rows <= _LITTLE_MORE * usual else max(usual, whole)
    return min(usual, max(each, usual // 8, 1))
