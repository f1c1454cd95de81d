"""One HTML page of a finished run, made from its parts and its manifest."""

import math
import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.modalities import story_of
from xplain_cli.output.cells import cleaned
from xplain_cli.quality.failures import Failure
from xplain_cli.quality.row_filter import ALL_ROWS, RowFilter
from xplain_cli.quality.summary import Subject, Summary, Tally
from xplain_cli.report.overview import (
    MOST_LETTERS,
    SUFFIXES,
    gates,
    glossary,
    provenance,
    verdicts,
    words,
)
from xplain_cli.report.page import HEAD, MADE_BY, Card, FailureLine, Page, render_page
from xplain_cli.report.selection import Album, Choice, PageScope, read_exhibits
from xplain_cli.report.sentences import Wording, heading, sentences
from xplain_cli.runs.finished import FinishedRun, find_run
from xplain_cli.runs.locks import lock
from xplain_cli.runs.paths import RunPlace, parents_of, write_atomically

_FEATURES = 20
_MOST_IDS = 1000  # from which a hint may come
_MOST_REASONS = 20  # of failed rows
_TEXTS = "Texts are put together from their units; what stood between them is not kept in a run."


def check_page(page: str) -> None:
    """
    Check that a page can be written: never over what is no page of ours.

    Raises
    ------
    UsageError
        The name is not that of a page, or something else stands there.
    RefusedError
        It cannot be read, or no folder can be there.
    """
    path = Path(page)
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{page}: is no name of a page; it must end in .html")
    if path.exists() or path.is_symlink():
        try:
            with path.open("rb") as file:
                own = MADE_BY.encode() in file.read(HEAD)
        except OSError as error:
            raise RefusedError(f"{page}: cannot be read: {error.strerror}; name another") from error
        if not own:
            raise UsageError(f"{page}: exists and is no page of xplain; name another")
    elif not next(one for one in path.absolute().parents if os.path.lexists(one)).is_dir():
        raise RefusedError(f"{page}: no folder can be there, for a file stands in its way")


@dataclass(frozen=True)
class _Pass:
    """What one pass over the parts finds."""

    whole: Summary
    choice: Choice
    worst: float


def _look(found: FinishedRun, top_k: int, wanted: RowFilter) -> _Pass:
    """Sum up a run and choose what is shown; one part is in memory at a time."""
    tally, choice, worst = Tally(top_k), Choice(wanted), -math.inf
    known: list[str] = []
    for number, records in enumerate(found.records()):
        tally.add(records)
        known += records.stability["row_id"].astype(str).tolist()[: _MOST_IDS - len(known)]
        choice.add(number, records.stability)
        errors = records.stability["attribution_error"].to_numpy(dtype=float)
        worst = max(worst, float(pd.Series(errors).max(skipna=True)))
    wanted.check_found(choice.found, known)
    return _Pass(tally.summary(_FEATURES, reasons=_MOST_REASONS), choice, worst)


def _answers(
    found: FinishedRun, choice: Choice, shown: PageScope, manner: Wording, album: Album | None
) -> tuple[Card, ...]:
    answers: list[Card] = []
    for part, chosen in choice.by_part().items():
        records = found.read(found.parts[part])
        for exhibit, reasons in read_exhibits(records, chosen, shown, album):
            said = sentences(exhibit, reasons, manner)
            label = exhibit.row_id
            if answers and answers[-1].exhibit.row_id == label:  # a further target of the row
                label = cleaned(exhibit.target)
            answers.append(Card(exhibit, heading(exhibit, manner), said, label))
    return tuple(answers)


def _averaged(subject: Subject | None) -> str:
    """Say over which targets means are taken, where there are several."""
    if subject is None or len(subject.targets) < 2:
        return ""
    return f"They are averaged over {cleaned(subject.named(), MOST_LETTERS)}."


def _told(failure: Failure) -> FailureLine:
    rows = ", ".join(map(cleaned, failure.rows))
    return FailureLine(cleaned(failure.reason, MOST_LETTERS), failure.count, rows)


def _page(found: FinishedRun, path: Path, wanted: RowFilter) -> Page:
    """Put together what the page of a run says."""
    facts = found.facts()
    numbers, selection = facts["plan"]["numbers"], facts["plan"]["selection"]
    story = story_of(numbers["modality"])
    shown = PageScope(story, selection["values"], found.marker.top_k)
    manner = Wording.of(facts, story)
    seen = _look(found, numbers["stability_k"], wanted)
    album = Album(found.place, path) if "maps" in facts else None
    names = [Path(path).name for path in (facts["model"]["source"], facts["data"]["paths"][0])]
    names[1] = "standard input" if names[1] == "-" else names[1]
    unit = "" if manner.scale == "raw" else f" ({manner.noun})"
    return Page(
        title=cleaned("Explanations of {} on {}".format(*names), 2 * MOST_LETTERS),
        facts=words(facts, story),
        rows=seen.whole.rows,
        empty=seen.whole.empty,
        failed=seen.whole.failed,
        verdicts=verdicts(seen.whole, seen.worst),
        gates=gates(found.folder),
        failures=tuple(map(_told, seen.whole.failures)),
        features=() if shown.unranked else seen.whole.features,
        top_k=seen.whole.top_k,
        no_features=shown.unranked,
        averaged=_averaged(seen.whole.subject),
        selection=seen.choice.said(),
        answers=_answers(found, seen.choice, shown, manner, album),
        scale_note=f"Weights are in units of the target{unit}.",
        value_name=story.value_name,
        text_note=_TEXTS if shown.joins_texts else "",
        notes=tuple(cleaned(note, MOST_LETTERS) for note in (*seen.whole.notes, *facts["notes"])),
        glossary=glossary(seen.whole),
        provenance=provenance(facts),
    )


def _is_of(place: RunPlace, path: Path) -> bool:
    """Say whether a page lies in the run: in its folder, or under its name beside its file."""
    together = path.parent.resolve() == place.report.parent.resolve()
    return together and (place.file is None or path.name == place.report.name)


def write_page(run: str | Path, page: str | None, wanted: RowFilter = ALL_ROWS) -> Path:
    """
    Write the page of a finished run; the manifest names it where it lies in the run.

    Parameters
    ----------
    run
        A run folder, or any file of one; held by the caller.
    page
        Where to; None: ``report.html`` in the run folder, or beside the file that was named.
    wanted
        Whose explanations are shown.

    Returns
    -------
    its path

    Raises
    ------
    XplainError
        The run cannot be read, or the page cannot be written.
    """
    found = find_run(str(run))
    place = found.place
    path = place.report if page is None else Path(page)
    check_page(str(path))
    content = render_page(_page(found, path, wanted))
    with parents_of(path):
        write_atomically(path, content)
    if _is_of(place, path):
        found.keep(path)
    return path


def report_run(run: str, page: str | None, wanted: RowFilter) -> Path:
    """
    Write the page of a finished run, held against other processes; return its path.

    Raises
    ------
    XplainError
        There is no finished run, or what ``write_page`` raises.
    """
    with lock(find_run(run).folder):
        return write_page(run, page, wanted)
