"""One HTML page of a finished run, made from its parts and its manifest."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.output.cells import cleaned
from xplain_cli.quality.row_filter import ALL_ROWS, RowFilter
from xplain_cli.report.cards import single_explanations
from xplain_cli.report.overview import MOST_LETTERS, SUFFIXES, origin, trust, words, words_used
from xplain_cli.report.page import HEAD, MADE_BY, Page, Section, render_page
from xplain_cli.report.plots import check_plots, write_plots
from xplain_cli.report.ranking import ranked_features
from xplain_cli.report.row_list import listed_rows
from xplain_cli.report.source import PageSource, look_at
from xplain_cli.runs.finished import find_run
from xplain_cli.runs.locks import lock
from xplain_cli.runs.paths import RunPlace, parents_of, write_atomically


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


SECTIONS: tuple[Callable[[PageSource], Section | None], ...] = (
    trust,
    ranked_features,
    listed_rows,
    single_explanations,
    words_used,
    origin,
)
"""The sections of a page in their order; None: it has nothing to say of this run."""


def _page(source: PageSource) -> Page:
    """Put together what the page of a run says."""
    facts = source.facts
    names = [Path(path).name for path in (facts["model"]["source"], facts["data"]["paths"][0])]
    names[1] = "standard input" if names[1] == "-" else names[1]
    made = (section(source) for section in SECTIONS)
    return Page(
        title=cleaned("Explanations of {} on {}".format(*names), 2 * MOST_LETTERS),
        facts=words(facts, source.story),
        sections=tuple(one for one in made if one is not None),
    )


def _is_of(place: RunPlace, path: Path) -> bool:
    """Say whether a page lies in the run: in its folder, or under its name beside its file."""
    together = path.parent.resolve() == place.report.parent.resolve()
    return together and (place.file is None or path.name == place.report.name)


@dataclass(frozen=True)
class Report:
    """
    What was written of a run.

    Attributes
    ----------
    page, plots
        The page, and the figures that stand in files of their own.
    count
        How many explanations were meant.
    """

    page: Path
    plots: tuple[Path, ...]
    count: int


def write_page(
    run: str | Path, page: str | None, wanted: RowFilter = ALL_ROWS, plots: str | None = None
) -> Report:
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
    plots
        A folder for its figures; None: they stand in the page alone.

    Raises
    ------
    XplainError
        The run cannot be read, or the page cannot be written.
    """
    found = find_run(str(run))
    place = found.place
    path = place.report if page is None else Path(page)
    check_page(str(path))
    if plots is not None:
        check_plots(plots)
    source = look_at(found, path, wanted)
    content = render_page(_page(source))
    with parents_of(path):
        write_atomically(path, content)
    if _is_of(place, path):
        found.keep(path)
    drawn = write_plots(source, Path(plots)) if plots is not None else []
    return Report(path, tuple(drawn), source.choice.count)


def report_run(run: str, page: str | None, wanted: RowFilter, plots: str | None) -> Report:
    """
    Write the page of a finished run, held against other processes.

    Raises
    ------
    XplainError
        There is no finished run, or what ``write_page`` raises.
    """
    with lock(find_run(run).folder):
        return write_page(run, page, wanted, plots)
