"""The options of commands on finished runs: what is compared, checked, and turned into codes."""

import re
from dataclasses import dataclass
from typing import ClassVar

from xplain_cli.options.declare import Shape, option

_NUMBER = Shape(re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?"), "0.4", float)


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
