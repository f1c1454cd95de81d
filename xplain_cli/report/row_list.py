"""The section that finds rows: one line for each explanation, searched and sorted in the page.

A script does that, by measure (``tests/benchmarks/page_of_many.py``): the page of 10,000 rows has
1.5 MB and opens in 0.3 s of processor time, for lines are made when they are looked at. The same
lines as plain HTML make 2.7 MB and 3 s; folded away they open as fast, and can be neither searched
nor sorted.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from xplain_cli.explanation import IntArray, Records
from xplain_cli.output.cells import cleaned
from xplain_cli.report.items import signed
from xplain_cli.report.page import Section
from xplain_cli.report.selection import PageScope, reason_of
from xplain_cli.report.sentences import spoken_reason
from xplain_cli.report.source import PageSource

MOST_BYTES = 680_000
"""Bytes of the list in a page; explanations beyond are left out, and that is said."""
_REASONS = 3  # that a line names, or fewer where all lines find room by that
_LEAST_LINE = 25  # bytes
_FEWEST = 4  # explanations: fewer need no list


@dataclass(frozen=True)
class RowList:
    """
    The explanations of a run, a line each.

    Attributes
    ----------
    said
        Which explanations are listed.
    columns
        (key, heading, kind) of each column; kind is "text" or "number".
    data
        The lines as JSON that can stand in a page, whatever the texts in it say.
    """

    said: str
    columns: tuple[tuple[str, str, str], ...]
    data: str


def inert(document: Any) -> str:
    """Return a document as JSON in which no letter means anything to HTML."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def _size(document: Any) -> int:
    return len(inert(document).encode("utf-8", "backslashreplace")) + 1


def _short(value: float) -> float | None:
    return float(f"{value:.4g}") if np.isfinite(value) else None


class _Words:
    """Texts that lines share, each held once."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}
        self.bytes = 0

    def place(self, text: str) -> int:
        if text not in self.places:
            self.places[text] = len(self.places)
            self.bytes += _size(text)
        return self.places[text]


def _reasons(lines: Any, scope: PageScope, words: _Words) -> list[int | str]:
    """Return the strongest reasons of an explanation: what each is, and its weight."""
    found: list[int | str] = []
    for line in lines:
        if not line["weight"]:
            break
        reason = reason_of(line, scope, has_baseline=False)
        found += [words.place(spoken_reason(reason, scope.story)), signed(reason.weight)]
    return found


def _strongest(records: Records, lines: IntArray, most: int) -> list[list[dict[Any, Any]]]:
    """Return the first weights of some lines of stability, at most *most* of each."""
    counts = np.minimum(records.lines[lines], most)
    starts = (np.cumsum(records.lines) - records.lines)[lines]
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    taken = records.weights.iloc[np.repeat(starts, counts) + within].to_dict("records")
    ends = np.cumsum(counts).tolist()
    return [taken[end - count : end] for end, count in zip(ends, counts.tolist(), strict=True)]


def _lines(
    records: Records, source: PageSource, cards: Mapping[int, int], words: _Words, most: int
) -> Iterator[list[Any]]:
    """
    Yield the line of each explanation of a part.

    Parameters
    ----------
    cards
        The number of the card that a line has.
    most
        How many reasons a line names.
    """
    told, scope = records.stability, source.scope
    met = told["status"].eq("ok").to_numpy() & source.choice.wanted.mask(told)
    lines = np.flatnonzero(met)
    reasons = _strongest(records, lines, min(most, scope.most_reasons))
    names = ["row_id", "target", "prediction", "precision", "fidelity"]
    for at, said, own in zip(
        lines.tolist(), told.iloc[lines][names].to_dict("records"), reasons, strict=True
    ):
        yield [
            cleaned(said["row_id"]),
            words.place(cleaned(said["target"])),
            _short(float(said["prediction"])),
            *(words.place(said[name] if isinstance(said[name], str) else "") for name in names[3:]),
            cards.get(at, 0),
            *_reasons(own, scope, words),
        ]


@dataclass(frozen=True)
class _Listing:
    """The lines that found room, and the texts that they share."""

    lines: list[list[Any]]
    words: list[str]


def _listing(source: PageSource, most: int) -> _Listing:
    """List explanations in the order of the rows, as long as there is room."""
    words, size = _Words(), 0
    lines: list[list[Any]] = []
    cards = source.choice.numbered()
    for number, records in enumerate(source.found.records()):
        for line in _lines(records, source, cards.get(number, {}), words, most):
            size += _size(line)
            if size + words.bytes > MOST_BYTES:
                return _Listing(lines, list(words.places))
            lines.append(line)
    return _Listing(lines, list(words.places))


def _fullest(source: PageSource) -> _Listing:
    """Return the list with the most reasons by which every line finds room; else the usual one."""
    first = _listing(source, _REASONS)
    count = source.choice.count
    if len(first.lines) == count or count * _LEAST_LINE > MOST_BYTES:
        return first
    shorter = (_listing(source, most) for most in range(_REASONS - 1, 0, -1))
    return next((one for one in shorter if len(one.lines) == count), first)


def listed_rows(source: PageSource) -> Section | None:
    """Return the section that finds rows; None where there are few."""
    if source.choice.count < _FEWEST:
        return None
    listing = _fullest(source)
    several = len({line[1] for line in listing.lines}) > 1
    fidelity = any(listing.words[line[4]] for line in listing.lines)
    columns = (
        ("row", "row", "text"),
        *((("target", "target", "text"),) if several else ()),
        ("prediction", "prediction", "number"),
        ("precision", "precision", "text"),
        *((("fidelity", "fidelity", "text"),) if fidelity else ()),
        ("reasons", "strongest reasons", "text"),
    )
    shown, count = len(listing.lines), source.choice.count
    said = f"All {shown:,}" if shown == count else f"The first {shown:,} of {count:,}"
    document = {
        "words": listing.words,
        "columns": [key for key, _, _ in columns],
        "lines": listing.lines,
    }
    view = RowList(
        said=f"{said} explanations, a line each",
        columns=columns,
        data=inert(document),
    )
    return Section("rows", "Find a row", "row_list.html", view)
