"""A generator and its judge, against the same written out."""

import numpy as np
import pytest
from learned import random_learned

from xplain_cli.baselines.generators import Rates, warnings_of
from xplain_cli.baselines.vectors import PictureSpace


def test_a_generator_adds_to_the_row_what_its_layers_say(rng):
    generator = random_learned(PictureSpace((3, 4, 1), 0.0, 1.0, {}), "abc").generator
    x, classes = rng.uniform(-1, 1, (5, 12)), np.array([0, 1, 2, 0, 1])
    hidden = np.concatenate([x, np.eye(3)[classes]], axis=1)
    w = generator.weights
    for i in (0, 2, 4):
        hidden = np.maximum(hidden @ w[i] + w[i + 1], 0)
    wanted = np.clip(x + 2 * np.tanh(hidden @ w[6] + w[7]), -1, 1)
    still = np.zeros(x.shape, dtype=bool)
    np.testing.assert_allclose(generator.made(x, still, classes), wanted, atol=1e-12)
    still[:, 3] = True
    np.testing.assert_array_equal(generator.made(x, still, classes)[:, 3], x[:, 3])


@pytest.mark.parametrize("shape", [(3, 4, 1), (18, 17, 2)])
def test_rows_alone_and_together_are_made_alike_to_the_last_bit(shape, rng):
    generator = random_learned(PictureSpace(shape, 0.0, 1.0, {}), "ab").generator
    x, classes = rng.uniform(-1, 1, (70, generator.form.width)), rng.integers(0, 2, 70)
    still = np.zeros(x.shape, dtype=bool)
    whole, judged = generator.made(x, still, classes), generator.judge.classes(x)
    for i in (0, 63, 64, 69):
        one = slice(i, i + 1)
        np.testing.assert_array_equal(generator.made(x[one], still[one], classes[one]), whole[one])
        assert generator.judge.classes(x[one]) == judged[i]
    assert (whole != x).any()


@pytest.mark.parametrize(
    ("target", "judge", "said"),
    [(0.9, 0.8, []), (0.89, 0.9, ["target rate"]), (0.95, 0.79, ["judge rate"])],
)
def test_low_rates_are_told(target, judge, said):
    found = warnings_of(Rates(target, judge, 0.2, 10, 0.9))
    assert len(found) == len(said)
    assert all(word in line for word, line in zip(said, found, strict=True))


def test_a_weak_judge_is_told_with_what_it_says_of_real_rows():
    (said,) = warnings_of(Rates(0.95, 0.5, 0.2, 10, 0.63))
    assert "the judge is a weak one: of real rows it says what the model says on 63%" in said
    (said,) = warnings_of(Rates(0.95, 0.5, 0.2, 10, 0.93))
    assert "weak" not in said
