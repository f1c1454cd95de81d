"""The page of a run: one HTML file that needs nothing else, no scripts, nothing from elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xplain_cli.output.cells import cleaned
from xplain_cli.quality.summary import FeatureLine
from xplain_cli.report.bars import HEIGHT, WIDTH, SignedBar, bars, two_sided
from xplain_cli.report.items import Item, Reason, number, signed

MADE_BY = '<meta name="generator" content="xplain">'
"""What a page of ours holds within its first ``HEAD`` bytes."""
HEAD = 512


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
class Card:
    """An explanation with its question and its answer in words, and what links to it say."""

    exhibit: Item
    heading: str
    sentences: tuple[str, ...]
    label: str

    @property
    def drawn(self) -> list[tuple[Reason, SignedBar]]:
        """The reasons, each with its bar."""
        return list(zip(self.exhibit.reasons, bars(self.exhibit.reasons), strict=True))


@dataclass(frozen=True)
class Page:
    """
    What a page says, in its order.

    Attributes
    ----------
    title
        The heading.
    facts
        The words of the explanation: (term, text) of model, input, target, baseline, ...
    rows, empty, failed
        How many rows were explained, in how many there is nothing to explain, how many failed.
    verdicts, gates, failures
        How far to trust it.
    features, top_k, no_features
        The strongest features, the K of their share, and why there are none.
    averaged
        Over which targets their means are taken; empty where there is one.
    selection
        Which explanations are shown, and why.
    answers
        These explanations.
    scale_note, value_name, text_note
        What the weights of an explanation are, what its values are, and what is to be known of its
        text (empty: it is none).
    notes
        What was decided and told.
    glossary
        What the words of the page mean: (term, text).
    provenance
        What the run was made of: (term, text).
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    rows: int
    empty: int
    failed: int
    verdicts: tuple[Verdict, ...]
    gates: tuple[GateLine, ...]
    failures: tuple[FailureLine, ...]
    features: tuple[FeatureLine, ...]
    top_k: int
    no_features: str
    averaged: str
    selection: str
    answers: tuple[Card, ...]
    scale_note: str
    value_name: str
    text_note: str
    notes: tuple[str, ...]
    glossary: tuple[tuple[str, str], ...]
    provenance: tuple[tuple[str, str], ...]


def _feature_bars(
    features: Sequence[FeatureLine],
) -> list[tuple[FeatureLine, tuple[SignedBar, SignedBar]]]:
    """Return the strongest features, each with what lowers and what raises."""
    longest = max((max(f.rising, f.weight - f.rising) for f in features), default=0.0)
    return [(f, two_sided(f.weight - f.rising, f.rising, longest)) for f in features]


def fill(template: str, values: Mapping[str, Any]) -> bytes:
    """Return a template of this folder with its values, every text of them escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("xplain_cli", "report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters |= {"cleaned": cleaned, "number": number, "signed": signed}
    return environment.get_template(template).render(values).encode("utf-8", "backslashreplace")


def render_page(page: Page) -> bytes:
    """Return a page as HTML; equal pages give equal bytes."""
    values = {
        "title": page.title,
        "page": page,
        "features": _feature_bars(page.features),
        "width": WIDTH,
        "height": HEIGHT,
        "middle": WIDTH // 2,
    }
    return fill("page.html", values)
