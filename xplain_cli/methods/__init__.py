"""The methods that give features their weights; none of them knows a modality.

A method is a generator over a block of rows: it yields what it needs (``NeedPool``,
``NeedOutputs``, ``NeedMasks``, ``NeedPath``, ...), is sent it, and returns an ``Attribution`` of
the block. So rows ask the model together, in full batches.
"""

from typing import TYPE_CHECKING, Any, Protocol

from xplain_cli.features import Wants
from xplain_cli.methods.requests import (
    Explaining,
    MaskOutputs,
    NeedMasks,
    NeedOutputs,
    NeedPath,
    NeedPieces,
    NeedPool,
    NeedRoutes,
    Noise,
    PathSums,
    Pool,
    Routes,
    Task,
    UnexplainedError,
)
from xplain_cli.specs import Shelf

__all__ = [
    "METHODS",
    "Explaining",
    "MaskOutputs",
    "Method",
    "NeedMasks",
    "NeedOutputs",
    "NeedPath",
    "NeedPieces",
    "NeedPool",
    "NeedRoutes",
    "Noise",
    "PathSums",
    "Pool",
    "Routes",
    "Task",
    "UnexplainedError",
]


class Method(Protocol):
    """
    One way of giving features their weights.

    What most answer alike stands in ``methods.defaults``, to be borrowed by assignment.
    """

    @property
    def wants(self) -> Wants:
        """What it wants of the perturbation of its rows."""

    @property
    def needs(self) -> frozenset[str]:
        """The capabilities that the model must have (``models.Capabilities``), by name."""

    @property
    def instead(self) -> str:
        """What to take where the model lacks them; empty where it needs none."""

    @property
    def exact(self) -> bool:
        """Whether its weights have no sampling error, whatever the row."""

    @property
    def pooled(self) -> bool:
        """Whether all rows share one pool of draws."""

    @property
    def sampled(self) -> bool:
        """Whether it draws at all: samples and repeats mean something."""

    def default_budget(self, perturbation: Any) -> tuple[int, int]:
        """Return the default (samples per repeat, repeats)."""

    def row_inputs(self, perturbation: Any, n: int, budget: tuple[int, int]) -> int:
        """Return how many model inputs of its own a row with n features takes at most."""

    def facts(self, perturbation: Any) -> dict[str, Any]:
        """Return what the manifest says of the method's constants."""

    def explain(self, task: Any) -> Explaining:
        """Explain a block of rows."""


_PLACES = {
    "draws": {"lime": "lime:Lime"},
    "masks": {
        "grad-cam": "class_maps:GradCam",
        "layer-cam": "class_maps:LayerCam",
        "odam": "class_maps:Odam",
        "idgi": "idgi:ImportantDirections",
        "ig": "integrated_gradients:IntegratedGradients",
        "input-x-gradient": "slopes:InputTimesGradient",
        "kernel-shap": "kernel_shap:KernelShap",
        "lime": "masked:MaskLime",
        "occlusion": "occlusion:Occlusion",
        "permutation": "permutation:Permutation",
        "rise": "rise:Rise",
        "saliency": "slopes:Saliency",
        "smooth": "slopes:SmoothGrad",
        "tree-shap": "tree_shap:TreeShap",
    },
}
METHODS: dict[str, Shelf[type[Method]]] = {
    given: Shelf(__name__, kinds) for given, kinds in _PLACES.items()
}
"""Methods by what their perturbation gives: draws that all rows share, or masks of each row."""

if TYPE_CHECKING:  # what is imported on use must answer all that a method answers
    from xplain_cli.methods.class_maps import GradCam, LayerCam, Odam
    from xplain_cli.methods.idgi import ImportantDirections
    from xplain_cli.methods.integrated_gradients import IntegratedGradients
    from xplain_cli.methods.kernel_shap import KernelShap
    from xplain_cli.methods.lime import Lime
    from xplain_cli.methods.masked import MaskLime
    from xplain_cli.methods.occlusion import Occlusion
    from xplain_cli.methods.permutation import Permutation
    from xplain_cli.methods.rise import Rise
    from xplain_cli.methods.slopes import InputTimesGradient, Saliency, SmoothGrad
    from xplain_cli.methods.tree_shap import TreeShap

    _CHECKED: tuple[type[Method], ...] = (
        *(GradCam, LayerCam, Odam, ImportantDirections, IntegratedGradients, KernelShap, Lime),
        *(MaskLime, Occlusion, Permutation, Rise, InputTimesGradient, Saliency, SmoothGrad),
        TreeShap,
    )
