"""An explaining command whose output is on another machine: its run is made here and sent."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path, PurePosixPath

from xplain_cli.console import Console
from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.jobs.compare import explain_under_each
from xplain_cli.options.request import Request
from xplain_cli.remote import alias, is_remote, open_place, redact
from xplain_cli.runs.delivery import Delivery, meet, send
from xplain_cli.runs.locks import lock
from xplain_cli.runs.paths import SUFFIXES, unwritable


def _home(address: str) -> Path:
    """Return where runs of an address are made, in the user's cache."""
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError as error:  # a container runs as a user that its system does not know
        raise RefusedError(
            "runs for other machines are made in a cache here, and this user has no home folder;"
            " set XDG_CACHE_HOME to a folder"
        ) from error
    name = redact(address).rstrip("/").encode("utf-8", "surrogatepass")
    return cache / "xplain" / "runs" / hashlib.sha256(name).hexdigest()[:16]


def _opened(request: Request) -> Delivery:
    """Open the place, or say why no run can be there."""
    name = redact(request.result.output)
    for noun, texts in (
        ("baselines", request.references.baseline),
        ("methods", request.explanation.method),
    ):
        if len(texts) > 1:
            raise UsageError(
                f"--output {name}: several {noun} are several runs; name a folder here"
            )
    if PurePosixPath(request.result.output).suffix.lower() in SUFFIXES:
        raise UsageError(f"--output {name}: a run on another machine is a folder; name one")
    there = open_place(request.result.output)
    if there.on_web:
        raise UsageError(f"--output {name}: a web server takes no files; name a bucket or a folder")
    return Delivery(there, _home(request.result.output))


def _made(delivery: Delivery) -> None:
    try:
        delivery.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RefusedError(
            f"{unwritable(error, delivery.home)}; runs for other machines are made there"
            " (XDG_CACHE_HOME names another place)"
        ) from error


def explain_anywhere(request: Request, console: Console) -> int:
    """
    Explain, wherever the output is; return the exit code.

    A run for another machine is made in a folder here that stays, and is sent when it is finished:
    the same command continues what was cut off, and brings back what this machine has not got.

    Raises
    ------
    XplainError
        What ``compare.explain_under_each`` raises; the other machine cannot be reached.
    """
    if not is_remote(request.result.output):
        return explain_under_each(request, console)
    delivery = _opened(request)
    alias(delivery.folder, delivery.there.name)
    own = replace(
        request, result=replace(request.result, output=str(delivery.folder)), output_explicit=True
    )
    if request.safety.dry_run:
        return explain_under_each(own, console)
    _made(delivery)
    with lock(delivery.home):
        meet(delivery, force=request.safety.force)
        console.note(f"made in {delivery.home}, then sent to {delivery.there.name}")
        code = explain_under_each(own, console)
        try:
            send(delivery)
        except RefusedError as error:
            raise RefusedError(
                f"{error}; the run itself is finished: the same command sends it"
            ) from error
    return code
