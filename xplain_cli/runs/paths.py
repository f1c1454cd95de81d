"""The paths of a run's files, its state file, and writing whole files or none."""

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.plan import Plan, finite
from xplain_cli.remote import is_remote

DEFAULT_FOLDER = "xplain-out"
SUFFIXES = (".csv", ".json", ".jsonl", ".parquet")
MARKER = "run.json"
SALT = "salt"
SCHEMA = 1
ASIDE = ".xplain-tmp"
"""How the names of files end that are not in their place yet."""

_RUN_ID = re.compile(r"[0-9a-f]{12}")
_OTHER_SUFFIXES = (".tsv", ".txt", ".html", ".xls", ".xlsx", ".ndjson", ".feather", ".gz", ".zip")


def unwritable(error: OSError, *paths: Path, option: str = "--output") -> RefusedError:
    """Return what to tell of paths that could not be written, which an option named."""
    advice = f"name another place with {option}"
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        advice = "free some space and run the same command again: finished parts are kept"
    said = error.strerror or str(error)
    if error.errno == errno.ENOENT and all(path.absolute().parent.is_dir() for path in paths):
        said = f"nothing can be made in {paths[0].absolute().parent}"  # /proc, say
    elif error.errno == errno.ENOENT:
        advice = f"make its parent folder first, or {advice}"
    names = ", ".join(map(str, paths))
    return RefusedError(f"{names}: cannot be written: {said}; {advice}")


@contextlib.contextmanager
def parents_of(path: Path | None, option: str = "--output") -> Iterator[None]:
    """
    Make the folders that lead to *path* (None: nothing); those that stay empty go again.

    Parameters
    ----------
    path
        What is going to be written.
    option
        The option that names it, for advice.

    Raises
    ------
    RefusedError
        They cannot be made.
    """
    if path is None:
        yield
        return
    parents = path.absolute().parents
    missing = [parent for parent in parents if not os.path.lexists(parent)]
    try:
        parents[0].mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(error, path, option=option) from error
    try:
        yield
    finally:
        for parent in missing:
            with contextlib.suppress(OSError):
                parent.rmdir()  # only where it is empty


def _targets(paths: Iterable[Path], option: str = "--output") -> list[Path]:
    """Return what paths lead to; refuse what is no regular file."""
    targets = []
    for path in paths:
        targets.append(Path(os.path.realpath(path)))
        if targets[-1].exists() and not targets[-1].is_file():
            raise RefusedError(f"{path}: is not a regular file; name another with {option}")
    return targets


def _asides(targets: Iterable[Path]) -> list[Path]:
    """Return new names, each in the folder of a file."""
    token = secrets.token_hex(8)
    return [path.with_name(f".{path.name[:120]}.{token}{ASIDE}") for path in targets]


def check_writable(*paths: Path) -> None:
    """
    Refuse files that could not be written, before the work that they are to hold.

    Raises
    ------
    RefusedError
        One is no regular file, or its folder takes none.
    """
    for path, aside in zip(paths, _asides(_targets(paths)), strict=True):
        try:
            with aside.open("xb"):
                pass
            aside.unlink()
        except OSError as error:
            raise unwritable(error, path) from error


@contextlib.contextmanager
def writing(*paths: Path, option: str = "--output") -> Iterator[tuple[BinaryIO, ...]]:
    """
    Yield one open file per path; all take their places together at the end, or none does.

    Parameters
    ----------
    paths
        What is going to be written.
    option
        The option that names it, for advice.

    Raises
    ------
    RefusedError
        A file cannot be written (no space, no folder, no permission), or is no regular file.
    """
    targets = _targets(paths, option)
    asides = _asides(targets)
    try:
        with contextlib.ExitStack() as stack:
            # Not tempfile: it makes files that only their owner may read.
            files = tuple(stack.enter_context(aside.open("xb")) for aside in asides)
            yield files
            for file in files:
                file.flush()
                os.fsync(file.fileno())
        for aside, target in zip(asides, targets, strict=True):
            aside.replace(target)
    except OSError as error:
        raise unwritable(error, *paths, option=option) from error
    finally:
        for aside in asides:
            with contextlib.suppress(OSError):
                aside.unlink(missing_ok=True)


def write_atomically(
    path: Path, data: bytes | Callable[[BinaryIO], None], option: str = "--output"
) -> None:
    """
    Write a whole file or nothing: aside in the same folder, fsynced, then put in place.

    Raises
    ------
    RefusedError
        The file cannot be written; a file that was there before is untouched.
    """
    with writing(path, option=option) as (file,):
        if isinstance(data, bytes):
            file.write(data)
        else:
            data(file)


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write plain values as indented JSON, atomically; NaN and infinities as null."""
    text = json.dumps(finite(values), indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(path, f"{text}\n".encode("utf-8", "backslashreplace"))


def sha256(path: Path) -> str:
    """
    Return the SHA-256 (hex) of a file.

    Raises
    ------
    RefusedError
        The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RefusedError(f"{path}: cannot be read: {error.strerror}") from error


def read_secret(path: Path) -> str:
    """Return the random secret that a file holds; made where there is none."""
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        made = secrets.token_hex(16)
    write_atomically(path, made.encode())
    path.chmod(0o600)
    return made


