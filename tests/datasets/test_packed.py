"""Compressed files of DATA are read as what they hold; damaged ones are refused by name."""

import bz2
import gzip
import io
import lzma
import sys
import tracemalloc
import zipfile

import pytest

from xplain_cli import datasets
from xplain_cli.datasets import ReadOptions, packed
from xplain_cli.errors import RefusedError

TEXT = b"a,word\n1,x\n2,y\n"


def zipped(*names, data=TEXT):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, data)
    return held.getvalue()


def zstd(data):
    arrow = pytest.importorskip("pyarrow")
    return arrow.compress(data, codec="zstd", asbytes=True)


PACKED = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstd,
    ".zip": lambda data: zipped("inner.csv", data=data),
}


def read(path, **options):
    table = datasets.open_table([str(path)], ReadOptions(**options))
    kinds = datasets.kinds(table, table.columns)
    return table, datasets.read_columns(table, kinds).table


@pytest.mark.parametrize("suffix", PACKED)
def test_a_packed_table_is_read_as_the_table_it_holds(tmp_path, suffix):
    (tmp_path / "d.csv").write_bytes(TEXT)
    (tmp_path / f"d.csv{suffix}").write_bytes(PACKED[suffix](TEXT))
    plain, wanted = read(tmp_path / "d.csv")
    table, found = read(tmp_path / f"d.csv{suffix}")
    assert found.equals(wanted)
    assert (table.sha256, table.paths) == (plain.sha256, (str(tmp_path / f"d.csv{suffix}"),))


@pytest.mark.parametrize(
    ("name", "text", "columns"),
    [
        ("d.tsv.gz", b"a\tb\n1\t2\n", ("a", "b")),
        ("d.jsonl.gz", b'{"a": 1, "b": 2}\n', ("a", "b")),
        ("d.ndjson.gz", b'{"a": 1}\n', ("a",)),
        ("D.CSV.GZ", TEXT, ("a", "word")),
        ("d.csv", TEXT, ("a", "word")),  # packed, and not named so
    ],
)
def test_the_name_before_the_packing_says_the_format(tmp_path, name, text, columns):
    (tmp_path / name).write_bytes(gzip.compress(text))
    assert read(tmp_path / name)[0].columns == columns


def test_parquet_and_arrays_are_unpacked_too(tmp_path):
    import numpy as np
    import pandas as pd

    pytest.importorskip("pyarrow")
    held = io.BytesIO()
    pd.DataFrame({"a": [1, 2]}).to_parquet(held)
    (tmp_path / "d.parquet.gz").write_bytes(gzip.compress(held.getvalue()))
    array = io.BytesIO()
    np.save(array, np.eye(3))
    (tmp_path / "d.npy.xz").write_bytes(lzma.compress(array.getvalue()))
    assert read(tmp_path / "d.parquet.gz")[0].columns == ("a",)
    assert len(read(tmp_path / "d.npy.xz")[1]) == 3


def test_lines_of_text_are_unpacked_too(tmp_path):
    (tmp_path / "t.txt.gz").write_bytes(gzip.compress(b"one\ntwo\n"))
    table = datasets.open_table([str(tmp_path / "t.txt.gz")], ReadOptions(), lines=True)
    assert datasets.n_rows(table) == 2


def test_stdin_may_be_packed(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(TEXT))))
    assert read("-")[0].columns == ("a", "word")


def test_folders_hold_packed_files_too(tmp_path):
    (tmp_path / "a.csv").write_bytes(TEXT)
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(TEXT))
    assert datasets.n_rows(read(tmp_path)[0]) == 4


@pytest.mark.parametrize("suffix", PACKED)
def test_a_damaged_file_is_refused_by_name(tmp_path, suffix):
    path = tmp_path / f"d.csv{suffix}"
    path.write_bytes(PACKED[suffix](TEXT * 20)[:-25])
    with pytest.raises(RefusedError, match="cannot be unpacked") as refusal:
        read(path)
    assert str(path) in str(refusal.value)


def test_an_archive_of_several_files_is_refused_with_their_names(tmp_path):
    (tmp_path / "d.csv.zip").write_bytes(zipped("a.csv", "b.csv"))
    with pytest.raises(RefusedError, match=r"holds 2 files \(a.csv, b.csv\)"):
        read(tmp_path / "d.csv.zip")


def test_what_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(packed, "MOST_BYTES", 1 << 20)
    (tmp_path / "d.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * (1 << 19)))
    with pytest.raises(RefusedError, match="unpacks to more than 1048576 bytes"):
        read(tmp_path / "d.csv.gz")


def test_what_is_made_to_fill_a_disk_is_refused_early(tmp_path, monkeypatch):
    monkeypatch.setattr(packed, "FEW_BYTES", 1 << 16)
    (tmp_path / "d.csv.gz").write_bytes(gzip.compress(TEXT + b"3,x\n" * 250_000))
    with pytest.raises(RefusedError, match="unpacks to more than"):
        read(tmp_path / "d.csv.gz")


def wide_xz(window):
    """Return text packed by xz whose window, which a reader has to make, is so large."""
    chain = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": window}]
    return lzma.compress(TEXT, filters=chain)


def wide_zip(window):
    """Return a zip archive by LZMA that states such a window, in its fifth to eighth property."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("inner.csv", TEXT)
    data = bytearray(held.getvalue())
    at = 30 + len("inner.csv") + 5
    data[at : at + 4] = window.to_bytes(4, "little")
    return bytes(data)


@pytest.mark.parametrize(("suffix", "pack"), [(".xz", wide_xz), (".zip", wide_zip)])
def test_a_window_that_does_not_fit_into_bounded_memory_is_refused(tmp_path, suffix, pack):
    good, bad = tmp_path / f"good.csv{suffix}", tmp_path / f"bad.csv{suffix}"
    good.write_bytes(pack(packed.MOST_WINDOW))
    bad.write_bytes(pack(packed.MOST_WINDOW + (1 << 26)))
    assert len(read(good)[1]) == 2
    with pytest.raises(RefusedError, match=r"bad\.csv.* cannot be unpacked: .*unpack it first"):
        read(bad)


def test_xz_files_of_several_streams_with_zeros_between_are_whole(tmp_path):
    parts = [lzma.compress(TEXT), bytes(8), lzma.compress(b"3,z\n"), bytes(1 << 21)]
    (tmp_path / "d.csv.xz").write_bytes(b"".join(parts))
    assert read(tmp_path / "d.csv.xz")[1]["word"].tolist() == ["x", "y", "z"]


def test_an_xz_file_is_unpacked_block_by_block(tmp_path):
    (tmp_path / "d.csv.xz").write_bytes(lzma.compress(b"a,b\n" + b"1,2\n" * (1 << 23), preset=0))
    tracemalloc.start()
    stream = packed.open_packed(str(tmp_path / "d.csv.xz"), "d", ".xz")
    total = sum(map(len, iter(lambda: stream.read(1 << 20), b"")))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 4 + (1 << 25)
    assert peak < 1 << 24
