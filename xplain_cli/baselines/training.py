"""Learns a generator of baselines after GANMEX: a StarGAN whose head of classes is the model.

Two networks work against each other. The generator moves a row to a class; the critic tells made
rows from real ones. The explained model, frozen, says whether the class was reached: it is asked
for its scores and their derivatives alone, wherever it is held. Before it sees a made row, noise is
added: else the generator learns to fool it, as adversarial samples do.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xplain_cli.baselines.adversaries import (
    Adversaries,
    TrainingRecipe,
    TrainingState,
    first_state,
)
from xplain_cli.baselines.generators import Generator, Rates, SamplePairs
from xplain_cli.baselines.learned_judges import JudgedRows, LearnedJudge, trained_judge
from xplain_cli.baselines.lessons import Lesson
from xplain_cli.errors import RefusedError, UsageError, require
from xplain_cli.explanation import FloatArray, IntArray
from xplain_cli.models.gradients import IDENTITY, SOFTMAX, Gradient, Readout, linked
from xplain_cli.seeds import PAIRS, SPLIT, TRAINING, stream

_HELD_SHARE, _MOST_HELD = 5, 400
_MOST_PAIRS, _MOST_DRAWN = 2000, 400
"""Pairs that a generator is measured on at most; one that draws pictures."""

_LEAST_ROWS = 20
_SHOWN = 10
_ONE_CLASS = (
    "ganmex: the model puts all rows in one class, and there is no other to move them to; give DATA"
    " of which it puts rows in two classes or more"
)


@dataclass(frozen=True)
class ClassHead:
    """The explained model as it says of which class a point is."""

    gradient: Gradient
    link: str

    def classes(self, points: FloatArray) -> IntArray:
        """Return the class (m,) of points."""
        outputs = linked(self.gradient.scores(points), self.link)
        return np.asarray(outputs.argmax(axis=1), dtype=np.int64)

    def loss(self, points: FloatArray, classes: IntArray) -> tuple[float, FloatArray]:
        """
        Return the mean of -log p of the classes, and its derivatives (m, ...) by the points.

        Raises
        ------
        RefusedError
            The model answers what is no number.
        """
        pairs = np.column_stack([classes, np.full(len(classes), -1)])
        readout = Readout(pairs, self.link, "log-odds")

        def slopes(scores: FloatArray) -> FloatArray:
            logits, by_scores = readout.read(scores)
            less = 0.5 - 0.5 * np.tanh(0.5 * logits)
            return np.asarray(-less[:, None] * by_scores / len(scores))

        derivatives, scores = self.gradient.derive(points, slopes)
        loss = float(np.logaddexp(0.0, -readout.read(scores)[0]).mean())
        if not (np.isfinite(loss) and np.isfinite(derivatives).all()):
            raise RefusedError(
                "ganmex: the model's scores, or their derivatives, are no numbers between two rows"
                " that it answers; take -b nearest"
            )
        return loss, derivatives


def class_head(gradient: Gradient, points: FloatArray) -> ClassHead:
    """Return how a model says of which class points are; mere scores pass a softmax."""
    if gradient.link != IDENTITY:
        return ClassHead(gradient, gradient.link)
    scores = gradient.scores(points)
    shares = scores.min() >= 0 and np.allclose(scores.sum(axis=1), 1.0, atol=1e-4)
    return ClassHead(gradient, IDENTITY if shares else SOFTMAX)


@dataclass(frozen=True)
class Learned:
    """
    A trained generator.

    Attributes
    ----------
    generator
        The best snapshot.
    rates
        How good it is on rows that training has not seen.
    classes : (K,)
        How many training rows the model puts in each class.
    history
        What was measured at every snapshot.
    step
        The step of the snapshot.
    samples
        Some rows that training has not seen, with a class that each is moved to.
    """

    generator: Generator
    rates: Rates
    classes: tuple[int, ...]
    history: tuple[Mapping[str, float], ...]
    step: int
    samples: SamplePairs


@dataclass(frozen=True)
class _Course:
    """What all steps of a training share."""

    lesson: Lesson
    head: ClassHead
    classes: IntArray
    outputs: int
    recipe: TrainingRecipe
    seed: int

    @property
    def by_class(self) -> list[IntArray]:
        """The rows of each class that has some."""
        found = [np.flatnonzero(self.classes == k) for k in range(self.outputs)]
        return [rows for rows in found if len(rows)]

    def step(self, networks: Adversaries, number: int) -> dict[str, float]:
        """Go one step; all that is drawn for it hangs on its number alone."""
        draws, recipe, lesson = stream(TRAINING, self.seed, number), self.recipe, self.lesson
        by_class, b = self.by_class, self.recipe.batch
        ends = draws.integers(0, len(by_class), (2, b))
        places = zip(ends[0].tolist(), draws.random(b).tolist(), strict=True)
        rows = np.array([by_class[k][int(share * len(by_class[k]))] for k, share in places])
        known = np.array([self.classes[one[0]] for one in by_class])
        own, wanted = known[ends[0]], known[ends[1]]
        if recipe.unseen:
            wanted = draws.integers(0, self.outputs, b)

        def single(values: FloatArray) -> Any:
            return networks.tensor(values.astype(np.float32))

        x, fixed = single(lesson.vectors[rows]), networks.tensor(lesson.fixed[rows])
        there, back = (single(np.eye(self.outputs)[side]) for side in (wanted, own))
        said: dict[str, float] = {}
        made = networks.made(x, fixed, there)  # which no step of the critic changes
        for _ in range(recipe.critic_steps):
            share = single(draws.random((b, 1)))
            said["critic"] = self._critic_step(networks, x, made.detach(), share, number)
        noise = (
            draws.random((b, 1)) * recipe.noise * draws.standard_normal(lesson.vectors[rows].shape)
        )
        seen = made.detach().double().numpy() + noise * lesson.form.is_number * ~lesson.fixed[rows]
        loss, slopes = self.head.loss(lesson.of(rows).moved(seen), wanted)
        pulled = single(lesson.pull.back(slopes))
        parts = {
            "real": -networks.critic(made).mean(),
            "similarity": (x - made).abs().mean(),
            "reconstruction": (x - networks.made(made, fixed, back)).abs().mean(),
        }
        # the model is no part of the graph: its derivatives stand for it
        total = recipe.adversarial * parts["real"] + recipe.class_weight * (made * pulled).sum()
        total = total + recipe.similarity * parts["similarity"]
        networks.taken("g", total + recipe.reconstruction * parts["reconstruction"], number)
        networks.averaged(number)
        return said | {"class": loss} | {name: float(one.detach()) for name, one in parts.items()}

    def _critic_step(
        self, networks: Adversaries, real: Any, made: Any, share: Any, number: int
    ) -> float:
        torch = networks.torch
        between = (share * real + (1 - share) * made).requires_grad_()
        (slope,) = torch.autograd.grad(networks.critic(between).sum(), between, create_graph=True)
        penalty = ((slope.norm(2, 1) - 1) ** 2).mean()
        loss = networks.critic(made).mean() - networks.critic(real).mean()
        networks.taken("d", loss + self.recipe.penalty * penalty, number)
        return float(loss.detach())


def measured_rates(lesson: Lesson, head: ClassHead, generator: Generator, seed: int) -> Rates:
    """
    Measure a generator on rows, each against all classes that it is not of.

    Parameters
    ----------
    lesson
        Rows; of very many pairs some are drawn.
    """
    classes = head.classes(lesson.points)
    wanted = np.flatnonzero(generator.aims)
    pairs = np.array([(i, k) for i, own in enumerate(classes.tolist()) for k in wanted if k != own])
    if not len(pairs):
        raise RefusedError(_ONE_CLASS)
    most = _MOST_DRAWN if generator.is_convolutional else _MOST_PAIRS
    if len(pairs) > most:
        order = stream(TRAINING, seed, 0, PAIRS).permutation(len(pairs))[:most]
        pairs = pairs[np.sort(order)]
    some, targets = lesson.of(pairs[:, 0]), pairs[:, 1]
    made = generator.made(some.vectors, some.fixed, targets)
    return rated(some, head, generator.judge, made, targets)


def rated(
    lesson: Lesson, head: ClassHead, judge: LearnedJudge, made: FloatArray, targets: IntArray
) -> Rates:
    """Say how good vectors (m, D) are that were made of rows, by whatever made them."""
    reached = head.classes(lesson.moved(made)) == targets
    agreed = judge.classes(made) == targets
    apart = np.abs(made - lesson.vectors).mean()
    real = judge.classes(lesson.vectors) == head.classes(lesson.points)
    target, agrees, right = (float(one.mean()) for one in (reached, agreed, real))
    return Rates(target, agrees, float(apart), len(targets), right)


def _parted(rows: int, seed: int) -> tuple[IntArray, IntArray, IntArray]:
    """Return the rows that are trained on, those that choose a snapshot, those that rate it."""
    order = stream(TRAINING, seed, 0, SPLIT).permutation(rows)
    held = min(_MOST_HELD, rows // _HELD_SHARE)
    return order[held:], order[: held // 2], order[held // 2 : held]


def fit_generator(
    lesson: Lesson,
    gradient: Gradient,
    recipe: TrainingRecipe,
    seed: int,
    *,
    begun: TrainingState | None = None,
    keep: Callable[[TrainingState], None] = lambda _: None,
    told: Callable[[int, Mapping[str, float]], None] = lambda _step, _losses: None,
) -> Learned:
    """
    Train a generator for a model, on rows; the same numbers for the same seed.

    Parameters
    ----------
    lesson
        Rows as vectors and as points of the model (``Space.vectors``, ``Gradient.enter``).
    gradient
        The model: its scores and their derivatives.
    recipe, seed
        How, and from which seed.
    begun
        Where an earlier process stopped.
    keep
        Is handed the state at every snapshot.
    told
        Is handed the number of every step, and its losses.

    Raises
    ------
    UsageError
        torch is not installed.
    RefusedError
        There are too few rows, or the model puts all in one class.
    """
    if len(lesson.vectors) < _LEAST_ROWS:
        raise RefusedError(f"ganmex: {too_few_to_learn(len(lesson.vectors))}")
    shown, choosing, rating = (lesson.of(part) for part in _parted(len(lesson.vectors), seed))
    head = class_head(gradient, lesson.points[:64])
    classes = head.classes(shown.points)
    outputs = gradient.scores(lesson.points[:2]).shape[1]
    counts = tuple(np.bincount(classes, minlength=outputs).tolist())
    if sum(count > 0 for count in counts) < 2 and not recipe.unseen:
        raise RefusedError(_ONE_CLASS)
    seen = JudgedRows(shown.vectors, classes)
    unseen = JudgedRows(choosing.vectors, head.classes(choosing.points))
    judge = trained_judge(lesson.form, seen, unseen, outputs, seed)
    state = begun or first_state(lesson.form, outputs, recipe, seed)
    course = _Course(shown, head, classes, outputs, recipe, seed)
    networks = Adversaries(lesson.form, recipe, state)

    def generator(weights: Sequence[NDArray[Any]]) -> Generator:
        wide = tuple(one.astype(np.float64) for one in weights)
        return Generator(lesson.form, outputs, wide, judge, counts, recipe.unseen)

    while not state.is_done(recipe):
        losses: dict[str, float] = {}
        for number in range(state.step + 1, min(state.step + recipe.every, recipe.steps) + 1):
            losses = course.step(networks, number)
            told(number, losses)
        weights = tuple(one.numpy().copy() for one in networks.average)
        rates = measured_rates(choosing, head, generator(weights), seed)
        state = _with_snapshot(state, networks, rates, losses, number)
        keep(state)
    best = generator(state.best)
    rates = measured_rates(rating, head, best, seed)
    return Learned(
        best, rates, counts, state.history, state.best_step, _samples(rating, head, best)
    )


def _samples(lesson: Lesson, head: ClassHead, generator: Generator) -> SamplePairs:
    """Return ten rows that miss nothing, each with a class that training knows, in turn."""
    whole = np.argsort(lesson.fixed.sum(axis=1), kind="stable")[:_SHOWN]
    known = np.flatnonzero(generator.aims).tolist()
    own = head.classes(lesson.points[whole])
    others = [[k for k in known if k != mine] for mine in own.tolist()]
    wanted = np.array([ways[i % len(ways)] for i, ways in enumerate(others)])
    return SamplePairs(lesson.vectors[whole], own, wanted)


def _with_snapshot(
    state: TrainingState,
    networks: Adversaries,
    rates: Rates,
    losses: Mapping[str, float],
    number: int,
) -> TrainingState:
    """Return the state after some steps; of two snapshots the better one is kept."""
    said = {"step": float(number), **losses, **rates.facts()}
    history = (*state.history, said)
    new = replace(state, step=number, arrays=networks.arrays(), history=history)
    if new.best_step == number or not state.best:
        return replace(
            new, best=tuple(new.arrays[f"a{i}"] for i in range(len(networks.parts["g"])))
        )
    return new


def too_few_to_learn(rows: int) -> str:
    """Say what to do where there are too few rows."""
    return (
        f"too few rows to learn from: {rows}; give DATA of {_LEAST_ROWS} or more, which need no"
        " labels"
    )


def check_trainable(classes: int, outputs: int) -> None:
    """
    Refuse what no generator can be trained for, before anything is read.

    Raises
    ------
    UsageError
        The model has no classes; or torch is not installed.
    """
    if classes < 2:
        named = (
            " if each of its outputs is the score of one, name them with --class-names FILE; else"
        )
        raise UsageError(
            f"ganmex: the model has no classes;{named * (outputs > 1)} explain with -b median, mean"
            " or sample"
        )
    require("torch", "torch")
