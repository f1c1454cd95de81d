"""Judges of made rows: NumPy says what torch says, and the judge that is kept is no brittle one."""

import numpy as np
import pytest

from xplain_cli.baselines.learned_judges import (
    JudgedRows,
    KernelJudge,
    PictureJudge,
    best_judge,
    judge_of,
    trained_judge,
)
from xplain_cli.baselines.vectors import PictureSpace, VectorForm

FORM = PictureSpace((18, 17, 1), 0.0, 1.0, {}).form


def bars(count, seed):
    """Return pictures of three classes, a bar at one of three heights, and their classes."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 3, count)
    made = np.full((count, 18, 17), -0.8) + 0.1 * rng.standard_normal((count, 18, 17))
    for i, k in enumerate(classes.tolist()):
        made[i, 6 * k + rng.integers(0, 3) : 6 * k + 4, 2:15] = rng.uniform(0.2, 1)
    return JudgedRows(made.reshape(count, -1).clip(-1, 1), classes)


def agreement(judge, rows, noise=0.0):
    draws = np.random.default_rng(9).standard_normal(rows.vectors.shape)
    return float((judge.classes(rows.vectors + noise * draws) == rows.classes).mean())


def test_the_network_of_a_judge_is_that_of_torch(rng):
    torch = pytest.importorskip("torch")
    shapes = [(16, 1, 3, 3), (16,), (32, 16, 3, 3), (32,), (32, 32, 3, 3), (32,), (288, 4), (4,)]
    weights = [rng.normal(0, 0.2, shape) for shape in shapes]
    judge = judge_of(FORM, 4, {f"judge{i}": one for i, one in enumerate(weights)})
    assert isinstance(judge, PictureJudge)
    x = rng.uniform(-1, 1, (9, FORM.width))
    made = torch.from_numpy(x).reshape(-1, 18, 17, 1).permute(0, 3, 1, 2)
    held = [torch.from_numpy(one) for one in weights]
    for kernel, shift in zip(held[:-2:2], held[1:-2:2], strict=True):
        made = torch.nn.functional.conv2d(made, kernel, shift, stride=2, padding=1).relu()
    scores = made.reshape(9, -1) @ held[-2] + held[-1]
    np.testing.assert_array_equal(judge.classes(x), scores.argmax(1).numpy())
    assert list(judge.arrays()) == [f"judge{i}" for i in range(8)]


def test_the_judge_of_pictures_agrees_on_rows_it_has_not_seen_noisy_ones_too():
    pytest.importorskip("torch")
    judge = trained_judge(FORM, bars(150, 0), bars(60, 1), 3, 0)
    unseen = bars(200, 2)
    assert agreement(judge, unseen) >= 0.95
    assert agreement(judge, unseen, 0.3) >= 0.9


class ByHeart:
    """Right about the very rows it knows, and of one class for all beside them."""

    def __init__(self, rows):
        self.known = {row.tobytes(): k for row, k in zip(rows.vectors, rows.classes, strict=True)}

    def classes(self, vectors):
        return np.array([self.known.get(row.tobytes(), 0) for row in vectors])


class ByBrightness:
    """Right about three rows in four, with noise too."""

    def classes(self, vectors):
        bright = vectors.reshape(len(vectors), 3, -1).mean(axis=2)
        found = bright.argmax(axis=1)
        return np.where(np.arange(len(found)) % 4 == 0, (found + 1) % 3, found)


def test_a_judge_that_is_right_without_noise_alone_is_not_kept():
    rows, good = bars(80, 3), ByBrightness()
    assert best_judge([ByHeart(rows), good], FORM, rows, 0) is good


def test_arrays_of_no_judge_are_refused(rng):
    held = {"waves": np.zeros((5, 4)), "phases": np.zeros(4), "answers": np.zeros((4, 2))}
    form = VectorForm(5, (), (0.0,) * 5)
    assert isinstance(judge_of(form, 2, held), KernelJudge)
    with pytest.raises(ValueError, match="a judge that fits"):
        judge_of(form, 3, held)
    with pytest.raises(ValueError, match="a judge that fits"):
        judge_of(FORM, 2, {f"judge{i}": np.zeros(3) for i in range(8)})
    with pytest.raises(KeyError):
        judge_of(FORM, 2, {"judge0": np.zeros(3)})
