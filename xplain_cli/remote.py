"""Files at addresses: copied here, and called by their address with secrets redacted.

What leaves the process, messages and manifests alike, passes ``redact``: it puts addresses in the
place of their copies, and stars in the place of passwords and signatures.
"""

import atexit
import contextlib
import errno
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from xplain_cli.errors import RefusedError, UsageError, XplainError, require

EXTRA = "remote"

_Result = TypeVar("_Result")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_PARTS = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]+)://(?P<user>[^/\s'\"]*@)?"
    r"(?P<path>(?:(?!::)[^\s?'\"])*)(?P<query>\?[^\s'\"]*)?",
    re.IGNORECASE,
)
_DRIVERS = {
    **dict.fromkeys(("abfs", "abfss", "adl", "az"), "adlfs"),
    **dict.fromkeys(("gcs", "gs"), "gcsfs"),
    **dict.fromkeys(("http", "https"), "aiohttp"),
    **dict.fromkeys(("s3", "s3a"), "s3fs"),
    **dict.fromkeys(("sftp", "ssh"), "paramiko"),
    "hf": "huggingface_hub",
}
_WEB = {"http", "https"}
_WAITS = (0.5, 2.0, 5.0)
"""Seconds before each further try."""
_FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
_FORBIDDEN = {401, 403}
_SILENCE, _CONNECTING = 120, 30  # seconds

_NAMES: dict[str, str] = {}
"""Where copies lie, and what they are copies of."""


def is_remote(name: str | None) -> bool:
    """Return whether a name is an address: ``s3://``, ``gs://``, ``https://``, ..."""
    return name is not None and _SCHEME.match(name) is not None


def _masked(match: re.Match[str]) -> str:
    user, query = match["user"], match["query"] or ""
    # a ? of a bucket's address may be a glob
    secret = query and (match["scheme"].lower() in _WEB or "=" in query)
    shown = "?***" if secret else query
    return f"{match['scheme']}://{'***@' if user else ''}{match['path']}{shown}"


def redact(text: str) -> str:
    """Return a text as it may be told: copies by their addresses, and these without secrets."""
    for copy, name in reversed(_NAMES.items()):
        text = text.replace(copy, name)
    return _PARTS.sub(_masked, text) if "://" in text else text


