"""Which superpixels of two runs are the same: by their label maps, never by their numbers."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xplain_cli.modalities import Counterparts
from xplain_cli.modalities.image.map_folders import label_maps
from xplain_cli.runs.paths import RunPlace

_NAME = "superpixel {}"


def _read(path: Path) -> NDArray[np.int64]:
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image, dtype=np.int64)


def overlaps(old: NDArray[Any], new: NDArray[Any]) -> dict[int, int]:
    """
    Return for labels of *new* (h, w) those of *old* (h, w) that they share most pixels with.

    Two superpixels are the same if more than half of what either covers is covered by both; so no
    label has two counterparts. Maps of another size have none.
    """
    if old.shape != new.shape:
        return {}
    n_new = int(new.max()) + 1
    pairs, shared = np.unique(old.astype(np.int64) * n_new + new, return_counts=True)
    first, second = np.divmod(pairs, n_new)
    areas_old, areas_new = np.bincount(old.ravel()), np.bincount(new.ravel())
    union = areas_old[first] + areas_new[second] - shared
    same = 2 * shared > union
    return dict(zip(second[same].tolist(), first[same].tolist(), strict=True))


def _renaming(old: Path, new: Path) -> dict[str, str] | None:
    """Return what superpixels of NEW are called in OLD; None where both maps are equal."""
    if old.read_bytes() == new.read_bytes():
        return None
    found = overlaps(_read(old), _read(new))
    return {_NAME.format(label): _NAME.format(match) for label, match in found.items()}


def _placed(weights: Any, keys: Any) -> Any:
    """Name superpixels by number, size and place: equal in all, they are taken as the same."""
    columns = ("area", "bbox_x", "bbox_y", "bbox_w", "bbox_h")
    parts = zip(keys, *(weights[name] for name in columns), strict=True)
    named = [f"{key} ({a} px at {x},{y}, {w} x {h})" for key, a, x, y, w, h in parts]
    return np.array(named, dtype=object)


def superpixel_counterparts(
    old: RunPlace, new: RunPlace
) -> tuple[Counterparts | None, Counterparts | None]:
    """
    Return how superpixels are renamed so that those of two runs can be joined.

    Where both runs have label maps (``segments/``) they decide: equal files, else the overlap of
    pixels; a superpixel of NEW without a counterpart gets a name of its own. Where a run has none
    (``--no-maps``), only superpixels of equal number, size and place are the same.
    """
    maps_old, maps_new = label_maps(old), label_maps(new)
    if not (maps_old and maps_new):
        return _placed, _placed
    known: dict[str, dict[str, str] | None] = {}

    def renamed(weights: Any, keys: Any) -> Any:
        names = keys.copy()
        rows = weights["row_id"].astype(str).to_numpy()
        for at, row_id in enumerate(rows.tolist()):
            if row_id not in known:
                both = row_id in maps_old and row_id in maps_new
                known[row_id] = _renaming(maps_old[row_id], maps_new[row_id]) if both else {}
            renaming = known[row_id]
            if renaming is not None:
                names[at] = renaming.get(str(keys[at]), f"{keys[at]} of the new map")
        return names

    return None, renamed
