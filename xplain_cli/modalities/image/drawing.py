"""Draws the maps of a run: heatmaps and overlays, from its parts and from DATA."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xplain_cli.errors import RefusedError
from xplain_cli.explanation import FloatArray, Records
from xplain_cli.modalities.image.compose import PictureRow
from xplain_cli.modalities.image.data import PictureData
from xplain_cli.modalities.image.foils import asks_late
from xplain_cli.modalities.image.heatmaps import (
    Backdrop,
    draw_heatmap,
    draw_overlay,
    draw_segments,
    weight_map,
)
from xplain_cli.modalities.image.map_folders import Index, MapFolders
from xplain_cli.modalities.image.map_names import map_names
from xplain_cli.modalities.image.panels import Panel, draw_panel
from xplain_cli.runs.paths import unwritable, write_atomically

_LEAST = {"probability": 0.05, "log-odds": 0.2}
_SHARE = 0.05  # of the model's own number
_ERRORS = 2.0  # standard errors: less is noise
_AT_LAYERS = ("zero at ", "mean at ")


@dataclass(frozen=True)
class _Explained:
    """
    One target of one picture.

    Attributes
    ----------
    caption, target
        What is written below it.
    weights
        Of each superpixel.
    floor
        The least weight whose colour may be full.
    raw
        Before they were added up over superpixels; None where nobody knows.
    baseline
        What the picture was compared with.
    at_layer
        Whether that is a value at a layer, and no picture.
    rectified
        Whether the method leaves out what is below 0.
    """

    caption: str
    target: str
    weights: FloatArray
    floor: float
    raw: FloatArray | None = None
    baseline: str = ""
    at_layer: bool = False
    rectified: bool = False


def _floor(line: Any, errors: FloatArray) -> float:
    """
    Return the least weight that counts as one: colours are full from there on.

    A picture in which nothing moves the target must look like it, so weights of a few thousandths
    of a probability are not drawn as strong as any, nor are those that are noise.
    """
    least = _LEAST.get(str(line["output_scale"]).partition(":")[0])
    if least is None:  # raw: the unit is the model's own
        least = _SHARE * max(abs(float(line["prediction"])), abs(float(line["base_value"])))
    noise = float(np.nanmax(errors, initial=0.0))
    return max(least, _ERRORS * noise)


def _explained(records: Records) -> dict[int, list[_Explained]]:
    """Return what was explained of each row of a part, by its number in DATA."""
    found: dict[int, list[_Explained]] = {}
    starts = np.cumsum(records.lines) - records.lines
    lines = records.stability
    for at, (start, count) in enumerate(zip(starts, records.lines, strict=True)):
        line = lines.iloc[at]
        if line["status"] != "ok":
            continue
        part = records.weights.iloc[start : start + count]
        weights = np.zeros(int(part["feature_index"].max()) + 1)
        weights[part["feature_index"].to_numpy(dtype=np.int64)] = part["weight"].to_numpy()
        scale = "" if line["output_scale"] == "raw" else f" {line['output_scale']}"
        caption = (
            f"{line['row_id']}: {line['target']}{scale} {line['prediction']:.3g};"
            f" {'baseline' if 'layer=' in line['method'] else 'hidden'}: {line['baseline']}"
        )
        floor = _floor(line, part["std_error"].to_numpy(dtype=np.float64))
        raw = None if records.maps is None else records.maps[at]
        one = _Explained(
            caption,
            str(line["target"]),
            weights,
            floor,
            raw if raw is not None and np.isfinite(raw).all() else None,
            str(line["baseline"]),
            at_layer=str(line["baseline"]).startswith(_AT_LAYERS),
            rectified="rectified_error" in line,
        )
        found.setdefault(int(line["row"]), []).append(one)
    return found


def _pictures(
    row: PictureRow, original: NDArray[Any], explained: Sequence[_Explained]
) -> Iterator[tuple[str, int, bytes]]:
    """Draw everything of one picture: (kind, number of the target, bytes)."""
    yield "segments", 1, draw_segments(row.labels)
    ground = Backdrop(row.labels, row.size, row.box, by_pixel=row.by_pixel)
    for number, one in enumerate(explained, start=1):
        yield "heatmaps", number, draw_heatmap(ground, one.weights, one.caption, one.floor)
        overlay = draw_overlay(original, ground, one.weights, one.caption, one.floor)
        yield "overlays", number, overlay
        if one.raw is not None:
            yield "panels", number, draw_panel(_panel(row, one, one.raw))


def _panel(row: PictureRow, one: _Explained, raw: FloatArray) -> Panel:
    """Return what is drawn side by side of one target of a picture."""
    pooled = np.asarray(weight_map(row.labels, one.weights), dtype=np.float64)
    unknown = one.at_layer or asks_late(row.hidden)  # what the model is asked for is not known here
    largest = float(np.abs(pooled).max(initial=0.0))
    return Panel(
        row.values,
        None if unknown else row.assigned_values,
        raw,
        pooled,
        one.baseline,
        one.rectified,
        one.caption,
        largest / max(largest, one.floor) if largest > 0 else 1.0,
    )


def _arrays(row: PictureRow, explained: Sequence[_Explained]) -> Callable[[Any], None]:
    weights = np.stack([weight_map(row.labels, one.weights) for one in explained])
    targets = np.array([one.target for one in explained])
    arrays: dict[str, Any] = {"weights": weights, "targets": targets, "labels": row.labels}
    raw = [one.raw for one in explained if one.raw is not None]
    if len(raw) == len(explained):
        arrays["raw"] = np.stack(raw)

    def write(file: Any) -> None:
        np.savez_compressed(file, **arrays)

    return write


def _draw_row(
    folders: MapFolders,
    name: str,
    row: PictureRow,
    original: NDArray[Any],
    explained: Sequence[_Explained],
) -> list[tuple[str, str]]:
    """Write the files of one picture; return (kind, name) of each."""
    written: list[tuple[str, str]] = []

    def keep(kind: str, file: str, data: Any) -> None:
        path = folders.paths[kind] / file
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(error, path.parent) from error
        write_atomically(path, data)
        written.append((kind, file))

    if folders.paths.keys() & {"heatmaps", "segments", "overlays", "panels"}:
        for kind, number, data in _pictures(row, original, explained):
            if kind in folders.paths:
                keep(kind, f"{name}.png" if number == 1 else f"{name}.{number}.png", data)
    if "maps" in folders.paths:
        keep("maps", f"{name}.npz", _arrays(row, explained))
    return written


def draw_maps(
    folders: MapFolders,
    data: PictureData,
    parts: Iterator[tuple[int, int, Records]],
    jobs: int,
) -> tuple[Index, list[str]]:
    """
    Draw the maps of a run.

    Parameters
    ----------
    folders
        Where they go.
    data
        The pictures, read and cut once more: parts hold weights only.
    parts
        (start, stop, records) of each chunk of rows.
    jobs
        Threads that draw.

    Returns
    -------
    the files of each picture, and in words which pictures are gone since they were explained

    Raises
    ------
    RefusedError
        A file cannot be written.
    """
    import joblib

    names = map_names(data.found.ids)
    folders.begin(data.found.ids, names)
    index: Index = {kind: {} for kind in folders.paths}
    lost: list[str] = []

    def draw(start: int, stop: int, records: Records) -> list[tuple[str, str, str]]:
        explained = _explained(records)
        wanted = [number for number in range(start, stop) if number in explained]
        drawn = []
        for number in wanted:
            try:
                row, original = data.read(number), data.original(number)
            except RefusedError:
                lost.append(f"{data.found.ids[number]}: can no longer be read, and has no map")
                continue
            files = _draw_row(folders, names[number], row, original, explained[number])
            drawn += [(kind, row.id, name) for kind, name in files]
        return drawn

    with joblib.Parallel(n_jobs=jobs, backend="threading", return_as="generator") as pool:
        for drawn in pool(joblib.delayed(draw)(*part) for part in parts):
            for kind, row_id, name in drawn:
                index[kind].setdefault(row_id, []).append(name)
    return index, lost
