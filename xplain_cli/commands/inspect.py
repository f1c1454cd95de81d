"""``xplain inspect``: look into a model file without importing anything of it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from xplain_cli.console import open_console
from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.options import runs, tables
from xplain_cli.options.command import Options, takes
from xplain_cli.options.declare import some
from xplain_cli.options.request import to_request

if TYPE_CHECKING:  # it brings numpy, which --help must not wait for
    from xplain_cli.models.inspection import Inspection


def _lines(found: "Inspection") -> Iterator[str]:
    """Yield the lines that describe an Inspection, a label before each kind of line."""
    yield f"kind      {found.kind}"
    yield f"sha256    {found.sha256}"
    yield f"size      {found.size} bytes"
    for name, version in found.versions.items():
        yield f"written   by {name} {version}"
    for index, line in enumerate(found.tree):
        yield f"{'' if index else 'model':<9} {line}"
    if found.columns:
        yield f"columns   {len(found.columns)}: {', '.join(map(str, found.columns))}"
    yield f"globals   {len(found.globals)}"
    for name, place in found.unknown:
        yield f"unknown   {name} (at {place})" if place else f"unknown   {name}"
    for reason in found.refusals:
        yield f"refused   {reason}"


@takes(
    runs.Words,
    runs.Sources,
    some(runs.References, "background"),
    runs.Explanation,
    some(runs.Sampling, "samples", "repeats"),
    some(tables.Ids, "id_column"),
    tables.Columns,
    tables.TableFormat,
    runs.Trust,
    runs.ProjectFile,
    runs.BRIEF,
    lone_word="model",
)
def inspect(options: Options) -> int:
    """
    Look into a model file; nothing of it is imported or run. Exit 3 if it would be refused.

    With DATA the model is loaded too: its inputs, its outputs, a probe, and what a run would cost.

    Example: xplain inspect model.pkl
    """
    source = options.group(runs.Sources).model
    if not source:
        raise UsageError("no MODEL: type xplain inspect MODEL, or set XPLAIN_MODEL")
    console = open_console(options.values, options.notes)

    from xplain_cli.models.inspection import inspect_file
    from xplain_cli.remote import local

    found = inspect_file(local(source), options.group(runs.Trust).python_path)
    for line in _lines(found):
        console.line(line)
    refused = found.unknown or found.refusals
    console.line(f"verdict   would {'be refused' if refused else 'load'}")
    # the model is loaded only where rows, and trust in what would be refused, are typed here
    loaded = "data" in options.typed
    if refused and not (loaded and options.typed & {"trusted", "trust_model", "accept"}):
        return RefusedError.exit_code
    if loaded:
        from xplain_cli.jobs.explain import preview

        for line in preview(to_request(options, "tabular"), console):
            console.line(line)
    return 0
