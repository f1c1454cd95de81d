"""The section on features: the strongest over all explanations."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from xplain_cli.output.cells import cleaned
from xplain_cli.quality.summary import FeatureLine, Subject
from xplain_cli.report.bars import HalfBar, two_sided
from xplain_cli.report.dependence import SHOWN, dependence, told
from xplain_cli.report.figures import PAGE, to_svg
from xplain_cli.report.overview import MOST_LETTERS
from xplain_cli.report.page import Section
from xplain_cli.report.source import PageSource
from xplain_cli.report.swarm import beeswarm

FEWEST = 5
"""Explanations: fewer make no beeswarm."""


@dataclass(frozen=True)
class Ranking:
    """
    The strongest features.

    Attributes
    ----------
    drawn
        Each with what lowers and what raises.
    top_k
        The K of their share.
    averaged
        Over which targets their means are taken; empty where there is one.
    no_features
        Why there are none; empty where there are.
    swarm, swarm_said
        The beeswarm as SVG, and what of the run it draws; empty where there is none.
    dependences
        The dependence of each of the strongest on its value as SVG, and its partner in words.
    """

    drawn: tuple[tuple[FeatureLine, tuple[HalfBar, HalfBar]], ...]
    top_k: int
    averaged: str
    no_features: str
    swarm: str = ""
    swarm_said: str = ""
    dependences: tuple[tuple[str, str], ...] = ()


def _drawn(
    features: Sequence[FeatureLine],
) -> tuple[tuple[FeatureLine, tuple[HalfBar, HalfBar]], ...]:
    longest = max((max(f.rising, f.weight - f.rising) for f in features), default=0.0)
    return tuple((f, two_sided(f.weight - f.rising, f.rising, longest)) for f in features)


def _averaged(subject: Subject | None) -> str:
    """Say over which targets means are taken, where there are several."""
    if subject is None or len(subject.targets) < 2:
        return ""
    return f"They are averaged over {cleaned(subject.named(), MOST_LETTERS)}."


def ranked_features(source: PageSource) -> Section:
    """Return the section on the strongest features."""
    unranked = source.scope.unranked
    view = Ranking(
        drawn=_drawn(() if unranked else source.whole.features),
        top_k=source.whole.top_k,
        averaged=_averaged(source.whole.subject),
        no_features=unranked,
    )
    cloud = source.cloud
    if cloud is not None and len(cloud.weights) >= FEWEST:
        drawn = ((at, dependence(cloud, at)) for at in range(min(SHOWN, len(cloud.features))))
        view = replace(
            view,
            swarm=to_svg(beeswarm(cloud), PAGE),
            swarm_said=cloud.said,
            dependences=tuple(
                (to_svg(figure, PAGE), told(cloud, at)) for at, figure in drawn if figure
            ),
        )
    return Section("features", "The strongest features", "ranking.html", view)
