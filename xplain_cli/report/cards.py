"""The section of single explanations: a card each."""

from collections.abc import Mapping
from dataclasses import dataclass

from xplain_cli.output.cells import cleaned
from xplain_cli.quality.glossary import terms
from xplain_cli.report.album import Album
from xplain_cli.report.bars import Lane, lanes
from xplain_cli.report.items import Item, Reason, number, signed
from xplain_cli.report.overview import MOST_LETTERS
from xplain_cli.report.page import Section
from xplain_cli.report.running_texts import RunningTexts, running_texts
from xplain_cli.report.selection import read_exhibits
from xplain_cli.report.sentences import heading, sentences, spoken_reason
from xplain_cli.report.source import PageSource
from xplain_cli.report.waterfall import Step, steps

_OPEN = 3  # cards that are unfolded at first
_WARNED = ("unstable", "unsteady", "poor")  # words of which a card says what they mean
_GIST = 2  # reasons that a folded card names


@dataclass(frozen=True)
class Card:
    """
    An explanation as it is shown.

    Attributes
    ----------
    item
        What was explained.
    heading, sentences
        Its question, and its answer in words.
    gist
        What the folded card says.
    steps
        The waterfall from the base value to the prediction.
    facts
        How much, compared with what, how sure: (term, text).
    """

    item: Item
    heading: str
    sentences: tuple[str, ...]
    gist: str
    steps: tuple[Step, ...]
    facts: tuple[tuple[str, str], ...]

    @property
    def lanes(self) -> list[Lane]:
        """The same as it is drawn."""
        return lanes(self.steps)


@dataclass(frozen=True)
class Cards:
    """
    Some explanations of a run.

    Attributes
    ----------
    selection
        Which explanations are shown, and why.
    answers
        These explanations.
    n_open
        How many of them are unfolded.
    scale_note, value_name, text_note
        What the weights of an explanation are, what its values are, and what is to be known of its
        text (empty: it is none).
    """

    selection: str
    answers: tuple[Card, ...]
    n_open: int
    scale_note: str
    value_name: str
    text_note: str


def _sure(item: Item) -> str:
    """Say how sure an explanation is, and what a bad word means."""
    said = [f"{'; '.join(item.tags)}."] if item.tags else []
    for word in _WARNED:
        if word in item.words:
            meaning = terms()[word].partition(": ")[2]
            said.append(f"{word.capitalize()}: {meaning}")
    return " ".join(said)


def _facts(item: Item, baseline: str) -> tuple[tuple[str, str], ...]:
    missing = item.prediction - item.base_value - item.total
    total = f"base value {number(item.base_value, 4)}, all weights together {signed(item.total)}"
    if abs(missing) > 1e-6 * max(abs(item.prediction), abs(item.base_value), 1e-300):
        total += f", not explained {signed(missing)}"
    origin = f" ({cleaned(item.origin)})" if item.origin else ""
    found = [
        ("How much", f"prediction {number(item.prediction, 4)}: {total}"),
        ("Compared with", f"{baseline}{origin}"),
        ("How sure", _sure(item)),
    ]
    return tuple((term, text) for term, text in found if text)


def _card(item: Item, reasons: list[Reason], source: PageSource) -> Card:
    manner = source.manner
    first = [f"{spoken_reason(one, manner.story)} {signed(one.weight)}" for one in reasons[:_GIST]]
    return Card(
        item=item,
        heading=heading(item, manner),
        sentences=sentences(item, reasons, manner),
        gist="; ".join([*first, *item.words]),
        steps=tuple(steps(item, reasons, manner.story, source.scope.most_reasons)),
        facts=_facts(item, cleaned(source.facts["baseline"], MOST_LETTERS)),
    )


def _texts(source: PageSource) -> RunningTexts:
    """Read the texts of the rows that are shown from DATA, if it is what was explained."""
    rows: set[int] = set()
    if source.story.originals is not None:
        for part, lines in source.choice.by_part().items():
            told = source.found.read(source.found.parts[part]).stability["row"]
            rows |= {int(told.iloc[line]) for line, _ in lines}
    return running_texts(source.found, source.numbers, source.scope, rows)


def _album(source: PageSource) -> Album | None:
    """Return the pictures of the run, if it has some."""
    if "maps" not in source.facts:
        return None
    shown = sum(map(len, source.choice.by_part().values()))
    return Album(source.found.place, source.path, shown)


def answers(source: PageSource, texts: Mapping[int, str] | None = None) -> tuple[Card, ...]:
    """
    Return the explanations of a run that are shown, in the order of the rows.

    Parameters
    ----------
    texts
        Those of DATA, by the numbers of their rows.
    """
    album = _album(source)
    found: list[Card] = []
    for part, chosen in source.choice.by_part().items():
        records = source.found.read(source.found.parts[part])
        exhibits = read_exhibits(records, chosen, source.scope, album, texts)
        found += [_card(item, reasons, source) for item, reasons in exhibits]
    return tuple(found)


def single_explanations(source: PageSource) -> Section:
    """Return the section of single explanations."""
    manner, texts = source.manner, _texts(source)
    unit = "" if manner.scale == "raw" else f" ({manner.noun})"
    view = Cards(
        selection=source.choice.said(),
        answers=answers(source, texts.by_row),
        n_open=_OPEN,
        scale_note=f"Weights are in units of the target{unit}.",
        value_name=source.story.value_name,
        text_note=texts.note,
    )
    return Section("single", "Single explanations", "cards.html", view)
