"""Work spread over processes: in order, not far ahead, and the files of a run the same bytes."""

import json
import os
import time

import pytest

from xplain_cli.errors import RefusedError
from xplain_cli.jobs import finish as joining
from xplain_cli.quality.summary import Tally
from xplain_cli.runs.finished import find_run
from xplain_cli.workers.processes import in_order


def slower_first(i):
    time.sleep(0.05 if i % 4 == 0 else 0.0)
    return i, os.getpid()


def refuse(i):
    raise RefusedError(f"no {i}")


def test_results_come_in_order_and_from_other_processes():
    found = list(in_order(slower_first, range(12), 2))
    assert [i for i, _ in found] == list(range(12))
    assert os.getpid() not in {pid for _, pid in found}


def test_tasks_are_taken_a_few_ahead():
    taken = []
    tasks = (taken.append(i) or i for i in range(100))
    results = in_order(slower_first, tasks, 2)
    next(results)
    assert len(taken) <= 5
    results.close()


def test_an_error_is_the_workers_own():
    with pytest.raises(RefusedError, match="no 3"):
        list(in_order(refuse, [3], 2))


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


def test_tallies_merged_are_the_tally_of_all(run, cancer, tmp_path):
    command = ("tabular", cancer.model, cancer.data, "-n", "64", "-r", "2", "--chunk-rows", "7")
    assert run(*command, "-o", "out").code == 0
    parts = list(find_run(str(tmp_path / "out")).records())
    whole, merged = Tally(3), Tally(3)
    for records in parts:
        whole.add(records)
        one = Tally(3)
        one.add(records)
        merged.merge(one)
    assert merged.summary() == whole.summary()


def test_auto_sends_the_rest_to_workers_while_the_first_chunk_is_slow(run, tmp_path, monkeypatch):
    (tmp_path / "slow_model.py").write_text(
        "import time\n"
        "def predict(table):\n"
        "    time.sleep(0.4)\n"
        "    return table[['x']].to_numpy() * table[['y']].to_numpy()\n"
    )
    lines = "\n".join(f"{i},{i % 7}" for i in range(24))
    (tmp_path / "t.csv").write_text(f"x,y\n{lines}\n")
    monkeypatch.setattr("xplain_cli.workers._SMALL_SECONDS", 0.5)
    command = ("tabular", "slow_model:predict", "t.csv", "-m", "kernel-shap", "-j", "2")
    asked = ("--python-path", ".", "--chunk-rows", "4")
    for backend in ("serial", "auto"):
        assert run(*command, *asked, "--backend", backend, "-o", backend).code == 0
    results = json.loads((tmp_path / "auto" / "run_results.json").read_text())
    assert results["backend"] == "loky"
    one, other = ((tmp_path / name / "weights.csv").read_bytes() for name in ("serial", "auto"))
    assert one == other
