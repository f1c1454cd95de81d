"""Reads from the bytes of an ONNX file its opsets and the other files that it needs.

The field numbers are those of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from xplain_cli.errors import RefusedError
from xplain_cli.models.pickles.unpickler import Content

LARGEST = 2**31 - 1
"""Bytes of a protobuf message."""

_MODEL_FIELDS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26})
_OPSET = 8
MESSAGES: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
}
"""Which fields of a message, by its kind, hold messages that may lead to a tensor."""

_WITHIN = MESSAGES | {"tensor": {13: "entry"}}
_KEY, _VALUE = 1, 2
_FIXED = {1: 8, 5: 4}


def _varint(data: Content, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise IndexError


def fields(data: Content, at: int, stop: int) -> Iterator[tuple[int, int, int, int]]:
    """
    Yield (field, wire type, start, end) of a message; a varint's start is its value.

    Raises
    ------
    IndexError
        It is no message.
    """
    while at < stop:
        key, at = _varint(data, at)
        field, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield field, wire, value, at
            continue
        size = _FIXED.get(wire)
        if wire == 2:
            size, at = _varint(data, at)
        if size is None or size > stop - at:
            raise IndexError
        yield field, wire, at, at + size
        at += size


def looks_like_onnx(data: Content) -> bool:
    """Return whether the bytes are a protobuf message with the fields of an ONNX ModelProto."""
    seen = set()
    try:
        for field, wire, _, _ in fields(data, 0, len(data)):
            if field not in _MODEL_FIELDS or wire not in {0, 2}:
                return False
            seen.add(field)
    except IndexError:
        return False
    return 7 in seen


def opsets(data: Content) -> dict[str, int]:
    """Return the version of each domain of operators that a model asks for; '' is ONNX's own."""
    found = {}
    for field, _, start, stop in fields(data, 0, len(data)):
        if field == _OPSET:
            parts = {number: (begin, end) for number, _, begin, end in fields(data, start, stop)}
            begin, end = parts.get(_KEY, (0, 0))
            found[data[begin:end].decode("utf-8", "replace")] = parts.get(_VALUE, (0, 0))[0]
    return found


def _locations(data: Content) -> set[str]:
    """Return the files that tensors lie in."""
    if data.find(b"location") < 0:  # trees have millions of fields, and need no other files
        return set()
    found, parts = set(), [("model", 0, len(data))]
    while parts:
        kind, start, stop = parts.pop()
        if kind == "entry":
            texts = {number: data[a:b] for number, wire, a, b in fields(data, start, stop) if wire}
            if texts.get(_KEY) == b"location":
                found.add(texts.get(_VALUE, b"").decode("utf-8", "replace"))
            continue
        within = _WITHIN[kind]
        parts += [
            (within[field], begin, end)
            for field, wire, begin, end in fields(data, start, stop)
            if wire == 2 and field in within
        ]
    return found


def outside_files(path: str, data: Content) -> tuple[str, ...]:
    """
    Return the other files that a model needs, sorted, as it names them.

    Raises
    ------
    RefusedError
        One does not lie in the model's folder, or is missing; or the model is damaged.
    """
    try:
        names = sorted(_locations(data))
    except IndexError as error:
        raise RefusedError(f"{path}: a damaged ONNX file; export it again") from error
    folder = Path(path).resolve().parent
    for name in names:
        held = folder / name
        if Path(name).is_absolute() or folder not in held.resolve().parents:
            raise RefusedError(
                f"{path}: refused: it reads {name[:200]!r}, which lies outside its folder; export"
                " it again with its external data beside it"
            )
        if not held.is_file():
            raise RefusedError(
                f"{path}: its external data {name[:200]!r} is missing; copy it into {folder}"
            )
    return tuple(names)


def listing(path: str, digest: str, names: tuple[str, ...]) -> bytes:
    """
    Return the lines that ``(sha256sum < MODEL; sha256sum FILE...)`` prints in the model's folder.

    Their own SHA-256 stands for the model together with its files.
    """
    lines = [f"{digest}  -\n"]
    for name in names:
        with (Path(path).resolve().parent / name).open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {name}\n")
    return "".join(lines).encode()


def _known_opsets() -> dict[str, int]:
    """Return the newest opset of each domain that the installed onnxruntime has."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    newest: dict[str, int] = {}
    for schema in state.get_all_operator_schema():
        newest[schema.domain] = max(newest.get(schema.domain, 0), schema.since_version)
    return newest


def _check_limits(path: str, data: Content) -> None:
    """Refuse a graph that makes more of its constants than any memory holds."""
    from xplain_cli.models.onnx.limits import find_excess

    folder = Path(path).resolve().parent
    outside = sum((folder / name).stat().st_size for name in outside_files(path, data))
    try:
        excess = find_excess(data, outside)
    except (IndexError, ValueError, OverflowError) as error:
        raise RefusedError(f"{path}: a damaged ONNX file; export it again") from error
    if excess is not None:
        raise RefusedError(
            f"{path}: refused, nothing of it was run: it holds {excess}; export it again without it"
        )


def check_file(path: str, data: Content) -> None:
    """
    Refuse a file that onnxruntime cannot open, before it is asked to.

    Raises
    ------
    RefusedError
        It is too large for its own format, wants a newer opset, or allocates without end.
    """
    import onnxruntime

    if len(data) > LARGEST:
        raise RefusedError(
            f"{path}: {len(data)} bytes are too many for an ONNX file (2 GB); export it with its"
            " weights as external data beside it"
        )
    try:
        asked = opsets(data)
    except IndexError as error:
        raise RefusedError(f"{path}: a damaged ONNX file; export it again") from error
    _check_limits(path, data)
    known = _known_opsets()
    for domain, version in asked.items():
        domain_known = known.get("" if domain == "ai.onnx" else domain)
        if domain_known is not None and version > max(domain_known, 1):
            raise RefusedError(
                f"{path}: it needs opset {version} of {domain or 'ai.onnx'}, and onnxruntime"
                f" {onnxruntime.__version__} knows {domain_known}; export it again with"
                f" target_opset={domain_known}, or install a newer onnxruntime"
            )
