"""``xplain inspect``: look into a model file without importing anything of it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from xplain_cli.console import open_console
from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.options import pictures, runs, tables, texts
from xplain_cli.options.command import Options, takes
from xplain_cli.options.declare import options_of, some
from xplain_cli.options.request import to_request

_OF_MODALITY = {
    "text": (texts.Texts,),
    "image": (pictures.Segmentation, pictures.PictureForm),
}

if TYPE_CHECKING:  # it brings numpy, which --help must not wait for
    from xplain_cli.console import Console
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
    width = max((len(name) for name, _ in found.layers), default=0)
    for index, (name, lengths) in enumerate(found.layers):
        yield f"{'' if index else 'layers':<9} {name:<{width}}  {lengths}"
    yield f"globals   {len(found.globals)}"
    for name, place in found.unknown:
        yield f"unknown   {name} (at {place})" if place else f"unknown   {name}"
    for reason in found.refusals:
        yield f"refused   {reason}"


def modality_of(options: Options) -> str:
    """Return which command would explain DATA: by the options that are named, or by its look."""
    for modality, groups in _OF_MODALITY.items():
        if options.named & {one.name for group in groups for one in options_of(group)}:
            return modality
    from xplain_cli.datasets.pictures import holds_pictures

    first = options.group(runs.Sources).data[0]
    if holds_pictures(first):
        return "image"
    return "text" if first.lower().endswith(".txt") else "tabular"


def _preview(options: Options, console: "Console") -> list[str]:
    """Say what a run would cost, of the command that the model is for."""
    from xplain_cli.jobs.explain import preview
    from xplain_cli.models import OtherModalityError

    try:
        return preview(to_request(options, modality_of(options)), console)
    except OtherModalityError as error:
        return preview(to_request(options, error.modality), console)


@takes(
    runs.Words,
    runs.Sources,
    some(runs.References, "background"),
    runs.Explanation,
    some(runs.Sampling, "samples", "repeats"),
    some(tables.Ids, "id_column"),
    tables.Columns,
    tables.TableFormat,
    texts.Texts,
    pictures.Segmentation,
    pictures.PictureForm,
    runs.Trust,
    runs.Sandbox,
    runs.ProjectFile,
    runs.BRIEF,
    lone_word="model",
)
def inspect(options: Options) -> int:
    """
    Look into a model file; nothing of it is imported or run. Exit 3 if it would be refused.

    With DATA (a table, texts or pictures) the model is loaded too: its inputs, its outputs, a
    probe, and what a run would cost.

    Example: xplain inspect model.pkl
    Example: xplain inspect model.onnx data.csv
    Example: xplain inspect model.pkl comments.csv --text-column CONTENT
    """
    source = options.group(runs.Sources).model
    if not source:
        raise UsageError("no MODEL: type xplain inspect MODEL, or set XPLAIN_MODEL")
    console = open_console(options.values, options.notes)

    from xplain_cli.jobs.inspect import inspected
    from xplain_cli.remote import local

    member = options.group(runs.Explanation).member
    sandbox, trust = options.group(runs.Sandbox), options.group(runs.Trust)
    found = inspected(local(source), sandbox, trust, member)
    for line in _lines(found):
        console.line(line)
    refused = found.unknown or found.refusals
    console.line(f"verdict   would {'be refused' if refused else 'load'}")
    # the model is loaded only where rows, and trust in what would be refused, are typed here
    loaded = "data" in options.typed
    if refused and not (loaded and options.typed & {"trusted", "trust_model", "accept"}):
        return RefusedError.exit_code
    if loaded:
        for line in _preview(options, console):
            console.line(line)
    return 0
