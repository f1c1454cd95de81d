"""Folders that anybody's code wrote into: measured and removed, however deep or full they are."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

_DEEPEST = 12  # folders within one another: below what a path can name, with the longest names
_BLOCK = 4096  # bytes


def takes_too_much(folder: str, allowed: int) -> bool:
    """
    Say whether a folder holds more than so many bytes, or is too deep to be counted.

    What a file takes is at least a block of the disk, so that empty files count as well.
    """
    total = 0
    for at, folders, names in os.walk(folder):
        if at.count(os.sep) - folder.count(os.sep) > _DEEPEST:
            return True
        for name in (*folders, *names):
            with contextlib.suppress(OSError):
                total += max(_BLOCK, (Path(at) / name).lstat().st_size)
        if total > allowed:
            return True
    return False


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it, however deep: nothing of it is followed."""
    while folder.exists():
        deep = [
            Path(at) / name
            for at, names, _ in _walk_shallow(folder)
            for name in names
            if len(Path(at).relative_to(folder).parts) == _DEEPEST
        ]
        for place in deep:  # what is too deep for a path, or for a recursion, goes to the top
            place.rename(folder / f"{secrets.token_hex(8)}.deep")
        if not deep:
            shutil.rmtree(folder, ignore_errors=True)
            return


def _walk_shallow(folder: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Walk through a folder, and stop where it is too deep."""
    for at, names, files in os.walk(folder):
        yield at, [*names], files
        if len(Path(at).relative_to(folder).parts) >= _DEEPEST:
            names.clear()
