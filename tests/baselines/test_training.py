"""Training a generator: the networks are those of NumPy, and a seed decides every byte."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from xplain_cli.baselines.adversaries import (
    Adversaries,
    TrainingRecipe,
    TrainingState,
    first_state,
    recipe_for,
)
from xplain_cli.baselines.generators import Generator
from xplain_cli.baselines.learned_judges import JudgedRows, trained_judge
from xplain_cli.baselines.lessons import table_examples
from xplain_cli.baselines.training import (
    class_head,
    fit_generator,
    measured_rates,
    rated,
)
from xplain_cli.baselines.vectors import PictureSpace, VectorForm
from xplain_cli.errors import RefusedError
from xplain_cli.models.gradients import SOFTMAX, Gradient

torch = pytest.importorskip("torch")

SMALL = TrainingRecipe(steps=30, every=10, hidden=16, batch=16)
FORMS = {
    "table": VectorForm(7, ((2, 5),), (0.0, 0.25, 0, 0, 0, 0, 0)),
    "small pictures": PictureSpace((3, 2, 2), 0.0, 1.0, {}).form,
    "pictures": PictureSpace((18, 17, 2), 0.0, 1.0, {}).form,
}


def moved(state, rng):
    """Return a state whose weights are all in use."""
    arrays = {
        name: (array + rng.normal(0, 0.1, array.shape)).astype(np.float32)
        for name, array in state.arrays.items()
    }
    return replace(state, arrays=arrays)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_torch_and_numpy_make_the_same(form, rng):
    recipe = replace(recipe_for(form), hidden=6)
    state = moved(first_state(form, 3, recipe, 0), rng)
    networks = Adversaries(form, recipe, state)
    x = form.settled(rng.uniform(-1, 1, (5, form.width))).astype(np.float32)
    fixed = rng.random(x.shape) < 0.2
    classes = np.array([0, 1, 2, 1, 0])
    words = torch.from_numpy(np.eye(3, dtype=np.float32)[classes])
    with torch.no_grad():
        made = networks.made(torch.from_numpy(x), torch.from_numpy(fixed), words).numpy()
        assert networks.critic(torch.from_numpy(x)).shape == (5, 1)
    weights = [state.arrays[f"g{i}"].astype(float) for i in range(len(networks.parts["g"]))]
    rows = JudgedRows(x.astype(float), classes)
    judge = trained_judge(VectorForm(form.width, form.groups, form.steps), rows, rows, 3, 0)
    own = Generator(form, 3, tuple(weights), judge, (1, 1, 1))
    np.testing.assert_allclose(made, own.made(x.astype(float), fixed, classes), atol=1e-5)
    assert (made != x).any()


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_before_the_first_step_a_row_stays_as_it_is(form, rng):
    networks = Adversaries(form, recipe_for(form), first_state(form, 3, recipe_for(form), 0))
    x = form.settled(rng.uniform(-1, 1, (4, form.width))).astype(np.float32)
    still = torch.zeros(x.shape, dtype=torch.bool)
    with torch.no_grad():
        made = networks.made(torch.from_numpy(x), still, torch.eye(3)[[0, 1, 2, 0]])
    np.testing.assert_allclose(made.numpy(), x, atol=1e-6)


def mixed(held=()):
    """Return a lesson of a mixed table of three classes, and a model linear in its points."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({
        "a": rng.normal(size=200),
        "b": np.where(rng.random(200) < 0.1, np.nan, rng.integers(0, 9, 200)),
        "c": rng.choice(["x", "y", "z"], 200).astype(object),
    })
    examples = table_examples(rows, frozenset({"c"}), (), held)

    def enter(table):
        letters = table["c"].to_numpy()[:, None] == np.array(["x", "y", "z"])
        return np.column_stack([table["a"], table["b"].fillna(4.0) / 4 - 1, letters])

    weights = np.array([[3.0, -3, 0], [0, 0, 2], [2, 0, 0], [0, 2, 0], [0, 0, 2]])
    gradient = Gradient(
        enter=enter,
        leave=np.asarray,
        scores=lambda points: points @ weights,
        derive=lambda points, slopes: (slopes(points @ weights) @ weights.T, points @ weights),
        link=SOFTMAX,
    )
    return examples.lesson(gradient), gradient


@pytest.fixture(scope="module")
def lesson():
    return mixed()


def test_a_generator_learns_to_do_without_what_is_held():
    """It leaves these places as they are, also where nobody says anew that they are held."""
    lesson, gradient = mixed(held=("c",))
    learned = fit_generator(lesson, gradient, TrainingRecipe(steps=60, every=60, hidden=16), 0)
    free = np.zeros(lesson.vectors.shape, dtype=bool)
    made = learned.generator.made(lesson.vectors, free, np.arange(200) % 3)
    np.testing.assert_array_equal(made[:, 2:], lesson.vectors[:, 2:])
    assert (made[:, 0] != lesson.vectors[:, 0]).all()


