"""The options of texts: where they are, and what their features are."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from xplain_cli.options.declare import option

Occurrences = Literal["merge", "each"]


@dataclass(frozen=True, kw_only=True)
class Texts:
    """Which column holds the texts, and into which units they are split."""

    panel: ClassVar = "Texts"
    text_column: str | None = option(
        "--text-column COLUMN", "The column of the texts. Default: the only one."
    )
    unit: str = option(
        "--unit UNIT",
        "word, char, sentence, regex=PATTERN or module:callable. Default: word.",
        "word",
    )
    occurrences: Occurrences = option(
        "--occurrences",
        "merge: equal units are one feature; each: every one is its own. Default: merge.",
        "merge",
    )
    hash_units: bool = option(
        "--hash-units",
        "Write salted hashes, not units; XPLAIN_HASH_SALT keeps them comparable over runs.",
        default=False,
    )
    mask_token: str | None = option(
        "--mask-token TEXT", "What replaces a unit (baseline). Default: nothing."
    )
