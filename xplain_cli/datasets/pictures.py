"""Pictures of DATA: files, folders, globs and NumPy stacks become references, read one by one."""

import glob
import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xplain_cli.datasets.directories import count_pages
from xplain_cli.datasets.files import PICTURES, split_member
from xplain_cli.datasets.pixels import DICOM_WAY_OUT, Pixels, Reading, instruct_pillow, read_pixels
from xplain_cli.datasets.stacks import open_stack
from xplain_cli.errors import RefusedError, UsageError, well_formed
from xplain_cli.remote import local, redact

_STACKS = frozenset({".npy", ".npz"})
_TABLES = frozenset({".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".parquet", ".pq"})
_TABLES_GO_TO = "tables are explained by: xplain tabular MODEL"
_DICOM = frozenset({".dcm", ".dicom"})


@dataclass(frozen=True)
class Picture:
    """
    A picture that is not read yet; picklable.

    Attributes
    ----------
    id
        Its name in the results.
    path
        The file; of a stack, for messages.
    page
        The page of a TIFF.
    array
        The pixels, where it stands in a stack.
    reading
        How it is read.
    """

    id: str
    path: str
    page: int
    array: NDArray[Any] | None
    reading: Reading

    def read(self) -> Pixels:
        """
        Read it.

        Raises
        ------
        RefusedError
            The reason, without the path.
        """
        if self.array is not None:
            return read_pixels(self.array, 0, self.reading)
        try:
            with Path(self.path).open("rb") as handle:
                return read_pixels(handle, self.page, self.reading)
        except OSError as error:
            raise RefusedError(f"cannot be read: {error.strerror or error}") from error


@dataclass(frozen=True)
class _Place:
    """Where one picture stands: its id, file and page, or its row of a stack."""

    id: str
    path: str
    at: int
    stack: NDArray[Any] | None


@dataclass(frozen=True)
class Pictures:
    """
    All pictures of DATA, none of them read.

    Attributes
    ----------
    places
        Where each stands, in order.
    sha256
        Digest of ids and contents.
    notes
        What was left out.
    """

    places: tuple[_Place, ...]
    sha256: str
    notes: tuple[str, ...]

    def __len__(self) -> int:
        """Return how many pictures there are."""
        return len(self.places)

    @property
    def ids(self) -> list[str]:
        """The name of each picture."""
        return [place.id for place in self.places]

    def most_pixels(self, reading: Reading) -> int:
        """Return the pixels of the largest picture, by its header; bad ones count nothing."""
        instruct_pillow(reading.max_pixels)
        return max(map(_pixels, self.places), default=0)

    def take(self, start: int, stop: int, reading: Reading) -> list[Picture]:
        """Return references to the pictures from *start* to *stop*; rows of stacks are copied."""
        return [_reference(place, reading) for place in self.places[start:stop]]


def _pixels(place: _Place) -> int:
    from PIL import Image

    if place.stack is not None:
        return int(place.stack.shape[1] * place.stack.shape[2])
    try:
        with Image.open(place.path) as image:
            return int(image.width * image.height)
    except Exception:  # noqa: BLE001 - a damaged file may raise anything; reading it says what
        return 0


def _reference(place: _Place, reading: Reading) -> Picture:
    if place.stack is None:
        return Picture(place.id, place.path, place.at, None, reading)
    return Picture(place.id, place.path, 0, np.array(place.stack[place.at]), reading)


def _walk(folder: str) -> list[str]:
    """Return the files below a folder, sorted by their relative path; hidden ones are left out."""
    found = []
    for at, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [str(Path(at, name)) for name in files if not name.startswith(".")]
    return sorted(found, key=lambda path: PurePath(path).relative_to(folder).parts)


def _in_folder(folder: str, notes: list[str]) -> list[str]:
    """Return the pictures below a folder."""
    files = _walk(folder)
    kinds = Counter(PurePath(path).suffix.lower() for path in files)
    pictures = [path for path in files if PurePath(path).suffix.lower() in PICTURES | _DICOM]
    others = {kind: n for kind, n in kinds.items() if kind not in PICTURES | _DICOM}
    if not pictures:
        said = f"{folder}: holds no pictures ({' '.join(sorted(PICTURES))})"
        raise RefusedError(f"{said}; {_TABLES_GO_TO} {folder}" if _TABLES & set(kinds) else said)
    if others:
        listed = ", ".join(f"{n} {kind or 'without suffix'}" for kind, n in sorted(others.items()))
        notes.append(f"{folder}: files that are no pictures were left out: {listed}")
    return pictures


def _named(path: str, notes: list[str]) -> list[str]:
    """Return the files that one DATA argument names."""
    if path == "-":
        raise UsageError("pictures are not read from stdin; name files or a folder")
    if Path(path).is_dir():
        return _in_folder(path, notes)
    if Path(path).is_file() and PurePath(path).suffix.lower() in _TABLES:
        raise RefusedError(f"{path}: is not a picture; {_TABLES_GO_TO} {path}")
    if Path(path).exists() or Path(split_member(path)[0]).is_file():
        return [path]
    if glob.has_magic(path):
        matches = glob.glob(path, recursive=True)  # noqa: PTH207 - Path.glob takes no whole paths
        found = sorted(one for one in matches if Path(one).is_file())
        if found:
            return found
        raise RefusedError(f"{path}: no file matches")
    raise RefusedError(f"{path}: no such file")


def _pages(path: str) -> int:
    """Return the pages of a file; 1 where it cannot be opened, which fails as a row."""
    try:
        return count_pages(path)
    except OSError:
        return 1


def _places(path: str, name: str, *, alone: bool) -> Iterator[_Place]:
    """Return the pictures of one file."""
    suffix = PurePath(path).suffix.lower()
    if suffix in _DICOM:
        raise RefusedError(f"{path}: is DICOM: {DICOM_WAY_OUT}")
    stored, member = split_member(path)
    if member or suffix in _STACKS:
        stack = open_stack(stored, member)
        for row in range(len(stack)):
            yield _Place(str(row) if alone else f"{name}#{row}", path, row, stack)
        return
    pages = _pages(path)
    for page in range(pages):
        yield _Place(name if pages == 1 else f"{name}#{page}", path, page, None)


def _local(path: str) -> str:
    """Return where a file of another machine was copied to, with the array that was named."""
    stored, member = split_member(path)
    return f"{local(stored)}:{member}" if member else local(path)


def _digest(names: Sequence[str], files: Sequence[str]) -> str:
    state = hashlib.sha256()
    for name, path in zip(names, files, strict=True):
        try:
            with Path(split_member(path)[0]).open("rb") as file:
                state.update(hashlib.file_digest(file, "sha256").digest())
        except OSError:
            state.update(b"unreadable")
        state.update(name.encode("utf-8", "surrogateescape") + b"\0")
    return state.hexdigest()


def holds_pictures(path: str) -> bool:
    """Return whether DATA looks like pictures, by suffixes and by the axes of a stack."""
    files = _walk(path) if Path(path).is_dir() else [path]
    suffixes = {PurePath(file).suffix.lower() for file in files}
    if suffixes & (PICTURES | _DICOM):
        return True
    if not suffixes & _STACKS or len(files) > 1:
        return False
    try:
        open_stack(path)
    except RefusedError:  # a table, or an array that nobody can read: its own reader says what
        return False
    return True


def find_pictures(paths: Sequence[str]) -> Pictures:
    """
    Find the pictures of DATA; headers are looked at, no picture is decoded.

    The id of a picture is its path as it was named; with one folder as DATA, its path below the
    folder; with one stack as DATA, its 0-based row. A page of a TIFF of several, and a row of one
    stack among others, is ``PATH#NUMBER``, from 0. Bytes that are no UTF-8 are spelled out.

    Raises
    ------
    UsageError
        No DATA, or stdin.
    RefusedError
        A path does not exist, a folder holds no picture, a stack is damaged or of another shape,
        a file is DICOM, a TIFF has more than 100,000 pages, or a picture is named twice.
    """
    if not paths:
        raise UsageError("no DATA; name pictures, a folder or a stack")
    instruct_pillow(Reading().max_pixels)
    notes: list[str] = []
    paths = [_local(path) for path in paths]
    files = [file for path in paths for file in _named(path, notes)]
    folder = paths[0] if len(paths) == 1 and Path(paths[0]).is_dir() else None
    names = [
        well_formed(
            PurePath(file).relative_to(folder).as_posix()
            if folder
            else redact(PurePath(file).as_posix())
        )
        for file in files
    ]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise RefusedError(f"{twice[0]}: is named twice in DATA; name each picture once")
    alone = len(files) == 1
    places = [
        place
        for file, name in zip(files, names, strict=True)
        for place in _places(file, name, alone=alone)
    ]
    return Pictures(tuple(places), _digest(names, files), tuple(notes))
