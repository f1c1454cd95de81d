"""LIME: a weighted linear surrogate, fitted on draws that all rows share.

Ribeiro, Singh and Guestrin 2016, arXiv:1602.04938; constants as in the package ``lime`` 0.2.0.1.
Where we differ: all rows share one pool of quasi-random draws (the law does not depend on the
row), all features are fitted and none is selected unless asked, the explained row joins the fit
once and not once a repeat, and every weight has its error.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from xplain_cli.errors import UsageError
from xplain_cli.explanation import Attribution, FloatArray
from xplain_cli.features import Draw, Sampler, Wants
from xplain_cli.methods.binned_surrogate import fit_binned
from xplain_cli.methods.discretizers import DISCRETIZERS
from xplain_cli.methods.draw_surrogate import fit_drawn, slice_rows
from xplain_cli.methods.requests import Explaining, NeedOutputs, NeedPool, Pool, TableTask
from xplain_cli.methods.selection import SELECTIONS
from xplain_cli.methods.surrogate import Surrogate, concatenate
from xplain_cli.samples import FIT_BUDGET, OWN_POOL_BUDGET, pool_budget
from xplain_cli.seeds import AROUND

_AROUND_ROWS = 16


@dataclass(frozen=True)
class Lime:
    """
    The settings of LIME.

    Attributes
    ----------
    kernel_width
        In units of the coordinates; None: 0.75 sqrt(n features). Weight exp(-d^2 / (2 width^2)).
    discretizer
        quartile (default), decile, entropy, or none (the default of ``sample=around``).
    ridge
        Penalty of the surrogate, against a total weight of about 0.45 a draw.
    features, select
        Let the surrogate use at most this many features, chosen by forward selection, highest
        weights or the lasso path; default: all features.
    sample
        background: draws from the background, shared by all rows. around: draws centred on the
        row, its own pool per row.
    exact
        The infinite-sample answer in closed form, for tree models.
    """

    kernel_width: float | None = None
    discretizer: str | None = field(default=None, metadata={"choices": DISCRETIZERS})
    ridge: float = 1.0
    features: int | None = None
    select: str = field(default="auto", metadata={"choices": SELECTIONS})
    sample: str = field(default="background", metadata={"choices": ("background", "around")})
    exact: bool = False

    instead: ClassVar[str] = "lime:exact=no"

    def __post_init__(self) -> None:
        """Refuse settings that contradict each other."""
        if self.kernel_width is not None and not self.kernel_width > 0:
            raise UsageError(f"lime:kernel_width={self.kernel_width:g}: must be above 0")
        if not 0 <= self.ridge < np.inf:
            raise UsageError(f"lime:ridge={self.ridge:g}: must be 0 or above")
        if self.features is not None and self.features < 1:
            raise UsageError(f"lime:features={self.features}: must be 1 or above")
        if self.select != "auto" and self.features is None:
            raise UsageError(f"lime:select={self.select} needs lime:features=K")
        default = "none" if self.around else "quartile"
        object.__setattr__(self, "discretizer", self.discretizer or default)
        if self.around and self.discretizer != "none":
            raise UsageError(
                f"lime:sample=around has no effect on bins: leave discretizer={self.discretizer}"
                " out, or take sample=background"
            )
        if self.exact and (self.discretizer == "none" or self.features is not None):
            raise UsageError(
                "lime:exact=yes needs bins and all features: leave discretizer=none and features="
                " out"
            )

    @property
    def wants(self) -> Wants:
        """What it wants of the perturbation."""
        return Wants(draws=True, discretizer=str(self.discretizer))

    @property
    def needs(self) -> frozenset[str]:
        """The capabilities that the model must have."""
        return frozenset({"leaves"}) if self.exact else frozenset()

    @property
    def sampled(self) -> bool:
        """Whether it draws: --samples means something."""
        return True

    @property
    def around(self) -> bool:
        """Whether each row has draws of its own."""
        return self.sample == "around"

    @property
    def pooled(self) -> bool:
        """Whether all rows share one pool of draws."""
        return not self.around

    def default_budget(self, law: Sampler) -> tuple[int, int]:
        """Return the default (samples per repeat, repeats)."""
        if self.exact:
            return FIT_BUDGET
        return OWN_POOL_BUDGET if self.around else pool_budget(len(law.names), law.traits.pools)

    def row_inputs(self, _law: Sampler, _n: int, budget: tuple[int, int]) -> int:
        """Return how many model inputs of its own a row takes: none where all share a pool."""
        return budget[0] * budget[1] if self.around else 0

    def facts(self, perturbation: Sampler) -> dict[str, Any]:
        """Return what the manifest says of the kernel."""
        return {"kernel_width": self._width(len(perturbation.names))}

    def _width(self, n: int) -> float:
        """Return the kernel width for n features."""
        return self.kernel_width or 0.75 * float(np.sqrt(n))

    def read_leaves(self, boxes: Any, perturbation: Sampler, kept: Any) -> Any:
        """Return the leaves of a tree model as the closed form takes them."""
        from xplain_cli.methods.closed_form import see_leaves

        return see_leaves(boxes, perturbation, kept)

    def _fit(
        self, task: TableTask, rows: Sequence[int], pool: Pool, own_inputs: int
    ) -> Attribution:
        """Fit the surrogates of some rows on the draws of a pool."""
        width = self._width(len(task.perturbation.names))
        surrogate = Surrogate(self.ridge, self.features, self.select)
        # under bins the law is a product, and nothing needs to be solved
        fit = fit_binned if task.perturbation.binned else fit_drawn
        return fit(task, surrogate, width, rows, pool, own_inputs=own_inputs)

    def explain(self, task: TableTask) -> Explaining:
        """Explain a block of rows."""
        if self.exact:
            from xplain_cli.methods.closed_form import explain_exactly

            pool = yield NeedPool()
            return explain_exactly(task, pool, self._width(len(task.perturbation.names)))
        parts = []
        if self.around:
            for start in range(0, len(task.block), _AROUND_ROWS):
                rows = range(start, min(start + _AROUND_ROWS, len(task.block)))
                draws = [_draw_around(task, i) for i in rows]
                outputs = yield NeedOutputs([table for _, table in draws])
                own = np.split(outputs, len(rows))
                parts += [
                    self._fit(task, [i], Pool(draw, part, task.repeats, _bins(task)), len(part))
                    for i, (draw, _), part in zip(rows, draws, own, strict=True)
                ]
        else:
            pool = yield NeedPool()
            parts = [self._fit(task, rows, pool, 0) for rows in _slices(task, pool.repeats)]
        return concatenate(parts)


def _bins(task: TableTask) -> tuple[FloatArray, ...]:
    """Return the frequencies of bins where every feature has some; else nothing."""
    return task.perturbation.frequencies if task.perturbation.binned else ()


def _slices(task: TableTask, repeats: int) -> list[range]:
    """Cut the rows of a block into slices whose Gram sums fit in memory that caches hold."""
    b = len(task.block)
    step = b if task.perturbation.binned else slice_rows(task.n, task.pairs.shape[1], repeats)
    return [range(start, min(start + step, b)) for start in range(0, b, step)]


def _draw_around(task: TableTask, row: int) -> tuple[Draw, Any]:
    """Draw a row's own pool; its seed is the run's seed and the row's values, not its place."""
    key = int.from_bytes(task.block.keys[row], "big")
    inputs = task.block.inputs.iloc[[row]]
    keys = [(AROUND, task.seed, key, repeat) for repeat in range(task.repeats)]
    return task.perturbation.draw(task.samples, keys, inputs)
