"""What the shell offers for the value of an option: names of the shelves, columns, classes.

The names stand here, for a shelf brings numpy, which a pressed key must not wait for.
"""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from xplain_cli.options.declare import Option

METHODS = (
    *("lime", "kernel-shap", "permutation", "tree-shap", "occlusion", "rise"),
    *("ig", "idgi", "saliency", "input-x-gradient", "smooth"),
    *("layer-cam", "grad-cam", "odam"),
)
SCALES = ("probability", "log-odds", "raw")
TARGETS = ("predicted", "predicted:vs:runner-up", "top:3", "all")
SEGMENTERS = ("slic", "quickshift", "felzenszwalb", "watershed", "grid", "file=")
UNITS = ("word", "char", "sentence")
PICTURE_UNITS = ("superpixel", "pixel")
BASELINES: Mapping[str, tuple[str, ...]] = {
    "tabular": (
        *("zero", "mean", "median", "mode", "row=", "file="),
        *("sample", "medoid", "nearest", "revert", "ganmex="),
    ),
    "text": ("nearest",),
    "image": (
        *("mean", "grey", "black", "white", "colour=", "blur", "inpaint", "file="),
        *("nearest", "ganmex="),
    ),
}
_WORDS = {
    "method": METHODS,
    "output_scale": SCALES,
    "segmenter": SEGMENTERS,
    "unit": UNITS,
    "accept": ("leftovers", "unsteady"),
}
_LAST_RUN = Path("xplain-out", "manifest.json")
_SEPARATORS = {".csv": ",", ".tsv": "\t"}


def _columns(data: Sequence[str]) -> list[str]:
    """Return the columns that the first line of DATA names, of formats that can be read here."""
    with suppress(OSError, UnicodeDecodeError, csv.Error):
        path = Path(data[0] if data else "-")
        separator = _SEPARATORS.get(path.suffix.lower())
        if separator:
            with path.open(newline="", encoding="utf-8-sig") as file:
                return next(csv.reader(file, delimiter=separator), [])
    return []


def _classes(model: str) -> list[str]:
    """Return the classes that the last run found in the same model; a model is never opened."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        facts = json.loads(_LAST_RUN.read_text(encoding="utf-8"))
        if facts["model"]["source"] == model:
            return [str(name) for name in facts["classes"]]
    return []


def _offered(option: Option, context: Any) -> Sequence[str]:
    params: Mapping[str, Any] = context.params
    words = list(params.get("words") or context.args)  # not parsed where a value is missing
    model = params.get("model") or (words[0] if words else "")
    data = list(params.get("data") or words[0 if params.get("model") else 1 :])
    if option.name == "target":
        return (*TARGETS, *_classes(model))
    if option.name == "baseline":
        return BASELINES.get(str(context.info_name), BASELINES["tabular"])
    if option.metavar.startswith("COL"):
        return _columns(data)
    if option.name == "unit" and context.info_name == "image":
        return PICTURE_UNITS
    return _WORDS[option.name]


def completer(option: Option) -> Callable[..., list[str]] | None:
    """Return what Typer asks for the values of an option; None where its files are offered."""
    if option.name not in {*_WORDS, "target", "baseline"} and not option.metavar.startswith("COL"):
        return None

    def offer(ctx: Any, incomplete: str) -> list[str]:  # the names are Typer's
        return [one for one in _offered(option, ctx) if one.startswith(incomplete)]

    return offer