@dataclass(frozen=True)
class RunPlace:
    """
    Where a run's files stand.

    Attributes
    ----------
    folder
        The run folder; for ``-o out.csv`` the hidden ``.out.csv.xplain`` beside the file; ``None``
        for standard output.
    fmt
        The format: csv, json, jsonl or parquet.
    file
        The file that the user named, if one was.
    """

    folder: Path | None
    fmt: str
    file: Path | None = None

    @classmethod
    def from_output(cls, output: str, fmt: str) -> "RunPlace":
        """
        Read ``--output``: ``-``, a file with one of ``SUFFIXES`` (which wins over *fmt*), a folder.

        Raises
        ------
        UsageError
            The name is that of a kind of file that is not written, or an address.
        """
        if output == "-":
            return cls(None, fmt)
        if is_remote(output):
            raise UsageError(
                f"--output {output}: only tabular, text and image write to other machines; name a"
                " place here"
            )
        path = Path(output or DEFAULT_FOLDER)
        suffix = path.suffix.lower()
        if output.endswith(("/", os.sep)) or path.is_dir():
            return cls(path, fmt)
        if suffix in SUFFIXES:
            return cls(path.with_name(f".{path.name}.xplain"), suffix[1:], path)
        if suffix in _OTHER_SUFFIXES:
            raise UsageError(
                f"--output {output}: no files of kind {suffix} are written; name a folder,"
                f" or a file in one of {', '.join(SUFFIXES)}"
            )
        return cls(path, fmt)

    @property
    def name(self) -> str:
        """What messages call the place."""
        return str(self.file or self.folder or "-")

    def beside(self, name: str, suffix: str) -> Path:
        """Return the path of the final file *name*: in the folder, or beside the user's file."""
        if self.folder is None:
            raise ValueError("standard output has no files")
        if self.file is None:
            return self.folder / f"{name}{suffix}"
        return self.file.with_name(f"{self.file.stem}.{name}{suffix}")

    @property
    def weights(self) -> Path:
        """The file of the weights."""
        return self.file or self.beside("weights", f".{self.fmt}")

    @property
    def stability(self) -> Path:
        """The file of the stability lines."""
        return self.beside("stability", self.file.suffix if self.file else f".{self.fmt}")

    @property
    def repeats(self) -> Path:
        """The file of each repeat's weights, where they are asked for."""
        return self.beside("repeats", ".npz")

    @property
    def vocabulary(self) -> Path:
        """The file of a corpus' units."""
        return self.beside("vocabulary", ".csv")

    @property
    def report(self) -> Path:
        """The page of the run, where no other is named."""
        return self.beside("report", ".html")

    @property
    def manifest(self) -> Path:
        """The file of the manifest."""
        return self.beside("manifest", ".json")


@dataclass(frozen=True)
class RunState:
    """What ``run.json`` says: whose parts these are, and what was made of them."""

    run_id: str
    identity: str
    plan: dict[str, Any]
    chunk_rows: int
    state: str = "running"  # or "finished"
    n_parts: int = 0
    rendering: str = ""
    top_k: int | None = None  # how many weights the final files keep of each row and target
    outputs: dict[str, str] = field(default_factory=dict)  # SHA-256 (hex) by file name
    budget: str | None = None  # what --budget asked for, where it chose the plan's samples
    held: dict[str, str] = field(default_factory=dict)  # of the files beside the outputs
    tool: str = "xplain"
    schema: int = SCHEMA

    @classmethod
    def of(cls, plan: Plan, chunk_rows: int) -> "RunState":
        """Return the marker of a run that has just begun."""
        return cls(
            plan.run_id,
            plan.identity,
            {"numbers": plan.numbers, "selection": plan.selection},
            chunk_rows,
            rendering=plan.digests["rendering"],
            top_k=plan.rendering.get("top_k"),
            budget=plan.budget,
        )


def _check_kinds(marker: RunState) -> None:
    """
    Ask that each field of a marker holds what all who read it take it for.

    Raises
    ------
    ValueError
        One does not.
    """
    plan = marker.plan if isinstance(marker.plan, dict) else {}
    numbers, selection = plan.get("numbers"), plan.get("selection")
    rows = selection.get("rows", [0, 0]) if isinstance(selection, dict) else None
    hashes = (marker.outputs, marker.held)
    texts = (marker.run_id, marker.identity, marker.state, marker.rendering)
    counts = (marker.chunk_rows, marker.n_parts, 0 if marker.top_k is None else marker.top_k)
    if not (
        isinstance(numbers, dict)
        and isinstance(rows, list)
        and [type(row) for row in rows] == [int, int]
        and all(isinstance(text, str) for text in texts)
        and all(type(count) is int and count >= 0 for count in counts)
        and marker.chunk_rows
        and isinstance(marker.budget, str | None)
        and all(isinstance(one, dict) for one in hashes)
        and all(isinstance(word, str) for one in hashes for pair in one.items() for word in pair)
    ):
        raise ValueError("a field of another kind than is written")


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _parse_marker(data: bytes) -> RunState:
    try:
        marker = RunState(**json.loads(data, parse_constant=_no_constant))
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    _check_kinds(marker)
    known = (marker.tool, marker.schema) == ("xplain", SCHEMA)
    if not (known and _RUN_ID.fullmatch(marker.run_id)):
        raise ValueError("a run of another version")
    return marker


def read_marker(folder: Path) -> RunState | None:
    """
    Return the marker of a run folder, ``None`` where there is nothing yet.

    Raises
    ------
    RefusedError
        The folder holds other things, or is a file.
    """
    if not os.path.lexists(folder):
        return None
    try:
        if all(path.name.endswith(ASIDE) for path in folder.iterdir()):
            return None
        return _parse_marker((folder / MARKER).read_bytes())
    except NotADirectoryError as error:
        raise RefusedError(
            f"{folder}: is a file, not a run folder; name another place with --output"
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise RefusedError(
            f"{folder}: is not a run of this version of xplain (it holds no readable {MARKER});"
            " nothing in it was touched; name another place with --output"
        ) from error
