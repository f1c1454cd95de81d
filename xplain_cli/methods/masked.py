"""LIME on masks: the surrogate of rows whose features are taken away one row at a time.

Ribeiro, Singh and Guestrin 2016, arXiv:1602.04938; laws and kernels as in the package ``lime``
0.2.0.1 (lime_text, lime_image). The answer is that of infinitely many masks: there is no ridge
penalty unless asked, and the row itself, which the package adds with weight 1, is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from xplain_cli.errors import UsageError
from xplain_cli.explanation import FloatArray, IntArray
from xplain_cli.features import Masker, Wants
from xplain_cli.methods.cache import Cache
from xplain_cli.methods.control_variate import controlled_by_logit
from xplain_cli.methods.designs import (
    DEFAULTS,
    DESIGNS,
    KERNELS,
    Design,
    enumerate_masks,
    is_coded,
    kernel_weights,
    sample_masks,
    size_law,
    whole,
)
from xplain_cli.methods.requests import (
    Explaining,
    MaskOutputs,
    MaskTask,
    NeedMasks,
    UnexplainedError,
)
from xplain_cli.methods.selection import SELECTIONS
from xplain_cli.methods.solvers import gram_on
from xplain_cli.methods.surrogate import Sums, Surrogate, concatenate, fit, without_r2
from xplain_cli.samples import MASK_BUDGETS, all_masks_fit, enough_samples
from xplain_cli.targets import pair_values

_SLICE_BYTES = 64e6
# the package's own default sample, against which its ridge penalty stands
_SAMPLES_OF_LIME = {"uniform-size": 5000, "bernoulli": 1000}


@dataclass(frozen=True)
class MaskLime:
    """
    The settings of LIME for texts and pictures.

    Attributes
    ----------
    kernel, kernel_width
        cosine (default), with weight exp(-d^2 / (2 width^2)), d = 1 - sqrt(share of features that
        stay), times 100 for texts; width 0.25, for texts 25. share: the share that stays.
    ridge
        Penalty of the surrogate, against the package's own number of samples; default: none.
    features, select
        Let the surrogate use at most this many features, chosen by forward selection, highest
        weights or the lasso path; default: all features.
    design
        sobol, codes, pairs, plain: how masks are sampled where they are too many to be enumerated;
        default: sobol for texts, codes for pictures. A code serves 18 features with 512 masks, 32
        with 2048, 64 with 8192; with fewer masks they are pairs.
    control
        none, or logit2: a stand-in for the model whose own surrogate costs no model inputs;
        default: logit2 where all features are fitted and the masks are no code, which leaves little
        for it.
    refine
        For long texts: explain only the units inside so many sentences, the strongest, found
        first by explaining blocks of sentences and then sentences; default: all units.
    space
        baseline: absent features take their values in the baseline, which is all that masks can do;
        for tables it says that LIME shall not draw from the background.
    """

    kernel: str = field(default="cosine", metadata={"choices": KERNELS})
    kernel_width: float | None = None
    ridge: float = 0.0
    features: int | None = None
    select: str = field(default="auto", metadata={"choices": SELECTIONS})
    design: str = field(default="auto", metadata={"choices": ("auto", *DESIGNS)})
    control: str = field(default="auto", metadata={"choices": ("auto", "none", "logit2")})
    refine: int | None = None
    space: str | None = field(default=None, metadata={"choices": ("baseline",)})

    needs: ClassVar[frozenset[str]] = frozenset()
    instead: ClassVar[str] = ""
    exact: ClassVar[bool] = False
    pooled: ClassVar[bool] = False
    sampled: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse settings that contradict each other."""
        if self.refine is not None and self.refine < 1:
            raise UsageError(f"lime:refine={self.refine}: must be 1 or above")
        if self.kernel_width is not None and not self.kernel_width > 0:
            raise UsageError(f"lime:kernel_width={self.kernel_width:g}: must be above 0")
        if self.kernel_width is not None and self.kernel != "cosine":
            raise UsageError(f"lime:kernel={self.kernel} has no width: leave kernel_width out")
        if not 0 <= self.ridge < np.inf:
            raise UsageError(f"lime:ridge={self.ridge:g}: must be 0 or above")
        if self.features is not None and self.features < 1:
            raise UsageError(f"lime:features={self.features}: must be 1 or above")
        if self.select != "auto" and self.features is None:
            raise UsageError(f"lime:select={self.select} needs lime:features=K")
        if self.features is not None and self.control not in {"auto", "none"}:
            raise UsageError(
                f"lime:control={self.control} stands in for a fit of all features: leave it or"
                " features out"
            )

    @property
    def wants(self) -> Wants:
        """What it wants of the perturbation."""
        return Wants(refine=self.refine)

    def default_budget(self, perturbation: Masker) -> tuple[int, int]:
        """Return the default (samples per repeat, repeats)."""
        if self.refine is not None and not perturbation.traits.can_refine:
            raise UsageError("lime:refine goes from sentences to words: it is for texts")
        if self.design == "codes" and perturbation.inclusion != "bernoulli":
            raise UsageError(
                "lime:design=codes keeps each feature with probability 1/2, and the law of texts"
                " does not; take sobol"
            )
        return MASK_BUDGETS[perturbation.inclusion]

    def row_inputs(self, perturbation: Masker, n: int, budget: tuple[int, int]) -> int:
        """Return how many model inputs of its own a row with n features takes at most."""
        samples, repeats = self._taken(perturbation, n, budget)
        if self.refine is not None:
            return samples * (repeats + 2)  # first explained roughly, at two levels
        return 1 << n if all_masks_fit(n, (samples, repeats)) else samples * repeats

    def _design_name(self, perturbation: Masker) -> str:
        return DEFAULTS[perturbation.inclusion] if self.design == "auto" else self.design

    def _taken(self, perturbation: Masker, n: int, budget: tuple[int, int]) -> tuple[int, int]:
        """Return the masks of a repeat, as many as a fit needs and a design takes, and repeats."""
        samples, repeats = budget
        return whole(self._design_name(perturbation), n, enough_samples(n, samples)), repeats

    def facts(self, perturbation: Masker) -> dict[str, Any]:
        """Return what the manifest says of the kernel."""
        if self.kernel != "cosine":
            return {"kernel": self.kernel}
        return {
            "kernel": "cosine",
            "kernel_width": self._width(perturbation) * perturbation.distance_unit,
        }

    def _width(self, perturbation: Masker) -> float:
        """Return the kernel width in units of 1 - sqrt(share)."""
        return 0.25 if self.kernel_width is None else self.kernel_width / perturbation.distance_unit

    def explain(self, task: MaskTask) -> Explaining:
        """
        Explain a block of rows, all with equally many features.

        Raises
        ------
        UnexplainedError
            No mask has any weight.
        """
        inclusion, n = task.perturbation.inclusion, task.n
        kernel = kernel_weights(self.kernel, self._width(task.perturbation), n)
        name = self._design_name(task.perturbation)
        budget = self._taken(task.perturbation, n, (task.samples, task.repeats))
        design = _design(name, inclusion, tuple(kernel.tolist()), budget, task.seed)
        if not design.weights.any():
            why = f"kernel_width={self.kernel_width:g} leaves no mask any weight: it is too narrow"
            raise UnexplainedError(dict.fromkeys(range(len(task.block)), why))
        surrogate = Surrogate(self.ridge, self.features, self.select)
        coded = name == "codes" and is_coded(inclusion, n, budget[0])
        wanted = self.control == "logit2" or (self.control == "auto" and not coded)
        controlled = wanted and self.features is None and not design.exact
        step = max(1, int(_SLICE_BYTES / (8 * design.weights.size * task.pairs.shape[1])))
        parts = []
        for start in range(0, len(task.block), step):
            rows = range(start, min(start + step, len(task.block)))
            answer: MaskOutputs = yield NeedMasks(rows, [design.used] * len(rows))
            values = _values(task, rows, design, answer)
            seen = see_masks(task, rows, design, values, answer.asked)
            if controlled:
                seen = controlled_by_logit(seen, task, rows, design, values, self.ridge)
            parts.append(fit(seen, surrogate))
        found = concatenate(parts)
        # as many masks as unknowns: the fit passes through all of them, and R^2 says nothing
        return without_r2(found) if len(design.used) <= n + 1 else found


