"""Files are the same bytes however many processes write them."""

import pytest

from xplain_cli.jobs import finish as joining


@pytest.mark.parametrize("fmt", ["csv", "jsonl"])
def test_files_written_over_processes_have_the_same_bytes(run, cancer, tmp_path, monkeypatch, fmt):
    monkeypatch.setattr(joining, "_MANY_PARTS", 4)
    command = ("tabular", cancer.model, cancer.data, "-n", "64", "-r", "2", "--chunk-rows", "5")
    said = []
    for spread in (("serial",), ("loky", "-j", "2")):
        out = (f"{spread[0]}-{fmt}", "--output-format", fmt)
        done = run(*command, "--backend", *spread, "-k", "3", "-o", *out)
        assert done.code == 0, done.err
        said.append(done.err.partition("mean |weight|")[2])
    assert said[0] == said[1]
    for name in ("weights", "stability"):
        one, other = (tmp_path / f"{b}-{fmt}" / f"{name}.{fmt}" for b in ("serial", "loky"))
        assert one.read_bytes() == other.read_bytes()
