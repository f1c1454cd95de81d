"""Names the map files of a picture by its id, inside the folder and each once."""

import hashlib
import posixpath
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

_ABSOLUTE = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?/")  # addresses too
_NUMBERED = re.compile(r"(?P<base>.+)\.\d+")
_MOST_BYTES = 200  # of a part of a path; the number of a target and .png follow
_SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}")


def _relative(ids: Sequence[str]) -> list[str]:
    """Return ids with forward slashes; absolute ones relative to the folder they share."""
    plain = [one.replace("\\", "/") for one in ids]
    absolute = [posixpath.normpath(one) for one in plain if _ABSOLUTE.match(one)]
    parents = {PurePosixPath(one).parent for one in absolute}
    shared: list[str] = []
    for levels in zip(*(parent.parts for parent in parents), strict=False):
        if len(set(levels)) > 1:
            break
        shared.append(levels[0])
    cut = len(shared)
    return [
        "/".join(PurePosixPath(posixpath.normpath(one)).parts[cut:])
        if _ABSOLUTE.match(one)
        else one
        for one in plain
    ]


def _inside(path: str) -> str:
    """Return a path that leads nowhere out of its folder."""
    parts = [part for part in PurePosixPath(path).parts if part.strip("/")]
    return "/".join("__" if part == ".." else _bearable(part) for part in parts) or "_"


def _bearable(part: str) -> str:
    """Return a part of a path that file systems take; a long one ends in digits of its SHA-256."""
    name = "".join(c if c.isprintable() and c != ":" else "_" for c in part)
    if len(name.encode()) <= _MOST_BYTES:
        return name
    digits = hashlib.sha256(part.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{name.encode()[: _MOST_BYTES - 9].decode(errors='ignore')}~{digits}"


def _stem(path: str) -> str:
    """Return a path without the suffix of a picture."""
    pure = PurePosixPath(path)
    return str(pure.with_suffix("")) if _SUFFIX.fullmatch(pure.suffix) else path


def _base(name: str) -> str:
    """Return ``a`` for ``a.2``, which is what a second target of ``a`` is called."""
    numbered = _NUMBERED.fullmatch(name)
    return numbered["base"] if numbered else ""


def _folders(names: Sequence[str]) -> set[str]:
    """Return the names whose file a folder stands in the way of."""
    parents = {str(parent) for name in names for parent in PurePosixPath(name).parents}
    found = {parent.removesuffix(".png") for parent in parents if parent.endswith(".png")}
    return found | set(map(_base, found))


def map_names(ids: Sequence[object]) -> list[str]:
    """
    Return what the files of each row are called, without ``.png``; targets after the first add .2.

    The id, without the suffix of a picture unless another id then comes to the same. Absolute ids
    are relative to the folder that they share. What would lead out of the folder is kept inside,
    and where two names would still meet (also on file systems that know no capitals), both end in
    the first digits of the id's SHA-256.
    """
    texts = [str(one) for one in ids]
    whole = [_inside(path) for path in _relative(texts)]
    held = {name.casefold() for name in whole}
    stems = Counter(_stem(name).casefold() for name in whole)
    taken = held | stems.keys()
    names = []
    for name in whole:
        stem = _stem(name)
        key = stem.casefold()
        alone = stems[key] == 1 and key not in held and _base(key) not in taken
        names.append(stem if alone else name)
    keys = [name.casefold() for name in names]
    counts, folders = Counter(keys), _folders(keys)
    return [
        f"{name}~{hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"
        if counts[key] > 1 or counts[_base(key)] or key in folders
        else name
        for text, name, key in zip(texts, names, keys, strict=True)
    ]
