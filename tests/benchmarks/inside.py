"""The tool from inside, for benchmarks that need hundreds of seeds: no process per seed."""

from dataclasses import dataclass

from xplain_cli import datasets
from xplain_cli.engine.explainer import Assignment, Explainer
from xplain_cli.engine.pool import draw_pool
from xplain_cli.engine.records import Labels
from xplain_cli.methods import Pool
from xplain_cli.models.batches import predict_fixed
from xplain_cli.options.request import from_stored
from xplain_cli.planning.choices import choose_method
from xplain_cli.planning.inputs import open_inputs
from xplain_cli.quality.precision import Budget
from xplain_cli.scales import checked_scale
from xplain_cli.targets import used_outputs


@dataclass(frozen=True)
class Case:
    """An opened model and table, ready to be explained with any seed."""

    opened: object
    chosen: object
    block: object
    table: object

    @property
    def names(self):
        return self.chosen.perturbation.names


def open_case(model, data, rows, **options):
    """Open a model and a table; *rows* are the row numbers to explain."""
    asked = {"modality": "tabular", "model": str(model), "data": (str(data),), **options}
    request = from_stored(asked)
    opened = open_inputs(request)
    chosen = choose_method(request, opened)
    modality = opened.modality
    table = datasets.read_columns(modality.table, modality.kinds).table.iloc[list(rows)]
    table = table.reset_index(drop=True)
    return Case(opened, chosen, chosen.perturbation.split(table), table)


def pool_of(case, seed):
    """Draw and predict the shared pool of one seed."""
    budget = Budget(seed, case.chosen.budget.samples, case.chosen.budget.repeats)
    draw, inputs = draw_pool(case.chosen.perturbation, budget)
    kept = used_outputs(case.chosen.target, len(case.opened.signature.outputs))
    outputs = predict_fixed(case.opened.model, inputs, kept)
    scaled = checked_scale(outputs, case.chosen.target, case.chosen.scale)
    return Pool(
        draw,
        scaled,
        budget.repeats,
        case.chosen.perturbation.frequencies,
    )


def explainer_of(case, seed, k=5):
    """Return the tool's explainer of the case, its pool drawn with one seed."""
    chosen = case.chosen
    assignment = Assignment(
        identity="benchmark",
        recipe=case.opened.recipe,
        signature=case.opened.signature,
        perturbation=chosen.perturbation,
        method=chosen.method,
        target=chosen.target,
        scale=chosen.scale,
        budget=Budget(seed, chosen.budget.samples, chosen.budget.repeats),
        stability_k=k,
        labels=Labels("", "", "", "", ""),
    )
    pool = None if not chosen.method.pooled else pool_of(case, seed)
    return Explainer(assignment, case.opened.model, iter([] if pool is None else [(pool,)]))


def explain(case, seed, k=5):
    """Explain the case's rows: (Attribution, Stability) of one seed."""
    explained, _ = explainer_of(case, seed, k)._explain_rows(case.block)
    found, _ = explained[0]
    return found.attribution, found.stability
