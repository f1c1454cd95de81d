"""The request: the groups of options of an explaining command, resolved and typed."""

import os
import signal
import stat
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TextIO

from xplain_cli.errors import UsageError
from xplain_cli.options import pictures, runs, tables, texts
from xplain_cli.options.command import Options
from xplain_cli.options.declare import options_of

_FORMATS: dict[str, runs.OutputFormat] = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".parquet": "parquet",
}
_FOREIGN = (".gz", ".html", ".ndjson", ".npz", ".tsv", ".txt", ".xlsx", ".zip")


@dataclass(frozen=True, kw_only=True)
class Request:
    """
    What the user asked for: the groups of options of an explaining command.

    A group that the command does not take keeps its defaults.

    Attributes
    ----------
    modality : str
        What a row is: the name of the command.
    output_explicit : bool
        The user named the output.
    progress : bool
        Progress is shown.
    argv : tuple of str
        The command line.
    project_file : str or None
        The project file that was read.
    signature : tuple of str
        Of a model that is a folder, the file that says the columns, and these columns.
    redrawn : (int, int) or None
        Layers of the model that are drawn anew, from the top, and the seed of that.
    """

    modality: str
    output_explicit: bool = False
    progress: bool = True
    argv: tuple[str, ...] = ()
    project_file: str | None = None
    signature: tuple[str, ...] = ()
    redrawn: tuple[int, int] | None = None
    sources: runs.Sources
    explanation: runs.Explanation
    references: runs.References
    sampling: runs.Sampling
    gates: runs.Gates
    slices: runs.Slices
    ids: tables.Ids
    columns: tables.Columns
    table_format: tables.TableFormat
    texts: texts.Texts
    segmentation: pictures.Segmentation
    picture_form: pictures.PictureForm
    result: runs.Result
    heatmaps: pictures.Heatmaps
    safety: runs.Safety
    workers: runs.Workers
    batches: runs.Batches
    trust: runs.Trust
    sandbox: runs.Sandbox
    talk: runs.Talk

    @property
    def shows_values(self) -> bool:
        """Whether values of DATA, and messages that may quote them, are shown."""
        return not (self.result.no_values or self.texts.hash_units)

    @property
    def method(self) -> str:
        """The method of this run; several are as many runs."""
        return self.explanation.method[0]

    @property
    def first_baseline(self) -> str | None:
        """The baseline of this run; several are as many runs."""
        return self.references.baseline[0] if self.references.baseline else None


_GROUPS: dict[str, type] = {
    field.name: field.type
    for field in fields(Request)
    if isinstance(field.type, type) and hasattr(field.type, "panel")
}
_NEVER_KEPT = {"redrawn"}  # no run is kept of a model whose layers were drawn anew
_FACTS = tuple(
    field.name for field in fields(Request) if field.name not in _GROUPS.keys() | _NEVER_KEPT
)


def stored_form(request: Request) -> dict[str, Any]:
    """Return a request as flat plain values, as run_results.json keeps it."""
    facts = {name: getattr(request, name) for name in _FACTS}
    kept = {
        option.stored: getattr(getattr(request, name), option.name)
        for name, group in _GROUPS.items()
        for option in options_of(group)
    }
    return facts | kept | {"method": request.method}  # a run has one


def from_stored(values: Mapping[str, Any]) -> Request:
    """Return the request of a stored form; keys of other versions are left out."""
    known = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    if "method" in known:
        known["method"] = (known["method"],)
    parts: dict[str, Any] = {name: known[name] for name in _FACTS if name in known}
    for name, group in _GROUPS.items():
        own = {one.name: known[one.stored] for one in options_of(group) if one.stored in known}
        parts[name] = group(**own)
    return Request(**parts)


def stdin_holds_data(stdin: TextIO | None) -> bool:
    """Return whether stdin is a pipe or a regular file: no terminal, no /dev/null, not closed."""
    try:
        mode = os.fstat(stdin.fileno()).st_mode if stdin is not None else 0
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def _data(options: Options, command: str, *, stdin_ready: bool) -> tuple[str, ...]:
    model, data = options.values["model"], tuple(options.values["data"])
    if not model:
        raise UsageError(
            f"no MODEL: type xplain {command} MODEL DATA, or name the model by --model, "
            "XPLAIN_MODEL or 'model' in xplain.toml"
        )
    if model == "-":
        raise UsageError("MODEL is '-', but a model is never read from stdin; name a file")
    if not data and stdin_ready:
        return ("-",)
    if not data:
        raise UsageError(
            f"no DATA: type xplain {command} {model} DATA (a file, or - for stdin), or name it by "
            "--data, XPLAIN_DATA or 'data' in xplain.toml"
        )
    if "-" in data and len(data) > 1:
        raise UsageError("DATA is '-' (stdin) and files at once; give one or the other")
    return data


