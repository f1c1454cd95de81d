"""The files of DATA as bytes: checks of paths, a spool for stdin and pipes, digests."""

import atexit
import contextlib
import glob
import hashlib
import json
import os
import re
import stat
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import IO, TextIO

from xplain_cli.datasets.packed import Unpacked, open_packed, suffix_of
from xplain_cli.datasets.partitions import (
    name_those_below,
    partitioned,
    parts_of,
    stands_aside,
)
from xplain_cli.datasets.sources import DataFile
from xplain_cli.errors import RefusedError, UsageError, counted
from xplain_cli.remote import local, redact

PICTURES = frozenset({
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".bmp", ".dib", ".webp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".avif"),
})
"""Lower-case endings of the files that are pictures."""
PICTURES_GO_TO = "pictures are explained by: xplain image MODEL"
_FOREIGN = (
    (b"PAR1", "a parquet file", "say so with --input-format parquet"),
    (b"ARROW1", "an Arrow file", "say so with --input-format arrow"),
    (b"\x93NUMPY", "a NumPy array", "say so with --input-format npy"),
    (b"\x1f\x8b", "compressed by gzip, twice", "unpack it first"),
    (b"PK\x03\x04", "a zip archive or a workbook", "export it as csv"),
    (b"\xd0\xcf\x11\xe0", "an old workbook", "export it as csv"),
    (b"BZh", "compressed by bzip2, twice", "unpack it first"),
    (b"\xfd7zXZ", "compressed by xz, twice", "unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd, twice", "unpack it first"),
    (b"\x80\x04\x95", "a pickle", "export it as csv"),
    (b"\x80\x05\x95", "a pickle", "export it as csv"),
    (b"\x89PNG", "a picture", "name a table, or explain it by: xplain image MODEL FILE"),
    (b"\xff\xd8\xff", "a picture", "name a table, or explain it by: xplain image MODEL FILE"),
    (b"%PDF", "a PDF document", "export it as csv"),
)
_TEXTS = frozenset({"", ".csv", ".tsv", ".tab", ".jsonl", ".ndjson"})
_MEMBER = re.compile(r"(?P<path>.+\.npz):(?P<member>[^:]+)", re.IGNORECASE | re.DOTALL)


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        Path(path).unlink()


def _no_space(name: str, error: OSError) -> RefusedError:
    return RefusedError(
        f"{name}: cannot be copied to {tempfile.gettempdir()}: {error.strerror or error}; "
        "set TMPDIR to a folder with space"
    )


def _make_spool() -> str:
    """Return the path of an empty temporary file that is deleted at exit."""
    handle, path = tempfile.mkstemp(prefix="xplain-")
    os.close(handle)
    atexit.register(_remove, path)
    return path


@contextlib.contextmanager
def open_spool(name: str) -> Iterator[TextIO]:
    """
    Open a temporary file for a text copy of the file *name*; it is deleted at exit.

    Raises
    ------
    RefusedError
        There is no space for it.
    """
    try:
        with Path(_make_spool()).open("w", encoding="utf-8", newline="") as spool:
            yield spool
    except OSError as error:
        raise _no_space(name, error) from error


def spool_bytes(stream: IO[bytes] | Unpacked, name: str, most: int | None = None) -> str:
    """
    Copy a stream to a temporary file that is deleted at exit; return its path.

    Parameters
    ----------
    most
        Bytes to copy at most; None: all.

    Raises
    ------
    RefusedError
        There is no space for it, or the stream is longer.
    """
    try:
        path = _make_spool()
        with Path(path).open("wb") as spool:
            copied = 0
            while block := stream.read(1 << 20):
                copied += len(block)
                if most is not None and copied > most:
                    raise RefusedError(f"{name}: holds more than the {most} bytes that it states")
                spool.write(block)
    except OSError as error:
        raise _no_space(name, error) from error
    return path


