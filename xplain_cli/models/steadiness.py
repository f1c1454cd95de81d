"""Whether a model answers the same rows alike: asked again, in reverse order, and in halves.

An explanation compares many answers. Where they move by themselves, through noise, a state between
calls, or statistics of the rows beside, no error that is measured over draws knows of it.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from xplain_cli.errors import ModelDiedError, RefusedError, kind_of
from xplain_cli.explanation import FloatArray
from xplain_cli.models.batches import count, take, takes_many
from xplain_cli.models.contract import UNSTEADY, Model, ModelRecipe, Signature

_DOUBLE, _SINGLE = 1e-9, 1e-5  # of the answers' range: more than rounding of either precision

_Ask: TypeAlias = Callable[[Any], FloatArray]


def _whole(ask: _Ask, rows: Any) -> FloatArray:
    return ask(rows)


def _reversed(ask: _Ask, rows: Any) -> FloatArray:
    return ask(take(rows, range(count(rows))[::-1]))[::-1]


def _halved(ask: _Ask, rows: Any) -> FloatArray:
    """Ask for each half alone; for a lone row, which has none, beside itself."""
    n = count(rows)
    if n == 1:
        return ask(take(rows, [0, 0]))[:1]
    return np.concatenate([ask(take(rows, half)) for half in (range(n // 2), range(n // 2, n))])


_WAYS: dict[str, Callable[[_Ask, Any], FloatArray]] = {
    "asked": _whole,
    "asked again": _whole,
    "asked in reverse order": _reversed,
    "asked in halves": _halved,
}


def _range(answers: FloatArray, signature: Signature) -> FloatArray:
    """
    Return how far the answers can be apart: (outputs,), or (1,) where outputs share a scale.

    Zero is taken for one of them: rounding grows with the size of a number, and all rows of a probe
    may have the same one.
    """
    if signature.scale == "probability":
        return np.ones(1)
    axis = 0 if signature.task == "regression" else None
    high, low = np.maximum(answers.max(axis=axis), 0.0), np.minimum(answers.min(axis=axis), 0.0)
    return np.atleast_1d(np.asarray(high - low, dtype=np.float64))


def _moved(answers: FloatArray, others: FloatArray, span: FloatArray) -> float:
    """Return the largest difference as a share of *span*; infinity for answers of another kind."""
    if answers.shape != others.shape:
        return np.inf
    apart = np.abs(answers - others)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(apart == 0, 0.0, apart / span)
    return float(np.where(np.isnan(share), np.inf, share).max())


def _is_single(model: Model, rows: Any, answers: FloatArray) -> bool:
    """
    Return whether a model computes in single precision, as those of texts and pictures do.

    One of tables answers such numbers, or rounds its inputs to them: what that takes away from a
    number then moves no answer. Inputs that have nothing to lose say nothing.
    """
    if model.signature.single or not isinstance(rows, pd.DataFrame):
        return True
    exact, rounded = rows.select_dtypes(np.float64), rows.copy()
    with np.errstate(over="ignore"):
        rounded[exact.columns] = exact.astype(np.float32).astype(np.float64)
    if rounded.equals(rows):
        return False
    try:
        return bool(np.array_equal(model.predict(rounded), answers))
    except Exception:  # noqa: BLE001  # a model may raise anything
        return False


def movement(model: Model, rows: Any) -> str:
    """
    Return how a model's answers on the same rows move, in words; empty where they stay.

    They stay if they differ by at most 1e-9 of their range, or 1e-5 where the model computes in
    single precision.

    Parameters
    ----------
    rows
        A few rows that the model answers.
    """
    n = count(rows)
    # one copy for the first two questions: what a model writes into its rows then shows as well
    batch, first = take(rows, range(n)), None
    for way, asked in _WAYS.items():
        try:
            answers = asked(model.predict, batch)
        except ModelDiedError:
            raise
        except Exception as error:  # noqa: BLE001  # a model may raise anything, quoting its rows
            kind = kind_of(error, quotes=False)
            return f"{way} for {n} rows that the probe answered, it fails with {kind}"
        first = answers if first is None else first
        share = _moved(first, answers, _range(first, model.signature))
        if share > _SINGLE or (share > _DOUBLE and not _is_single(model, batch, first)):
            far = f"move by up to {share:.2g} of their range"
            said = far if np.isfinite(share) else "become other ones, or no numbers"
            return f"{way} for the same {n} rows, its answers {said}"
    return ""


def check_steady(recipe: ModelRecipe, model: Model, rows: Any) -> str:
    """
    Return how the answers of a model move, where they do and the user accepts it; else nothing.

    Trees and forests of scikit-learn in a file that was judged are not asked: how they answer is
    known, and nobody else's code is in them.

    Raises
    ------
    RefusedError
        They move, and the recipe does not accept it.
    """
    judged = not (recipe.trust_all or recipe.trusted)
    moved = "" if judged and takes_many(model) else movement(model, rows)
    if moved and UNSTEADY not in recipe.accept:
        raise RefusedError(
            f"{recipe.source}: {moved}; an answer must depend on its own row alone: take noise,"
            " dropout and statistics of the batch out of the model; or, to explain it as it is"
            " without calling any of it precise: --accept unsteady"
        )
    return moved
