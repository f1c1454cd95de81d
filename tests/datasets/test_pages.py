"""How much of a parquet file may be read at a time follows from the headers of its pages."""

import base64

import numpy as np
import pytest

from xplain_cli.datasets import ReadOptions, kinds, open_table
from xplain_cli.datasets.bounds import BATCH_BYTES
from xplain_cli.datasets.grid import LONGEST
from xplain_cli.datasets.pages import _chunk, _row_groups, batch_size
from xplain_cli.datasets.sources import DataFile
from xplain_cli.errors import RefusedError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

ROWS = 1000


def rows_of(tmp_path, table, most=1 << 30, **options):
    path = str(tmp_path / "d.parquet")
    pq.write_table(table, path, **{"compression": "zstd", **options})
    with pq.ParquetFile(path) as handle:
        return batch_size(DataFile("d.parquet", path), handle, table.column_names, most)


def repeated(word, rows=ROWS):
    """Return one word many times, held once."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, dtype=np.int32)), [word])


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "brotli", "zstd", "lz4"])
def test_a_word_that_is_stored_once_counts_in_every_row(tmp_path, codec):
    table = pa.table({"t": repeated("w" * 100_000)})
    assert rows_of(tmp_path, table, compression=codec) in {
        BATCH_BYTES // 100_000,
        BATCH_BYTES // 100_004,  # a codec that pyarrow calls by another name: the whole dictionary
    }


def test_the_longest_word_of_a_dictionary_counts_not_their_sum(tmp_path):
    words = [f"word {i}" for i in range(5000)]
    table = pa.table({"t": pa.array(words)})
    assert rows_of(tmp_path, table) == BATCH_BYTES // len("word 4999")


def test_texts_by_differences_may_be_as_long_as_their_page(tmp_path):
    table = pa.table({"t": pa.array(["w" * 100_000] * 50)})
    options = {"use_dictionary": False, "column_encoding": {"t": "DELTA_BYTE_ARRAY"}}
    assert 600 < rows_of(tmp_path, table, **options) <= BATCH_BYTES // 100_000


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("plain", [False, True])
def test_numbers_are_read_as_many_at_a_time_as_asked(tmp_path, version, plain):
    table = pa.table({"a": np.arange(ROWS) * 0.5, "b": np.arange(ROWS)})
    options = {"data_page_version": version, "use_dictionary": not plain}
    assert rows_of(tmp_path, table, most=65536, **options) == 65536


def test_large_pages_are_refused_by_their_headers(monkeypatch, tmp_path):
    monkeypatch.setattr("xplain_cli.datasets.bounds.FEW_BYTES", 100_000)
    table = pa.table({"t": np.zeros(50_000)})
    with pytest.raises(RefusedError, match=r"pages of its columns unpack to 160008 bytes"):
        rows_of(tmp_path, table, use_dictionary=False)
    assert rows_of(tmp_path, table, most=ROWS) == ROWS  # as a dictionary it takes nothing


def test_what_the_summary_says_of_pages_does_not_count(monkeypatch, tmp_path):
    monkeypatch.setattr("xplain_cli.datasets.bounds.FEW_BYTES", 100_000)
    path = tmp_path / "d.parquet"
    table = pa.table({"t": np.zeros(50_000)})
    pq.write_table(table, path, use_dictionary=False, compression="zstd")
    with pq.ParquetFile(path) as handle:
        size = handle.metadata.row_group(0).column(0).total_uncompressed_size

    def coded(number):  # as Thrift writes it
        number, found = number * 2, b""
        while number > 127:
            found, number = found + bytes([number & 127 | 128]), number >> 7
        return found + bytes([number])

    data = path.read_bytes()
    assert data.count(coded(size)) == 2  # of the column and of the row group
    path.write_bytes(data.replace(coded(size), coded(size // 2 | 1 << 17)))
    opened = open_table([str(path)], ReadOptions())
    with pytest.raises(RefusedError, match="unpack to"):
        kinds(opened, opened.columns)


def test_lists_are_refused_by_how_many_cells_they_hold(monkeypatch, tmp_path):
    monkeypatch.setattr("xplain_cli.datasets.bounds.FEW_BYTES", 100_000)
    table = pa.table({"v": pa.array([[0] * 20_000] * 3, type=pa.list_(pa.int32()))})
    with pytest.raises(RefusedError, match="or leave it out with --drop-columns v"):
        rows_of(tmp_path, table)


def test_a_word_repeated_is_refused_with_its_place(tmp_path):
    path = tmp_path / "d.parquet"
    table = pa.table({"a": np.zeros(60), "t": repeated("w" * (LONGEST + 1), 60)})
    pq.write_table(table, path, compression="zstd", store_schema=False)
    assert path.stat().st_size < 3000
    opened = open_table([str(path)], ReadOptions())
    assert kinds(opened, ["a"]) == {"a": "number"}
    with pytest.raises(RefusedError, match=r"row 0, column 't' holds .* --drop-columns t"):
        kinds(opened, ["t"])


def test_any_byte_changed_is_a_refusal_or_a_table(tmp_path):
    path = tmp_path / "d.parquet"
    words = pa.array([f"w{i % 7}" for i in range(200)])
    pq.write_table(pa.table({"a": np.arange(200.0), "t": words}), path)
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


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "brotli", "zstd", "lz4"])
@pytest.mark.parametrize("words", [True, False])
def test_the_summary_is_read_as_pyarrow_reads_it(tmp_path, codec, words):
    table = pa.table({
        "t": [f"w{i % 7}" for i in range(50)],
        "l": [[{"q": i, "w": [i]}] for i in range(50)],
        "n": np.arange(50) / 3,
    })
    path = tmp_path / "d.parquet"
    options = {"use_dictionary": words, "row_group_size": 20, "write_page_index": True}
    pq.write_table(table, path, compression=codec, **options)
    with path.open("rb") as handle:
        groups = _row_groups(handle)
    metadata = pq.read_metadata(path)
    assert len(groups) == metadata.num_row_groups == 3
    for g, columns in enumerate(groups):
        for i in range(metadata.num_columns):
            own, peer = _chunk(columns, i), metadata.row_group(g).column(i)
            places = (peer.dictionary_page_offset, peer.data_page_offset)
            assert own.start == min(one for one in places if one is not None)
            assert (own.packed, own.cells) == (peer.total_compressed_size, peer.num_values)


class _Keys:
    """Keeps keys as they are."""

    def wrap_key(self, key, _name):
        return base64.b64encode(key)


def test_encrypted_columns_are_refused_and_others_are_read(tmp_path):
    # pyarrow ends the process where the summary of such a column is asked for
    pe = pytest.importorskip("pyarrow.parquet.encryption")
    client = type("Client", (_Keys, pe.KmsClient), {})
    factory = pe.CryptoFactory(lambda _: client())
    secret = pe.EncryptionConfiguration(
        footer_key="f", column_keys={"k": ["a"]}, plaintext_footer=True
    )
    own = factory.file_encryption_properties(pe.KmsConnectionConfig(), secret)
    path = str(tmp_path / "d.parquet")
    pq.write_table(pa.table({"a": [1, 2], "z": ["x", "y"]}), path, encryption_properties=own)
    opened = open_table([path], ReadOptions())
    assert kinds(opened, ["z"]) == {"z": "text"}
    with pytest.raises(RefusedError, match="columns are encrypted; leave them out"):
        kinds(opened, ["a"])
