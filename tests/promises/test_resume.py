"""The promise: a run that was interrupted or is finished goes on from what is there."""

import json

from running import SMALL, bytes_of


def test_an_interrupted_run_continues_to_the_same_bytes(run, cancer, tmp_path):
    options = (*SMALL, "--chunk-rows", "8", "--backend", "serial")
    assert run("tabular", cancer.model, cancer.data, *options, "-o", "whole").code == 0
    assert run("tabular", cancer.model, cancer.data, *options, "-o", "torn").code == 0
    folder = tmp_path / "torn"
    marker = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**marker, "state": "running", "n_parts": 0}))
    for part in sorted((folder / "parts").iterdir())[2:6]:
        part.unlink()
    (folder / "weights.csv").unlink()
    before = {p.name: p.stat().st_mtime_ns for p in (folder / "parts").iterdir()}
    again = run("tabular", cancer.model, cancer.data, *options, "-o", "torn")
    assert again.code == 0
    assert "note: continuing: 28 of 60 rows were done" in again.err
    after = {p.name: p.stat().st_mtime_ns for p in (folder / "parts").iterdir()}
    assert {name: after[name] for name in before} == before
    for name in ("weights.csv", "stability.csv", "manifest.json"):
        if name != "manifest.json":
            assert bytes_of(folder, name) == bytes_of(tmp_path / "whole", name)


def test_a_finished_run_computes_nothing_and_judges_its_gates(run, cancer, tmp_path):
    command = ("tabular", cancer.model, cancer.data, *SMALL)
    assert run(*command).code == 0
    again = run(*command, "--fail-on", "min(local_r2)<2")
    assert again.code == 1
    assert "nothing to do" in again.err
    assert "gate FAILED" in again.err
    assert run("gate", "xplain-out", "--fail-on", "count(failed)>0").code == 0
    assert run("gate", "xplain-out/weights.csv", "--fail-on", "min(local_r2)<2").code == 1


def test_a_finished_run_is_rendered_anew_in_another_format(run, cancer, tmp_path):
    command = ("tabular", cancer.model, cancer.data, *SMALL, "-o", "out")
    assert run(*command).code == 0
    assert run(*command, "--output-format", "jsonl", "-k", "2").code == 0
    lines = (tmp_path / "out" / "weights.jsonl").read_text().splitlines()
    assert len(lines) == 60
    assert len(json.loads(lines[0])["explanations"][0]["weights"]) == 2
    assert not (tmp_path / "out" / "weights.csv").exists()


def test_other_numbers_set_the_finished_default_run_aside(run, cancer, tmp_path):
    command = ("tabular", cancer.model, cancer.data, *SMALL)
    assert run(*command).code == 0
    first = json.loads((tmp_path / "xplain-out" / "manifest.json").read_text())["run_id"]
    done = run(*command, "--seed", "1")
    assert done.code == 0
    assert f"xplain-out.{first}" in done.err
    assert (tmp_path / f"xplain-out.{first}" / "weights.csv").exists()
    assert run(*command, "--seed", "2", "-o", "xplain-out").code == 2
