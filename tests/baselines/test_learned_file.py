"""The file of a learned baseline: what was written comes back, and nothing else is believed."""

import io
import json
import pickle
import zipfile

import numpy as np
import pytest
from learned import random_learned

from xplain_cli.baselines.learned_file import FORMAT, learned_bytes, read_learned, sealed_json
from xplain_cli.baselines.vectors import PictureSpace
from xplain_cli.errors import RefusedError

SPACE = PictureSpace((2, 3, 1), 0.0, 16.0, {"layout": "NHWC"})
COLUMN = {"name": "a", "low": 0.0, "high": 1.0, "whole": False, "levels": []}


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "G.xplain"
    path.write_bytes(learned_bytes(random_learned(SPACE, ("a", "b"))))
    return path


def changed(path, **members):
    """Write the archive again with other members; None leaves one out."""
    with zipfile.ZipFile(path) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    held |= {name.replace("__", "."): data for name, data in members.items()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in held.items():
            if data is not None:
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)


def header_of(path):
    with zipfile.ZipFile(path) as archive:
        values = json.loads(archive.read("header.json"))
    del values["seal"]
    return values


def test_what_was_written_comes_back_and_its_bytes_are_the_same(written):
    learned, found = random_learned(SPACE, ("a", "b")), read_learned(str(written))
    for one, other in zip(found.generator.weights, learned.generator.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert (found.outputs, found.rates, found.space) == (learned.outputs, learned.rates, SPACE)
    np.testing.assert_array_equal(found.samples.vectors, learned.samples.vectors)
    assert learned_bytes(learned) == written.read_bytes()


def test_no_byte_can_change_unseen(written):
    """Times, systems and rights, which zip archives list and nobody reads, are no exception."""
    data = written.read_bytes()
    end = len(data) - 900  # in the list of members
    for at in (*range(30), *range(0, end, 97), *range(end, len(data), 7)):
        spoiled = bytearray(data)
        spoiled[at] ^= 1
        written.write_bytes(spoiled)
        with pytest.raises(RefusedError, match="is no learned baseline"):
            read_learned(str(written))
    written.write_bytes(data[:-200])
    with pytest.raises(RefusedError, match="is no learned baseline"):
        read_learned(str(written))


def test_an_array_under_a_header_that_knows_another_is_refused(written):
    other = io.BytesIO()
    np.save(other, np.zeros(8, dtype="<f4"))
    changed(written, layer1__npy=other.getvalue())
    with pytest.raises(RefusedError, match="layer1 is not what was written: a byte has changed"):
        read_learned(str(written))


def test_a_header_of_another_is_refused(written):
    values = header_of(written)
    changed(written, header__json=json.dumps(values | {"seal": "0" * 64}).encode())
    with pytest.raises(RefusedError, match="header is not what was written"):
        read_learned(str(written))


class Evil:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was run",))


def sealed_with(path, name, data, shape):
    """Put an array in place of another, with a header that is true of its bytes."""
    import hashlib

    values = header_of(path)
    values["arrays"][name] = {"shape": shape, "sha256": hashlib.sha256(data).hexdigest()}
    changed(path, **{f"{name}__npy": data, "header__json": sealed_json(values)})


def test_a_pickle_inside_is_never_run(written):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "|O", "fortran_order": False, "shape": (8,)}
    )
    data = file.getvalue() + pickle.dumps(Evil()).ljust(32, b".")
    sealed_with(written, "layer1", data, [8])
    with pytest.raises(RefusedError, match="holds Python objects"):
        read_learned(str(written))
    changed(written, evil__pkl=pickle.dumps(Evil()))
    with pytest.raises(RefusedError, match=r"evil\.pkl"):
        read_learned(str(written))
    written.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(RefusedError, match="is no learned baseline"):
        read_learned(str(written))


