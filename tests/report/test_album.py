"""Pictures of a page: embedded in the bytes that there are, or linked."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from xplain_cli.report import album as module
from xplain_cli.report.album import Album
from xplain_cli.runs.paths import RunPlace


@pytest.fixture
def place(tmp_path):
    rng = np.random.default_rng(0)
    for kind in ("overlays", "heatmaps"):
        folder = tmp_path / "run" / kind
        folder.mkdir(parents=True)
        noise = rng.integers(0, 255, (12, 18, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((900, 600)).save(folder / "a.png")
        (folder / "index.json").write_text(json.dumps({"a": ["a.png"]}))
    return RunPlace(tmp_path / "run", "csv")


def embedded(image):
    head, _, data = image.data.partition(",")
    assert head == "data:image/webp;base64"
    return base64.b64decode(data)


@pytest.mark.parametrize("count", [1, 20, 40])
def test_all_pictures_of_a_page_share_its_room_and_keep_their_shape(
    place, tmp_path, count, monkeypatch
):
    monkeypatch.setattr(module, "MOST_IMAGE_BYTES", 300_000)
    first, second = Album(place, tmp_path / "page.html", count).of("a", 0)
    data = embedded(first)
    assert len(data) <= 300_000 / count
    with Image.open(io.BytesIO(data)) as image:
        assert image.width / image.height == pytest.approx(1.5, abs=0.02)
    assert (second.data, second.link) == ("", "run/heatmaps/a.png")


def test_a_picture_that_finds_no_room_is_linked(place, tmp_path):
    (first, _) = Album(place, tmp_path / "page.html", 10_000).of("a", 0)
    assert (first.data, first.link) == ("", "run/overlays/a.png")


def test_a_picture_that_is_gone_or_damaged_is_left_out(place, tmp_path):
    (tmp_path / "run" / "overlays" / "a.png").write_bytes(b"no picture")
    (tmp_path / "run" / "heatmaps" / "a.png").unlink()
    assert Album(place, tmp_path / "page.html").of("a", 0) == ()
    assert Album(place, tmp_path / "page.html").of("b", 0) == ()
