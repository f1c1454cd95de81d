"""Run folders on other machines: sent there whole, the manifest last, and brought here to be read.

The folder there holds what a local one would. A manifest there means that the run is whole.
"""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.remote import (
    Place,
    alias,
    copy_here,
    files_below,
    is_remote,
    open_place,
    redact,
    remove_there,
    send_file,
)
from xplain_cli.runs.paths import ASIDE, MARKER, SALT, sha256, write_json

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


def meet(delivery: Delivery, *, force: bool) -> None:
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


def send(delivery: Delivery) -> None:
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


def _place_of_run(named: str) -> tuple[Place, list[str]]:
    """
    Return the folder of a run by its address, or by that of a file in it, and the names there.

    Raises
    ------
    RefusedError
        There is no finished run.
    """
    name = redact(named)
    for address in (named, named.rstrip("/").rpartition("/")[0]):
        there = open_place(address)
        if there.on_web:
            raise RefusedError(f"{name}: a web server lists no files; copy the folder here first")
        names = [there.below(path) for path in files_below(there)]
        if MARKER in names:
            break
    else:
        raise RefusedError(f"{name}: no such run; name the folder of a run, or a file in it")
    if _MANIFEST not in names:
        raise RefusedError(f"{name}: the run is not finished; its command continues it")
    return there, names


@contextlib.contextmanager
def brought_here(named: str) -> Iterator[str]:
    """
    Yield where a run can be read and added to; one of another machine is copied for that.

    What the block adds or changes is sent there when it ends well, the manifest last.

    Raises
    ------
    UsageError
        Standard output, which leaves no run.
    RefusedError
        There is no finished run at the address, or it cannot be reached.
    """
    if named == "-":
        raise UsageError("RUN is '-' (stdout), which leaves no run; name a run folder")
    if not is_remote(named):
        yield named
        return
    there, names = _place_of_run(named)
    # not in the cache: an unfinished run of the same address may be in the making there
    with tempfile.TemporaryDirectory(prefix="xplain-") as home:
        delivery = Delivery(there, Path(home))
        alias(delivery.folder, there.name.rstrip("/"))
        _bring(delivery, names)
        yield str(delivery.folder)
        send(delivery)
