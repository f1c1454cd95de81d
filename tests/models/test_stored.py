"""Model files told by their content, unpacked within bounds, and pinned."""

import bz2
import gzip
import hashlib
import importlib.util
import io
import lzma
import os
import pickle
import socket
import zipfile
import zlib

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from xplain_cli.datasets.stacks import open_stack
from xplain_cli.errors import RefusedError
from xplain_cli.models import ModelRecipe, load_model
from xplain_cli.models.pickles.dry_run import dry_run
from xplain_cli.models.pickles.strict_unpickler import strict_load
from xplain_cli.models.stored import read_stored, unpacked_cap

ROWS = np.random.default_rng(0).normal(size=(40, 3))


@pytest.mark.parametrize("compress", [0, "zlib", "gzip", "bz2", "lzma", "xz"])
def test_joblib_files_of_every_compressor_pass(tmp_path, compress):
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, ["a", "b"] * 20)
    path = tmp_path / "model.joblib"
    joblib.dump(model, path, compress=compress)
    loaded = load_model(ModelRecipe(str(path)))
    assert np.array_equal(loaded.estimator.predict_proba(ROWS), model.predict_proba(ROWS))


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zlib.compress])
def test_compressed_streams_have_a_cap_an_end_and_no_tail(tmp_path, pack):
    packed = pack(pickle.dumps(bytes(10**6)))
    path = tmp_path / "model.pkl"
    for content, cap in ((packed, 10**5), (packed[: len(packed) // 2], 2**30)):
        path.write_bytes(content)
        with pytest.raises(RefusedError, match=r"unpacks to more than|cut short"):
            read_stored(str(path), cap=cap)
    path.write_bytes(packed + b"tail")
    with pytest.raises(RefusedError, match=r"4 bytes follow the \w+ stream"):
        read_stored(str(path))


def test_a_large_file_is_held_apart_from_the_disk_and_hashed_whole(tmp_path):
    path = tmp_path / "model.pkl"
    values = np.arange(700_000.0)
    path.write_bytes(pickle.dumps([values, values.astype(">f4")]))
    content = path.read_bytes()
    stored = read_stored(str(path))
    path.write_bytes(b"another".ljust(len(content)))
    assert stored.plain == content
    assert stored.sha256 == hashlib.sha256(content).hexdigest()
    assert dry_run(stored.data).refusals == ()
    assert np.array_equal(strict_load(stored.data, ())[0], values)


def test_lz4_is_named_where_it_is_missing(tmp_path):
    if importlib.util.find_spec("lz4") is not None:
        pytest.skip("lz4 is installed")
    path = tmp_path / "model.joblib"
    path.write_bytes(b"\x04\x22\x4d\x18rest")
    with pytest.raises(Exception, match=r"pip install 'lz4>=4'"):
        read_stored(str(path))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (b"PK\x03\x04", "a damaged zip archive"),
        (b'{"steps": 1}', "looks like JSON text that holds no XGBoost model"),
        (b"a,b\n1,2\n", "neither a pickle nor an ONNX file"),
        (b"\x80\x05garbage", "is no readable pickle"),
    ],
)
def test_other_files_are_refused_with_what_they_look_like(tmp_path, content, says):
    path = tmp_path / "model.pkl"
    path.write_bytes(content)
    with pytest.raises(RefusedError, match=says):
        load_model(ModelRecipe(str(path)))


def odd_zip(name, version):
    """Return a zip whose one member has a name of these bytes, said to be UTF-8, and a version."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("\u00e9" * (len(name) // 2), b"")
    made = held.getvalue().replace("\u00e9".encode() * (len(name) // 2), name)
    directory = made.index(b"PK\x01\x02")
    return made[: directory + 6] + bytes([version, 0]) + made[directory + 8 :]


@pytest.mark.parametrize("odd", [odd_zip(b"\xff\x94", 20), odd_zip(b"ab", 99)], ids=["name", "new"])
def test_a_zip_that_cannot_be_listed_is_refused(tmp_path, run, odd):
    (tmp_path / "model.pt2").write_bytes(odd)
    (tmp_path / "pictures.npz").write_bytes(odd)
    with pytest.raises(RefusedError, match="a damaged zip archive"):
        read_stored(str(tmp_path / "model.pt2"))
    with pytest.raises(RefusedError, match="cannot be read"):
        open_stack(str(tmp_path / "pictures.npz"))
    assert run("inspect", "model.pt2").code == 3


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(RefusedError, match="no such file or directory"):
        load_model(ModelRecipe(str(tmp_path / "none.pkl")))
    with pytest.raises(RefusedError, match="a folder, not a model file"):
        load_model(ModelRecipe(str(tmp_path)))


def test_what_is_no_regular_file_is_refused_before_it_is_opened(tmp_path):
    with pytest.raises(RefusedError, match="/dev/zero: a device, not a model file"):
        read_stored("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RefusedError, match="a pipe, not a model file; write the model to a file"):
        read_stored(str(tmp_path / "pipe"))
    with socket.socket(socket.AF_UNIX) as served:
        served.bind(str(tmp_path / "socket"))
        with pytest.raises(RefusedError, match="a socket, not a model file"):
            read_stored(str(tmp_path / "socket"))
    (tmp_path / "link").symlink_to("/dev/zero")
    with pytest.raises(RefusedError, match="a device, not a model file"):
        read_stored(str(tmp_path / "link"))


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_few_bytes_never_unpack_to_gigabytes(tmp_path, pack, monkeypatch):
    monkeypatch.setattr("xplain_cli.models.stored._PLAIN_SIZE", 2**20)
    path = tmp_path / "model.pkl"
    path.write_bytes(pack(pickle.dumps(bytes(2**22))))
    with pytest.raises(RefusedError, match=r"unpacks to more than \d+ bytes; store the model with"):
        read_stored(str(path))
    assert unpacked_cap(100) == 2**20
    assert unpacked_cap(2**20) == 200 * 2**20


def test_a_pin_is_compared_in_any_case_and_another_file_is_refused(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(LogisticRegression().fit(ROWS, ROWS[:, 0] > 0)))
    digest = read_stored(str(path)).sha256
    assert load_model(ModelRecipe(str(path), sha256=digest.upper())).sha256 == digest
    with pytest.raises(RefusedError, match="not the pinned 00"):
        load_model(ModelRecipe(str(path), sha256="00"))
