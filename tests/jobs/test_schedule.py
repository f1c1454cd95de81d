"""How the rows of a job are cut into units of work."""

import json

from running import bytes_of


def test_a_short_job_is_cut_into_smaller_units_of_work(run, cancer, tmp_path):
    command = ("tabular", cancer.model, cancer.data, "-m", "occlusion", "--backend", "serial")
    for out, options in {"out": (), "asked": ("--chunk-rows", "32")}.items():
        assert run(*command, *options, "-o", out).code == 0
    assert json.loads((tmp_path / "out" / "run.json").read_text())["chunk_rows"] == 4
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "asked")
