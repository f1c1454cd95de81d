"""The overview of a run's page: its words, the three lines, its gates, its origin."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xplain_cli.modalities import Story
from xplain_cli.output.cells import cleaned, listed
from xplain_cli.quality.failures import Failure
from xplain_cli.quality.glossary import meanings, terms
from xplain_cli.quality.summary import Summary
from xplain_cli.quality.words import UNSTEADY
from xplain_cli.report.items import number
from xplain_cli.report.page import Section
from xplain_cli.report.source import PageSource

SUFFIXES = (".html", ".htm")
"""How the names of pages end."""
MOST_LETTERS = 400
"""Letters of a longer statement."""
_LINES = ("precision", "fidelity", "locality")
_PRINTED = (
    *("target", "output_scale", "baseline", "prediction", "base_value", "weight", "std_error"),
    *("95 % interval", "sign uncertain", "max_rel_se", "topk_jaccard", "sign_probability"),
    *("local_r2", "attribution_error", "mean |weight|", "in top K", "raises", "median", "gate"),
    *("feature", "feature_value", "condition", "row_id", "row", "precision", "fidelity"),
    *("sum", "waterfall", "beeswarm", "dependence", "partner", "strongest reasons"),
)
"""What every page prints besides the words of precision and fidelity."""
_UNSTEADY = (
    "The model does not answer the same rows alike, and was explained with the consent of the user:"
    " the errors are those of the draws alone, and the weights may be off by more."
)
_BAD_ENDS = {
    "precision": {"max_rel_se": "p95", "topk_jaccard": "p5", "sign_probability": "p5"},
    "fidelity": {"local_r2": "p5"},
    "locality": {"locality": "p95"},
}


@dataclass(frozen=True)
class Verdict:
    """
    One of the three lines.

    Attributes
    ----------
    name
        precision, fidelity or locality.
    counts
        How many explanations have each word.
    figures
        Medians and bad ends, in words.
    meaning
        What it says, in a sentence.
    """

    name: str
    counts: tuple[tuple[str, int], ...]
    figures: tuple[str, ...]
    meaning: str


@dataclass(frozen=True)
class GateLine:
    """A gate and how it was judged."""

    text: str
    observed: str
    worst: str
    missed: bool


@dataclass(frozen=True)
class FailureLine:
    """A reason for which rows failed."""

    reason: str
    count: int
    rows: str


@dataclass(frozen=True)
class TrustLines:
    """
    How far to trust a run.

    Attributes
    ----------
    rows, empty, failed
        How many rows were explained, in how many there is nothing to explain, how many failed.
    verdicts, gates, failures
        The three lines, how gates were judged, and why rows failed.
    """

    rows: int
    empty: int
    failed: int
    verdicts: tuple[Verdict, ...]
    gates: tuple[GateLine, ...]
    failures: tuple[FailureLine, ...]


@dataclass(frozen=True)
class OriginLines:
    """What was decided and told, and what the run was made of: (term, text)."""

    notes: tuple[str, ...]
    provenance: tuple[tuple[str, str], ...]


def _method(numbers: Mapping[str, Any], label: str) -> str:
    """Say how the weights were found."""
    samples, repeats = numbers["samples"], numbers["repeats"]
    many = f", at most {samples} samples x {repeats} repeat{'s' * (repeats > 1)}"
    return f"{label}{many if samples * repeats > 1 else ''}, seed {numbers['seed']}"


def words(facts: Mapping[str, Any], story: Story) -> tuple[tuple[str, str], ...]:
    """Return what an explanation is a function of."""
    plan = facts["plan"]
    numbers, (start, stop) = plan["numbers"], plan["selection"]["rows"]
    model, outputs = facts["model"], numbers["outputs"]
    asked = f"{model['source']} ({model['kind']}), asked for {facts['response']}"
    of = f", of {listed(outputs)}" if len(outputs) > 1 else ""
    return (
        ("Model", cleaned(asked, MOST_LETTERS)),
        ("Input", f"{listed(facts['data']['paths'])}, rows {start} to {stop - 1} (from 0)"),
        ("Target", f"{cleaned(numbers['target'])}{of}; scale: {cleaned(facts['output_scale'])}"),
        ("Baseline", cleaned(facts["baseline"], MOST_LETTERS)),
        ("Features", story.features_said(numbers, facts)),
        ("Method", cleaned(_method(numbers, facts["method"]), MOST_LETTERS)),
    )


def _figure(whole: Summary, column: str, tail: str) -> str:
    middle, end = whole.quantiles[column]
    return f"{column}: median {number(middle)}, {tail} {number(end)}"


def _verdicts(whole: Summary, worst: float) -> tuple[Verdict, ...]:
    """
    Return the three lines.

    Parameters
    ----------
    worst
        The largest attribution error, which stands where a method has no fidelity.
    """
    said = {"precision": whole.precision, "fidelity": whole.fidelity, "locality": {}}
    lines = []
    for name in _LINES:
        counts = tuple((word, count) for word, count in said[name].items() if count)
        meaning = _UNSTEADY if said[name].get(UNSTEADY) else terms()[name]
        tails = _BAD_ENDS[name].items()
        figures = [_figure(whole, *pair) for pair in tails if pair[0] in whole.quantiles]
        if name == "fidelity" and whole.largest_error is not None:
            counts = ()
            most = number(whole.largest_error)
            figures = [f"adds up, attribution error at most {most}"]
        elif name == "fidelity" and whole.otherwise:
            figures.append(
                f"the surrogate decides otherwise in {whole.otherwise:,} of {whole.decided:,} rows"
            )
        if not counts and not figures:
            figures = ["not defined for this method" if whole.rows else "no row was explained"]
            if name == "fidelity" and math.isfinite(worst):
                figures.append(
                    "base and weights together miss the prediction by at most"
                    f" {number(worst)} of its distance from the base"
                )
        lines.append(Verdict(name, counts, tuple(figures), meaning))
    return tuple(lines)


def _glossary(whole: Summary) -> tuple[tuple[str, str], ...]:
    """Return the terms that the page of a run prints, each with its meaning."""
    said = [
        word for held in (whole.precision, whole.fidelity) for word, count in held.items() if count
    ]
    return meanings([*_PRINTED, *said])


def _gates(folder: Path) -> tuple[GateLine, ...]:
    """Return the gates that the run was judged by last."""
    try:
        held = json.loads((folder / "run_results.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ()
    return tuple(
        GateLine(
            cleaned(gate["text"], MOST_LETTERS),
            "no value" if gate["observed"] is None else number(gate["observed"], 6),
            "" if gate["worst"] is None else cleaned(gate["worst"]),
            missed=bool(gate["missed"]),
        )
        for gate in held.get("gates", ())
    )


def _provenance(facts: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return what the run was made of; outputs that are pages are left out, for this is one."""
    hashes = {"model": facts["model"]["sha256"], "data": facts["data"]["sha256"]}
    if facts.get("background", {}).get("sha256"):
        hashes["background"] = facts["background"]["sha256"]
    hashes |= {
        name: value
        for name, value in sorted(facts.get("outputs", {}).items())
        if not name.lower().endswith(SUFFIXES)
    }
    versions = ", ".join(f"{name} {value}" for name, value in facts["versions"].items())
    return (
        ("run", facts["run_id"]),
        *((f"SHA-256 of {cleaned(name)}", value) for name, value in hashes.items()),
        ("versions", cleaned(versions, MOST_LETTERS)),
        ("platform", facts["platform"]),
        ("seeds", cleaned(facts["seed_rule"], 2000)),
    )


def _told(failure: Failure) -> FailureLine:
    rows = ", ".join(map(cleaned, failure.rows))
    return FailureLine(cleaned(failure.reason, MOST_LETTERS), failure.count, rows)


def trust(source: PageSource) -> Section:
    """Return the section on how far the run can be trusted."""
    whole = source.whole
    view = TrustLines(
        rows=whole.rows,
        empty=whole.empty,
        failed=whole.failed,
        verdicts=_verdicts(whole, source.worst),
        gates=_gates(source.found.folder),
        failures=tuple(map(_told, whole.failures)),
    )
    return Section("trust", "How far to trust it", "trust.html", view)


def words_used(source: PageSource) -> Section:
    """Return the section on what the words of the page mean."""
    return Section("glossary", "What the words mean", "glossary.html", _glossary(source.whole))


def origin(source: PageSource) -> Section:
    """Return the section on where the run comes from."""
    notes = (*source.whole.notes, *source.facts["notes"])
    view = OriginLines(
        notes=tuple(cleaned(note, MOST_LETTERS) for note in notes),
        provenance=_provenance(source.facts),
    )
    return Section("origin", "Where it comes from", "origin.html", view)
