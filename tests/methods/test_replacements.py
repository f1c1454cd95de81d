"""Curves under one replacement against a linear model, of which the answer is known."""

import numpy as np
import pytest
from mask_laws import Perturbation, Rows

from xplain_cli.methods import MaskOutputs, Task
from xplain_cli.methods.replacements import follow, replaced_count


class Whole(Rows):
    """Rows in which every feature differs from the replacement."""

    subset = None


def followed(weights, effects):
    """Follow explanations (a, n) of one row whose features add up to the difference of two."""
    a, n = np.shape(weights)

    def answers(masks):
        values = masks @ effects - effects.sum() / 2
        return np.stack([values, np.zeros(len(masks))], axis=1)

    whole = answers(np.ones((1, n)))[:, :1]
    pairs = np.array([[[0, 1]]])
    task = Task(Perturbation("bernoulli"), Whole(1, n), pairs, whole, False, 0, 1, 1)  # noqa: FBT003 - margin
    asking = follow(task, np.array(weights, dtype=float).reshape(a, 1, 1, n))
    need = next(asking)
    need = asking.send(MaskOutputs([answers(m) for m in need.masks], np.array([1])))
    with pytest.raises(StopIteration) as finished:
        asking.send(MaskOutputs([answers(m) for m in need.masks], np.array([9])))
    return finished.value.value


@pytest.mark.parametrize("sign", [1, -1], ids=["for", "against"])
def test_the_share_of_the_way_is_what_a_linear_model_says(rng, sign):
    n = 16
    effects = sign * np.abs(rng.normal(size=n))
    found = followed([effects, -effects], effects)
    count = replaced_count(n)
    assert found.replaced == count == 4
    best = np.sort(np.abs(effects))[::-1].cumsum()[:count] / np.abs(effects).sum()
    least = np.sort(np.abs(effects)).cumsum()[:count] / np.abs(effects).sum()
    assert found.shares[:, 0, 0] == pytest.approx([best.mean(), least.mean()])
    assert least.mean() < found.random[0, 0] < best.mean()
    assert found.asked.tolist() == [10]


def test_the_answer_turns_when_more_than_half_of_the_way_is_gone():
    effects = np.array([9.0, 1.0, 1.0, 1.0])
    found = followed([[1.0, 0, 0, 0], [0, 1.0, 0, 0]], effects)
    assert found.turned[:, 0, 0].tolist() == [1.0, 0.0]


def test_a_replacement_that_changes_nothing_says_nothing():
    found = followed([[1.0, 2.0, 3.0]], np.zeros(3))
    assert np.isnan(found.shares).all()
    assert np.isnan(found.random).all()
