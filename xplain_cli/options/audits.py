"""The options of commands on finished runs: what is compared, checked, and turned into codes."""

import re
from dataclasses import dataclass
from typing import ClassVar

from xplain_cli.errors import UsageError
from xplain_cli.options.declare import Shape, option
from xplain_cli.options.runs import PAGE

_SIZE = re.compile(r"(\d+)x(\d+)")
_NUMBER = Shape(re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?"), "0.4", float)


def grid_of(text: str) -> tuple[int, int]:
    """
    Return the height and the width of HxW.

    Raises
    ------
    UsageError
        The text is none, or a side is 0.
    """
    match = _SIZE.fullmatch(text)
    height, width = (int(match[1]), int(match[2])) if match else (0, 0)
    if not height or not width:
        raise UsageError(f"--grid is {text!r}; it must look like 8x8 (height x width)")
    return height, width


_GRID = Shape(_SIZE, "8x8 (height x width)", grid_of)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How two runs are compared, and where the difference goes."""

    panel: ClassVar = "The difference"
    fdr: float = option(
        "--fdr Q",
        "Of the weights that are called changed at most this share is not. Default: 0.05.",
        0.05,
        least=0,
    )
    across: bool = option(
        "--across",
        "Compare answers to two questions: other targets, scales, baselines or methods.",
        default=False,
    )
    diff_folder: str = option(
        "-o --output FOLDER", "Where the files go; - for JSON. Default: xplain-diff.", "xplain-diff"
    )


@dataclass(frozen=True, kw_only=True)
class Sanity:
    """What is checked of explanations beyond measuring them."""

    panel: ClassVar = "Sanity checks"
    randomize: bool = option(
        "--randomize",
        "Explain again while the model's layers are drawn anew, from the top down: an explanation"
        " of what was learned must change.",
        default=False,
    )
    curves: bool = option(
        "--curves",
        "Compare the runs of a comparison by one replacement that no baseline has seen.",
        default=False,
    )
    replacements: str | None = option(
        "--replacements FILE",
        "--curves: rows of tables that no baseline has seen. Default: DATA, where the runs had a"
        " background of their own.",
        kind="path",
    )
    replace_by: str | None = option(
        "--replace-by NAME[:KEY=VALUE,...]",
        "--curves: which of them, as a baseline; of pictures such as nearest:class=NAME. Default:"
        " nearest.",
    )
    region: str | None = option(
        "--region FILE",
        "--curves: where the weights belong: a feature a line, or pixels (.npy that are not 0).",
        kind="path",
    )
    grid: tuple[int, int] | None = option(
        "--grid HxW",
        "The columns of tables are the pixels of such pictures: compared as such, and drawn.",
        kind="text",
        shape=_GRID,
    )
    most_rows: int = option(
        "--most-rows N", "Rows that are looked at, evenly spread. Default: 100.", 100, least=1
    )
    most_layers: int | None = option(
        "--most-layers N",
        "--randomize: so many layers at most, from the top. Default: all, in at most 8 steps.",
        least=1,
    )
    trained_on: str | None = option(
        "--trained-on FILE",
        "--randomize: the rows that the baseline ganmex was trained on, which is trained anew."
        " Default: the runs' background, else DATA.",
        kind="path",
    )
    sanity_page: str | None = option(
        "--report PAGE.html", "Also write what came out as one HTML page.", kind="path", shape=PAGE
    )


@dataclass(frozen=True, kw_only=True)
class Verification:
    """How much of a run is explained again."""

    panel: ClassVar = "What is checked"
    check_rows: int = option(
        "--check-rows N", "Rows that are explained again. Default: 20.", 20, least=0
    )
    check_seed: int | None = option(
        "--check-seed N", "Seed of their choice. Default: drawn anew, and told.", least=0
    )


@dataclass(frozen=True, kw_only=True)
class ReasonCodes:
    """Which reasons are told, of which rows, and where they go."""

    panel: ClassVar = "The reasons"
    codes: str | None = option(
        "--codes FILE", "The codes and texts of features (TOML).", kind="path"
    )
    against: str | None = option(
        "--against CLASS", "The class that is bad news; reasons are what moves a row to it."
    )
    at_most: int = option("--at-most K", "Reasons of a row. Default: 4.", 4, least=1)
    least_margin: float = option(
        "--least-margin SE",
        "Abstain where reason K and K + 1 are closer than so many standard errors. Default: 3.",
        3.0,
        least=0,
    )
    threshold: float | None = option(
        "--threshold P",
        "Rows from here on are on the wrong side. Default: 0.5 of a probability, else 0.",
        kind="share",
        shape=_NUMBER,
    )
    reasons_file: str | None = option(
        "-o --output FILE",
        "A .csv or .json file, or - for JSON. Default: reasons.csv in the run.",
        kind="path",
    )
    letter: str | None = option(
        "--letter TEMPLATE", "A jinja2 template that makes a letter of each row.", kind="path"
    )
    letters: str | None = option(
        "--letters FOLDER", "Where the letters go, a file for each row.", kind="path"
    )


@dataclass(frozen=True, kw_only=True)
class SelfTest:
    """How much is tested."""

    panel: ClassVar = "What is tested"
    quick: bool = option("--quick", "Only what takes seconds.", default=False)