def redact_all(value: Any) -> Any:
    """Return plain values with every text in them as it may be told."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {name: redact_all(item) for name, item in value.items()}
    return [redact_all(item) for item in value] if isinstance(value, list | tuple) else value


@dataclass(frozen=True)
class Place:
    """An opened address: the file system (fsspec), the path on it, and how messages name it."""

    fs: Any
    path: str
    name: str

    @property
    def on_web(self) -> bool:
        """Whether it is a web server, which lists nothing and takes nothing."""
        known = self.fs.protocol
        return bool(_WEB & {known} if isinstance(known, str) else _WEB & set(known))

    def below(self, path: str) -> str:
        """Return a path of the file system relative to this one."""
        return path.removeprefix(self.path).lstrip("/")


def _options(scheme: str) -> dict[str, Any]:
    """Return how a file system is opened: a web server may take long, but not say nothing."""
    if scheme not in _WEB:
        return {}
    aiohttp: Any = require("aiohttp", EXTRA)
    limits = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECTING, sock_read=_SILENCE)
    return {"client_kwargs": {"timeout": limits, "trust_env": True}}


def open_place(address: str) -> Place:
    """
    Open an address.

    Raises
    ------
    UsageError
        The package that reads it is missing, or nobody knows the protocol.
    RefusedError
        The address cannot be read.
    """
    name, scheme = redact(address), address.partition("://")[0].lower()
    fsspec: Any = require("fsspec", EXTRA)
    try:
        fs, path = fsspec.core.url_to_fs(address, **_options(scheme))
    except (ImportError, UsageError) as error:
        driver = _DRIVERS.get(scheme)
        also = f"the package {driver}: pip install {driver}" if driver else redact(f"{error}")
        raise UsageError(f"{name}: {scheme}:// needs {also}") from error
    except ValueError as error:
        raise UsageError(
            f"{name}: cannot be opened: {redact(str(error))}; addresses begin with s3://, gs://,"
            " https:// or another protocol of fsspec"
        ) from error
    except Exception as error:  # a driver may raise anything
        raise RefusedError(f"{name}: cannot be opened: {_reason(error)}") from error
    return Place(fs, str(path), name)


def _reason(error: BaseException) -> str:
    said = redact(f"{error}").splitlines()
    return f"{type(error).__name__}: {said[0]}" if said else type(error).__name__


def _final(error: Exception, name: str) -> RefusedError | None:
    """Return what to tell of an error that trying again does not mend."""
    if isinstance(error, FileNotFoundError):
        return RefusedError(f"{name}: no such file; check the address")
    if isinstance(error, _FINAL) or getattr(error, "status", None) in _FORBIDDEN:
        return RefusedError(f"{name}: {_reason(error)}; check the address and the credentials")
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return RefusedError(f"{name}: no space for a copy; set TMPDIR to a folder with space")
    return None


def retried(name: str, action: Callable[[], _Result]) -> _Result:
    """
    Return what an action on another machine returns, tried a few times.

    Raises
    ------
    RefusedError
        It fails each time, or in a way that another try does not mend.
    """
    for wait in (*_WAITS, None):
        try:
            return action()
        except XplainError:
            raise
        except Exception as error:  # a driver may raise anything
            final = _final(error, name)
            if final is not None:
                raise final from error
            if wait is None:
                raise RefusedError(
                    f"{name}: cannot be reached, {len(_WAITS) + 1} times: {_reason(error)}; check"
                    " the address, the network and the credentials"
                ) from error
            time.sleep(wait)
    raise AssertionError


def copy_here(place: Place, path: str, name: str, target: Path) -> None:
    """Copy a file whole, or not at all."""
    aside = target.with_name(f"{target.name}.part")

    def copy() -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        place.fs.get_file(path, str(aside))
        if aside.is_dir():
            raise RefusedError(f"{name}: is a folder, and a file is wanted")
        aside.replace(target)

    retried(name, copy)


def files_below(place: Place) -> list[str]:
    """Return the paths of all files below a folder, sorted; none where there is nothing."""

    def find() -> list[str]:
        place.fs.invalidate_cache()
        return sorted(map(str, place.fs.find(place.path)))

    return retried(place.name, find)


def alias(copy: Path, name: str) -> None:
    """Let messages say *name* where something here stands for something there."""
    _NAMES[str(copy)] = name


def send_file(place: Place, source: Path, path: str) -> None:
    """Send a file whole."""

    def send() -> None:
        place.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        place.fs.put_file(str(source), path)

    retried(place.name, send)


def remove_there(place: Place, path: str) -> None:
    """Remove a file on another machine; one that is gone already is fine."""

    def remove() -> None:
        with contextlib.suppress(FileNotFoundError):
            place.fs.rm_file(path)

    retried(place.name, remove)


@lru_cache(maxsize=1)
def spool() -> Path:
    """Return a temporary folder that goes when the process ends."""
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="xplain-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _copied(place: Place, base: str, files: Iterable[str], root: Path) -> None:
    """Copy files, each to its place below *root* as it stands below *base*."""
    for path in files:
        below = path.removeprefix(base).lstrip("/")
        if ".." in PurePosixPath(below).parts:
            raise RefusedError(f"{place.name}: holds {below!r}, which leads out of it")
        copy_here(place, path, f"{place.name} ({below})", root / below)


def _globbed(place: Place, magic: str, root: Path) -> str:
    """Copy the files that match, and return the pattern that matches their copies."""
    first = min(place.path.index(c) for c in magic if c in place.path)
    base = place.path[:first].rpartition("/")[0]
    found = retried(place.name, lambda: sorted(map(str, place.fs.glob(place.path))))
    files = [path for path in found if retried(place.name, lambda at=path: place.fs.isfile(at))]  # type: ignore[misc]  # a default in a lambda
    if not files:
        raise RefusedError(f"{place.name}: matches no file")
    pattern = place.path.removeprefix(base).lstrip("/")
    _NAMES[f"{root}/"] = place.name.partition("?***")[0].removesuffix(pattern).rstrip("/") + "/"
    _copied(place, base, files, root)
    return str(root / pattern)


def local(name: str) -> str:
    """
    Return a path as it is; of an address, the path of a copy (a file, a folder, or a pattern).

    Copies are whole, made once in a process, and go with it. Web servers have no folders.

    Raises
    ------
    UsageError
        The package that reads such addresses is missing.
    RefusedError
        There is no such file, it cannot be reached, or there is no space for it.
    """
    return _local(name) if is_remote(name) else name


@lru_cache(maxsize=1024)
def _local(address: str) -> str:
    place = open_place(address)
    root = spool() / str(len(_NAMES))
    # on the web a ? opens a query, elsewhere it may be a glob
    plain, magic = (place.path.partition("?")[0], "*[") if place.on_web else (place.path, "*?[")
    if set(magic) & set(plain):
        return _globbed(place, magic, root)
    copy = root / (PurePosixPath(plain).name or "data")
    alias(copy, place.name.rstrip("/"))
    if not place.on_web and retried(place.name, lambda: place.fs.isdir(place.path)):
        copy.mkdir(parents=True)
        _copied(place, place.path, files_below(place), copy)
    else:
        copy_here(place, place.path, place.name, copy)
    return str(copy)
