"""A model that answers by its scores: log-odds without the detour through rounded probabilities.

A probability next to 1 has lost its log-odds, its scores have not. Methods that follow scores are
answered like that everywhere, so that what they add up to is what they are compared with.
"""

from dataclasses import dataclass

import numpy as np

from xplain_cli.explanation import FloatArray
from xplain_cli.models.batches import take
from xplain_cli.models.contract import Batch, Capabilities, Model, Signature
from xplain_cli.models.gradients import Gradient, linked, log_odds
from xplain_cli.models.one_by_one import together_or_each

_ROUNDING = {False: 1e-9, True: 1e-5}


@dataclass(frozen=True)
class ScoredModel:
    """
    A model whose answers are log-odds of its outputs, or their logarithms.

    Attributes
    ----------
    model, gradient
        The model of the outputs, and its scores.
    paired
        Whether two outputs are compared: answers are log p then, else log(p / (1 - p)).
    """

    model: Model
    gradient: Gradient
    paired: bool

    @property
    def signature(self) -> Signature:
        """What the probe chose."""
        return self.model.signature

    @property
    def capabilities(self) -> Capabilities:
        """Nothing but answers: what else it can do is said of its outputs."""
        return Capabilities(row_by_row=False)

    def predict(self, batch: Batch) -> FloatArray:
        """Return the (rows, outputs) float64 answers, C-contiguous."""
        scores = self.gradient.scores(self.gradient.enter(batch))
        return np.ascontiguousarray(log_odds(scores, self.gradient.link, paired=self.paired))


def missed(model: Model, gradient: Gradient, batch: Batch) -> str:
    """
    Return how the outputs that scores lead to differ from a model's answers; empty where not.

    Parameters
    ----------
    batch
        A few rows. Those that the model fails on, or answers by no number, say nothing: they will
        be failed records.
    """
    asked, _ = together_or_each(lambda some: model.predict(take(batch, some)), range(len(batch)))
    answered = [
        (place, answer)
        for places, answers in asked
        for place, answer in zip(places, answers, strict=True)
        if np.isfinite(answer).all()
    ]
    if not answered:
        return ""
    answers = np.array([answer for _, answer in answered])
    rows = take(batch, [place for place, _ in answered])
    made = linked(gradient.scores(gradient.enter(rows)), gradient.link)
    if made.shape != answers.shape:
        return f"{made.shape[1]} numbers where the model answers {answers.shape[1]}"
    far = np.abs(made - answers)
    size = max(1.0, float(np.abs(answers).max(initial=0)))
    rounding = _ROUNDING[gradient.single or model.signature.single]
    if not far.max(initial=0) <= rounding * size:
        worst = np.unravel_index(int(far.argmax()), far.shape)
        return f"{made[worst]:.6g} where the model answers {answers[worst]:.6g}"
    return ""
