"""The options of tables: which columns are what, and how their files are read."""

import re
from dataclasses import dataclass
from typing import ClassVar, Literal

from xplain_cli.options.declare import Shape, option

InputFormat = Literal["csv", "tsv", "parquet", "arrow", "jsonl", "split", "text", "npy", "npz"]
Quoting = Literal["double", "none"]
Decimal = Literal[".", ","]

_PAIR = re.compile(r"[^=]+=.+", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Ids:
    """Which columns name a row, or go along with it."""

    panel: ClassVar = "Rows"
    id_column: str | None = option(
        "--id-column COLUMN", "The column that names rows. Default: row number."
    )
    keep: tuple[str, ...] = option(
        "--keep COLUMN", "A column carried to the output; repeatable.", ()
    )


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which columns are features."""

    panel: ClassVar = "Table"
    features: tuple[str, ...] = option(
        "--features COL,GLOB", "Columns that are features, in the model's order.", (), kind="names"
    )
    drop_columns: tuple[str, ...] = option(
        "--drop-columns COL,GLOB", "Columns that are no features.", (), kind="names"
    )
    categorical: tuple[str, ...] = option(
        "--categorical COL,GLOB", "Columns that hold codes, not amounts.", (), kind="names"
    )
    group: tuple[str, ...] = option(
        "--group NAME=GLOB",
        "Make one feature of several columns; repeatable.",
        (),
        kind="pairs",
        shape=Shape(_PAIR, "city=city_* (NAME=GLOB)"),
        stored="groups",
    )
    hold: tuple[str, ...] = option(
        "--hold COL,GLOB",
        "Features that stay the row's own in every baseline and draw, and get no weight.",
        (),
        kind="names",
    )


@dataclass(frozen=True, kw_only=True)
class TableFormat:
    """How the files of a table, or of texts, are read."""

    panel: ClassVar = "Table"
    input_format: InputFormat | None = option(
        "--input-format", "Format of DATA. Default: by suffix; stdin: csv."
    )
    sep: str | None = option("--sep CHAR", "Separator of cells. Default: comma.")
    quoting: Quoting | None = option(
        "--quoting",
        "double: cells may stand in double quotes; none: quotes are characters. Default: double;"
        " in tab-separated files only where they are balanced.",
    )
    decimal: Decimal = option("--decimal", "Decimal sign of numbers. Default: a point.", ".")
    encoding: str = option("--encoding NAME", "Encoding of text. Default: utf-8.", "utf-8-sig")
    na_values: tuple[str, ...] = option(
        "--na-values TEXT,...", "Texts that mean missing, besides the empty cell.", (), kind="names"
    )
    dtype: tuple[str, ...] = option(
        "--dtype COL=TYPE",
        "Read a column as this type; repeatable.",
        (),
        kind="pairs",
        shape=Shape(_PAIR, "zip=text (COLUMN=TYPE)"),
        stored="dtypes",
    )
    no_header: bool = option("--no-header", "The first line holds data, not names.", default=False)
