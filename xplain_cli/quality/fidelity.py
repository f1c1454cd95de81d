"""The fidelity of an explanation: does it agree with the model, around the row and at the row."""

from dataclasses import dataclass

import numpy as np

from xplain_cli.explanation import Attribution, BoolArray, CodedWords, FloatArray, IntArray
from xplain_cli.quality.words import FIDELITY

_GOOD_R2, _FAIR_R2 = 0.5, 0.2
_GOOD_MISS, _FAIR_MISS = 0.25, 0.5
_ROUNDING = 1e-9
"""Of the prediction or the base value: a miss below it is rounding."""
_LAST_DIGITS = 1e-15
"""Of the sum of the weights' sizes: numbers that cancel miss 0 by as much."""
_THRESHOLDS = {"probability": 0.5, "log-odds": 0.0}


@dataclass(frozen=True)
class Decision:
    """
    How a model decides, as far as one explained number, or several, say it.

    Attributes
    ----------
    classes
        The number of classes that exclude each other; 0 where the model decides nothing.
    threshold
        Of two classes: above it the explained class is chosen; None where the scale has none.
    """

    classes: int = 0
    threshold: float | None = None

    def same(self, pairs: IntArray, predictions: FloatArray, explained: FloatArray) -> FloatArray:
        """
        Say whether base and weights decide as the model does.

        Parameters
        ----------
        pairs : (b, t, 2)
            Of each target the (plus, minus) outputs; minus -1 for a single one.
        predictions, explained : (b, t)
            The model's numbers, and the sums of base and weights.

        Returns
        -------
        (b, t) of 1, 0, or NaN where the numbers that are explained decide nothing
        """
        against: BoolArray = np.asarray(pairs[..., 1] >= 0)
        level = np.where(against, 0.0, np.nan if self.threshold is None else self.threshold)
        known = against if self.classes != 2 else against | (self.threshold is not None)
        agree = np.asarray((predictions > level) == (explained > level), dtype=np.float64)
        found: FloatArray = np.where(known, agree, np.nan)
        if self.classes > 2 and predictions.shape[1] > 1:
            first = (predictions.argmax(axis=1) == explained.argmax(axis=1)).astype(np.float64)
            foils = np.asarray(against.any(axis=1))
            found = np.where(foils[:, None], found, first[:, None])
        return np.where(np.isfinite(explained) & np.isfinite(predictions), found, np.nan)


def decision_of(task: str, outputs: int, scale: str, *, margin: bool, exclusive: bool) -> Decision:
    """
    Return how a model decides on an explained scale.

    Parameters
    ----------
    task, outputs, margin
        As of the model's signature: the task, how many outputs, and whether one margin stands for
        two classes.
    scale
        ``probability``, ``log-odds`` or ``raw``.
    exclusive
        Whether the classes exclude each other: those of several outputs do not.
    """
    if task != "classification" or outputs < 2 or not exclusive:
        return Decision()
    return Decision(outputs, 0.0 if margin else _THRESHOLDS.get(scale))


def attribution_error(got: Attribution, predictions: FloatArray) -> FloatArray:
    """
    Return |base + sum of weights - prediction| / |prediction - base|, (b, t).

    0 where nothing is missed, or where both are rounding; NaN where nothing is due and is missed.
    """
    missed, due = _missed(got, predictions), np.abs(predictions - got.base)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(due > 0, missed / due, np.nan)
    nothing = np.maximum(missed, due) <= _rounding(got, predictions)
    return np.where(nothing | (missed == 0), 0.0, share)


def _missed(got: Attribution, predictions: FloatArray) -> FloatArray:
    miss = got.base + got.weights.sum(axis=-1) - predictions
    return np.asarray(np.abs(miss), dtype=np.float64)


def _rounding(got: Attribution, predictions: FloatArray) -> FloatArray:
    """Return what is rounding of the numbers of each row and target (b, t)."""
    # an answer of exactly 0 rounds too, to the last digits of the weights that cancel in it;
    # nothing here is absolute, for a model may answer in units of any size
    largest = np.maximum(np.abs(predictions), np.abs(got.base))
    cancelled = np.abs(got.weights).sum(axis=-1)
    return np.asarray(_ROUNDING * largest + _LAST_DIGITS * cancelled, dtype=np.float64)


def own_miss(got: Attribution, predictions: FloatArray) -> FloatArray:
    """Return the attribution error (b, t), with 0 for a miss that is rounding."""
    rounds = _missed(got, predictions) <= _rounding(got, predictions)
    return np.where(rounds, 0.0, attribution_error(got, predictions))


def _grades(values: FloatArray, good: float, fair: float) -> IntArray:
    """Return places in ``FIDELITY`` of numbers of which less is better; 0 where there is none."""
    grades = np.where(values <= good, 0, np.where(values <= fair, 1, 2))
    return np.where(np.isnan(values), 0, grades).astype(np.int64)


def fidelity_words(local_r2: FloatArray, miss: FloatArray, same_decision: FloatArray) -> CodedWords:
    """
    Return good, fair or poor: the worse of two grades.

    Around the row by R^2 on draws that were not fitted (good from 0.5, fair from 0.2); at the row
    by the share of what is due that base and weights miss (good up to 0.25, fair up to 0.5), and
    poor where they decide otherwise than the model. A grade that is undefined (NaN) does not count,
    and nothing is said where all are.
    """
    grades = np.maximum(
        _grades(-local_r2, -_GOOD_R2, -_FAIR_R2), _grades(miss, _GOOD_MISS, _FAIR_MISS)
    )
    otherwise = same_decision == 0
    unknown = np.isnan(local_r2) & np.isnan(miss) & ~otherwise
    places = np.where(unknown, -1, np.where(otherwise, FIDELITY.index("poor"), grades))
    return CodedWords(places.astype(np.int64), list(FIDELITY))
