"""How the rows of a job are cut into units of work."""

import json

import numpy as np
import pandas as pd
from running import bytes_of


def test_a_short_job_is_cut_into_smaller_units_of_work(run, cancer, tmp_path):
    command = ("tabular", cancer.model, cancer.data, "-m", "occlusion", "--backend", "serial")
    for out, options in {"out": (), "asked": ("--chunk-rows", "32")}.items():
        assert run(*command, *options, "-o", out).code == 0
    assert json.loads((tmp_path / "out" / "run.json").read_text())["chunk_rows"] == 4
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "asked")


def test_a_long_job_on_a_shared_pool_has_larger_ones(run, tmp_path):
    stream = np.random.default_rng(0)
    rows = pd.DataFrame(stream.normal(size=(12_000, 2)).round(3), columns=["a", "b"])
    rows.to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "sums.py").write_text("def add(rows):\n    return rows['a'] + rows['b'] ** 2\n")
    options = ("--python-path", ".", "-n", "64", "-r", "2", "--backend", "serial", "-j", "1")
    for out, chunks in {"out": (), "asked": ("--chunk-rows", "512")}.items():
        done = run("tabular", "sums:add", "rows.csv", *options, *chunks, "-o", out)
        assert done.code == 0, done.err
    assert json.loads((tmp_path / "out" / "run.json").read_text())["chunk_rows"] == 1024
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "asked")


def test_a_little_more_than_a_chunk_is_one(run, tmp_path):
    stream = np.random.default_rng(0)
    (tmp_path / "sums.py").write_text("def add(rows):\n    return rows['a'] + rows['b'] ** 2\n")
    options = ("--python-path", ".", "-n", "64", "-r", "2", "--backend", "serial", "-j", "1")
    found = {}
    for count in (512, 569, 640, 641):
        rows = pd.DataFrame(stream.normal(size=(count, 2)).round(3), columns=["a", "b"])
        rows.to_csv(tmp_path / "rows.csv", index=False)
        assert run("tabular", "sums:add", "rows.csv", *options, "-o", str(count)).code == 0
        found[count] = json.loads((tmp_path / str(count) / "run.json").read_text())["chunk_rows"]
    assert found == {512: 512, 569: 569, 640: 640, 641: 512}