def test_the_loss_of_the_class_has_the_derivatives_that_differences_say(lesson, rng):
    lesson, gradient = lesson
    head = class_head(gradient, lesson.points)
    points, classes = lesson.points[:6], rng.integers(0, 3, 6)
    _, slopes = head.loss(points, classes)
    for j in range(points.shape[1]):
        step = np.zeros(points.shape)
        step[2, j] = 1e-5
        apart = head.loss(points + step, classes)[0] - head.loss(points - step, classes)[0]
        assert slopes[2, j] == pytest.approx(apart / 2e-5, abs=1e-7)


def test_the_same_seed_gives_the_same_bytes_and_so_does_a_resumed_training(lesson):
    kept = []
    whole = fit_generator(*lesson, SMALL, 3, keep=kept.append)
    again = fit_generator(*lesson, SMALL, 3)
    assert [state.step for state in kept] == [10, 20, 30]
    for begun in (None, kept[0], kept[1], kept[2]):
        found = again if begun is None else fit_generator(*lesson, SMALL, 3, begun=begun)
        assert found.history == whole.history
        assert found.rates == whole.rates
        for one, other in zip(found.generator.weights, whole.generator.weights, strict=True):
            np.testing.assert_array_equal(one, other)
    other = fit_generator(*lesson, SMALL, 4)
    assert any(
        (a != b).any()
        for a, b in zip(other.generator.weights, whole.generator.weights, strict=True)
    )


def test_a_training_ends_early_where_nothing_gets_better():
    done = TrainingState(40, history=snapshots((0.9, 0.2), (0.5, 0.1), (0.5, 0.1), (0.5, 0.1)))
    assert done.is_done(TrainingRecipe(steps=1000, every=10, patience=3))
    assert not done.is_done(TrainingRecipe(steps=1000, every=10, patience=4))
    assert done.best_step == 10


def snapshots(*measured, rows=100):
    """Return a history of target rates, under a judge that always agrees, and distances."""
    return tuple(
        {
            "step": 10.0 * i,
            "target_rate": target,
            "judge_rate": 1.0,
            "distance": apart,
            "rows": rows,
        }
        for i, (target, apart) in enumerate(measured, 1)
    )


@pytest.mark.parametrize(
    ("measured", "step"),
    [
        # a rate of .9 of 100 rows has a standard error of .03
        (((0.9, 0.4), (0.88, 0.3)), 20),
        (((0.9, 0.4), (0.86, 0.3)), 10),
        (((0.9, 0.3), (0.92, 0.4)), 10),
        (((0.9, 0.3), (0.94, 0.4)), 20),
        (((0.9, 0.4), (0.92, 0.3), (0.94, 0.5)), 20),
        (((0.0, 0.0), (0.5, 0.9)), 20),
        (((1.0, 0.4), (1.0, 0.3)), 20),
        ((), 0),
    ],
    ids=["nearer", "worse", "farther", "better", "close", "first", "perfect", "none"],
)
def test_of_snapshots_that_rows_cannot_tell_apart_the_nearest_is_kept(measured, step):
    assert TrainingState(history=snapshots(*measured)).best_step == step


@pytest.mark.slow
def test_made_rows_reach_their_class_and_stay_in_the_domain(lesson):
    lesson, gradient = lesson
    recipe = TrainingRecipe(steps=200, every=100, hidden=48, batch=32)
    learned = fit_generator(lesson, gradient, recipe, 0)
    assert min(learned.rates.target, learned.rates.judge) >= 0.6  # a row that stays has 0
    targets = np.arange(len(lesson.vectors)) % 3
    made = learned.generator.made(lesson.vectors, lesson.fixed, targets)
    (start, stop), step = lesson.form.groups[0], lesson.form.steps[1]
    assert (made[:, start:stop].sum(axis=1) == 1).all()
    whole = (made[:, 1] + 1) / step
    assert np.allclose(whole, np.rint(whole)) or lesson.fixed[:, 1].any()
    np.testing.assert_array_equal(made[lesson.fixed], lesson.vectors[lesson.fixed])
    head = class_head(gradient, lesson.points)
    rates = rated(lesson, head, learned.generator.judge, made, targets)
    assert rates.target == (head.classes(lesson.moved(made)) == targets).mean()
    assert measured_rates(lesson, head, learned.generator, 0).rows == 400


def test_what_nothing_can_be_learned_of_is_refused(lesson):
    lesson, gradient = lesson
    with pytest.raises(RefusedError, match="too few rows to learn from: 12"):
        fit_generator(lesson.of(np.arange(12)), gradient, SMALL, 0)
    head = class_head(gradient, lesson.points)
    alone = np.flatnonzero(head.classes(lesson.points) == 1)
    with pytest.raises(RefusedError, match="all rows in one class"):
        fit_generator(lesson.of(alone), gradient, SMALL, 0)
