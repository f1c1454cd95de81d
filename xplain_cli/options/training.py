"""The options of learned baselines: what is trained, and how."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from xplain_cli.options.declare import option

TrainingKind = Literal["ganmex"]


@dataclass(frozen=True, kw_only=True)
class Training:
    """What is trained, and how."""

    panel: ClassVar = "Training"
    kind: TrainingKind | None = option(
        "ganmex",
        "What is trained: a generator that moves a row to another class, after GANMEX.",
    )
    steps: int | None = option(
        "--steps N", "Steps at most. Default: 2000; pictures above 16 x 16 600.", least=1
    )
    noise: float | None = option(
        "--noise SIGMA",
        "Most noise before the model, of a range of 2; little lets the generator fool the model."
        " Default: 0.5.",
        least=0,
    )


@dataclass(frozen=True, kw_only=True)
class LearnedBaseline:
    """A learned baseline that is looked at."""

    panel: ClassVar = "Training"
    file: str = option("G.xplain", "The file of a learned baseline.", "", kind="path")
