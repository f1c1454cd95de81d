"""Judges of made rows: classifiers that know the rows of training and nothing inside the model.

A judge is asked about rows that are no real ones, so it must not hang on what real rows happen to
share. One that fits its rows to the last gives classes at random a little beside them: on pictures
of 28 x 28 such a one put .53 of made rows in their class where others put .95. So several are
trained, and the one is kept that says what the model says on rows it has not seen, and on these
with noise.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from xplain_cli.baselines.convolution import FEW, convolved, in_blocks
from xplain_cli.baselines.vectors import VectorForm
from xplain_cli.errors import require
from xplain_cli.explanation import FloatArray, IntArray
from xplain_cli.seeds import JUDGE, JUDGED_NOISE, PICTURE_JUDGE, TRAINING, stream

_WAVES, _RIDGES = 1024, (1e-2, 1e-1, 1.0)
_FILTERS = (16, 32, 32)
_STEPS, _BATCH, _RATE, _NOISE = 500, 64, 2e-3, 0.3
_NOISY_COPIES, _MOST_NOISE = 4, 0.5


class LearnedJudge(Protocol):
    """Says of which class vectors look to be."""

    def classes(self, vectors: FloatArray) -> IntArray:
        """Return the class (m,) of vectors (m, D)."""

    def arrays(self) -> Mapping[str, FloatArray]:
        """Return all that it is, by names of arrays."""


@dataclass(frozen=True)
class KernelJudge:
    """
    Ridge regression on random cosines, which stands for one on a Gaussian kernel.

    Attributes
    ----------
    waves : (D, H)
    phases : (H,)
    answers : (H, K)
    """

    waves: FloatArray
    phases: FloatArray
    answers: FloatArray

    def classes(self, vectors: FloatArray) -> IntArray:
        """Return the class (m,) of vectors (m, D)."""

        def scores(block: FloatArray, _same: FloatArray) -> FloatArray:
            return np.asarray(np.cos(block @ self.waves + self.phases) @ self.answers)

        return np.asarray(in_blocks(scores, vectors, vectors).argmax(axis=1), dtype=np.int64)

    def arrays(self) -> Mapping[str, FloatArray]:
        """Return all that it is, by names of arrays."""
        return {"waves": self.waves, "phases": self.phases, "answers": self.answers}


@dataclass(frozen=True)
class PictureJudge:
    """
    A small convolutional network: each layer halves the sides, the last sees all that is left.

    Attributes
    ----------
    shape
        (h, w, c) of the pictures.
    weights
        Kernels and shifts, last a matrix and its shift.
    """

    shape: tuple[int, int, int]
    weights: tuple[FloatArray, ...]

    def _scores(self, block: FloatArray, _same: FloatArray) -> FloatArray:
        made = block.reshape(-1, *self.shape).transpose(0, 3, 1, 2)
        *kernels, matrix = self.weights[::2]
        *shifts, last = self.weights[1::2]
        for kernel, shift in zip(kernels, shifts, strict=True):
            made = np.maximum(convolved(made, kernel, 2) + shift[:, None, None], 0.0)
        return np.asarray(made.reshape(len(made), -1) @ matrix + last)

    def classes(self, vectors: FloatArray) -> IntArray:
        """Return the class (m,) of vectors (m, D)."""
        found = in_blocks(self._scores, vectors, vectors, FEW)
        return np.asarray(found.argmax(axis=1), dtype=np.int64)

    def arrays(self) -> Mapping[str, FloatArray]:
        """Return all that it is, by names of arrays."""
        return {f"judge{i}": part for i, part in enumerate(self.weights)}


def _left(side: int) -> int:
    """Return how much is left of a side after all layers."""
    for _ in _FILTERS:
        side = -(-side // 2)
    return side


def judge_of(form: VectorForm, outputs: int, arrays: Mapping[str, Any]) -> LearnedJudge:
    """
    Return the judge that arrays hold.

    Raises
    ------
    KeyError, ValueError
        They are no judge of such vectors.
    """
    if "judge0" in arrays and form.shape is not None:
        names = [f"judge{i}" for i in range(2 * len(_FILTERS) + 2)]
        found = PictureJudge(form.shape, tuple(arrays[name] for name in names))
        into = form.shape[2]
        wanted: list[tuple[int, ...]] = []
        for filters in _FILTERS:
            wanted += [(filters, into, 3, 3), (filters,)]
            into = filters
        left = _left(form.shape[0]) * _left(form.shape[1])
        wanted += [(left * into, outputs), (outputs,)]
        if [one.shape for one in found.weights] != wanted:
            raise ValueError("a judge that fits")
        return found
    waves, phases, answers = arrays["waves"], arrays["phases"], arrays["answers"]
    fits = waves.shape == (form.width, len(phases)) and phases.ndim == 1
    if not fits or answers.shape != (len(phases), outputs):
        raise ValueError("a judge that fits")
    return KernelJudge(waves, phases, answers)


def _kernel_judges(
    vectors: FloatArray, classes: IntArray, outputs: int, seed: int
) -> Iterator[KernelJudge]:
    """Yield judges that fit their rows less and less closely; all classes weigh alike."""
    draws = stream(TRAINING, seed, 0, JUDGE)
    width = max(float(vectors.var()) * vectors.shape[1], 1e-9)
    waves = draws.standard_normal((vectors.shape[1], _WAVES)) * np.sqrt(2 / width)
    phases = draws.uniform(0, 2 * np.pi, _WAVES)
    seen = np.cos(vectors @ waves + phases)
    counts = np.bincount(classes, minlength=outputs)
    weights = (1 / np.maximum(counts, 1))[classes] / max(1, int((counts > 0).sum()))
    wanted = 2 * np.eye(outputs)[classes] - 1
    square = (seen * weights[:, None]).T @ seen
    answered = (seen * weights[:, None]).T @ wanted
    for ridge in _RIDGES:
        answers = np.linalg.solve(square + 0.5 * ridge * np.eye(_WAVES), answered)
        yield KernelJudge(*(_single(part) for part in (waves, phases, answers)))


def _single(values: Any) -> FloatArray:
    """Return numbers as a file of single precision gives them back."""
    return np.asarray(values).astype(np.float32).astype(np.float64)


def _picture_judge(
    shape: tuple[int, int, int], vectors: FloatArray, classes: IntArray, outputs: int, seed: int
) -> PictureJudge:
    """Train a network on pictures with noise; all classes weigh alike."""
    torch: Any = require("torch", "torch")
    torch.set_num_threads(1)
    draws = stream(TRAINING, seed, 0, PICTURE_JUDGE)
    through = (shape[2], *_FILTERS)
    shapes: list[tuple[int, ...]] = [(out, into, 3, 3) for into, out in itertools.pairwise(through)]
    shapes.append((_left(shape[0]) * _left(shape[1]) * _FILTERS[-1], outputs))
    held = []
    for one in shapes:
        fan_in = one[0] if len(one) == 2 else int(np.prod(one[1:]))
        bound = np.sqrt(1 / fan_in)
        first = draws.uniform(-bound, bound, one)
        shift = np.zeros(one[1] if len(one) == 2 else one[0])
        held += [torch.from_numpy(v.astype(np.float32)).requires_grad_() for v in (first, shift)]
    adam = torch.optim.Adam(held, _RATE, foreach=False)
    by_class = [rows for k in range(outputs) if len(rows := np.flatnonzero(classes == k))]
    for step in range(_STEPS):
        adam.param_groups[0]["lr"] = _RATE * (1 - step / _STEPS)
        ends, places = draws.integers(0, len(by_class), _BATCH), draws.random(_BATCH)
        pairs = zip(ends.tolist(), places.tolist(), strict=True)
        rows = np.array([by_class[k][int(share * len(by_class[k]))] for k, share in pairs])
        noise = _NOISE * draws.random((_BATCH, 1)) * draws.standard_normal(vectors[rows].shape)
        seen = torch.from_numpy((vectors[rows] + noise).astype(np.float32))
        made = seen.reshape(-1, *shape).permute(0, 3, 1, 2)
        for kernel, shift in zip(held[:-2:2], held[1:-2:2], strict=True):
            made = torch.nn.functional.conv2d(made, kernel, shift, stride=2, padding=1).relu()
        scores = made.reshape(_BATCH, -1) @ held[-2] + held[-1]
        loss = torch.nn.functional.cross_entropy(scores, torch.from_numpy(classes[rows]))
        adam.zero_grad()
        loss.backward()
        adam.step()
    return PictureJudge(shape, tuple(_single(one.detach().numpy()) for one in held))


@dataclass(frozen=True)
class JudgedRows:
    """Real rows as vectors (m, D), and the class (m,) that the model puts each in."""

    vectors: FloatArray
    classes: IntArray


def best_judge(
    judges: Sequence[LearnedJudge], form: VectorForm, choosing: JudgedRows, seed: int
) -> LearnedJudge:
    """
    Return the judge that agrees most with the model on rows that none was trained on.

    Parameters
    ----------
    choosing
        The rows, which are taken as they are and with noise on their numbers.
    """
    draws = stream(TRAINING, seed, 0, JUDGED_NOISE)
    many = np.tile(choosing.vectors, (_NOISY_COPIES, 1))
    noise = _MOST_NOISE * draws.random((len(many), 1)) * draws.standard_normal(many.shape)
    seen = np.concatenate([choosing.vectors, many + noise * form.is_number])
    said = np.tile(choosing.classes, _NOISY_COPIES + 1)
    return max(judges, key=lambda one: float((one.classes(seen) == said).mean()))


def trained_judge(
    form: VectorForm, shown: JudgedRows, choosing: JudgedRows, outputs: int, seed: int
) -> LearnedJudge:
    """
    Train judges on the rows that are shown, and return the best by those that choose.

    Of large pictures a network is among them, which needs torch.
    """
    judges: list[LearnedJudge] = [*_kernel_judges(shown.vectors, shown.classes, outputs, seed)]
    if form.is_large and form.shape is not None:
        judges.append(_picture_judge(form.shape, shown.vectors, shown.classes, outputs, seed))
    return best_judge(judges, form, choosing, seed)
