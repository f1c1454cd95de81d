"""The folders of a run's maps: their files by picture, also brought from slices."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

from xplain_cli.errors import UsageError
from xplain_cli.explanation import Records
from xplain_cli.runs.paths import RunPlace, unwritable, write_json

_INDEX = "index.json"
_MOST_NAMES = 5

Index: TypeAlias = dict[str, dict[str, list[str]]]
"""Kind of map -> id of a picture -> the names of its files, one a target."""


def _read_index(folder: Path) -> dict[str, list[str]] | None:
    """Return which files a folder holds, by picture; None where no run wrote it."""
    try:
        held = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        return {
            str(row_id): [str(name) for name in names if ".." not in PurePosixPath(name).parts]
            for row_id, names in held.items()
        }
    except (OSError, ValueError, AttributeError, TypeError):
        return None


@dataclass(frozen=True)
class MapFolders:
    """Where maps go, by what they are; only what is asked for."""

    paths: dict[str, Path]

    @classmethod
    def of(cls, place: RunPlace, rendering: Mapping[str, Any], *, values: bool) -> "MapFolders":
        """
        Return where the maps of a run go.

        Parameters
        ----------
        rendering
            ``maps``: heatmaps, overlays and label maps; ``panels``: methods by gradients, step by
            step; ``write_maps``: weights pixel by pixel.
        values
            Whether the pictures themselves may be shown.
        """
        names = ["heatmaps", "segments"] if rendering["maps"] else []
        names += ["overlays"] if rendering["maps"] and values else []
        names += ["panels"] if rendering.get("panels") and values else []
        names += ["maps"] if rendering["write_maps"] else []
        return cls({name: place.beside(name, "") for name in names} if place.folder else {})

    def check_free(self) -> None:
        """
        Refuse to write into folders that hold other things.

        Raises
        ------
        UsageError
            One of them is no folder of a run.
        """
        for path in self.paths.values():
            empty = not os.path.lexists(path) or (path.is_dir() and not any(path.iterdir()))
            if not empty and not (path / _INDEX).is_file():
                raise UsageError(
                    f"{path}: exists and was not written by a run; name another --output, or"
                    " --no-maps"
                )

    def begin(self, ids: Sequence[str], names: Sequence[str]) -> None:
        """
        Remove what an earlier run left, and nothing else; claim the folders for this one.

        A run that is cut off while it draws must know them again as its own.
        """
        for path in self.paths.values():
            for held in (_read_index(path) or {}).values():
                for name in held:
                    (path / name).unlink(missing_ok=True)
        ends = {kind: ".npz" if kind == "maps" else ".png" for kind in self.paths}
        claimed = {
            kind: {one: [f"{name}{end}"] for one, name in zip(ids, names, strict=True)}
            for kind, end in ends.items()
        }
        self.keep(claimed)

    def keep(self, index: Index) -> None:
        """Write down which files belong to which picture."""
        for kind, path in self.paths.items():
            try:
                path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise unwritable(error, path) from error
            write_json(path / _INDEX, index[kind])


def label_maps(place: RunPlace) -> dict[str, Path]:
    """Return the file of each picture's label map, by its id; {} where a run has none."""
    folder = place.beside("segments", "")
    return {row_id: folder / names[0] for row_id, names in (_read_index(folder) or {}).items()}


def _copy(source: Path, target: Path) -> bool:
    """Copy a map; return False where it is gone."""
    if not source.is_file():
        return False
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    except OSError as error:
        raise unwritable(error, target) from error
    return True


def copy_maps(folders: MapFolders, slices: Sequence[RunPlace]) -> tuple[Index, list[str]]:
    """
    Copy the maps of the runs that were merged, in their order.

    Returns
    -------
    the files that are there now, and in words what a run does not have
    """
    folders.begin((), ())
    index: Index = {kind: {} for kind in folders.paths}
    lost: list[str] = []
    for place in slices:
        for kind, folder in folders.paths.items():
            source = place.beside(kind, "")
            held = _read_index(source)
            if held is None:
                lost.append(f"{place.name}: has no {kind}")
            for row_id, names in (held or {}).items():
                copied = [name for name in names if _copy(source / name, folder / name)]
                lost += [f"{source / name}: is gone" for name in names if name not in copied]
                if copied:
                    index[kind][row_id] = copied
    return index, lost


def unmapped(index: Index, parts: Iterator[tuple[int, int, Records]]) -> list[str]:
    """Say which pictures were explained and have no map of a kind, if any."""
    rows: dict[str, None] = {}
    for _, _, records in parts:
        lines = records.stability
        rows |= dict.fromkeys(lines["row_id"][lines["status"].eq("ok")].astype(str))
    said = []
    for kind, held in index.items():
        without = [row_id for row_id in rows if row_id not in held]
        if without:
            names = ", ".join(without[:_MOST_NAMES]) + (", ..." * (len(without) > _MOST_NAMES))
            said.append(f"{kind} of {len(without)} explained pictures are missing: {names}")
    return said
