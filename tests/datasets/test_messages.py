"""A batch of an Arrow file is refused by what its messages say that it unpacks to."""

import numpy as np
import pytest

from xplain_cli.datasets import ReadOptions, kinds, open_table
from xplain_cli.errors import RefusedError

pa = pytest.importorskip("pyarrow")

ZEROS = pa.table({"a": np.zeros(50_000)})
WORDS = pa.table({"a": pa.array(["w" * 200_000] * 3).dictionary_encode()})


def write(path, table, form, codec="zstd", rows=None):
    make = pa.ipc.new_file if form == "file" else pa.ipc.new_stream
    options = pa.ipc.IpcWriteOptions(compression=codec)
    with pa.OSFile(str(path), "wb") as sink, make(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=rows)
    return open_table([str(path)], ReadOptions())


@pytest.mark.parametrize("form", ["file", "stream"])
@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_a_batch_that_unpacks_to_too_much_is_refused(monkeypatch, tmp_path, form, codec):
    monkeypatch.setattr("xplain_cli.datasets.bounds.FEW_BYTES", 100_000)
    with pytest.raises(RefusedError, match=r"the columns of a batch unpack to 4000.. bytes"):
        write(tmp_path / "d.arrow", ZEROS, form, codec)


@pytest.mark.parametrize("form", ["file", "stream"])
def test_smaller_batches_and_plain_ones_are_read(monkeypatch, tmp_path, form):
    monkeypatch.setattr("xplain_cli.datasets.bounds.FEW_BYTES", 100_000)
    opened = write(tmp_path / "d.arrow", ZEROS, form, rows=10_000)
    assert kinds(opened, ["a"]) == {"a": "integer"} or kinds(opened, ["a"]) == {"a": "number"}
    plain = write(tmp_path / "plain.arrow", ZEROS, form, codec=None)
    assert kinds(plain, ["a"]) == kinds(opened, ["a"])


@pytest.mark.parametrize("form", ["file", "stream"])
def test_words_of_categories_are_looked_at_too(monkeypatch, tmp_path, form):
    monkeypatch.setattr("xplain_cli.datasets.bounds.FEW_BYTES", 100_000)
    with pytest.raises(RefusedError, match=r"the words of its columns unpack to 2000.. bytes"):
        write(tmp_path / "d.arrow", WORDS, form)


@pytest.mark.parametrize("form", ["file", "stream"])
def test_any_byte_changed_is_a_refusal_or_a_table(tmp_path, form):
    path = tmp_path / "d.arrow"
    write(path, pa.table({"a": np.arange(50.0), "t": pa.array(["x"] * 50)}), form)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for at in rng.integers(0, len(whole), 200).tolist():
        path.write_bytes(whole[:at] + bytes([int(rng.integers(256))]) + whole[at + 1 :])
        try:
            opened = open_table([str(path)], ReadOptions())
            kinds(opened, opened.columns)
        except RefusedError:
            refused += 1
    assert 0 < refused < 200
