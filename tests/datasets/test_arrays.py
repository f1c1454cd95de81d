"""NumPy arrays as DATA."""

import io
import pickle
import tracemalloc
import zipfile

import numpy as np
import pytest
from running import SMALL, rows_of

from xplain_cli.datasets import ReadOptions, arrays, chunks, kinds, open_table, read_columns
from xplain_cli.errors import RefusedError

PLAIN = ReadOptions()


def save(path, array, **named):
    np.savez(path, **named) if named else np.save(path, array)
    return str(path)


def whole(path, **options):
    opened = open_table([path], ReadOptions(**options))
    found = kinds(opened, opened.columns)
    return found, read_columns(opened, found).table


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["float64", "float16", "int8", "uint64", ">f4"])
def test_the_columns_of_an_array_are_its_positions(tmp_path, order, dtype):
    array = np.asarray(np.arange(12).reshape(4, 3), dtype=dtype, order=order)
    found, table = whole(save(tmp_path / "a.npy", array))
    kind = "number" if np.dtype(dtype).kind == "f" else "integer"
    assert found == {"0": kind, "1": kind, "2": kind}
    assert table.to_numpy().tolist() == array.tolist()
    assert {str(t) for t in table.dtypes} == {"float64"}


def test_fields_are_columns_of_their_own_types(tmp_path):
    array = np.array(
        [(1.5, 7, True, "x"), (np.nan, -9, False, "2024-01-31")],
        dtype=[("f", "f4"), ("i", "i2"), ("b", "?"), ("t", "U12")],
    )
    path = save(tmp_path / "a.npy", array)
    found, table = whole(path, na_values=("-9",))
    assert found == {"f": "number", "i": "integer", "b": "bool", "t": "text"}
    assert table["i"].isna().tolist() == [False, True]
    assert (table["t"].tolist(), table["b"].tolist()) == (["x", "2024-01-31"], [True, False])


@pytest.mark.parametrize(
    "members",
    [
        {"arr_0": np.ones((3, 2))},
        {"features": np.ones((3, 2)), "y": np.zeros(3)},
        {"X": np.ones((3, 2)), "other": np.zeros((3, 2))},
        {"data": np.ones((3, 2)), "other": np.zeros((3, 2))},
    ],
)
def test_the_table_of_several_arrays_is_the_only_one_or_the_one_named_so(tmp_path, members):
    _, table = whole(save(tmp_path / "a.npz", None, **members))
    assert table.to_numpy().tolist() == [[1.0, 1.0]] * 3


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_chunks_of_any_size_give_the_whole_array(tmp_path, rows, monkeypatch):
    monkeypatch.setattr(arrays, "block_rows", lambda _: 4)
    array = np.random.default_rng(0).normal(size=(11, 2))
    opened = open_table([save(tmp_path / "a.npz", None, X=array)], PLAIN)
    parts = list(chunks(opened, {"1": "number"}, ["0"], rows))
    assert [v for c in parts for v in c.table["1"].tolist()] == array[:, 1].tolist()
    assert [v for c in parts for v in c.carried["0"].tolist()] == [str(v) for v in array[:, 0]]