def _unpacked(file: DataFile, suffix: str = "") -> DataFile:
    """Return a file, or a temporary copy of what a compressed one holds."""
    stream = open_packed(file.path, file.name, suffix)
    return file if stream is None else replace(file, path=spool_bytes(stream, file.name))


def _open_stdin() -> DataFile:
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("stdin is a terminal; pipe data into it or name a file")
    spool = spool_bytes(sys.stdin.buffer, "stdin")
    return _unpacked(DataFile("stdin", spool, is_stdin=True, is_piped=True))


def split_member(path: str) -> tuple[str, str]:
    """Return a path, and the array of an npz file that ``FILE.npz:NAME`` means."""
    match = _MEMBER.fullmatch(path)
    if match is None or Path(path).exists():
        return path, ""
    return match["path"], match["member"]


def _open_path(path: str, member: str, named: str) -> DataFile:
    """Open a file that a DATA argument names, as itself, by a glob or by a folder."""
    suffix = PurePath(path).suffix.lower()
    parts = parts_of(path, named) if Path(named).is_dir() else ()
    try:
        mode = Path(path).stat().st_mode
        if stat.S_ISFIFO(mode):
            with Path(path).open("rb") as pipe:
                return _unpacked(DataFile(path, spool_bytes(pipe, path), is_piped=True))
        if not stat.S_ISREG(mode):
            raise RefusedError(f"{path}: is not a regular file; name a file, a folder or a glob")
        with Path(path).open("rb"):
            name = f"{redact(path)}:{member}" if member else redact(path)
        file = DataFile(name, path, suffix=suffix_of(path), member=member, parts=parts)
        return _unpacked(file, suffix)
    except FileNotFoundError as error:
        raise RefusedError(f"{path}: no such file; check the name") from error
    except (OSError, ValueError) as error:
        raise RefusedError(f"{path}: cannot be read: {error}") from error


def _is_picture(path: str) -> bool:
    return PurePath(path).suffix.lower() in PICTURES


def _below(folder: str) -> Iterator[str]:
    """Yield the names of the files in a folder and its folders."""
    return (name for _, _, names in os.walk(folder) for name in names)


def _in_order(path: str, files: Sequence[str]) -> str:
    """Say which files stand for a path."""
    shown = ", ".join(files[:3]) + (f", ... {files[-1]}" if len(files) > 3 else "")
    return f"{path}: {counted(len(files), 'file')} in this order: {shown}"


def _left_out(path: str, left: Sequence[str]) -> list[str]:
    """Say which files of a path are not read."""
    more = ", ..." if len(left) > 5 else ""
    return [f"{path}: left out: {', '.join(left[:5])}{more}"] if left else []


def _without_blank(files: list[str]) -> tuple[list[str], list[str]]:
    """
    Return the files of a folder, and those of text without a byte, which Spark writes of no rows.

    All stay where no other is there.
    """
    blank = [one for one in files if suffix_of(one) in _TEXTS and not Path(one).stat().st_size]
    aside = set(blank) if len(blank) < len(files) else set[str]()
    return [one for one in files if one not in aside], sorted(aside)


