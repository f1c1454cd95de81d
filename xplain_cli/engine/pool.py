"""The pool of draws that all rows share: drawn and predicted once, in batches of one size."""

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.explanation import FloatArray, IntArray
from xplain_cli.features import Draw, Sampler
from xplain_cli.methods import Pool
from xplain_cli.models import Model
from xplain_cli.models.batches import padded, predict_perturbed
from xplain_cli.quality.precision import Budget
from xplain_cli.runs.locks import wait_for_lock
from xplain_cli.runs.paths import unwritable
from xplain_cli.seeds import POOL


def draw_pool(
    perturbation: Sampler, budget: Budget, repeats: range | None = None
) -> tuple[Draw, pd.DataFrame]:
    """Draw the pool that all rows share, or some repeats: each is seeded by (seed, repeat)."""
    wanted = range(budget.repeats) if repeats is None else repeats
    return perturbation.draw(budget.samples, [(POOL, budget.seed, r) for r in wanted])


def share_draws(
    draw: Draw, outputs: FloatArray, repeats: int, perturbation: Sampler
) -> tuple[Pool, ...]:
    """Return the pools of the same draws: outputs (c * m, k) are those of c pools, in order."""
    own = np.split(outputs, len(outputs) // draw.codes.shape[1])
    return tuple(Pool(draw, part, repeats, perturbation.frequencies) for part in own)


def save_pool(folder: Path, draw: Draw, outputs: FloatArray) -> None:
    """Write the pool as arrays that workers map into memory."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        "codes": draw.codes,
        "positions": draw.positions,
        "parts": draw.parts,
        "outputs": outputs,
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)


def load_pool(folder: Path) -> tuple[Draw, FloatArray]:
    """Map the draws and the model's outputs (c * m, k) on them from *folder* into memory."""
    codes, positions, parts, outputs = (
        np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        for name in ("codes", "positions", "parts", "outputs")
    )
    return Draw(codes, positions, parts), outputs


def _digest(folder: Path) -> str:
    draw, outputs = load_pool(folder)
    state = hashlib.sha256()
    for array in (draw.codes, draw.positions, draw.parts, outputs):
        state.update(np.ascontiguousarray(array).data if array.size else b"")
    return state.hexdigest()


def find_pool(folder: Path) -> dict[str, Any] | None:
    """Return the facts of a whole pool that an interrupted run left in *folder*, else None."""
    try:
        facts: dict[str, Any] = json.loads((folder / "pool.json").read_text())
        return facts if facts.get("sha256") == _digest(folder) else None
    except (OSError, ValueError):
        return None


def make_pool(
    folder: Path,
    perturbation: Sampler,
    model: Model,
    budget: Budget,
    kept: IntArray,
    repeats: range | None = None,
) -> dict[str, Any]:
    """
    Draw the shared pool, or some repeats of it, predict it once and keep it in *folder*.

    Only its *kept* outputs are. Where values are held it is predicted with each combination.

    Returns
    -------
    its facts: rows, how many pools, model inputs, SHA-256 of its arrays.

    Raises
    ------
    RefusedError
        The folder cannot be written.
    """
    draw, inputs = draw_pool(perturbation, budget, repeats)
    outputs = predict_perturbed(model, inputs, kept)
    try:
        save_pool(folder, draw, outputs)
        pools = perturbation.traits.pools
        facts = {
            "rows": len(inputs) // pools,
            **({"pools": pools} if pools > 1 else {}),
            "model_inputs": padded(len(inputs)),
            "sha256": _digest(folder),
        }
        (folder / "pool.json").write_text(json.dumps(facts, indent=2))
    except OSError as error:
        raise unwritable(error, folder) from error
    return facts


def longer_pools(
    folder: Path, perturbation: Sampler, model: Model, budget: Budget, kept: IntArray
) -> Iterator[tuple[int, Draw, FloatArray]]:
    """
    Yield the pool of each look: its repeats, its draws, the model's outputs (c * m, k) on them.

    Each look adds repeats to those before. What is added is predicted once, by the first process
    that needs it, and kept beside the shared pool for the others and for a resumed run.
    """
    draw, outputs = load_pool(folder)
    yield budget.stages[0], draw, outputs
    for before, repeats in itertools.pairwise(budget.stages):
        added = folder.with_name(f"{folder.name}-{repeats}")
        with wait_for_lock(added.with_suffix(".lock")):
            if find_pool(added) is None:
                make_pool(added, perturbation, model, budget, kept, range(before, repeats))
        more, answers = load_pool(added)
        draw = Draw(
            np.concatenate([draw.codes, more.codes], axis=1),
            np.concatenate([draw.positions, more.positions], axis=1),
            np.concatenate([draw.parts, more.parts], axis=1),
        )
        outputs = _joined(outputs, answers, perturbation.traits.pools)
        yield repeats, draw, outputs


def _joined(first: FloatArray, more: FloatArray, pools: int) -> FloatArray:
    """Return outputs (c * m, k) of c pools with those of further draws, pool by pool."""
    kept = first.shape[1]
    parts = [part.reshape(pools, -1, kept) for part in (first, more)]
    return np.ascontiguousarray(np.concatenate(parts, axis=1)).reshape(-1, kept)


def grown(facts: dict[str, Any], budget: Budget, precise: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a pool with what longer looks added, as far as a row needed them."""
    if not facts or not precise:
        return facts
    most, pools = precise["precision_goal"]["most_repeats"], facts.get("pools", 1)
    added = [
        budget.samples * (after - before)
        for before, after in itertools.pairwise(budget.stages)
        if after <= most
    ]
    return {
        **facts,
        "rows": facts["rows"] + sum(added),
        "model_inputs": facts["model_inputs"] + sum(padded(pools * count) for count in added),
    }
