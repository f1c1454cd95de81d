"""RISE on superpixels: what the target is on average with a feature, less without it."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from xplain_cli.errors import UsageError
from xplain_cli.features import Masker, Wants
from xplain_cli.methods.designs import DESIGNS
from xplain_cli.methods.masked import MaskLime
from xplain_cli.methods.requests import Explaining, MaskTask


@dataclass(frozen=True)
class Rise:
    """
    Petsiuk, Das and Saenko 2018, arXiv:1806.07421, with superpixels for their cells.

    Their importance is E[f | feature stays] (equation 6), under masks that keep each feature with
    probability 1/2. The weight here is E[f | it stays] - E[f | it is hidden]: the same order, and
    what showing a feature adds. As features stay independently of one another, it is the weight of
    LIME under a flat kernel, and is fitted so, on the same masks.

    Attributes
    ----------
    design, control
        As of LIME.
    """

    design: str = field(default="auto", metadata={"choices": ("auto", *DESIGNS)})
    control: str = field(default="auto", metadata={"choices": ("auto", "none", "logit2")})

    needs: ClassVar[frozenset[str]] = frozenset()
    instead: ClassVar[str] = ""
    exact: ClassVar[bool] = False
    pooled: ClassVar[bool] = False
    wants: ClassVar[Wants] = Wants()
    sampled: ClassVar[bool] = True

    @property
    def _lime(self) -> MaskLime:
        return MaskLime(kernel="flat", design=self.design, control=self.control)

    def default_budget(self, perturbation: Masker) -> tuple[int, int]:
        """
        Return the default (samples per repeat, repeats).

        Raises
        ------
        UsageError
            Features do not stay with probability 1/2.
        """
        if perturbation.inclusion != "bernoulli":
            raise UsageError("rise keeps each feature with probability 1/2: it is for pictures")
        return self._lime.default_budget(perturbation)

    def row_inputs(self, perturbation: Masker, n: int, budget: tuple[int, int]) -> int:
        """Return how many model inputs of its own a row with n features takes at most."""
        return self._lime.row_inputs(perturbation, n, budget)

    def facts(self, perturbation: Masker) -> dict[str, Any]:
        """Return what the manifest says of the kernel."""
        return self._lime.facts(perturbation)

    def explain(self, task: MaskTask) -> Explaining:
        """Explain a block of rows, all with equally many features."""
        return self._lime.explain(task)
