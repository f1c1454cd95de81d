"""The file of a learned generator: JSON and plain arrays in a zip archive; nothing is unpickled.

``header.json`` says what was learned, of which model and how; it holds the shape and the SHA-256 of
each array, and a digest of itself. Every array is ``NAME.npy`` of single precision. So a byte that
changed is found, and no size is believed before it is checked.
"""

import hashlib
import io
import json
import math
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xplain_cli.baselines.generators import Generator, Rates, SamplePairs
from xplain_cli.baselines.learned_judges import judge_of
from xplain_cli.baselines.vectors import PictureSpace, TableSpace, space_of
from xplain_cli.errors import RefusedError

FORMAT = "xplain learned baseline 2"
MOST_BYTES = 1 << 30
_HEADER, _MOST_HEADER = "header.json", 1 << 26
_DTYPE = "<f4"
_LOCAL, _CENTRAL, _END = 30, 46, 22
"""Bytes before each member beside its name, of each line of the list, and after it."""
_EPOCH, _UNIX = (1980, 1, 1, 0, 0, 0), 3
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, KeyError, TypeError),
    *(RuntimeError, NotImplementedError, OverflowError, MemoryError, IndexError, RecursionError),
)


@dataclass(frozen=True)
class LearnedFile:
    """
    A learned generator with all that is known of it.

    Attributes
    ----------
    generator
        It.
    space
        How rows and vectors become each other.
    outputs
        The names of the model's classes.
    rates
        How good it is on rows that training has not seen.
    facts
        The header: model, data, recipe, seed, history.
    samples
        Some rows, as vectors, with a class that each is moved to; none where values are private.
    """

    generator: Generator
    space: TableSpace | PictureSpace
    outputs: tuple[str, ...]
    rates: Rates
    facts: Mapping[str, Any]
    samples: SamplePairs | None = None

    @property
    def model_sha256(self) -> str:
        """SHA-256 (hex) of the model that it was trained for."""
        return str(self.facts["model"])

    @property
    def held(self) -> tuple[str, ...]:
        """The columns that it was trained to leave as they are."""
        return tuple(self.facts.get("reading", {}).get("hold", ()))


def sealed_json(values: Mapping[str, Any]) -> bytes:
    """Return JSON with a digest of itself."""
    plain = json.dumps(values, sort_keys=True, allow_nan=False)
    seal = hashlib.sha256(plain.encode()).hexdigest()
    return json.dumps({**values, "seal": seal}, sort_keys=True, indent=1).encode()


