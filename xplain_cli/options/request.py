"""The resolved options of an explaining command become one typed Request."""

import os
import signal
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from xplain_cli.errors import UsageError
from xplain_cli.options.project import Resolved
from xplain_cli.options.settings import COMMANDS, SETTINGS, SHARD, row_slice
from xplain_cli.plan import Request

_FORMATS = {".csv": "csv", ".json": "json", ".jsonl": "jsonl", ".parquet": "parquet"}
_FOREIGN = (".gz", ".html", ".ndjson", ".npz", ".tsv", ".txt", ".xlsx", ".zip")
_RENAMED = {"group": "groups", "dtype": "dtypes", "baseline": "baselines"}
_SET_APART = (
    "model",
    "data",
    "output",
    "output_format",
    "rows",
    "shard",
    "no_progress",
    "no_color",
    "log_json",
)


def stdin_holds_data(stdin: TextIO | None) -> bool:
    """Return whether stdin is a pipe or a regular file: no terminal, no /dev/null, not closed."""
    try:
        mode = os.fstat(stdin.fileno()).st_mode if stdin is not None else 0
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def _data(resolved: Resolved, command: str, *, stdin_ready: bool) -> tuple[str, ...]:
    model, data = resolved.values["model"], tuple(resolved.values["data"])
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


def _output_format(output: str, asked: str | None) -> str:
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


def shard_of(text: str) -> tuple[int, int]:
    """
    Return I and N of a shard I/N, I from 1.

    Raises
    ------
    UsageError
        The text is no shard, or I is not one of 1 to N.
    """
    match = SHARD.fullmatch(text)
    if match is None:
        raise UsageError(f"--shard is {text!r}; it must look like {SETTINGS['shard'].example}")
    number, count = int(match[1]), int(match[2])
    if not 1 <= number <= count:
        raise UsageError(f"--shard is {text!r}; I must be one of 1 to N")
    return number, count


def _check_spread(values: Mapping[str, Any]) -> None:
    backend, scheduler = values["backend"], values.get("scheduler")
    timed = values.get("row_timeout") is not None
    if timed and not hasattr(signal, "setitimer"):  # Windows
        raise UsageError(
            "--row-timeout needs a timer that ends processes, which this system has not; leave it"
            " out"
        )
    if timed and backend not in {"auto", "loky"}:
        raise UsageError(
            f"--row-timeout needs processes that can be ended, which --backend {backend} has not;"
            " leave one of the two out"
        )
    if backend == "dask" and not scheduler:
        raise UsageError("--backend dask needs --scheduler, such as tcp://HOST:8786")
    if scheduler and backend != "dask":
        raise UsageError(f"--scheduler is {scheduler!r}, but --backend is {backend}; take dask")


def _check_draws(values: Mapping[str, Any]) -> None:
    """Refuse two options that each say how many draws there shall be."""
    if values.get("max_samples") is not None and values.get("max_rel_se") is None:
        raise UsageError("--max-samples bounds what --max-rel-se may add; give that too")
    budget = values.get("budget")
    if budget is None:
        return
    for name, why in (
        ("samples", "a budget becomes samples"),
        ("max_rel_se", "it adds draws, which --max-samples bounds, and a budget becomes samples"),
    ):
        if values[name] is not None:
            option = "--" + name.replace("_", "-")
            raise UsageError(f"--budget and {option} at once: {why}; leave one of the two out")
    if budget[-1].isalpha() and (values["shard"] or values["backend"] == "dask"):
        other = "--shard" if values["shard"] else "--backend dask"
        raise UsageError(
            f"--budget {budget} is time on this machine, and {other} means others; give the model"
            " inputs of the undivided run (--budget 2e6), or --samples"
        )


def to_request(
    resolved: Resolved, command: str, *, argv: tuple[str, ...] = (), stdin_ready: bool = False
) -> Request:
    """
    Return the Request of an explaining command.

    Raises
    ------
    UsageError
        No model, no data, or options that contradict each other.
    """
    # a command that takes fewer options leaves the others at their defaults
    values: dict[str, Any] = {
        name: SETTINGS[name].default for name in COMMANDS[command]
    } | resolved.values
    data = _data(resolved, command, stdin_ready=stdin_ready)
    if values["quiet"] and values["verbose"]:
        raise UsageError("--quiet and --verbose at once; choose one")
    _check_spread(values)
    _check_draws(values)
    output = values["output"] or ("-" if data == ("-",) else "xplain-out")
    if output == "-" and values["write_repeats"]:
        raise UsageError("--write-repeats writes a file beside the output; name one with --output")
    if output == "-" and values.get("report"):
        raise UsageError(
            "--report makes a page of a run, and '-' (stdout) leaves none; name a folder or a file"
            " by --output"
        )
    rest = {_RENAMED.get(name, name): values[name] for name in values if name not in _SET_APART}
    return Request(
        modality=command,
        model=values["model"],
        data=data,
        output=output,
        output_explicit="output" in resolved.named,
        output_format=_output_format(output, values["output_format"]),
        rows=None if values["rows"] is None else row_slice(values["rows"]),
        shard=shard_of(values["shard"]) if values["shard"] else None,
        progress=not values["no_progress"],
        argv=argv,
        project_file=resolved.project_file,
        **rest,
    )
