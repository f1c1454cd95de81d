"""Scales: probabilities and log-odds."""

import numpy as np
import pytest

from xplain_cli.errors import UsageError
from xplain_cli.scales import Scale, parse_scale, to_scale
from xplain_cli.targets import pair_values, parse_target

ABC = ("a", "b", "c")


def parse(text, outputs=ABC, task="classification", positive=None, **rest):
    return parse_target(text, outputs, task=task, positive=positive, **rest)


def test_log_odds_of_a_class_is_its_logit():
    scaled = to_scale(np.array([[0.2, 0.8]]), Scale("log-odds"), paired=False)
    assert scaled[0, 0] == pytest.approx(np.log(0.2 / 0.8))


def test_log_odds_of_a_pair_is_the_log_ratio():
    target = parse("a:vs:b")
    scaled = to_scale(np.array([[0.2, 0.5, 0.3]]), Scale("log-odds"), paired=True)
    value = pair_values(scaled, np.array(target.pairs), margin=False)
    assert value[0, 0] == pytest.approx(np.log(0.2 / 0.5))


def test_eps_keeps_log_odds_of_a_certain_model_finite():
    scale = parse_scale("log-odds:eps=0.01", "probability", bounded=False)
    scaled = to_scale(np.array([[0.0, 1.0]]), scale, paired=False)
    assert scaled[0, 1] == pytest.approx(np.log(0.99 / 0.01))


@pytest.mark.parametrize(
    ("text", "model_scale"),
    [
        ("raw", "probability"),
        ("log-odds", "raw"),
        ("logodds", "probability"),
        ("log-odds:eps=1", "probability"),
        ("log-odds:epsilon=0.1", "probability"),
        ("probability:eps=0.1", "probability"),
        ("raw:of=softmax", "raw"),
    ],
)
def test_impossible_scales_are_refused(text, model_scale):
    with pytest.raises(UsageError):
        parse_scale(text, model_scale, bounded=False)