def packed_arrays(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return a zip archive of a header and arrays; the same bytes for the same values."""
    held: dict[str, bytes] = {}
    listed = {}
    for name, array in arrays.items():
        file = io.BytesIO()
        single = np.ascontiguousarray(array, dtype=_DTYPE)
        np.lib.format.write_array(file, single, version=(1, 0), allow_pickle=False)
        held[f"{name}.npy"] = file.getvalue()
        digest = hashlib.sha256(file.getvalue()).hexdigest()
        listed[name] = {"shape": list(single.shape), "sha256": digest}
    return _archived({_HEADER: sealed_json({**header, "arrays": listed}), **held})


def _archived(members: Mapping[str, bytes]) -> bytes:
    """Return a zip archive; the same bytes for the same members, on every system."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            member = zipfile.ZipInfo(name, _EPOCH)
            member.create_system = _UNIX
            archive.writestr(member, data)
    return packed.getvalue()


def _refused(path: str, why: str) -> RefusedError:
    return RefusedError(f"{path}: is no learned baseline that can be used: {why}; train it anew")


def _header(path: str, archive: zipfile.ZipFile) -> dict[str, Any]:
    """Return the header, whose digest must be its own."""
    if archive.getinfo(_HEADER).file_size > _MOST_HEADER:
        raise _refused(path, "its header is too large")
    values = json.loads(archive.read(_HEADER))
    seal = values.pop("seal", None)
    plain = json.dumps(values, sort_keys=True, allow_nan=False)
    if seal != hashlib.sha256(plain.encode()).hexdigest():
        raise _refused(path, "its header is not what was written: a byte has changed")
    return dict(values)


def _array(path: str, archive: zipfile.ZipFile, name: str, said: Mapping[str, Any]) -> Any:
    """Return one array; its size is checked before anything is read."""
    shape, member = tuple(said["shape"]), archive.getinfo(f"{name}.npy")
    count = math.prod(shape)
    if any(type(n) is not int or n < 0 for n in shape) or 4 * count > MOST_BYTES:
        raise _refused(path, f"{name} declares the shape {list(shape)}, which is too large")
    if not 4 * count < member.file_size <= 4 * count + 1024:
        raise _refused(
            path, f"{name} declares the shape {list(shape)} and holds {member.file_size} bytes"
        )
    data = archive.read(member)
    if hashlib.sha256(data).hexdigest() != said["sha256"]:
        raise _refused(path, f"{name} is not what was written: a byte has changed")
    file = io.BytesIO(data)
    if np.lib.format.read_magic(file) != (1, 0):
        raise _refused(path, f"{name} is in another form of arrays")
    found, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.hasobject:
        raise _refused(path, f"{name} holds Python objects, which only running a pickle could read")
    if dtype != np.dtype(_DTYPE) or fortran or found != shape:
        raise _refused(path, f"{name} is {dtype} {found}, not what its header declares")
    values = np.frombuffer(data, dtype, count, file.tell()).reshape(shape).astype(np.float64)
    if not np.isfinite(values).all():
        raise _refused(path, f"{name} holds what is no number")
    return values


def _check_whole(path: str, archive: zipfile.ZipFile, size: int) -> None:
    """Refuse bytes before, between and after what the archive holds, which nobody would read."""
    listed = archive.infolist()
    members = sum(_LOCAL + len(one.filename.encode()) + one.compress_size for one in listed)
    entries = sum(_CENTRAL + len(one.filename.encode()) for one in listed)
    if size != members + entries + _END:
        raise _refused(
            path,
            f"it has {size} bytes, and what it lists takes {members + entries + _END}: something"
            " was added or cut off",
        )


def _check_bytes(path: str, archive: zipfile.ZipFile) -> None:
    """Refuse a file of which a byte beside the members, as of the list of them, has changed."""
    members = {name: archive.read(name) for name in archive.namelist()}
    if _archived(members) != Path(path).read_bytes():
        raise _refused(path, "it is not what was written: a byte of its list has changed")


def unpacked_arrays(path: str, kind: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """
    Return header and arrays (float64) of a file.

    Parameters
    ----------
    kind
        What the header must say that it is.

    Raises
    ------
    RefusedError
        It is missing, damaged, changed, or of another kind; nothing of it was run.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            _check_whole(path, archive, Path(path).stat().st_size)
            header = _header(path, archive)
            if header["format"] != kind:
                raise _refused(path, f"it says {header['format']!r}, and {kind!r} is wanted")
            listed = header.pop("arrays")
            strange = set(names) ^ {_HEADER, *(f"{name}.npy" for name in listed)}
            if strange or len(names) != len(set(names)):
                raise _refused(path, f"it lists {sorted(strange) or 'a name twice'} otherwise")
            whole = sum(archive.getinfo(name).file_size for name in names)
            if whole > MOST_BYTES:
                raise _refused(path, f"it unpacks to {whole} bytes")
            found = {name: _array(path, archive, name, listed[name]) for name in listed}
            _check_bytes(path, archive)
            return header, found
    except FileNotFoundError as error:
        raise RefusedError(f"{path}: no such file") from error
    except _BROKEN as error:
        raise _refused(path, " ".join(str(error).split())[:200] or type(error).__name__) from error


def learned_bytes(learned: LearnedFile) -> bytes:
    """Return the bytes of a file."""
    generator = learned.generator
    arrays = {f"layer{i}": part for i, part in enumerate(generator.weights)}
    arrays |= generator.judge.arrays()
    pairs = learned.samples
    if pairs is not None:
        arrays["samples"] = pairs.vectors
    header = {
        **learned.facts,
        "pairs": [] if pairs is None else np.stack([pairs.own, pairs.wanted]).tolist(),
        "format": FORMAT,
        "space": learned.space.facts(),
        "outputs": list(learned.outputs),
        "classes": list(generator.known),
        "rates": {
            "target": learned.rates.target,
            "judge": learned.rates.judge,
            "distance": learned.rates.distance,
            "rows": learned.rates.rows,
            "judge_real": learned.rates.judge_real,
        },
    }
    return packed_arrays(header, arrays)


def _layers(arrays: Mapping[str, Any]) -> list[Any]:
    """Return matrices, or kernels, and shifts."""
    names = [name for name in arrays if name.startswith("layer")]
    return [arrays[f"layer{i}"] for i in range(len(names))]


def _samples(
    header: Mapping[str, Any],
    arrays: Mapping[str, Any],
    space: TableSpace | PictureSpace,
    outputs: int,
) -> SamplePairs | None:
    """Return the rows that are shown, which must fit the rest."""
    if "samples" not in arrays:
        return None
    vectors, (own, wanted) = arrays["samples"], np.array(header["pairs"], dtype=np.int64)
    classes = np.concatenate([own, wanted])
    fits = vectors.shape == (len(own), space.form.width) and ((classes >= 0) & (classes < outputs))
    if not np.all(fits):
        raise ValueError("pairs that fit")
    return SamplePairs(vectors, own, wanted)


def _fits(space: TableSpace | PictureSpace, outputs: int, arrays: Mapping[str, Any]) -> bool:
    """Say whether the shapes of weights lead from vectors and classes to vectors."""
    width = space.form.width
    layers = _layers(arrays)
    kernels, shifts = layers[::2], layers[1::2]
    if len(kernels) != len(shifts) or len(kernels) < 2:
        return False
    if kernels[0].ndim == 4 and space.form.shape is not None:
        at = space.form.shape[2] + outputs
        for kernel, shift in zip(kernels, shifts, strict=True):
            if kernel.shape[1:] != (at, 3, 3) or shift.shape != kernel.shape[:1]:
                return False
            at = len(kernel)
        return bool(at == space.form.shape[2] and len(kernels) > 4)
    at = width + outputs
    for matrix, shift in zip(kernels, shifts, strict=True):
        if matrix.ndim != 2 or matrix.shape[0] != at or shift.shape != matrix.shape[1:]:
            return False
        at = matrix.shape[1]
    return bool(at == width)


_FACTS: Mapping[str, type | tuple[type, ...]] = {
    "model": str,
    "data": str,
    "noun": str,
    "rows": int,
    "seed": int,
    "step": int,
    "history": list,
    "outputs": list,
    "classes": list,
    "recipe": dict,
    "versions": dict,
}
_NUMBER = (int, float)
_SHARES = ("target", "judge", "distance", "judge_real")
_MEASURED = ("step", "target_rate", "judge_rate", "distance", "class")


def _check_facts(header: Mapping[str, Any]) -> None:
    """Refuse a header of which something is of another kind than all who read it take it for."""
    rates = header["rates"]
    said = [
        *((name, header[name], kinds) for name, kinds in _FACTS.items()),
        *((f"rates {name}", rates[name], _NUMBER) for name in _SHARES),
        ("rates rows", rates["rows"], int),
        ("recipe steps", header["recipe"]["steps"], int),
        ("recipe noise", header["recipe"]["noise"], _NUMBER),
        *(("outputs", one, str) for one in header["outputs"]),
        *(("classes", one, int) for one in header["classes"]),
        ("versions torch", header["versions"]["torch"], str),
        *(
            (f"history {name}", one[name], _NUMBER)
            for one in header["history"]
            for name in _MEASURED
        ),
    ]
    for name, value, kinds in said:
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise TypeError(f"{name} as it must be")
    if not isinstance(header["recipe"].get("unseen", False), bool):
        raise TypeError("recipe unseen as it must be")
    if not all(isinstance(one, str) for one in header.get("reading", {}).get("hold", ())):
        raise TypeError("reading hold as it must be")
    names, counts = header["outputs"], header["classes"]
    if len(set(names)) < len(names) or min(counts, default=0) < 0:
        raise ValueError("outputs and classes as they must be")


def read_learned(path: str) -> LearnedFile:
    """
    Read a file.

    Raises
    ------
    RefusedError
        It is missing, damaged, changed, or of another kind; nothing of it was run.
    """
    header, arrays = unpacked_arrays(path, FORMAT)
    try:
        _check_facts(header)
        space, outputs = space_of(header["space"]), tuple(header["outputs"])
        known, rates = tuple(header["classes"]), Rates(**header["rates"])
        if len(known) != len(outputs) or not _fits(space, len(outputs), arrays):
            raise _refused(path, "its arrays do not fit each other")
        judge = judge_of(space.form, len(outputs), arrays)
        weights, samples = tuple(_layers(arrays)), _samples(header, arrays, space, len(outputs))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _refused(path, f"its header lacks {error}") from error
    unseen = bool(header["recipe"].get("unseen", False))
    generator = Generator(space.form, len(outputs), weights, judge, known, unseen)
    return LearnedFile(generator, space, outputs, rates, header, samples)


def file_sha256(path: str) -> str:
    """Return the SHA-256 (hex) of a file's bytes."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
