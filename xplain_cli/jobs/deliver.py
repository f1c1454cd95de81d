"""Runs whose folder is on another machine: made here, then sent there, the manifest last.

The folder there holds what a local one would. A manifest there means that the run is whole.
"""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from xplain_cli.console import Console
from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.jobs.compare import explain_under_each
from xplain_cli.options.request import Request
from xplain_cli.remote import (
    Place,
    copy_here,
    files_below,
    is_remote,
    name_copy,
    open_place,
    remove_there,
    send_file,
    told,
)
from xplain_cli.runs.locks import alone
from xplain_cli.runs.paths import ASIDE, MARKER, SALT, SUFFIXES, sha256, unwritable, write_json

_MANIFEST, _SENT = "manifest.json", "sent.json"


@dataclass(frozen=True)
class Delivery:
    """
    A run folder on another machine and where it is made here.

    Attributes
    ----------
    there
        The folder there.
    home
        Where it is made: a folder for each address, which stays, so that what was cut off
        continues. It holds the run, and the SHA-256 of each file as it was last sent or brought.
    """

    there: Place
    home: Path

    @property
    def folder(self) -> Path:
        """The run here."""
        return self.home / "run"

    def sent(self) -> dict[str, str]:
        """Return what stood there when it was last seen."""
        try:
            found: dict[str, str] = json.loads((self.home / _SENT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found

    def keep(self, files: dict[str, str]) -> None:
        """Note what stands there now."""
        write_json(self.home / _SENT, files)

    def path(self, name: str) -> str:
        """Return the path there of a file of the run."""
        return f"{self.there.path.rstrip('/')}/{name}"


def _home(address: str) -> Path:
    """Return where runs of an address are made, in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    key = hashlib.sha256(told(address).rstrip("/").encode()).hexdigest()[:16]
    return cache / "xplain" / "runs" / key


def _opened(request: Request) -> Delivery:
    """Open the place, or say why no run can be there."""
    name = told(request.result.output)
    if len(request.references.baseline) > 1:
        raise UsageError(f"--output {name}: several baselines are several runs; name a folder here")
    if PurePosixPath(request.result.output).suffix.lower() in SUFFIXES:
        raise UsageError(f"--output {name}: a run on another machine is a folder; name one")
    there = open_place(request.result.output)
    if there.on_web:
        raise UsageError(f"--output {name}: a web server takes no files; name a bucket or a folder")
    return Delivery(there, _home(request.result.output))


def _digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a run by its name there; what is half done is no file."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {
        path.relative_to(folder).as_posix(): sha256(path)
        for path in paths
        if path.name != SALT and not path.name.endswith((ASIDE, ".lock"))
    }


def _manifest_there(delivery: Delivery, names: list[str]) -> str | None:
    """Return the SHA-256 of the manifest there; None where no whole run stands."""
    if _MANIFEST not in names:
        return None
    copy = delivery.home / "manifest.there"
    path = delivery.path(_MANIFEST)
    copy_here(delivery.there, path, f"{delivery.there.name}/{_MANIFEST}", copy)
    found = sha256(copy)
    copy.unlink()
    return found


def _bring(delivery: Delivery, names: list[str]) -> None:
    """Bring the run that stands there, in the place of what is here."""
    coming = delivery.home / "coming"
    shutil.rmtree(coming, ignore_errors=True)
    for name in names:
        if ".." in PurePosixPath(name).parts:
            raise RefusedError(f"{delivery.there.name}: holds {name!r}, which leads out of it")
        shown = f"{delivery.there.name}/{name}"
        copy_here(delivery.there, delivery.path(name), shown, coming / name)
    shutil.rmtree(delivery.folder, ignore_errors=True)
    coming.rename(delivery.folder)
    delivery.keep(_digests(delivery.folder))


def _meet(delivery: Delivery, *, force: bool) -> None:
    """
    See what stands there, and bring it where it is not what was last seen.

    Raises
    ------
    RefusedError
        Other things than a run.
    """
    there = delivery.there
    names = [there.below(path) for path in files_below(there)]
    if names and MARKER not in names:
        raise RefusedError(
            f"{there.name}: is not a run of xplain (it holds no {MARKER}); nothing in it was"
            " touched; name another place with --output"
        )
    whole = _manifest_there(delivery, names)
    if whole is None:
        return
    sent = delivery.sent()
    if force:
        delivery.keep({**sent, _MANIFEST: whole})
    elif not (delivery.folder / MARKER).is_file() or whole != sent.get(_MANIFEST):
        _bring(delivery, names)


def _rank(name: str) -> tuple[bool, bool, str]:
    """Return the order in which files are sent: the marker first, the manifest last."""
    return name == _MANIFEST, name != MARKER, name


def _send(delivery: Delivery) -> None:
    """Send what is new and remove what is gone; between the two no manifest stands there."""
    there, own, sent = delivery.there, _digests(delivery.folder), delivery.sent()
    names = {there.below(path) for path in files_below(there)}
    due = [name for name in own if name not in names or own[name] != sent.get(name)]
    gone = sorted(names - set(own))
    if not due and not gone:
        return
    if _MANIFEST in names:
        remove_there(there, delivery.path(_MANIFEST))
    for name in gone:
        if name != _MANIFEST:
            remove_there(there, delivery.path(name))
    for name in sorted({*due, _MANIFEST}, key=_rank):
        send_file(there, delivery.folder / name, delivery.path(name))
    delivery.keep(own)


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
        What ``comparing.explain_under_each`` raises; the other machine cannot be reached.
    """
    if not is_remote(request.result.output):
        return explain_under_each(request, console)
    delivery = _opened(request)
    name_copy(delivery.folder, delivery.there.name)
    own = replace(
        request, result=replace(request.result, output=str(delivery.folder)), output_explicit=True
    )
    if request.safety.dry_run:
        return explain_under_each(own, console)
    _made(delivery)
    with alone(delivery.home):
        _meet(delivery, force=request.safety.force)
        console.note(f"made in {delivery.home}, then sent to {delivery.there.name}")
        code = explain_under_each(own, console)
        try:
            _send(delivery)
        except RefusedError as error:
            raise RefusedError(
                f"{error}; the run itself is finished: the same command sends it"
            ) from error
    return code