@pytest.mark.parametrize("shape", [[1 << 40], [1 << 20, 1 << 20], [-8], [8.0], ["8"], [1 << 12]])
def test_a_huge_declared_shape_allocates_nothing(written, shape):
    file = io.BytesIO()
    declared = tuple(int(n) for n in shape)
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<f4", "fortran_order": False, "shape": declared}
    )
    sealed_with(written, "layer1", file.getvalue() + bytes(32), shape)
    with pytest.raises(RefusedError, match=r"layer1 declares the shape|is no learned baseline"):
        read_learned(str(written))


def test_an_array_whose_own_header_says_otherwise_is_refused(written):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40,)}
    )
    sealed_with(written, "layer1", file.getvalue() + bytes(32), [8])
    with pytest.raises(RefusedError, match="not what its header declares"):
        read_learned(str(written))


def test_arrays_that_do_not_fit_each_other_and_numbers_that_are_none_are_refused(written):
    file = io.BytesIO()
    np.lib.format.write_array(file, np.zeros(9, dtype="<f4"), version=(1, 0))
    before = written.read_bytes()
    sealed_with(written, "layer1", file.getvalue(), [9])
    with pytest.raises(RefusedError, match="do not fit each other"):
        read_learned(str(written))
    written.write_bytes(before)
    file = io.BytesIO()
    np.lib.format.write_array(file, np.full(8, np.nan, dtype="<f4"), version=(1, 0))
    sealed_with(written, "layer1", file.getvalue(), [8])
    with pytest.raises(RefusedError, match="holds what is no number"):
        read_learned(str(written))


@pytest.mark.parametrize(
    "told",
    [
        {"history": "abc"},
        {"history": [{"step": 1}]},
        {"recipe": None},
        {"versions": {}},
        {"model": None},
        {"seed": True},
        {"outputs": "ab"},
        {"outputs": ["a", "a"]},
        {"outputs": ["a", 1]},
        {"classes": [-5, 5]},
        {"classes": [0.5, 5]},
        {"recipe": {"steps": 2, "noise": 0.5, "unseen": "no"}},
        {"space": {"columns": [COLUMN | {"name": 7}]}},
        {"space": {"columns": [COLUMN | {"high": "x"}]}},
        {"space": {"columns": [COLUMN | {"high": None}]}},
        {"space": {"columns": [COLUMN | {"low": 3.0}]}},
        {"space": {"columns": [COLUMN | {"levels": [["x"]]}]}},
        {"space": SPACE.facts() | {"high": -1.0}},
        {"space": SPACE.facts() | {"shape": [-2, -3, 1]}},
        {"rates": {"target": None, "judge": 0.5, "distance": 0.1, "rows": 3, "judge_real": 1.0}},
        {"rates": {"target": 0.5, "judge": 0.5, "distance": 0.1, "rows": "3", "judge_real": 1.0}},
    ],
    ids=[
        *("text", "bare", "recipe", "versions", "model", "seed", "letters", "twice", "number"),
        *("negative", "half", "unseen", "name", "high", "none", "low", "levels"),
        *("dark", "inside out", "rate", "rows"),
    ],
)
def test_facts_of_another_kind_are_refused_when_read(written, told):
    changed(written, header__json=sealed_json(header_of(written) | told))
    with pytest.raises(RefusedError, match="its header lacks"):
        read_learned(str(written))


@pytest.mark.parametrize("more", [b"\n", b"x" * 70_000], ids=["a byte", "many"])
def test_bytes_before_or_after_the_archive_are_refused(written, more):
    data = written.read_bytes()
    for spoiled in (data + more, more + data):
        written.write_bytes(spoiled)
        with pytest.raises(RefusedError, match="is no learned baseline"):
            read_learned(str(written))


def test_other_files_are_refused(written, tmp_path):
    changed(written, header__json=sealed_json(header_of(written) | {"format": "another"}))
    with pytest.raises(RefusedError, match=FORMAT):
        read_learned(str(written))
    with pytest.raises(RefusedError, match="no such file"):
        read_learned(str(tmp_path / "none.xplain"))
