"""Generator and critic of a training, in torch: their shapes, first weights, steps and state."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xplain_cli.baselines.generators import SHARP, strides_of
from xplain_cli.baselines.vectors import VectorForm
from xplain_cli.errors import require
from xplain_cli.seeds import BEGIN, TRAINING, stream


@dataclass(frozen=True)
class TrainingRecipe:
    """
    How a generator is trained.

    Attributes
    ----------
    steps
        Steps of the generator.
    every
        Steps between two snapshots.
    patience
        Snapshots without a better one after which training ends.
    batch
        Rows of a step.
    hidden
        Width of the layers; filters of a convolutional generator.
    critic_steps
        Steps of the critic for each of the generator.
    rate
        Learning rate of Adam, until it falls.
    fall
        Share of the steps, the last ones, over which the rate falls to 0.
    averaging
        What of the generator's average stays with each step: it is the average that is kept.
    adversarial, penalty, class_weight, similarity, reconstruction
        Weights of the losses: the critic's word and its slope, the class, the distance, the way
        back.
    noise
        Most standard deviation of the noise before the model, of a range of 2.
    unseen
        Whether rows are moved to classes too in which the model puts no row.
    """

    steps: int = 2000
    every: int = 250
    patience: int = 5
    batch: int = 64
    hidden: int = 256
    critic_steps: int = 2
    rate: float = 5e-4
    fall: float = 0.5
    averaging: float = 0.99
    adversarial: float = 1.0
    penalty: float = 10.0
    class_weight: float = 5.0
    similarity: float = 18.0
    reconstruction: float = 5.0
    noise: float = 0.5
    unseen: bool = False

    def rate_at(self, number: int) -> float:
        """Return the learning rate of a step, from 1."""
        left = (self.steps - number + 1) / max(self.steps * self.fall, 1)
        return self.rate * min(1.0, left)

    def kept_at(self, number: int) -> float:
        """Return what of the average stays at a step: less at first, when there is little of it."""
        return min(self.averaging, number / (number + 10))


def recipe_for(form: VectorForm) -> TrainingRecipe:
    """
    Return the recipe for rows of a form: convolutional for pictures above 16 x 16.

    The critic's slope is 1 by a step of length 1, and a distance is a mean over places: of the
    places of a long vector such a step reaches more. So the critic's word weighs less there.
    """
    adversarial = min(1.0, 8 / form.width**0.5)
    if not form.is_large:
        return TrainingRecipe(adversarial=adversarial)
    return TrainingRecipe(
        steps=600,
        every=50,
        patience=8,
        batch=32,
        hidden=16,
        critic_steps=1,
        rate=1e-3,
        averaging=0.98,
        adversarial=adversarial,
    )


def _reached(snapshot: Mapping[str, float]) -> float:
    return snapshot["target_rate"] * snapshot["judge_rate"]


def _standard_error(share: float, rows: float) -> float:
    """Return the standard error of a share of rows, of which one more did and one did not."""
    smooth = (share * rows + 1) / (rows + 2)
    return float((smooth * (1 - smooth) / (rows + 2)) ** 0.5)


@dataclass(frozen=True)
class TrainingState:
    """
    How far a training is: all that its next step needs.

    Attributes
    ----------
    step
        Steps that are done.
    arrays
        Weights, the moments of Adam, and the average of the generator's weights.
    best
        Weights of the best snapshot; none before the first.
    history
        What was measured at every snapshot.
    """

    step: int = 0
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    best: tuple[NDArray[Any], ...] = ()
    history: tuple[Mapping[str, float], ...] = ()

    @property
    def best_step(self) -> int:
        """
        The step of the snapshot that is kept; 0 before the first.

        It is the nearest of those whose target rate times judge rate is within a standard error of
        the largest, each new one held against the one that is kept: the rates of few rows alone
        would choose by chance, and distances go on falling.
        """
        if not self.history:
            return 0
        kept, top = self.history[0], 0.0
        for one in self.history:
            top = max(top, _reached(one))
            least = top - _standard_error(top, one["rows"])
            nearer = _reached(one) >= least and one["distance"] < kept["distance"]
            kept = one if nearer or _reached(kept) < least else kept
        return int(kept["step"])

    def is_done(self, recipe: TrainingRecipe) -> bool:
        """Return whether all steps are done, or the best snapshot is long ago."""
        waited = self.step - self.best_step
        return self.step >= recipe.steps or waited >= recipe.patience * recipe.every


def _first_weights(shape: tuple[int, ...], draws: np.random.Generator) -> NDArray[Any]:
    """Return first weights, uniform within the inverse root of what goes into each."""
    fan_in = shape[0] if len(shape) == 2 else int(np.prod(shape[1:]))
    bound = np.sqrt(1.0 / fan_in)
    return draws.uniform(-bound, bound, shape).astype(np.float32)


def _shapes(form: VectorForm, outputs: int, hidden: int) -> list[tuple[int, ...]]:
    """Return the shapes of the matrices, or kernels, of a generator."""
    if not form.is_large:
        widths = [form.width + outputs, hidden, hidden, hidden, form.width]
        return list(itertools.pairwise(widths))
    channels = form.shape[2] if form.shape else 1
    through = [channels + outputs, hidden, *[2 * hidden] * 3, hidden, channels]
    return [(out, into, 3, 3) for into, out in itertools.pairwise(through)]


def _critic_shapes(form: VectorForm, hidden: int) -> list[tuple[int, ...]]:
    if not form.is_large or form.shape is None:
        return [(form.width, hidden), (hidden, hidden), (hidden, 1)]
    height, width, channels = form.shape
    for _ in range(3):
        height, width = -(-height // 2), -(-width // 2)
    through = [channels, hidden, 2 * hidden, 2 * hidden]
    kernels = [(out, into, 3, 3) for into, out in itertools.pairwise(through)]
    return [*kernels, (2 * hidden * height * width, 1)]


def first_state(form: VectorForm, outputs: int, recipe: TrainingRecipe, seed: int) -> TrainingState:
    """Return the state before the first step: what the generator adds is 0."""
    draws, arrays = stream(TRAINING, seed, 0, BEGIN), {}
    parts = {"g": _shapes(form, outputs, recipe.hidden), "d": _critic_shapes(form, recipe.hidden)}
    for part, shapes in parts.items():
        for i, shape in enumerate(shapes):
            matrix = _first_weights(shape, draws)
            last = part == "g" and i == len(shapes) - 1
            arrays[f"{part}{2 * i}"] = np.zeros_like(matrix) if last else matrix
            width = shape[1] if len(shape) == 2 else shape[0]
            arrays[f"{part}{2 * i + 1}"] = np.zeros(width, np.float32)
    moments = {f"{name}.{m}": np.zeros_like(arrays[name]) for name in arrays for m in ("m", "v")}
    average = {f"a{name[1:]}": arrays[name].copy() for name in arrays if name[0] == "g"}
    return TrainingState(0, arrays | moments | average)


class Adversaries:
    """Generator and critic in torch, with their optimisers, from a state and back to one."""

    def __init__(self, form: VectorForm, recipe: TrainingRecipe, state: TrainingState) -> None:
        self.torch: Any = require("torch", "torch")
        self.torch.set_num_threads(1)
        self.form, self.recipe = form, recipe
        self.numbers = self.tensor(form.is_number)
        self.parts: dict[str, list[Any]] = {"g": [], "d": []}
        count = sum(1 for name in state.arrays if name[0] == "a")
        self.average = [self.tensor(state.arrays[f"a{i}"].copy()) for i in range(count)]
        self.optimisers: dict[str, Any] = {}
        for part, held in self.parts.items():
            count = sum(1 for name in state.arrays if name[0] == part and "." not in name)
            own = [state.arrays[f"{part}{i}"] for i in range(count)]
            held += [self.tensor(one.copy()).requires_grad_() for one in own]
            adam = self.torch.optim.Adam(held, recipe.rate, betas=(0.5, 0.9), foreach=False)
            self.optimisers[part] = adam
            steps = state.step * (recipe.critic_steps if part == "d" else 1)
            for i, tensor in enumerate(held if steps else []):
                first, second = (state.arrays[f"{part}{i}.{m}"] for m in ("m", "v"))
                adam.state[tensor] = {
                    "step": self.torch.tensor(float(steps)),
                    "exp_avg": self.tensor(first.copy()),
                    "exp_avg_sq": self.tensor(second.copy()),
                }

    def tensor(self, values: NDArray[Any]) -> Any:
        """Return an array as a tensor on the same memory."""
        return self.torch.from_numpy(np.ascontiguousarray(values))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return weights, moments and averages as arrays of their own."""
        found = {f"a{i}": one.numpy().copy() for i, one in enumerate(self.average)}
        for part, held in self.parts.items():
            for i, tensor in enumerate(held):
                moments = self.optimisers[part].state[tensor]
                found[f"{part}{i}"] = tensor.detach().numpy().copy()
                found[f"{part}{i}.m"] = moments["exp_avg"].numpy().copy()
                found[f"{part}{i}.v"] = moments["exp_avg_sq"].numpy().copy()
        return found

    def _added(self, vectors: Any, words: Any) -> Any:
        """Return what the generator adds (``Generator._rest``)."""
        torch, own = self.torch, self.parts["g"]
        layers = list(zip(own[::2], own[1::2], strict=True))
        if own[0].ndim == 2:
            made = torch.cat([vectors, words], 1)
            for i, (matrix, shift) in enumerate(layers):
                made = made @ matrix + shift
                made = made.relu() if i < len(layers) - 1 else made
            return made
        height, width, channels = self.form.shape or (0, 0, 0)
        planes = vectors.reshape(-1, height, width, channels).permute(0, 3, 1, 2)
        said = words[:, :, None, None].expand(-1, -1, height, width)
        made = torch.cat([planes, said], 1)
        for i, (kernel, shift) in enumerate(layers):
            stride = strides_of(len(layers))[i]
            if stride == 0:
                made = made.repeat_interleave(2, 2).repeat_interleave(2, 3)
                made = made[:, :, :height, :width]
            made = torch.nn.functional.conv2d(made, kernel, shift, stride=stride or 1, padding=1)
            made = made.relu() if i < len(layers) - 1 else made
        return made.permute(0, 2, 3, 1).reshape(len(vectors), -1)

    def made(self, vectors: Any, fixed: Any, words: Any) -> Any:
        """Return made vectors: settled, while derivatives pass as if they were not."""
        torch, added = self.torch, self._added(vectors, words)
        soft = (vectors + 2 * added.tanh()).clamp(-1, 1)
        parts = soft
        if self.form.groups:
            parts = soft.clone()
            for start, stop in self.form.groups:
                scores = SHARP * vectors[:, start:stop] + added[:, start:stop]
                parts[:, start:stop] = scores.softmax(1)
        hard = parts
        if self.form.groups or any(self.form.steps):
            settled = self.form.settled(parts.detach().double().numpy())
            hard = parts + (self.tensor(settled.astype(np.float32)) - parts).detach()
        return torch.where(fixed, vectors, hard)

    def critic(self, vectors: Any) -> Any:
        """Return how real vectors look (m, 1)."""
        own = self.parts["d"]
        layers = list(zip(own[::2], own[1::2], strict=True))
        made, shape = vectors, self.form.shape
        if own[0].ndim == 4 and shape is not None:
            made = vectors.reshape(-1, *shape).permute(0, 3, 1, 2)
        for i, (matrix, shift) in enumerate(layers):
            if matrix.ndim == 4:
                made = self.torch.nn.functional.conv2d(made, matrix, shift, stride=2, padding=1)
            else:
                made = made.reshape(len(made), -1) @ matrix + shift
            if i < len(layers) - 1:
                made = self.torch.nn.functional.leaky_relu(made, 0.1)
        return made

    def averaged(self, number: int) -> None:
        """Take the generator of a step into the average."""
        kept = self.recipe.kept_at(number)
        for mean, own in zip(self.average, self.parts["g"], strict=True):
            mean.mul_(kept).add_(own.detach(), alpha=1 - kept)

    def taken(self, part: str, loss: Any, number: int) -> None:
        """Go a step down a loss."""
        held, adam = self.parts[part], self.optimisers[part]
        adam.param_groups[0]["lr"] = self.recipe.rate_at(number)
        for tensor, slope in zip(held, self.torch.autograd.grad(loss, held), strict=True):
            tensor.grad = slope
        adam.step()
