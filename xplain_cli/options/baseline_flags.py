"""The options about what a row is compared with (see ``options``)."""

from typing import Annotated

import typer

Baseline = Annotated[
    list[str] | None,
    typer.Option(
        "-b",
        "--baseline",
        rich_help_panel="What is explained",
        show_default=False,
        help="What a row is compared with: zero, mean, median, mode, row=ID, file=PATH,"
        " sample:k=50, or, of the class it is explained against (or class=NAME), medoid, nearest,"
        " revert, of rows that labels=COLUMN of the background says to be of it too."
        " Default: median; lime draws from the background instead. Repeat it to compare several.",
        metavar="NAME[:KEY=VALUE]",
    ),
]
OfTexts = Annotated[
    list[str] | None,
    typer.Option(
        "-b",
        "--baseline",
        rich_help_panel="The texts",
        show_default=False,
        help="What a text is compared with: nearest:class=NAME[,from=FILE,labels=COLUMN], the"
        " nearest text of a class. Default: the text without the unit (see --mask-token).",
        metavar="NAME:KEY=VALUE",
    ),
]
Common = Annotated[
    list[str] | None,
    typer.Option(
        "-b",
        "--baseline",
        rich_help_panel="What is explained",
        show_default=False,
        help="Measure tables with this one. Default: the run's own; median for lime on draws.",
        metavar="NAME[:KEY=VALUE]",
    ),
]
Judge = Annotated[
    str | None,
    typer.Option(
        "--judge",
        rich_help_panel="What is explained",
        show_default=False,
        help="Another model that says whether a baseline of a class is of that class.",
        metavar="MODEL",
    ),
]
