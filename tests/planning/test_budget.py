"""--budget: time or model inputs become samples, once, and the same command finds them again."""

import json

import numpy as np
import pytest
from picture_models import constant
from PIL import Image
from running import rows_of

from xplain_cli.planning import budget as budgeting

SMALL = ("--rows", "0:8")
METHODS = [
    ("-m", "lime"),
    ("-m", "lime:sample=around"),
    ("-m", "lime:space=baseline"),
    ("-m", "kernel-shap"),
    ("-m", "kernel-shap", "-b", "revert"),
    ("-m", "kernel-shap", "-b", "sample:k=3"),
    ("-m", "permutation"),
]


def manifest_of(folder):
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def asked_by(folder):
    """Return the model inputs of a run, without the padding of batches."""
    rows = sum(int(line["n_model_inputs"]) for line in rows_of(folder / "stability.csv"))
    return rows + manifest_of(folder)["pool"].get("model_inputs", 0)


@pytest.fixture
def forbid_measuring(monkeypatch):
    """Call it, and a budget that is turned into samples once more fails."""

    def forbid():
        def again(job):
            raise AssertionError("measured again")

        monkeypatch.setattr(budgeting, "_chosen_anew", again)

    return forbid


@pytest.mark.parametrize("method", METHODS, ids=" ".join)
def test_a_run_takes_no_more_than_its_budget(run, cancer, tmp_path, method):
    command = ("tabular", cancer.model, cancer.data, *SMALL, *method)
    done = run(*command, "--budget", "60000", "-o", "out")
    assert done.code == 0, done.err
    held = manifest_of(tmp_path / "out")["budget"]
    assert held["asked"] == "60000"
    assert asked_by(tmp_path / "out") <= 60_000
    assert held["samples"].bit_count() == 1


def test_the_numbers_are_those_of_the_samples_that_it_names(run, cancer, tmp_path):
    command = ("tabular", cancer.model, cancer.data, *SMALL)
    done = run(*command, "--budget", "3e4", "-o", "budget")
    assert "budget 3e4: 2048 samples in each of 8 repeats (--samples 2048 gives" in done.err
    assert run(*command, "--samples", "2048", "-o", "samples").code == 0
    for name in ("weights.csv", "stability.csv"):
        budget, samples = (tmp_path / folder / name for folder in ("budget", "samples"))
        assert budget.read_bytes() == samples.read_bytes()


def test_a_budget_in_time_is_measured_once_and_then_stands(run, cancer, tmp_path, forbid_measuring):
    command = ("tabular", cancer.model, cancer.data, *SMALL, "--budget", "20s", "-r", "2")
    assert run(*command).code == 0
    held = manifest_of(tmp_path / "xplain-out")["budget"]
    assert held["asked"] == "20s"
    assert held["samples"] > 1024
    forbid_measuring()
    assert "nothing to do" in run(*command).err
    assert run(*command, "-k", "3").code == 0
    assert manifest_of(tmp_path / "xplain-out")["budget"] == held


def test_an_unfinished_run_keeps_its_samples(run, cancer, tmp_path, forbid_measuring):
    command = ("tabular", cancer.model, cancer.data, *SMALL, "--budget", "3e4", "-o", "out")
    assert run(*command, "--chunk-rows", "2").code == 0
    folder = tmp_path / "out"
    before = {p.name: p.read_bytes() for p in folder.glob("*.csv")}
    manifest = manifest_of(folder)
    (folder / "parts" / "part-000000002-000000004.npz").unlink()
    (folder / "weights.csv").unlink()
    forbid_measuring()
    assert run(*command, "--chunk-rows", "2").code == 0
    assert {p.name: p.read_bytes() for p in folder.glob("*.csv")} == before
    assert manifest_of(folder) == manifest


def test_other_settings_and_force_measure_anew(run, cancer, forbid_measuring):
    command = ("tabular", cancer.model, cancer.data, *SMALL, "--budget", "3e4")
    assert run(*command).code == 0
    forbid_measuring()
    assert run(*command, "-s", "1", "-o", "other").code == 5
    assert run(*command, "--force").code == 5
    assert run(*command, "--budget", "4e4").code == 5


def test_chunks_and_jobs_decide_no_samples_and_shards_make_the_whole(run, cancer, tmp_path):
    command = ("tabular", cancer.model, cancer.data, "-m", "kernel-shap", "--budget", "2e4")
    for out, more in (("whole", ()), ("s1", ("--shard", "1/2")), ("s2", ("--shard", "2/2"))):
        own = ("--chunk-rows", "7", "-j", "2") if more else ()
        assert run(*command, *more, *own, "--rows", "0:12", "-o", out).code == 0
    assert run("merge", "s1", "s2", "-o", "merged").code == 0
    merged = (tmp_path / "merged" / "weights.csv").read_bytes()
    assert merged == (tmp_path / "whole" / "weights.csv").read_bytes()
    assert manifest_of(tmp_path / "merged")["budget"]["asked"] == "2e4"


