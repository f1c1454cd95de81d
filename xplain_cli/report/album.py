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
_KINDS = (
    ("overlays", "weights on the picture, superpixels numbered as in the table"),
    ("heatmaps", "weights on white"),
)
_GOOD_WIDTH, _LEAST_WIDTH = 256, 200  # pixels: a smaller picture shows nothing, and is linked
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


def _shrunk(path: Path, room: int) -> bytes | None:
    """Return a picture in at most *room* bytes; None where that would show nothing."""
    from PIL import Image as Pillow

    with Pillow.open(path) as opened:
        image = opened.convert("RGB")
    data = _webp(image, image.width, _QUALITY)
    # bytes grow a little less than the number of pixels
    width = int(image.width * min(1.0, (0.92 * room / len(data)) ** 0.6))
    tries = [(max(width, _GOOD_WIDTH), _QUALITY), (_GOOD_WIDTH, 50), (_LEAST_WIDTH, 35)]
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
            data = ""
            try:
                held = None if found else _shrunk(path, self._room)
            except OSError:
                continue  # it was moved or removed since, or is damaged
            if held is not None:
                data = f"data:image/webp;base64,{base64.b64encode(held).decode('ascii')}"
            if path.is_file():
                found.append(Image(caption, data, link_to(path, self._page)))
        return tuple(found)
