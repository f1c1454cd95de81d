"""What differs between two runs before a single weight is looked at: model, data, question."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xplain_cli.errors import UsageError
from xplain_cli.runs.finished import FinishedRun

_MODEL = ("model", "outputs", "member")
_DATA = ("data", "background", "columns", "discrete")
_ESTIMATE = (
    *("samples", "repeats", "seed", "max_rel_se", "max_samples", "model_batch_rows"),
    *("stability_k", "schema", "sparse", "unsteady"),
)
_SHORT = 12  # digits of a hash


@dataclass(frozen=True)
class Causes:
    """
    What two runs do not have in common, by the names that plans give it.

    Attributes
    ----------
    model, data, question, estimate
        (name, OLD, NEW) of what decides the numbers: the model; the rows, the background and the
        columns; what is explained and how (target, scale, baseline, method, ...); how precisely.
    """

    model: tuple[tuple[str, Any, Any], ...]
    data: tuple[tuple[str, Any, Any], ...]
    question: tuple[tuple[str, Any, Any], ...]
    estimate: tuple[tuple[str, Any, Any], ...]


def _named(value: Mapping[str, Any]) -> Any:
    return value.get("name", dict(value))


def _apart(old: Any, new: Any, name: str) -> list[tuple[str, Any, Any]]:
    """Return what differs in two values; of settings only those that do."""
    if old == new:
        return []
    if isinstance(old, Mapping) and isinstance(new, Mapping) and name not in _DATA:
        if old.get("name") != new.get("name"):  # the settings of one are none of the other
            return [(name, _named(old), _named(new))]
        keys = dict.fromkeys((*old, *new))
        return [
            (f"{name} {key}", old.get(key), new.get(key))
            for key in keys
            if old.get(key) != new.get(key)
        ]
    return [(name, old, new)]


def causes(old: FinishedRun, new: FinishedRun) -> Causes:
    """
    Return what differs in the plans of two runs.

    Raises
    ------
    UsageError
        They explain rows of another kind, or name features by a secret that one of them forgot.
    """
    then, now = (run.marker.plan["numbers"] for run in (old, new))
    if then["modality"] != now["modality"]:
        raise UsageError(
            f"OLD explains {then['modality']} rows and NEW {now['modality']} rows: no feature of"
            " one is a feature of the other"
        )
    for run, numbers in (("OLD", then), ("NEW", now)):
        if numbers.get("hashed") == "":
            raise UsageError(
                f"{run}: its units are hashed with a secret of that run alone, so that the same"
                " unit has another name in each; set XPLAIN_HASH_SALT and explain them again"
            )
    found: dict[str, list[tuple[str, Any, Any]]] = {
        "model": [],
        "data": [],
        "question": [],
        "estimate": [],
    }
    kinds = dict.fromkeys(_MODEL, "model") | dict.fromkeys(_DATA, "data")
    kinds |= dict.fromkeys(_ESTIMATE, "estimate")
    for name in dict.fromkeys((*then, *now)):
        kind = kinds.get(name, "question")
        found[kind] += _apart(then.get(name), now.get(name), name)
    return Causes(**{kind: tuple(parts) for kind, parts in found.items()})


def shown(value: Any) -> str:
    """Return a value of a plan in a word or two."""
    if isinstance(value, str) and len(value) == 64:
        return value[:_SHORT]
    if value is None:
        return "default"
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def listed_causes(parts: tuple[tuple[str, Any, Any], ...]) -> str:
    """Return what differs, one after the other, as OLD -> NEW."""
    return ", ".join(f"{name} {shown(old)} -> {shown(new)}" for name, old, new in parts)


def check_question(found: Causes, *, across: bool) -> None:
    """
    Refuse to compare the answers to two questions, unless that is what was asked for.

    Raises
    ------
    UsageError
        Target, scale, baseline, method or the like differ.
    """
    if found.question and not across:
        raise UsageError(
            f"the question changed: {listed_causes(found.question)}; explain both alike, or"
            " compare them all the same with --across"
        )
