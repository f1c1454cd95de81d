"""The baselines that a row can be compared with: one shelf for all modalities, by name.

A file holds kinds that work alike; each is a frozen dataclass of its settings (see ``assignment``
for the protocols, ``candidates`` for the rows of a class).
"""

from dataclasses import fields
from typing import TYPE_CHECKING

from xplain_cli.baselines.assignment import Baseline
from xplain_cli.errors import UsageError, well_formed
from xplain_cli.specs import Shelf, build

__all__ = ["BASELINES", "DEFAULTS", "Baseline", "label_of", "open_baseline"]

_PLACES = {
    "tabular": {
        "zero": "fixed:Zero",
        "mean": "fixed:Mean",
        "median": "fixed:Median",
        "mode": "fixed:Mode",
        "row": "files:Row",
        "file": "files:FileRows",
        "sample": "sample:Sample",
        "medoid": "classes:Medoid",
        "nearest": "classes:Nearest",
        "revert": "revert:Revert",
        "ganmex": "ganmex:Ganmex",
    },
    "text": {
        "deletion": "texts:Deletion",
        "token": "texts:Token",
        "nearest": "texts:NearestText",
    },
    "image": {
        "black": "fills:Black",
        "blur": "fills:Blur",
        "colour": "fills:Colour",
        "file": "pictures:OtherPicture",
        "ganmex": "ganmex:GanmexPicture",
        "grey": "fills:Grey",
        "inpaint": "fills:Inpaint",
        "mean": "fills:MeanColour",
        "nearest": "pictures:NearestPicture",
        "white": "fills:White",
    },
}
BASELINES: dict[str, Shelf[type[Baseline]]] = {
    modality: Shelf(__name__, kinds) for modality, kinds in _PLACES.items()
}

DEFAULTS = {"tabular": "median", "text": "deletion", "image": "mean"}
"""What rows are compared with where nobody names a baseline."""

_SPELLINGS = {"color": "colour"}
_NOT_FOR = {
    ("text", "ganmex"): "there is no generator of texts; take nearest:class=NAME, which compares"
    " each text with the nearest one of a class",
}
"""Kinds that other modalities have and this one cannot, with what to take instead."""


def _short_key(kind: type[Baseline]) -> str | None:
    """Return the setting that ``NAME=VALUE`` fills, if a kind has one."""
    found = (part for part in fields(kind) if part.metadata.get("short"))  # type: ignore[arg-type]  # every kind is a dataclass
    return next((str(part.metadata.get("key", part.name)) for part in found), None)


def open_baseline(modality: str, text: str | None) -> Baseline:
    """
    Build the baseline that *text* names.

    ``NAME[:KEY=VALUE,...]``; of a kind with a main setting also ``NAME=VALUE[,KEY=VALUE,...]``, as
    in ``row=17``. Where that is its only setting, commas belong to the value. None: the default.

    Raises
    ------
    UsageError
        Unknown name or setting, with the nearest known ones; or a kind that only others have.
    """
    shelf = BASELINES[modality]
    text = DEFAULTS[modality] if text is None else text
    name, equals, value = text.partition("=")
    name = _SPELLINGS.get(name, name)
    why = _NOT_FOR.get((modality, name.partition(":")[0]))
    if why is not None:
        raise UsageError(f"--baseline {well_formed(text)}: {why}")
    if not equals or ":" in name:
        return build(text, shelf)
    kind = shelf.get(name)
    key = _short_key(kind) if kind else None
    if kind is None or key is None:
        return build(name if kind is None else text, shelf)
    if len(fields(kind)) == 1:  # type: ignore[arg-type]  # every kind is a dataclass
        return kind(value)  # type: ignore[call-arg]  # its one setting
    return build(f"{name}:{key}={value}", shelf)


def label_of(modality: str, baseline: Baseline, text: str | None) -> str:
    """Return how every line of the output names a baseline that was opened from *text*."""
    return well_formed(baseline.label or text or DEFAULTS[modality])


if TYPE_CHECKING:  # what is imported on use must answer all that a baseline answers
    from xplain_cli.baselines.classes import Medoid, Nearest
    from xplain_cli.baselines.files import FileRows, Row
    from xplain_cli.baselines.fills import Black, Blur, Colour, Grey, Inpaint, MeanColour, White
    from xplain_cli.baselines.fixed import Mean, Median, Mode, Zero
    from xplain_cli.baselines.ganmex import Ganmex, GanmexPicture
    from xplain_cli.baselines.pictures import NearestPicture, OtherPicture
    from xplain_cli.baselines.revert import Revert
    from xplain_cli.baselines.sample import Sample
    from xplain_cli.baselines.texts import Deletion, NearestText, Token

    _CHECKED: tuple[type[Baseline], ...] = (
        *(Medoid, Nearest, FileRows, Row, Black, Blur, Colour, Grey, Inpaint, MeanColour, White),
        *(Mean, Median, Mode, Zero, Ganmex, GanmexPicture, NearestPicture, OtherPicture, Revert),
        *(Sample, Deletion, NearestText, Token),
    )