_DESIGNS: Cache[Design] = Cache(lambda design: 12 * design.masks.size, 1 << 28)


def _design(
    name: str, inclusion: str, kernel: tuple[float, ...], budget: tuple[int, int], seed: int
) -> Design:
    """Return the masks of all rows with as many features, made once."""
    key = (name, inclusion, kernel, budget, seed)
    return _DESIGNS.get(key, lambda: _make_design(*key))


def _make_design(
    name: str, inclusion: str, kernel: tuple[float, ...], budget: tuple[int, int], seed: int
) -> Design:
    """Return all masks if the budget allows, else a sample, scaled to the package's total."""
    n = len(kernel) - 1
    weights = np.array(kernel)
    total = _SAMPLES_OF_LIME[inclusion] * float(size_law(inclusion, n) @ weights)
    if all_masks_fit(n, budget):
        design = enumerate_masks(inclusion, weights)
    else:
        design = sample_masks(name, inclusion, weights, budget, (seed,))
    drawn = float(design.weights.sum())
    return replace(design, weights=design.weights * (total / drawn)) if drawn > 0 else design


def _values(task: MaskTask, rows: Sequence[int], design: Design, answer: MaskOutputs) -> FloatArray:
    """Return the explained numbers (b, t, r * m); 0 where a mask has no weight and is not asked."""
    values = np.zeros((len(rows), task.pairs.shape[1], design.weights.size))
    for i, row in enumerate(rows):
        values[i][:, design.places] = pair_values(
            answer.outputs[i], task.pairs[row], margin=task.margin
        )
    return values


def see_masks(
    task: MaskTask,
    rows: Sequence[int],
    design: Design,
    values: FloatArray,
    asked: IntArray,
) -> Sums:
    """Sum the masks of rows with their values (b, t, r * m)."""
    chosen = list(rows)
    offsets = values[:, :, design.places[0]].copy()  # a constant model then has values of exactly 0
    own = task.predictions[chosen] - offsets
    ones = np.ones((len(chosen), 1 + task.n))
    weights = design.weights.ravel()
    level = values - offsets[:, :, None]
    level[:, :, weights == 0] = 0.0
    share = weights.sum() ** 2 / (len(weights) * (weights @ weights))
    coordinates = design.masks.reshape(-1, task.n).T.astype(np.float64)
    return Sums(
        sums=gram_on(design.basis, level),
        points=np.concatenate([ones, own], axis=1),
        offsets=offsets,
        shares=np.full(len(chosen), share),
        samples=design.masks.shape[1],
        asked=asked,
        rows=[(coordinates, part, weights) for part in level] if len(design.masks) == 1 else (),
        own_weight=float(design.lacks_contrast),
        exact=design.exact,
        alike=True,
    )
