"""Options of jobs, each once as an Annotated type: precision, shards, workers, pages, logs."""

from typing import Annotated, Any

import typer


def _option(panel: str, names: str, text: str, metavar: str | None = None) -> Any:
    return typer.Option(
        *names.split(), rich_help_panel=panel, help=text, metavar=metavar, show_default=False
    )


RunWords = Annotated[
    list[str] | None,
    typer.Argument(metavar="RUN RUN...", help="The runs to merge.", show_default=False),
]
MaxRelSe = Annotated[
    float | None,
    _option(
        "How well",
        "--max-rel-se",
        "Add repeats until the largest error is this share of the largest weight.",
        "E",
    ),
]
MaxSamples = Annotated[
    int | None,
    _option(
        "How well",
        "--max-samples",
        "Draws that --max-rel-se may take for a row. Default: 16 times as many.",
        "N",
    ),
]
Budget = Annotated[
    str | None,
    _option(
        "How well",
        "--budget",
        "What the run may take: 20m (s, m, h) or 2e6 model inputs. It becomes --samples, once.",
        "TIME|INPUTS",
    ),
]
Shard = Annotated[
    str | None,
    _option("Which rows", "--shard", "One of N slices of the rows, for xplain merge.", "I/N"),
]
Scheduler = Annotated[
    str | None,
    _option(
        "How the work is spread",
        "--scheduler",
        "A Dask scheduler, for --backend dask.",
        "ADDRESS",
    ),
]
RowTimeout = Annotated[
    float | None,
    _option(
        "How the work is spread",
        "--row-timeout",
        "A row whose model call takes longer fails.",
        "SECONDS",
    ),
]
Report = Annotated[
    str | None,
    _option("Result", "--report", "Also write one HTML page of the run.", "PAGE.html"),
]
Page = Annotated[
    str | None,
    _option(
        "Result",
        "-o --output",
        "The page. Default: report.html in the run folder, or beside the run's file.",
        "PAGE.html",
    ),
]
LogJson = Annotated[bool | None, _option("Manners", "--log-json", "Talk as JSON lines.")]
