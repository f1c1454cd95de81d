"""A MODEL that is a folder: the file in it, and what the folder says where the user does not."""

import json
from dataclasses import replace
from pathlib import Path

from xplain_cli.options.command import Options

_LEAST = 200  # rows of an input example: with fewer, bins are rough, and DATA is a better one
_LARGEST = 64_000_000  # bytes of one that is looked at


def _rows(example: Path) -> int:
    """Return how many rows an input example has; 0 where that cannot be told."""
    try:
        if example.stat().st_size > _LARGEST:
            return 0
        return len(json.loads(example.read_text(encoding="utf-8"))["data"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return 0


def in_folder(options: Options, command: str) -> Options:
    """
    Return the options of a command whose MODEL may be an MLflow model folder.

    The file of the model takes the place of the folder. Of tables, types of columns and their order
    are those of its signature, and its input example is the background, unless options say else.

    Raises
    ------
    RefusedError
        The folder holds no model that is read.
    UsageError
        The package that reads its description is not installed.
    """
    named = options.values.get("model")
    # only then is what reads folders imported; a folder may be named by its description, too
    if not named or not (Path(named).is_dir() or Path(named).name == "MLmodel"):
        return options
    from xplain_cli.models.mlflow import read_mlflow

    found = read_mlflow(named)
    if found is None:
        return options
    values = options.values | {"model": str(found.model)}
    notes = [f"{named}: MLflow, flavour {found.flavour}, {found.model.name}"]
    if command == "tabular" and found.columns:
        told = {text.rpartition("=")[0] for text in values["dtype"]}
        own = [f"{name}={kind}" for name, kind in found.columns if kind and name not in told]
        values["dtype"] = (*values["dtype"], *own)
        if not values["features"] and not values["drop_columns"]:
            values["features"] = tuple(name for name, _ in found.columns)
        notes.append(f"columns and their types are those of its signature: {len(found.columns)}")
    if command == "tabular" and found.example is not None and values["background"] is None:
        rows = _rows(found.example)
        if rows >= _LEAST:
            values["background"] = str(found.example)
            notes.append(f"background: its input example, {rows} rows (--background says else)")
        else:
            size = f"{rows} row{'s' * (rows != 1)}"
            notes.append(f"its input example has {size}, too few for a background: that is DATA")
    signature = tuple(map(str, (found.marker, *(name for name, _ in found.columns))))
    return replace(
        options,
        values=values,
        notes=(*options.notes, *notes),
        signature=signature if command == "tabular" and found.columns else (),
    )
