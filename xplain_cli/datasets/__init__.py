"""The rows to explain: tables in files of several formats, read in chunks that never disagree."""

from collections.abc import Callable, Sequence

from xplain_cli.datasets.cells import LONG
from xplain_cli.datasets.columns import ColumnMatch, duplicate_ids, match_columns
from xplain_cli.datasets.files import PICTURES, PICTURES_GO_TO, digest_files, find_files
from xplain_cli.datasets.misfits import file_of, first_readable, judge_columns
from xplain_cli.datasets.partitions import with_parts
from xplain_cli.datasets.sources import DataFile, NoRowsError, ReadOptions, Source
from xplain_cli.datasets.tables import (
    KINDS,
    Chunk,
    Table,
    chunks,
    is_plain,
    kinds,
    make_table,
    n_rows,
    read_columns,
)
from xplain_cli.errors import RefusedError, UsageError, counted, nearest
from xplain_cli.specs import Shelf

__all__ = [
    "FORMATS",
    "KINDS",
    "LONG",
    "Chunk",
    "ColumnMatch",
    "ReadOptions",
    "Table",
    "chunks",
    "duplicate_ids",
    "file_of",
    "first_readable",
    "is_plain",
    "judge_columns",
    "kinds",
    "match_columns",
    "n_rows",
    "open_table",
    "read_columns",
]


# a job imports what it uses: of the forms below, one or two
FORMATS: Shelf[Callable[[DataFile, ReadOptions], Source]] = Shelf(
    __name__,
    {
        "csv": "delimited:open_csv",
        "tsv": "delimited:open_tsv",
        "jsonl": "jsonl:open_jsonl",
        "split": "split:open_split",
        "parquet": "parquet:open_parquet",
        "arrow": "arrow:open_arrow",
        "text": "lines:open_lines",
        "npy": "arrays:open_array",
        "npz": "arrays:open_array",
    },
)
_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "split",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".txt": "text",
    ".npy": "npy",
    ".npz": "npz",
}


def _format_of(file: DataFile, options: ReadOptions) -> str:
    if options.input_format is not None:
        if options.input_format not in FORMATS:
            raise UsageError(
                f"--input-format {options.input_format!r}: one of {', '.join(FORMATS)}"
                f"{nearest(options.input_format, FORMATS)}"
            )
        return options.input_format
    if file.is_piped:
        return "csv"
    suffix = file.suffix
    if suffix in PICTURES:
        raise RefusedError(f"{file.name}: is a picture; {PICTURES_GO_TO} {file.name}")
    if suffix not in _SUFFIXES:
        raise RefusedError(
            f"{file.name}: unknown kind of table {suffix!r}; one of {' '.join(_SUFFIXES)}, "
            "or say it with --input-format"
        )
    return _SUFFIXES[suffix]


def _opened(
    files: Sequence[DataFile], options: ReadOptions
) -> tuple[list[Source], tuple[str, ...]]:
    """Return the files that hold rows, if any does, and a note on the others."""
    sources, blank = [], list[NoRowsError]()
    for file in files:
        try:
            sources.append(with_parts(FORMATS[_format_of(file, options)](file, options), options))
        except NoRowsError as error:
            blank.append(error)
    if not sources:
        raise blank[0]
    return sources, (f"{counted(len(blank), 'file')} left out: {blank[0]}",) if blank else ()


def open_table(paths: Sequence[str], options: ReadOptions, *, lines: bool = False) -> Table:
    """
    Open DATA and check all that can be checked before a row is used.

    Parameters
    ----------
    paths
        Files with the same columns (in any order; the first file's counts), folders and globs of
        them, partitioned folders, ``-`` for stdin.

    Raises
    ------
    UsageError
        Impossible options, an unknown format, stdin twice or from a terminal.
    RefusedError
        A file is missing, empty, without rows, undecodable, has duplicate names, most of its rows
        cannot be read, or its columns differ from the first file's.
    """
    # in a folder, a text is a table only of lines, and JSON is as often what tells of the others
    aside = {"split"} if lines else {"split", "text"}
    suffixes = [suffix for suffix, kind in _SUFFIXES.items() if kind not in aside]
    files, notes = find_files(paths, () if options.input_format else suffixes)
    sources, left = _opened(files, options)
    said = (note for source in sources for note in source.notes)
    return make_table(sources, digest_files(files), options, (*notes, *left, *said))