def forged(shape, descr="'<f8'", data=b""):
    """Return an npy file whose header states any shape."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


def zipped(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return file.getvalue()


OBJECTS = io.BytesIO()


np.save(OBJECTS, np.array([[1, None]], dtype=object), allow_pickle=True)


GOOD = io.BytesIO()


np.save(GOOD, np.ones((3, 2)))


BROKEN = {
    "object array.npy": (OBJECTS.getvalue(), "holds Python objects"),
    "object array.npz": (zipped(X=OBJECTS.getvalue()), "holds Python objects"),
    "huge.npy": (forged("(1000000000, 1000)"), "cannot be read"),
    "huge.npz": (zipped(X=forged("(1000000000, 1000)")), "more than 1073741824"),
    "negative.npy": (forged("(-3, 2)"), "cannot be read"),
    "no bytes.npy": (forged("(1000000000000, 1)", "'<U0'"), "there is no table"),
    "wide.npy": (forged("(1, 200000)", "'|i1'", bytes(200_000)), "at most 100000 columns"),
    "no rows.npy": (forged("(0, 2)"), "there is no table"),
    "scalar.npy": (forged("()", data=bytes(8)), "shape ()"),
    "one axis.npy": (forged("(4,)", data=bytes(32)), "values.reshape"),
    "pictures.npy": (forged("(1, 2, 2)", data=bytes(32)), "shape (1, 2, 2)"),
    "complex.npy": (forged("(1, 2)", "'<c16'", bytes(32)), "holds complex128"),
    "truncated.npy": (GOOD.getvalue()[:-8], "cannot be read"),
    "truncated.npz": (zipped(X=GOOD.getvalue())[:-30], "cannot be read"),
    "short member.npz": (zipped(X=GOOD.getvalue()[:-8]), "cannot be read"),
    "no header.npy": (b"\x93NUMPY\x01\x00\xff\xff{", "cannot be read"),
    "version.npy": (b"\x93NUMPY\x09\x00" + bytes(100), "cannot be read"),
    "not an array.npz": (zipped(X=b"x,y\n1,2\n"), "cannot be read"),
    "no member.npz": (zipped(), "holds no array"),
    "a pickle.npy": (pickle.dumps(np.ones(3)), "is neither npy nor npz"),
    "two tables.npz": (
        zipped(train=GOOD.getvalue(), test=GOOD.getvalue()),
        "holds train (3, 2), test (3, 2); which one is the table?",
    ),
    "both names.npz": (zipped(X=GOOD.getvalue(), data=GOOD.getvalue()), "which one is the table?"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_arrays_are_refused_with_the_way_out(tmp_path, name):
    data, message = BROKEN[name]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(RefusedError) as caught:
        open_table([str(path)], PLAIN)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "save" in str(caught.value) or "reshape" in str(caught.value)


@pytest.mark.parametrize("code", [0x110000, 0xD800])
def test_texts_of_no_characters_are_refused(tmp_path, code):
    array = np.array([("ab", 1.0)] * 3, dtype=[("t", "U2"), ("x", "f8")])
    data = bytearray(array.tobytes())
    data[16:20] = code.to_bytes(4, "little")
    header = "[('t', '<U2'), ('x', '<f8')]"
    (tmp_path / "a.npy").write_bytes(forged("(3,)", header, bytes(data)))
    with pytest.raises(RefusedError, match="row 1, column 't' holds what is no character"):
        whole(str(tmp_path / "a.npy"))


def test_zeros_that_unpack_a_thousandfold_are_read_in_little_memory(tmp_path):
    path = tmp_path / "zeros.npz"
    np.savez_compressed(path, X=np.zeros((400_000, 32)))  # 100 MB
    assert path.stat().st_size < 110_000
    tracemalloc.start()
    opened = open_table([str(path)], PLAIN)
    assert sum(len(c.table) for c in chunks(opened, {"0": "number"}, [], 10_000)) == 400_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30e6


def test_an_array_is_explained_as_its_table_is(run, tmp_path):
    from sklearn.linear_model import LogisticRegression

    X = np.random.default_rng(0).normal(size=(40, 3))
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(LogisticRegression().fit(X, X[:, 0] > 0)))
    np.savez(tmp_path / "a.npz", X=X, y=X[:, 0] > 0)
    np.savetxt(tmp_path / "a.csv", X, delimiter=",", fmt="%.17g", header="0,1,2", comments="")
    weights = []
    for name in ("a.npz", "a.csv"):
        assert run("tabular", "m.pkl", name, *SMALL, "-o", "out", "--force").code == 0
        weights.append([w["weight"] for w in rows_of(tmp_path / "out" / "weights.csv")])
    assert weights[0] == weights[1]
    assert len(weights[0]) == 120


def test_an_archive_of_very_many_arrays_is_refused_by_its_list_of_them(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("xplain_cli.datasets.arrays._MOST_MEMBERS", 3)
    shape = arrays._shape
    monkeypatch.setattr(arrays, "_shape", lambda handle: opened.append(handle) or shape(handle))
    many = {f"a{i}": np.ones((2, 2)) for i in range(5)}
    np.savez(tmp_path / "d.npz", **many)
    with pytest.raises(RefusedError, match=r"holds 5 arrays; which one .*d.npz:NAME"):
        open_table([str(tmp_path / "d.npz")], ReadOptions())
    assert opened == []
    assert open_table([f"{tmp_path / 'd.npz'}:a3"], ReadOptions()).columns == ("0", "1")
    np.savez(tmp_path / "d.npz", **many, X=np.ones((2, 3)))
    assert open_table([str(tmp_path / "d.npz")], ReadOptions()).columns == ("0", "1", "2")
    assert len(opened) == 2
