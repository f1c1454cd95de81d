"""The section of single explanations: a card each."""

from dataclasses import dataclass

from xplain_cli.output.cells import cleaned
from xplain_cli.report.bars import SignedBar, bars
from xplain_cli.report.items import Item, Reason
from xplain_cli.report.page import Section
from xplain_cli.report.selection import Album, read_exhibits
from xplain_cli.report.sentences import heading, sentences
from xplain_cli.report.source import PageSource

_TEXTS = "Texts are put together from their units; what stood between them is not kept in a run."


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
class Cards:
    """
    Some explanations of a run.

    Attributes
    ----------
    selection
        Which explanations are shown, and why.
    answers
        These explanations.
    scale_note, value_name, text_note
        What the weights of an explanation are, what its values are, and what is to be known of its
        text (empty: it is none).
    """

    selection: str
    answers: tuple[Card, ...]
    scale_note: str
    value_name: str
    text_note: str


def _answers(source: PageSource) -> tuple[Card, ...]:
    album = Album(source.found.place, source.path) if "maps" in source.facts else None
    answers: list[Card] = []
    for part, chosen in source.choice.by_part().items():
        records = source.found.read(source.found.parts[part])
        for exhibit, reasons in read_exhibits(records, chosen, source.scope, album):
            said = sentences(exhibit, reasons, source.manner)
            label = exhibit.row_id
            if answers and answers[-1].exhibit.row_id == label:  # a further target of the row
                label = cleaned(exhibit.target)
            answers.append(Card(exhibit, heading(exhibit, source.manner), said, label))
    return tuple(answers)


def cards(source: PageSource) -> Section:
    """Return the section of single explanations."""
    manner = source.manner
    unit = "" if manner.scale == "raw" else f" ({manner.noun})"
    view = Cards(
        selection=source.choice.said(),
        answers=_answers(source),
        scale_note=f"Weights are in units of the target{unit}.",
        value_name=source.story.value_name,
        text_note=_TEXTS if source.scope.joins_texts else "",
    )
    return Section("single", "Single explanations", "cards.html", view)
