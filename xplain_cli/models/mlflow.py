"""MLflow model folders: which file of one is the model, and what the folder says of its inputs.

Nothing of the folder is imported or run: the file that holds the model passes the door as if it had
been named itself.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from xplain_cli.errors import RefusedError, require

MARKER = "MLmodel"
"""The file by which a folder of MLflow is told."""
_LARGEST = 4_000_000  # bytes of a marker; a signature is written into it
_FILES = {
    "sklearn": ("pickled_model",),
    "onnx": ("data",),
    "xgboost": ("data",),
    "lightgbm": ("data",),
    "catboost": ("data",),
    "pytorch": ("model_data",),
}
"""Flavours that hold a file that is read here, and the key that names it."""
_INNER = ("model.pt2", "model.pth", "model.pt")  # of a flavour whose file is a folder
_TYPES = {
    "boolean": "bool",
    "integer": "number",
    "long": "number",
    "float": "number",
    "double": "number",
    "string": "text",
}


@dataclass(frozen=True)
class MlflowFolder:
    """
    What an MLflow model folder says.

    Attributes
    ----------
    marker
        The file that says all this.
    model
        The file that holds the model.
    flavour
        The flavour that it is of.
    columns
        The columns that the model takes, in order, each with its type (number, text, bool; empty
        where it is none of them); none where the signature is not one of columns.
    example
        The file of the input example, as a table; None: there is none.
    """

    marker: Path
    model: Path
    flavour: str
    columns: tuple[tuple[str, str], ...] = ()
    example: Path | None = None


def _read(path: Path) -> Mapping[str, Any]:
    """Return what a marker says; aliases, by which a small file unfolds to a huge one, are none."""
    yaml = require("yaml", "mlflow")
    try:
        if path.stat().st_size > _LARGEST:
            raise RefusedError(f"{path}: is larger than {_LARGEST} bytes")
        text = path.read_text(encoding="utf-8")
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise RefusedError(f"{path}: holds aliases, which no MLflow writes")
        document = yaml.safe_load(text)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RefusedError(
            f"{path}: cannot be read: {reason}; name the model file itself"
        ) from error
    if not isinstance(document, Mapping):
        raise RefusedError(f"{path}: says nothing of a model; name the model file itself")
    return document


def _contained(folder: Path, path: Path) -> Path:
    """Return a path of the folder; a link in it must not lead out of it."""
    try:
        leads_out = not path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError) as error:  # links in a ring, say
        raise RefusedError(
            f"{path}: cannot be read: {error}; name the model file itself"
        ) from error
    if leads_out:
        raise RefusedError(
            f"{path}: is a link that leads out of the folder; name the model file itself"
        )
    return path


def _inside(folder: Path, name: object, what: str) -> Path:
    """Return a path that a marker names; it must lie in the folder."""
    path = PurePosixPath(str(name))
    if not isinstance(name, str) or path.is_absolute() or {"..", "\0"} & {*path.parts, *name}:
        raise RefusedError(f"{folder / MARKER}: {what} is {name!r}, which is not in the folder")
    return _contained(folder, folder / path)


def _model(folder: Path, flavours: Mapping[str, Any]) -> tuple[str, Path]:
    """Return the flavour that is read here, and its file."""
    for flavour, keys in _FILES.items():
        said = flavours.get(flavour)
        for key in keys:
            if not isinstance(said, Mapping) or key not in said:
                continue
            path = _inside(folder, said[key], f"{flavour}: {key}")
            inner = [path / name for name in _INNER if (path / name).is_file()]
            found = inner[0] if path.is_dir() and inner else path
            return flavour, _contained(folder, found)
    raise RefusedError(
        f"{folder}: an MLflow model of flavours {', '.join(map(str, flavours)) or 'none'}, and"
        f" those that are read are {', '.join(_FILES)}; log it as one of them"
    )


def _columns(document: Mapping[str, Any], place: Path) -> tuple[tuple[str, str], ...]:
    """Return the columns of a signature, each with its type."""
    signature = document.get("signature")
    text = signature.get("inputs") if isinstance(signature, Mapping) else None
    if not text:
        return ()
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise RefusedError(f"{place}: the inputs of its signature are no JSON") from error
    entries = found if isinstance(found, list) else []
    named = [one for one in entries if isinstance(one, dict) and isinstance(one.get("name"), str)]
    if len(named) < len(entries) or any(one.get("type") == "tensor" for one in named):
        return ()
    return tuple((one["name"], _TYPES.get(str(one.get("type")), "")) for one in named)


def _example(folder: Path, document: Mapping[str, Any]) -> Path | None:
    """Return the input example, where it is a table in the form that MLflow writes them in."""
    said = document.get("saved_input_example_info")
    if not isinstance(said, Mapping) or said.get("type") != "dataframe":
        return None
    if said.get("pandas_orient", "split") != "split" or "artifact_path" not in said:
        return None
    path = _inside(folder, said["artifact_path"], "artifact_path")
    return path if path.is_file() else None


def read_mlflow(named: str) -> MlflowFolder | None:
    """
    Return what an MLflow model folder says; None where *named* is no such folder.

    Raises
    ------
    RefusedError
        It cannot be read, or holds no model that is read here.
    UsageError
        The package pyyaml is not installed.
    """
    folder = Path(named)
    marker = folder if folder.name == MARKER else folder / MARKER
    if not marker.is_file():
        return None
    folder = marker.parent
    document = _read(_contained(folder, marker))
    flavours = document.get("flavors")
    flavour, model = _model(folder, flavours if isinstance(flavours, Mapping) else {})
    columns, example = _columns(document, marker), _example(folder, document)
    return MlflowFolder(marker, model, flavour, columns, example)
