"""The options of commands on finished runs: what is compared, checked, and turned into codes."""

from dataclasses import dataclass
from typing import ClassVar

from xplain_cli.options.declare import option


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
