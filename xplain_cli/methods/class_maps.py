"""Class activation maps: derivatives at the value of a layer times the value, in one step.

Each is a path followed in one step from 0 at the layer, a baseline that their authors leave unsaid;
so each has an attribution error. Weights keep their sign. Where a method leaves out what is below
0, that is done to a picture of them, and ``rectified_error`` says what the picture leaves out.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from xplain_cli.explanation import Attribution, FloatArray, exact_attribution
from xplain_cli.features import Masker, Wants
from xplain_cli.methods.defaults import no_constants, nothing_sampled
from xplain_cli.methods.integrated_gradients import by_baseline, mean_over, paths_of
from xplain_cli.methods.requests import (
    AVERAGED,
    PLAIN,
    POSITIVE,
    ZERO,
    Explaining,
    MaskTask,
    NeedRoutes,
    PathSums,
    Routes,
)

_ENDS = (np.array([0.0, 1.0]), np.array([0.0, 1.0]))
"""Both ends of the path; the derivative counts at the row alone."""


def _rectified_error(task: MaskTask, base: FloatArray, maps: FloatArray) -> FloatArray:
    """Return what maps (b, t, h, w) miss of the change from *base* without their parts below 0."""
    total = np.maximum(maps, 0.0).sum(axis=(2, 3))
    due = task.predictions - base
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(due != 0, np.abs(total - due) / np.abs(due), np.nan)


def _explain(task: MaskTask, reading: str) -> Explaining:
    """Explain a block of rows by derivatives at the layer, read in one of the ways."""
    routes: Routes = yield NeedRoutes(origin=ZERO)
    paths = paths_of(task, routes)
    sums: PathSums = yield replace(paths.at(*_ENDS), reading=reading)
    base = mean_over(by_baseline([values[0] for values in sums.values], task, 1))
    weights = mean_over(by_baseline(sums.sums, task, 1))
    t = task.pairs.shape[1]
    asked = np.asarray(by_baseline(sums.asked, task, 1).sum(axis=(0, 2)))
    said = exact_attribution(weights, base, samples=1, asked=asked + t * routes.entered)
    if sums.maps is None:
        return said
    maps = mean_over(by_baseline(sums.maps, task, 1))
    return replace(said, maps=maps, rectified_error=_rectified_error(task, base, maps))


@dataclass(frozen=True)
class LayerCam:
    """
    LayerCAM: derivatives above 0 times the value of the layer.

    Jiang, Zhang, Hou, Cheng and Wei 2021 (doi:10.1109/TIP.2021.3089943).

    Attributes
    ----------
    layer
        Where.
    """

    layer: str = ""

    reading: ClassVar[str] = POSITIVE
    needs: ClassVar[frozenset[str]] = frozenset({"gradient"})
    instead: ClassVar[str] = "kernel-shap"
    exact: ClassVar[bool] = True
    pooled: ClassVar[bool] = False
    wants: ClassVar[Wants] = Wants(every=True)
    sampled: ClassVar[bool] = False
    needs_layer: ClassVar[bool] = True
    origin: ClassVar[str] = ZERO
    stability_columns: ClassVar[tuple[str, ...]] = ("rectified_error",)

    default_budget = nothing_sampled
    facts = no_constants

    def row_inputs(self, _law: Masker, _n: int, _budget: tuple[int, int]) -> int:
        """Return how many model inputs of its own a row takes."""
        return 3

    def explain(self, task: MaskTask) -> Explaining:
        """Explain a block of rows, all with equally many features."""
        found: Attribution = yield from _explain(task, self.reading)
        return found


@dataclass(frozen=True)
class GradCam(LayerCam):
    """
    Grad-CAM: of each channel the mean derivative over its places, times the value of the layer.

    Selvaraju et al. 2017 (arXiv:1610.02391).
    """

    reading: ClassVar[str] = AVERAGED


@dataclass(frozen=True)
class Odam(LayerCam):
    """
    ODAM: derivatives times the value of the layer, in one number for each place.

    Zhao, Hsiao and Chan 2023 (arXiv:2304.06354). With its sign it is gradient times feature.
    """

    reading: ClassVar[str] = PLAIN
