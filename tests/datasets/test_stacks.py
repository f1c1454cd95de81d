"""Pictures in one array."""

import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from drawn_pictures import save

from xplain_cli.datasets.pictures import find_pictures
from xplain_cli.datasets.pixels import Reading
from xplain_cli.errors import RefusedError


@pytest.mark.parametrize(
    ("shape", "rows", "one"),
    [
        ((5, 8, 9), 5, (8, 9, 1)),
        ((5, 8, 9, 3), 5, (8, 9, 3)),
        ((5, 3, 8, 9), 5, (8, 9, 3)),
        ((8, 9, 3), 1, (8, 9, 3)),
        ((5, 8, 9, 1), 5, (8, 9, 1)),
    ],
)
def test_a_stack_of_any_layout(tmp_path, shape, rows, one):
    found = find_pictures([save(tmp_path / "stack.npy", np.zeros(shape, dtype=np.uint8))])
    assert found.ids == [str(row) for row in range(rows)]
    assert found.take(0, 1, Reading())[0].read().values.shape == one


def test_an_archive_is_read_as_its_array(tmp_path):
    path = tmp_path / "digits.npz"
    np.savez_compressed(path, images=np.arange(128).reshape(2, 8, 8), labels=np.zeros(2))
    pixels = find_pictures([str(path)]).take(1, 2, Reading())[0].read()
    assert pixels.values.dtype == np.float32
    assert pixels.values[0, :3, 0].tolist() == [64, 65, 66]


@pytest.mark.parametrize(
    ("name", "write", "says"),
    [
        ("objects.npy", lambda p: np.save(p, np.array([{}]), allow_pickle=True), "holds object"),
        ("texts.npy", lambda p: np.save(p, np.array(["a"])), "not numbers"),
        ("flat.npy", lambda p: np.save(p, np.zeros((5, 64))), "shape (5, 64)"),
        ("empty.npy", lambda p: np.save(p, np.zeros((0, 8, 8))), "no pixels"),
        ("text.npy", lambda p: p.write_text("hello"), "not a readable NumPy array"),
        ("cut.npz", lambda p: p.write_bytes(b"PK\x03\x04" + b"\0" * 50), "cannot be read"),
        ("two.npz", lambda p: np.savez(p, a=np.zeros(1), b=np.zeros(1)), "which array"),
    ],
)
def test_a_stack_that_is_none_is_refused(tmp_path, name, write, says):
    write(tmp_path / name)
    with pytest.raises(RefusedError) as refused:
        find_pictures([str(tmp_path / name)])
    assert says in str(refused.value)


def test_a_stack_that_is_cut_short_is_refused(tmp_path):
    path = tmp_path / "short.npy"
    save(path, np.zeros((9, 8, 8)))
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(RefusedError, match="is cut short: 4,600 of 4,608 bytes"):
        find_pictures([str(path)])


def test_an_archive_that_unpacks_to_too_much_is_refused_by_its_header(tmp_path):
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "|u1", "fortran_order": False, "shape": (10**6, 500, 500)}
    )
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", head.getvalue())
    with pytest.raises(RefusedError, match="unpacks to 250,000,000,000 bytes"):
        find_pictures([str(path)])


def test_what_stands_behind_an_array_is_not_unpacked(tmp_path, monkeypatch):
    held = io.BytesIO()
    np.save(held, np.zeros((2, 4, 5), dtype=np.uint8))
    with zipfile.ZipFile(tmp_path / "s.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", held.getvalue() + bytes(50_000_000))
    spools = []
    make = tempfile.mkstemp
    monkeypatch.setattr(tempfile, "mkstemp", lambda **k: spools.append(make(**k)) or spools[-1])
    found = find_pictures([str(tmp_path / "s.npz")])
    assert len(found) == 2
    assert Path(spools[0][1]).stat().st_size < 100_000