def _expand(path: str, suffixes: Collection[str]) -> tuple[list[str], list[str]]:
    """Return the sorted files that a folder or glob stands for, and notes; a file as it is."""
    is_folder = path != "-" and Path(path).is_dir()
    if path == "-" or not (is_folder or (set("*?[") & set(path) and not Path(path).exists())):
        return [path], []
    found = sorted(glob.glob(glob.escape(path) + "/*" if is_folder else path, recursive=True))  # noqa: PTH207 - a pattern may be absolute
    files = [one for one in found if Path(one).is_file()]
    taken = [
        one
        for one in files
        if (not suffixes or suffix_of(one) in suffixes) and not (is_folder and stands_aside(one))
    ]
    if is_folder and not taken and (inside := partitioned(path, suffixes)):
        columns = ", ".join(name for name, _ in parts_of(inside[0], path))
        notes = [f"{path}: partitioned: the names of its folders are columns: {columns}"]
        inside, blank = _without_blank(inside)
        return inside, [*notes, _in_order(path, inside), *_left_out(path, blank)]
    if not taken:
        if suffixes and any(map(_is_picture, _below(path) if is_folder else files)):
            raise RefusedError(f"{path}: holds no rows; {PICTURES_GO_TO} {path}")
        kinds = f" ({' '.join(suffixes)})" if suffixes else ""
        what = "is a folder without" if is_folder else "matches no"
        way_out = name_those_below(path, suffixes) if is_folder else "name its files one by one"
        raise RefusedError(f"{path}: {what} files of DATA{kinds}; {way_out}")
    taken = _without_blank(taken)[0] if is_folder else taken
    notes = [_in_order(path, taken)]
    if not is_folder and (stated := parts_of(taken[0])):
        shown = ", ".join(f"{name}={value}" for name, value in stated)
        notes.append(f"{path}: names of folders ({shown}) are columns only where a folder is DATA")
    kept = set(taken)
    return taken, [*notes, *_left_out(path, [one for one in found if one not in kept])]


def find_files(
    paths: Sequence[str], suffixes: Collection[str] = ()
) -> tuple[tuple[DataFile, ...], tuple[str, ...]]:
    """
    Return the files of DATA, in order, and notes; ``-`` and pipes are read once into a spool.

    Parameters
    ----------
    paths
        Files, folders (the files in them, sorted; of partitioned ones those below), globs (``**``
        goes down), addresses of any of them, ``-``; ``FILE.npz:NAME`` is one array of a file. What
        is compressed is unpacked.
    suffixes
        Lower-case endings of the files that folders and globs stand for; empty: any.

    Raises
    ------
    UsageError
        No path at all, stdin named twice or a terminal.
    RefusedError
        A path does not exist, is not a file, is unreadable or empty, or holds no such files.
    """
    if not paths:
        raise UsageError("no DATA; name a file, or - for stdin")
    if list(paths).count("-") > 1:
        raise UsageError("stdin (-) is named twice; it can be read once")
    places = [(local(path), member) for path, member in map(split_member, paths)]
    expanded = [_expand(path, suffixes) for path, _ in places]
    files = tuple(
        _open_stdin() if path == "-" else _open_path(path, member, folder)
        for (taken, _), (folder, member) in zip(expanded, places, strict=True)
        for path in taken
    )
    for file in files:
        if not Path(file.path).stat().st_size:
            raise RefusedError(
                f"{file.name}: is empty, not even a first line; name a file with a header and rows"
            )
    return files, tuple(note for _, notes in expanded for note in notes)


def refuse_foreign(file: DataFile) -> None:
    """Refuse what is not a text file by its first bytes, and say what it is."""
    with Path(file.path).open("rb") as handle:
        head = handle.read(8)
    for magic, what, way_out in _FOREIGN:
        if head.startswith(magic):
            raise RefusedError(f"{file.name}: is {what}; {way_out}")


def digest_files(files: Sequence[DataFile]) -> str:
    """
    Return the SHA-256 (hex) of one file, or of the digests of several in order.

    That of a compressed file is of what it holds; that of ``FILE.npz:NAME`` is of both, as
    is that of a file in a partitioned folder and what its folders state.
    """
    digests = []
    for file in files:
        with Path(file.path).open("rb") as handle:
            found = hashlib.file_digest(handle, "sha256").hexdigest()
        if file.member:
            member = file.member.encode("utf-8", "surrogatepass")
            found = hashlib.sha256(f"{found}:".encode() + member).hexdigest()
        if file.parts:
            stated = json.dumps(file.parts).encode()
            found = hashlib.sha256(f"{found}:".encode() + stated).hexdigest()
        digests.append(found)
    return (
        digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    )
