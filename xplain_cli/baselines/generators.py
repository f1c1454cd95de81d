"""A learned generator of baselines and the judge that was trained beside it, in NumPy alone.

Both are computed in blocks of one size, so that nothing of a row depends on the rows beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xplain_cli.baselines.convolution import BLOCK, FEW, convolved, in_blocks
from xplain_cli.baselines.learned_judges import LearnedJudge
from xplain_cli.baselines.vectors import VectorForm
from xplain_cli.explanation import BoolArray, FloatArray, IntArray

SHARP = 3.0
"""What the category of a row has over the others before the generator adds its word."""


@dataclass(frozen=True)
class Generator:
    """
    Makes of a row, as a vector, one of another class.

    Attributes
    ----------
    form
        What the places of a vector stand for.
    outputs
        How many classes there are.
    weights
        Matrices and shifts of its layers; of a convolutional one kernels and shifts.
    judge
        Says of which class a vector looks to be.
    known
        How many training rows the model puts in each class.
    unseen
        Whether it was trained to move rows to classes too in which there is none.
    """

    form: VectorForm
    outputs: int
    weights: tuple[FloatArray, ...]
    judge: LearnedJudge
    known: tuple[int, ...]
    unseen: bool = False

    @property
    def aims(self) -> BoolArray:
        """The classes (K,) that it was trained to move rows to."""
        return np.asarray((np.array(self.known) > 0) | self.unseen)

    @property
    def _layers(self) -> list[tuple[FloatArray, FloatArray]]:
        return list(zip(self.weights[::2], self.weights[1::2], strict=True))

    @property
    def is_convolutional(self) -> bool:
        """Whether it looks at pixels with their neighbours."""
        return self.weights[0].ndim == 4

    def _rest(self, vectors: FloatArray, words: FloatArray) -> FloatArray:
        """Return what it adds (m, D) before the ends of the range are seen to."""
        if self.is_convolutional:
            return self._drawn(vectors, words)
        made = np.concatenate([vectors, words], axis=1)
        for i, (matrix, shift) in enumerate(self._layers):
            made = made @ matrix + shift
            made = np.maximum(made, 0.0) if i < len(self.weights) // 2 - 1 else made
        return made

    def _drawn(self, vectors: FloatArray, words: FloatArray) -> FloatArray:
        """Return what a convolutional one adds: down to half the size, through, and up again."""
        height, width, channels = self.form.shape or (0, 0, 0)
        planes = vectors.reshape(-1, height, width, channels).transpose(0, 3, 1, 2)
        said = np.broadcast_to(words[:, :, None, None], (*words.shape, height, width))
        made = np.concatenate([planes, said], axis=1)
        strides = strides_of(len(self._layers))
        for i, (kernel, shift) in enumerate(self._layers):
            if strides[i] == 0:  # up again
                made = made.repeat(2, axis=2).repeat(2, axis=3)[:, :, :height, :width]
            made = convolved(made, kernel, strides[i] or 1) + shift[:, None, None]
            made = np.maximum(made, 0.0) if i < len(strides) - 1 else made
        return np.asarray(made.transpose(0, 2, 3, 1).reshape(len(vectors), -1))

    def made(self, vectors: FloatArray, fixed: BoolArray, classes: IntArray) -> FloatArray:
        """
        Return a vector (m, D) of the wanted class for each row.

        Parameters
        ----------
        vectors : (m, D)
        fixed : (m, D)
            Places that stay.
        classes : (m,)
        """
        words = np.eye(self.outputs)[classes]
        size = FEW if self.is_convolutional else BLOCK
        added = in_blocks(self._rest, vectors, words, size)
        numbers = self.form.is_number
        whole = np.where(numbers, vectors + 2 * np.tanh(added), SHARP * vectors + added)
        return np.where(fixed, vectors, self.form.settled(whole))


def strides_of(layers: int) -> tuple[int, ...]:
    """Return the strides of a convolutional generator; 0: it doubles the size first."""
    return (1, 2, *(1 for _ in range(layers - 4)), 0, 1)


@dataclass(frozen=True)
class SamplePairs:
    """
    Some rows that training has not seen.

    Attributes
    ----------
    vectors : (m, D)
    own, wanted : (m,)
        The class of each row, and one that it is moved to.
    """

    vectors: FloatArray
    own: IntArray
    wanted: IntArray


@dataclass(frozen=True)
class Rates:
    """
    How good made rows are.

    Attributes
    ----------
    target
        Share that the explained model puts in the wanted class.
    judge
        Share that the judge puts there.
    distance
        Mean absolute change of a place of the vector, of a range of 2.
    rows
        How many were looked at.
    judge_real
        Share of the rows that they were made of, real ones, of which the judge says what the model
        says.
    """

    target: float
    judge: float
    distance: float
    rows: int
    judge_real: float

    def facts(self) -> Mapping[str, float]:
        """Return them as JSON values."""
        return {
            "target_rate": self.target,
            "judge_rate": self.judge,
            "distance": self.distance,
            "rows": self.rows,
            "judge_real": self.judge_real,
        }


LEAST_TARGET, LEAST_JUDGE = 0.9, 0.8


def _weak(real: float) -> str:
    """Say that a judge is no good one, where it is not."""
    if real >= LEAST_JUDGE:
        return ""
    return f"; or the judge is a weak one: of real rows it says what the model says on {real:.0%}"


def warnings_of(rates: Rates) -> Sequence[str]:
    """Say in sentences what is wrong with made rows; none where nothing is."""
    said = []
    if rates.target < LEAST_TARGET:
        said.append(
            f"the model puts only {rates.target:.0%} of the made rows in the wanted class (target"
            f" rate below {LEAST_TARGET}): the others answer another question"
        )
    if rates.judge < LEAST_JUDGE:
        said.append(
            f"an independent judge puts only {rates.judge:.0%} of the made rows in the wanted class"
            f" (judge rate below {LEAST_JUDGE}): they may fool the model rather than be of the"
            " class, as adversarial samples do"
            f"{_weak(rates.judge_real)}"
        )
    return said
