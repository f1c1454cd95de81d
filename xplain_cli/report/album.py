"""The pictures that a run drew, as a page shows them: embedded in few bytes, or linked."""

import base64
import io
import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from xplain_cli.remote import is_remote, redact
from xplain_cli.report.items import Image
from xplain_cli.runs.paths import RunPlace

MOST_IMAGE_BYTES = 430_000
"""Bytes of pictures in a page, 573,000 as text: with 10,000 rows it stays below 2 MB."""
_PANELS = "panels"
_KINDS = (
    (_PANELS, "input, baseline, raw map, weights"),
    ("overlays", "weights on the picture, superpixels numbered as in the table"),
    ("heatmaps", "weights on white"),
)
_GOOD_WIDTH, _LEAST_WIDTH = 256, 200  # pixels: a smaller picture shows nothing, and is linked
_OF_PANELS = 2  # a line of several pictures needs more
_QUALITY = 72


def link_to(path: Path, page: Path) -> str:
    """Return the relative link from a page to a file; to one of another machine, its address."""
    address = redact(str(path))
    if is_remote(address) and not is_remote(redact(str(page))):
        return quote(address, safe=":/")  # the copy of the run goes when the command ends
    return quote(Path(os.path.relpath(path, page.parent)).as_posix())


def _webp(image: Any, width: int, quality: int) -> bytes:
    height = max(1, round(image.height * width / image.width))
    file = io.BytesIO()
    small = image if image.width == width else image.resize((width, height))
    small.save(file, "WEBP", quality=quality, method=4)
    return file.getvalue()


def _shrunk(path: Path, room: int, factor: int = 1) -> bytes | None:
    """Return a picture in at most *room* bytes; None where that would show nothing."""
    from PIL import Image as Pillow

    with Pillow.open(path) as opened:
        image = opened.convert("RGB")
    data = _webp(image, image.width, _QUALITY)
    # bytes grow a little less than the number of pixels
    width = int(image.width * min(1.0, (0.92 * room / len(data)) ** 0.6))
    good, least = factor * _GOOD_WIDTH, factor * _LEAST_WIDTH
    tries = [(max(width, good), _QUALITY), (good, 50), (least, 35)]
    for wide, quality in tries:
        if len(data) <= room:
            break
        data = _webp(image, min(wide, image.width), quality)
    return data if len(data) <= room else None


class Album:
    """
    The pictures that a run drew.

    Parameters
    ----------
    place
        Where the files of the run stand.
    page
        The page that they are for.
    count
        How many explanations the page shows: they share the room.
    """

    def __init__(self, place: RunPlace, page: Path, count: int = 1) -> None:
        self._page = page
        self._room = MOST_IMAGE_BYTES // max(count, 1)
        self._folders: dict[str, tuple[Path, dict[str, list[str]]]] = {}
        for kind, _ in _KINDS:
            folder = place.beside(kind, "")
            try:
                index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            self._folders[kind] = (folder, index)

    def paths(self, row_id: str, number: int) -> dict[Path, str]:
        """Return the files of a row's target with this number, from 0, and what each shows."""
        found = {}
        for kind, caption in _KINDS:
            folder, index = self._folders.get(kind, (Path(), {}))
            names = index.get(row_id, [])
            if number < len(names):
                found[folder / names[number]] = caption
        return found

    def of(self, row_id: str, number: int) -> tuple[Image, ...]:
        """Return the pictures of a row's target with this number, from 0: the first embedded."""
        found: list[Image] = []
        for path, caption in self.paths(row_id, number).items():
            image = self._image(path, caption, embedded=not any(one.data for one in found))
            if image is not None:
                found.append(image)
        return tuple(found)

    def panel(self, row_id: str, number: int, caption: str) -> Image | None:
        """Return input, baseline and maps of a row's target with this number, from 0."""
        folder, index = self._folders.get(_PANELS, (Path(), {}))
        names = index.get(row_id, [])
        return self._image(folder / names[number], caption) if number < len(names) else None

    def _image(self, path: Path, caption: str, *, embedded: bool = True) -> Image | None:
        """Return a picture of the run; None where it was moved or removed, or is damaged."""
        wide = path.is_relative_to(self._folders.get(_PANELS, (path / "none", {}))[0])
        try:
            held = _shrunk(path, self._room, _OF_PANELS if wide else 1) if embedded else None
        except OSError:
            return None
        if not path.is_file():
            return None
        data = "" if held is None else base64.b64encode(held).decode("ascii")
        shown = f"data:image/webp;base64,{data}" if data else ""
        return Image(caption, shown, link_to(path, self._page), wide)
