"""``xplain inspect``: look into a model file without importing anything of it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from xplain_cli import options as o
from xplain_cli.console import open_console
from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.project import resolve

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


def inspect(
    model: o.ModelWord = None,
    python_path: o.PythonPath = None,
    config: o.Config = None,
    quiet: o.Quiet = None,
    debug: o.Debug = None,
) -> None:
    """
    Look into a model file; nothing of it is imported or run. Exit 3 if it would be refused.

    Example: xplain inspect model.pkl
    """
    resolved = resolve("inspect", locals(), os.environ, Path())
    source = resolved.values["model"]
    if not source:
        raise UsageError("no MODEL: type xplain inspect MODEL, or set XPLAIN_MODEL")
    console = open_console(resolved.values, resolved.notes)

    from xplain_cli.models.inspection import inspect_file

    found = inspect_file(source, resolved.values["python_path"])
    for line in _lines(found):
        console.line(line)
    if found.unknown or found.refusals:
        console.line("verdict   would be refused")
        raise typer.Exit(RefusedError.exit_code)
    console.line("verdict   would load")
