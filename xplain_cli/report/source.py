"""What the sections of a page are made of: a finished run, looked at once from end to end."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from xplain_cli.modalities import Story, story_of
from xplain_cli.quality.row_filter import RowFilter
from xplain_cli.quality.summary import Summary, Tally
from xplain_cli.report.cloud import Cloud, gather
from xplain_cli.report.selection import Choice, PageScope
from xplain_cli.report.sentences import Wording
from xplain_cli.runs.finished import FinishedRun

_FEATURES = 20
_MOST_IDS = 1000  # from which a hint may come
_MOST_REASONS = 20  # of failed rows


@dataclass(frozen=True)
class PageSource:
    """
    A finished run as the sections of its page see it.

    Attributes
    ----------
    found, facts
        The run, and its manifest.
    path
        Where the page goes.
    scope, manner
        What may be shown, and in which words.
    choice
        Which explanations are shown in full.
    whole
        The run as a whole.
    worst
        The largest attribution error.
    """

    found: FinishedRun
    facts: Mapping[str, Any]
    path: Path
    scope: PageScope
    manner: Wording
    choice: Choice
    whole: Summary
    worst: float

    @property
    def numbers(self) -> Mapping[str, Any]:
        """What of the plan decides the numbers."""
        numbers: Mapping[str, Any] = self.facts["plan"]["numbers"]
        return numbers

    @property
    def story(self) -> Story:
        """How the features of the run are spoken of."""
        return self.scope.story

    @cached_property
    def cloud(self) -> Cloud | None:
        """The explanations behind the ranking of features; None where there is no ranking."""
        subject = self.whole.subject
        if self.scope.unranked or subject is None or not self.whole.features:
            return None
        count, target = sum(subject.targets.values()), ""
        if count > self.whole.rows:  # rows have several, which must not lie in one figure
            target, count = next(iter(subject.targets.items()))
        names = [line.feature for line in self.whole.features]
        shown = self.scope.values and not self.story.named_by_value
        return gather(self.found.records(), names, count, target, values=shown)


def look_at(found: FinishedRun, path: Path, wanted: RowFilter) -> PageSource:
    """
    Sum up a run and choose which explanations are shown; one part is in memory at a time.

    Parameters
    ----------
    path
        Where the page goes.
    wanted
        Whose explanations are shown.

    Raises
    ------
    XplainError
        The run cannot be read, or a row that is wanted is not there.
    """
    facts = found.facts()
    numbers, selection = facts["plan"]["numbers"], facts["plan"]["selection"]
    tally, choice, worst = Tally(numbers["stability_k"]), Choice(wanted), -math.inf
    known: list[str] = []
    for number, records in enumerate(found.records()):
        tally.add(records)
        known += records.stability["row_id"].astype(str).tolist()[: _MOST_IDS - len(known)]
        choice.add(number, records.stability)
        errors = records.stability["attribution_error"].to_numpy(dtype=float)
        worst = max(worst, float(pd.Series(errors).max(skipna=True)))
    wanted.check_found(choice.found, known)
    story = story_of(numbers["modality"])
    return PageSource(
        found=found,
        facts=facts,
        path=path,
        scope=PageScope(story, selection["values"], found.marker.top_k),
        manner=Wording.of(facts, story),
        choice=choice,
        whole=tally.summary(_FEATURES, reasons=_MOST_REASONS),
        worst=worst,
    )
