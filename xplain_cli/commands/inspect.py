"""``xplain inspect``: look into a model file without importing anything of it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from xplain_cli.console import open_console
from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.options import flags as o
from xplain_cli.options.project import resolve
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


def inspect(
    words: o.Words = None,
    model: o.Model = None,
    data: o.Data = None,
    background: o.Background = None,
    target: o.Target = None,
    output_scale: o.Scale = None,
    response: o.ModelResponse = None,
    model_output: o.ModelOutput = None,
    class_names: o.ClassNames = None,
    method: o.Method = None,
    samples: o.Samples = None,
    repeats: o.Repeats = None,
    id_column: o.IdColumn = None,
    features: o.Features = None,
    drop_columns: o.DropColumns = None,
    categorical: o.Categorical = None,
    group: o.Group = None,
    input_format: o.Input = None,
    sep: o.Sep = None,
    quoting: o.CellQuoting = None,
    decimal: o.DecimalSign = None,
    encoding: o.Encoding = None,
    na_values: o.NaValues = None,
    dtype: o.Dtype = None,
    no_header: o.NoHeader = None,
    trust_model: o.TrustModel = None,
    trusted: o.Trusted = None,
    model_sha256: o.ModelSha256 = None,
    python_path: o.PythonPath = None,
    config: o.Config = None,
    quiet: o.Quiet = None,
    debug: o.Debug = None,
) -> None:
    """
    Look into a model file; nothing of it is imported or run. Exit 3 if it would be refused.

    With DATA the model is loaded too: its inputs, its outputs, a probe, and what a run would cost.

    Example: xplain inspect model.pkl
    """
    # a single word is the MODEL, also where the project file names one
    named = words[0] if words and model is None else model
    rows = data or (words or [])[model is None :]
    given = {**locals(), "words": None, "model": named, "data": rows}
    resolved = resolve("inspect", given, os.environ, Path())
    source = resolved.values["model"]
    if not source:
        raise UsageError("no MODEL: type xplain inspect MODEL, or set XPLAIN_MODEL")
    console = open_console(resolved.values, resolved.notes)

    from xplain_cli.models.inspection import inspect_file
    from xplain_cli.remote import local

    found = inspect_file(local(source), resolved.values["python_path"])
    for line in _lines(found):
        console.line(line)
    if found.unknown or found.refusals:
        console.line("verdict   would be refused")
        if not (rows and (trusted or trust_model)):
            raise typer.Exit(RefusedError.exit_code)
    else:
        console.line("verdict   would load")
    if rows:
        from xplain_cli.jobs.explain import preview

        for line in preview(to_request(resolved, "tabular"), console):
            console.line(line)
