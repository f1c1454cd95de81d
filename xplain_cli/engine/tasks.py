"""Makes the tasks of methods: rows split, cut where the model stops reading, grouped by size."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from xplain_cli.engine.model_calls import ModelCalls
from xplain_cli.engine.row_predictions import Answers
from xplain_cli.features import Perturbation, Split
from xplain_cli.methods import Task
from xplain_cli.models import Model, Signature
from xplain_cli.quality.precision import Budget


def split_rows(perturbation: Perturbation, model: Model, batch: Any) -> Split:
    """Split aligned rows into features, as far as the model reads them."""
    rows = perturbation.split(batch)
    read_length = model.capabilities.read_length
    if read_length is None:
        return rows
    return rows.read_to([read_length(text) for text in rows.inputs])


def by_features(rows: Split, chosen: Sequence[int]) -> dict[tuple[int, int], list[int]]:
    """Group some of the rows by how many features they have, and by the pool that serves them."""
    pools = np.zeros(len(rows), dtype=np.int64) if rows.pool_of is None else rows.pool_of
    kinds = list(zip(rows.counts.tolist(), pools.tolist(), strict=True))
    groups: dict[tuple[int, int], list[int]] = {}
    for row in chosen:
        groups.setdefault(kinds[row], []).append(row)
    return groups


def some_of(rows: Split, chosen: Sequence[int]) -> Split:
    """Return some rows; all of them, in their order, are what they are."""
    places = list(chosen)
    return rows if places == list(range(len(rows))) else rows.take(places)


def make_task(
    asked: ModelCalls,
    signature: Signature,
    perturbation: Perturbation,
    *,
    rows: Split,
    answers: Answers,
    chosen: Sequence[int],
    budget: Budget,
) -> Task[Any, Any]:
    """
    Return what a method is handed of some rows.

    Parameters
    ----------
    asked, signature
        How the model is asked, and what its probe chose.
    perturbation, rows, answers
        The perturbation, the rows that it split, and the model's answers on them.
    chosen
        Rows that have equally many features.
    budget
        Seed, samples and repeats.
    """
    places = list(chosen)
    pairs = answers.pairs[places]
    return Task(
        perturbation=perturbation,
        block=some_of(rows, places),
        # methods see the needed outputs alone
        pairs=np.where(pairs >= 0, np.searchsorted(asked.kept, pairs), -1),
        predictions=answers.values[places],
        margin=signature.margin,
        seed=budget.seed,
        samples=budget.samples,
        repeats=budget.repeats,
        probabilities=asked.scale.name == "probability",
    )
