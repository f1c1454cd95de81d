"""What a row is compared with. Fitted on reference rows; gives each row one baseline, or k.

A file holds kinds that work alike; each is a frozen dataclass of its settings with
``fit(reference, files) -> Giver`` (``features.grounds``).
"""

from typing import Protocol

from xplain_cli.baselines.assignment import Giver, Reference
from xplain_cli.baselines.classes import Medoid, Nearest
from xplain_cli.baselines.files import File, Files, Row
from xplain_cli.baselines.fixed import Mean, Median, Mode, Zero
from xplain_cli.baselines.revert import Revert
from xplain_cli.baselines.sample import Sample
from xplain_cli.specs import build

__all__ = ["BASELINES", "Baseline", "Files", "open_baseline"]


class Baseline(Protocol):
    """One kind of baseline."""

    @property
    def meaning(self) -> str:
        """What stands for "absent", in a sentence for the manifest."""

    @property
    def many(self) -> bool:
        """Whether each row has many baselines."""

    def fit(self, reference: Reference, files: Files) -> Giver:
        """Fit it; *files* reads rows that the settings name."""


BASELINES: dict[str, type[Baseline]] = {
    "zero": Zero,
    "mean": Mean,
    "median": Median,
    "mode": Mode,
    "row": Row,
    "file": File,
    "sample": Sample,
    "medoid": Medoid,
    "nearest": Nearest,
    "revert": Revert,
}


def open_baseline(text: str) -> Baseline:
    """
    Build the baseline that *text* names: ``NAME[:KEY=VALUE,...]``, ``row=ID`` or ``file=PATH``.

    Raises
    ------
    UsageError
        Unknown name or setting, with the nearest known ones.
    """
    for name, kind in (("row", Row), ("file", File)):
        if text.startswith(f"{name}="):
            return kind(text.removeprefix(f"{name}="))
    return build(text, BASELINES)
