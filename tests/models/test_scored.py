"""A model that answers by its scores: log-odds that rounded probabilities have lost."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from paths import plain

from xplain_cli.models.contract import Capabilities, Signature
from xplain_cli.models.estimators.chains import Affine, Chain
from xplain_cli.models.gradients import linked
from xplain_cli.models.scored import ScoredModel, missed

LINE = plain(Chain((Affine(np.array([[1.0, -1.0, 0.5]]), np.zeros(3)),)), "softmax")
NAMES = ("a", "b", "c")


SIGNATURE = Signature("f", "classification", "probability", NAMES, None, margin=False, note="")


@dataclass(frozen=True)
class Soft:
    """A softmax of three lines."""

    off: float = 0.0
    capabilities: ClassVar[Capabilities] = Capabilities()
    signature: ClassVar[Signature] = SIGNATURE

    def predict(self, batch):
        return linked(LINE.scores(batch), "softmax") + self.off


@pytest.mark.parametrize("paired", [True, False])
def test_answers_are_log_odds_of_the_outputs(paired):
    rows = np.linspace(-3, 3, 7)[:, None]
    p = Soft().predict(rows)
    expected = np.log(p) if paired else np.log(p / (1 - p))
    found = ScoredModel(Soft(), LINE, paired).predict(rows)
    assert found == pytest.approx(expected)
    assert found.flags.c_contiguous


def test_a_probability_of_one_keeps_its_log_odds():
    assert Soft().predict(np.array([[200.0]]))[0, 0] == 1.0
    assert ScoredModel(Soft(), LINE, paired=False).predict(np.array([[200.0]]))[0, 0] == 100.0


def test_scores_are_held_against_the_answers():
    rows = np.linspace(-3, 3, 7)[:, None]
    assert not missed(Soft(), LINE, rows)
    assert "where the model answers" in missed(Soft(1e-6), LINE, rows)


@dataclass(frozen=True)
class Choosy(Soft):
    """Fails on a batch with a number below -2.5; answers NaN to what is above 2.5."""

    def predict(self, batch):
        if (batch < -2.5).any():
            raise ValueError("too low")
        return np.where(batch > 2.5, np.nan, super().predict(batch))


def test_rows_that_have_no_answer_say_nothing_of_scores():
    rows = np.linspace(-3, 3, 7)[:, None]
    assert not missed(Choosy(), LINE, rows)
    assert "where the model answers" in missed(Choosy(1e-6), LINE, rows)
    assert not missed(Choosy(1e-6), LINE, rows[:1])