def test_a_dry_run_shows_what_it_would_choose_and_writes_nothing(run, cancer, tmp_path):
    done = run("tabular", cancer.model, cancer.data, "--budget", "3e4", "--dry-run")
    assert "budget 3e4: 2048 samples" in done.err
    assert "model inputs    16,896" in done.out
    assert list(tmp_path.iterdir()) == []


def test_texts_of_few_words_leave_what_they_do_not_need(run, tmp_path):
    (tmp_path / "model.py").write_text(
        "def score(texts):\n    return [float(len(t)) for t in texts]\n"
    )
    (tmp_path / "t.txt").write_text("five words stand right here\nand three here\n")
    done = run("text", "model:score", "t.txt", "--python-path", ".", "--budget", "1e5", "-o", "out")
    assert done.code == 0, done.err
    assert "every mask of every row is asked" in done.err
    assert manifest_of(tmp_path / "out")["budget"]["samples"] == 8
    assert asked_by(tmp_path / "out") <= 2 + 2**5 + 2**3


@pytest.mark.parametrize(("cut", "samples"), [("grid", 512), ("grid:rows=3,columns=3", 256)])
def test_pictures_have_budgets_too(run, tmp_path, cut, samples):
    noise = np.random.default_rng(0).integers(0, 255, (2, 24, 24, 3), dtype=np.uint8)
    (tmp_path / "photos").mkdir()
    for i, picture in enumerate(noise):
        Image.fromarray(picture).save(tmp_path / "photos" / f"{i}.png")
    model = constant(tmp_path / "model.onnx", 24)
    options = ("--rescale", "1/255", "--segmenter", cut, "--no-maps", "--budget", "3000")
    done = run("image", model, "photos", *options, "-o", "out")
    assert done.code == 0, done.err
    assert manifest_of(tmp_path / "out")["budget"]["samples"] == samples
    assert asked_by(tmp_path / "out") <= 3000


def test_pictures_are_cut_to_be_counted_where_no_number_is_known(run, tmp_path):
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (24, 24), "red").save(tmp_path / "photos" / "red.png")
    labels = np.repeat(np.arange(4), 6)[:, None] * np.ones((1, 24), dtype=np.int64)
    np.save(tmp_path / "map.npy", labels)
    model = constant(tmp_path / "model.onnx", 24)
    options = ("--rescale", "1/255", "--segmenter", "file=map.npy", "--budget", "900")
    done = run("image", model, "photos", *options, "-o", "out")
    assert "every mask of every row is asked" in done.err


def test_several_baselines_share_a_budget(run, cancer, tmp_path):
    command = ("tabular", cancer.model, cancer.data, *SMALL, "-m", "kernel-shap", "-o", "out")
    done = run(*command, "-b", "median", "-b", "mean", "--budget", "6e4")
    assert done.code == 0, done.err
    assert sum(asked_by(tmp_path / "out" / name) for name in ("median", "mean")) <= 60_000
    assert manifest_of(tmp_path / "out" / "mean")["budget"]["asked"] == "30000"


def test_a_finished_run_is_evaluated_with_the_samples_that_it_has(run, cancer):
    command = ("tabular", cancer.model, cancer.data, *SMALL, "-m", "kernel-shap")
    assert run(*command, "--budget", "3e4").code == 0
    assert run("evaluate", "xplain-out").code == 0


def test_a_project_file_may_say_model_inputs_as_a_number(run, cancer, tmp_path):
    (tmp_path / "xplain.toml").write_text("budget = 3e4\n")
    done = run("tabular", cancer.model, cancer.data, *SMALL, "--dry-run")
    assert "budget 30000: 2048 samples" in done.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--budget", "20 minutes"), "must look like 20m (s, m or h) or 2e6 (model inputs)"),
        (("--budget", "100"), "to explain 60 rows takes at least 124 model inputs; give more, or"),
        (("--budget", "0.001s"), "to explain 60 rows takes about"),
        (("--budget", "1e5", "-n", "512"), "--budget and --samples at once"),
        (("--budget", "1e5", "--max-rel-se", ".1"), "--budget and --max-rel-se at once"),
        (("--budget", "1m", "--shard", "1/2"), "--budget 1m is time on this machine, and --shard"),
        (
            ("--budget", "1m", "--backend", "dask", "--scheduler", "tcp://h:1"),
            "is time on this machine, and --backend dask",
        ),
        (("--budget", "1e5", "-m", "occlusion"), "--budget: occlusion samples nothing"),
    ],
)
def test_what_a_budget_cannot_be_is_refused(run, cancer, tmp_path, options, message):
    done = run("tabular", cancer.model, cancer.data, *options)
    assert done.code == 2
    assert message in done.err
    assert list(tmp_path.iterdir()) == []
