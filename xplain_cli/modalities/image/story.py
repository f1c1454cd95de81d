"""The story of runs on pictures: superpixels are features, and maps are drawn."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from xplain_cli.errors import UsageError
from xplain_cli.modalities import ExtraFiles, Pictured, Story, WholeRun
from xplain_cli.modalities.image.counterparts import superpixel_counterparts
from xplain_cli.modalities.image.map_folders import MapFolders, copy_maps, unmapped
from xplain_cli.output.cells import cleaned
from xplain_cli.runs.paths import RunPlace


def _features_said(numbers: Mapping[str, Any], facts: Mapping[str, Any]) -> str:  # noqa: ARG001 - the manifest says all
    return f"superpixels of each picture ({cleaned(facts['segmenter'])})"


def _spoken(name: str, value: str | None, baseline: str | None) -> str:  # noqa: ARG001 - colours say little
    return name


def _removed(n_features: int, n_changed: int | None, origin: str | None) -> str:  # noqa: ARG001 - all are hidden
    return "With every superpixel hidden"


def _check_place(place: RunPlace, rendering: Mapping[str, Any], *, values: bool) -> None:
    MapFolders.of(place, rendering, values=values).check_free()


def _pictured(rows: Any, place: int, grid: tuple[int, int] | None) -> Pictured | None:
    """Show a picture in grey, and its superpixels."""
    if grid is not None:
        raise UsageError("--grid is for tables whose columns are pixels; leave it out")
    row = rows.rows[place]
    values = np.asarray(row.values, dtype=np.float64)[..., :3].mean(axis=2)
    return Pictured(values, np.asarray(row.labels, dtype=np.int64))


def _extra_files(whole: WholeRun) -> ExtraFiles:
    """
    Draw the maps of all pictures, or copy those that slices have.

    Slices are copied since their files are those of the undivided run, byte by byte: pictures are
    named after all of DATA, and drawn each by itself. So DATA need not be there to merge runs.
    """
    from xplain_cli.modalities.image.data import PictureData
    from xplain_cli.modalities.image.drawing import draw_maps

    folders = MapFolders.of(whole.place, whole.rendering, values=whole.values)
    if not folders.paths:
        return ExtraFiles()
    if isinstance(whole.modality, PictureData):
        data = whole.modality.drawn_by(whole.perturbation)
        index, lost = draw_maps(folders, data, whole.parts(), whole.jobs)
    else:
        index, lost = copy_maps(folders, whole.slices)
        lost += unmapped(index, whole.parts())
    folders.keep(index)
    count = sum(len(names) for rows in index.values() for names in rows.values())
    maps = {"folders": [path.name for path in folders.paths.values()], "files": count}
    return ExtraFiles(facts={"maps": maps}, missing=tuple(lost))


STORY = Story(
    rows="pictures",
    feature="superpixel",
    value_name="mean colour",
    features_said=_features_said,
    spoken=_spoken,
    removed=_removed,
    unranked=(
        "The superpixels of one picture have no counterpart in another: there is no ranking"
        " over all rows."
    ),
    check_place=_check_place,
    extra_files=_extra_files,
    value_columns=("feature_value", "area", "bbox_x", "bbox_y", "bbox_w", "bbox_h"),
    pictured=_pictured,
    counterparts=superpixel_counterparts,
)
