"""The texts of a finished run, read from DATA once more: a run keeps their units alone."""

from collections.abc import Collection, Mapping

from xplain_cli import datasets
from xplain_cli.errors import RefusedError
from xplain_cli.modalities.row_ids import read_options
from xplain_cli.options.request import Request
from xplain_cli.remote import is_remote

_READ_AHEAD = 4096
_STARS = "***"  # what ``remote.redact`` puts in the place of secrets


def original_texts(
    request: Request, column: str, sha256: str, rows: Collection[int]
) -> Mapping[int, str]:
    """
    Return some texts of DATA as they were explained, by the numbers of their rows.

    Parameters
    ----------
    request
        What the run was asked.
    column
        Of the texts.
    sha256
        Of DATA then.

    Raises
    ------
    RefusedError
        DATA is not there, cannot be reached, or is another now.
    """
    paths = request.sources.data
    if "-" in paths:
        raise RefusedError("DATA came from standard input")
    hidden = next((one for one in paths if is_remote(one) and _STARS in one), None)
    if hidden is not None:
        raise RefusedError(f"a run keeps the address {hidden} without its secrets")
    table = datasets.open_table(paths, read_options(request), lines=True)
    if table.sha256 != sha256:
        raise RefusedError(f"{paths[0]}: is not what was explained: its SHA-256 is another")
    found: dict[int, str] = {}
    if not rows:
        return found
    for chunk in datasets.chunks(table, {column: "text"}, [], _READ_AHEAD, 0, max(rows) + 1):
        numbered = enumerate(chunk.table[column].tolist(), start=chunk.start)
        found |= {at: text for at, text in numbered if at in rows and isinstance(text, str)}
    return found