def _output_format(output: str, asked: runs.OutputFormat | None) -> runs.OutputFormat:
    """Return the format of the output, told by its suffix; the two must not contradict."""
    suffix = "" if output.endswith(("/", os.sep)) else Path(output).suffix.lower()
    told = "jsonl" if output == "-" else _FORMATS.get(suffix)
    if suffix in _FOREIGN:
        raise UsageError(
            f"--output is {output!r}; it must be a folder, - or a {' '.join(_FORMATS)} file"
        )
    if asked and told and output != "-" and asked != told:
        raise UsageError(
            f"--output {output!r} is {told}, but --output-format is {asked}; drop one of the two"
        )
    return asked or told or "csv"


def _check_spread(workers: runs.Workers) -> None:
    backend, scheduler = workers.backend, workers.scheduler
    if workers.row_timeout is not None and not hasattr(signal, "setitimer"):  # Windows
        raise UsageError(
            "--row-timeout needs a timer that ends processes, which this system has not; leave it"
            " out"
        )
    if backend == "dask" and not scheduler:
        raise UsageError("--backend dask needs --scheduler, such as tcp://HOST:8786")
    if scheduler and backend != "dask":
        raise UsageError(f"--scheduler is {scheduler!r}, but --backend is {backend}; take dask")


def _check_draws(request: Request) -> None:
    """Refuse two options that each say how many draws there shall be."""
    sampling = request.sampling
    if sampling.max_samples is not None and sampling.max_rel_se is None:
        raise UsageError("--max-samples bounds what --max-rel-se may add; give that too")
    budget = sampling.budget
    if budget is None:
        return
    for option, value, why in (
        ("--samples", sampling.samples, "a budget becomes samples"),
        (
            "--max-rel-se",
            sampling.max_rel_se,
            "it adds draws, which --max-samples bounds, and a budget becomes samples",
        ),
    ):
        if value is not None:
            raise UsageError(f"--budget and {option} at once: {why}; leave one of the two out")
    sharded = request.slices.shard is not None
    if budget[-1].isalpha() and (sharded or request.workers.backend == "dask"):
        other = "--shard" if sharded else "--backend dask"
        raise UsageError(
            f"--budget {budget} is time on this machine, and {other} means others; give the model"
            " inputs of the undivided run (--budget 2e6), or --samples"
        )


def _check_output(result: runs.Result) -> None:
    """Refuse files beside a result that goes to stdout."""
    if result.output != "-":
        return
    if result.write_repeats:
        raise UsageError("--write-repeats writes a file beside the output; name one with --output")
    if result.report:
        raise UsageError(
            "--report makes a page of a run, and '-' (stdout) leaves none; name a folder or a file"
            " by --output"
        )


def _check(request: Request) -> None:
    """Refuse options that contradict each other."""
    if request.talk.quiet and request.talk.verbose:
        raise UsageError("--quiet and --verbose at once; choose one")
    _check_spread(request.workers)
    _check_draws(request)
    _check_output(request.result)


def finished_run(options: Options) -> str:
    """
    Return the finished run that a command is about.

    Raises
    ------
    UsageError
        It is stdout.
    """
    run = options.group(runs.Result).output or "xplain-out"
    if run == "-":
        raise UsageError("RUN is '-' (stdout), which leaves no run; name a run folder")
    return run


def to_request(
    options: Options, command: str, *, argv: tuple[str, ...] = (), stdin_ready: bool = False
) -> Request:
    """
    Return the Request of an explaining command.

    Raises
    ------
    UsageError
        No model, no data, or options that contradict each other.
    """
    data = _data(options, command, stdin_ready=stdin_ready)
    result = options.group(runs.Result)
    named = result.output if "output" in options.named else ""
    output = named or ("-" if data == ("-",) else "xplain-out")
    groups: dict[str, Any] = {name: options.group(group) for name, group in _GROUPS.items()}
    groups["sources"] = replace(options.group(runs.Sources), data=data)
    groups["result"] = replace(result, output=output)
    request = Request(
        modality=command,
        output_explicit="output" in options.named,
        progress=not options.group(runs.Screen).no_progress,
        argv=argv,
        project_file=options.project_file,
        signature=options.signature,
        **groups,
    )
    _check(request)
    asked = result.output_format if "output_format" in options.named else None
    told = replace(request.result, output_format=_output_format(output, asked))
    return replace(request, result=told)
