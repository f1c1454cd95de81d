"""The options of looking: which rows of a finished run, which word, where samples go."""

from dataclasses import dataclass
from typing import ClassVar

from xplain_cli.options.declare import option


@dataclass(frozen=True, kw_only=True)
class Look:
    """Which rows of a finished run are looked at, and how."""

    panel: ClassVar = "Rows"
    row: tuple[str, ...] = option(
        "--row --rows IDS",
        "Rows by their ids, as the output has them: 3,7; repeatable. Default: all.",
        (),
    )
    where: str | None = option(
        "--where CONDITION",
        "Rows whose line of stability.csv meets it, such as 'prediction>0.5 and"
        ' fidelity=="poor"\'.',
    )
    by: str | None = option(
        "--by COLUMN", "A column of stability.csv, a kept one, or a feature: a line per value."
    )
    plot: str | None = option(
        "--plot FIGURE", "Also write the waterfall as .svg or .png.", kind="path"
    )
    plots: str | None = option(
        "--plots DIR",
        "Also write its figures as SVG and PNG: strongest features, beeswarm, dependence, and the"
        " waterfalls of the first 3 rows, or of those that --rows and --where name.",
        kind="path",
    )


@dataclass(frozen=True, kw_only=True)
class DemoFolder:
    """Where samples are written."""

    folder: tuple[str, ...] = option(
        "DIR", "A folder for the samples. Default: xplain-demo.", (), kind="words"
    )


@dataclass(frozen=True, kw_only=True)
class OutputTerm:
    """A word of the output."""

    terms: tuple[str, ...] = option(
        "TERM", "A column, a label, a method, a file, or exit code N.", (), kind="words"
    )
