"""What a job would cost."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from picture_models import mean_colours
from PIL import Image

from xplain_cli.planning import lengths


def test_a_dry_run_writes_nothing_and_counts_model_inputs(run, cancer, tmp_path):
    done = run("tabular", cancer.model, cancer.data, "--dry-run")
    assert done.code == 0
    assert "model inputs    8,704" in done.out
    assert "method          lime, 1,024 samples in each of 8 repeats" in done.out
    assert list(tmp_path.iterdir()) == []


def test_inspect_with_data_names_inputs_and_outputs_and_the_cost(run, mixed, tmp_path):
    done = run("inspect", mixed.model, mixed.data)
    assert done.code == 0, done.err
    lines = dict(line.split(None, 1) for line in done.out.splitlines() if " " in line.strip())
    assert lines["inputs"].startswith("age (integer), income (number), city (category)")
    assert lines["outputs"] == "high, low, mid"
    assert "model inputs" in done.out
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_of_pictures_of_several_sizes_is_a_plan(run, tmp_path):
    model = mean_colours(tmp_path / "m.onnx", shape=["rows", 3, "height", "width"])
    folder = tmp_path / "mixed"
    folder.mkdir()
    for i, size in enumerate([(16, 12), (12, 16), (20, 20)]):
        Image.new("RGB", size, (40 * i, 90, 10)).save(folder / f"{i}.png")
    done = run("image", model, "mixed", "--dry-run", "--segments", "4", "-n", "32", "-r", "1")
    assert done.code == 0, done.err
    assert "rows            3" in done.out


def said_and_asked(run, tmp_path, *words):
    """Return the model inputs that a dry run says, and those that the run takes."""
    said = run(*words, "--dry-run")
    assert said.code == 0, said.err
    found = re.search(r"^model inputs +([\d,]+)(?:\n  at most +([\d,]+))?$", said.out, re.MULTILINE)
    done = run(*words, "--backend", "serial")
    assert done.code == 0, done.err
    took = json.loads((tmp_path / "xplain-out" / "run_results.json").read_text())
    inputs = took["model_inputs_pool"] + took["model_inputs_rows"]
    first, most = (int(one.replace(",", "")) if one else 0 for one in found.groups())
    return first, most, inputs


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("lime", ("-n", "64")),
        ("lime:space=baseline", ("-n", "64", "-r", "2")),
        ("occlusion", ()),
        ("occlusion", ("-b", "sample:k=20")),
        ("kernel-shap", ("-n", "128", "-r", "2")),
        ("kernel-shap", ("-b", "sample:k=20", "-n", "2048", "-r", "1")),
        ("permutation", ("-b", "nearest", "-r", "2")),
        ("kernel-shap", ("-b", "revert", "-n", "128", "-r", "2")),
    ],
    ids=["draws", "masks", "few", "few on many", "coalitions", "dealt", "nearest", "revert"],
)
@pytest.mark.parametrize("chunks", [(), ("--chunk-rows", "5")], ids=["", "chunks"])
def test_a_dry_run_says_what_is_asked_batches_filled_up(
    run, cancer, tmp_path, method, options, chunks
):
    words = ("tabular", cancer.model, cancer.data, "-m", method, "--rows", "0:12", *options)
    said, most, asked = said_and_asked(run, tmp_path, *words, *chunks)
    assert (said, most) == (pytest.approx(asked, rel=0.15 if "revert" in options else 1e-9), 0)


def test_a_dry_run_foretells_what_a_goal_takes_and_says_the_most(run, cancer, tmp_path):
    words = ("tabular", cancer.model, cancer.data, "-m", "kernel-shap", "-b", "sample:k=20")
    said, most, asked = said_and_asked(run, tmp_path, *words, "--rows", "0:16")
    assert 0.6 * asked < said < 1.6 * asked < most


def test_a_dry_run_says_the_most_that_a_goal_takes_of_a_pool(run, cancer, tmp_path):
    words = ("tabular", cancer.model, cancer.data, "--rows", "0:8", "--max-rel-se", "0.001")
    said, most, asked = said_and_asked(run, tmp_path, *words, "-n", "64", "--max-samples", "2048")
    assert said < asked == most


UNKNOWN = ("--mask-token", "UNK")


@pytest.fixture
def uneven(comments, tmp_path):
    """Texts of 1 to 40 words, two of them twice, the long ones first."""
    rng = np.random.default_rng(7)
    words = [f"word{i}" for i in range(200)]
    lengths = np.sort(np.minimum(40, 1 + rng.gamma(1.2, 7, size=40).astype(int)))[::-1]
    texts = [" ".join(rng.choice(words, size=n, replace=False)) for n in lengths]
    texts[21], texts[31] = texts[20], texts[30]
    pd.DataFrame({"CONTENT": texts}).to_csv(tmp_path / "uneven.csv", index=False)
    return comments / "model.pkl", "uneven.csv"


@pytest.mark.parametrize(
    ("order", "options"),
    [
        (1, ("-n", "64", "-r", "2")),
        (1, ("-n", "64", "-r", "2", *UNKNOWN)),
        (-1, ("-n", "64", "-r", "2", *UNKNOWN)),
        (1, ("-m", "kernel-shap", "-n", "64", "-r", "2", *UNKNOWN, "--chunk-rows", "9")),
        (-1, ("-m", "occlusion", *UNKNOWN)),
        (1, ("-n", "2048", "-r", "1", *UNKNOWN, "--rows", "12:40")),
        (1, ("-n", "64", "-r", "2", "-b", "nearest:class=fine")),
    ],
    ids=[
        *("counted", "asked", "asked, short first", "coalitions", "occlusion"),
        *("more than tried", "nearest"),
    ],
)
def test_a_dry_run_foretells_texts_in_any_order(run, uneven, tmp_path, order, options):
    model, data = uneven
    pd.read_csv(tmp_path / data)[::order].to_csv(tmp_path / data, index=False)
    said, _, asked = said_and_asked(run, tmp_path, "text", model, data, *options)
    assert said == pytest.approx(asked, rel=0.15)


def test_a_dry_run_of_many_texts_looks_at_some_of_them(run, uneven, tmp_path, monkeypatch):
    monkeypatch.setattr(lengths, "_MOST", 12)
    words = ("text", *uneven, "-n", "64", "-r", "2", *UNKNOWN)
    said, _, asked = said_and_asked(run, tmp_path, *words)
    assert said == pytest.approx(asked, rel=0.15)


def test_the_time_is_the_sum_of_its_lines(run, cancer):
    said = run("tabular", cancer.model, cancer.data, "--rows", "0:8", "-n", "64", "--dry-run").out
    parts = re.findall(
        r"^  (?:to open|in the model|in surrogates|to write) +([\d.]+) s$", said, re.MULTILINE
    )
    whole = re.search(r"^estimated time +([\d.]+) s on one worker$", said, re.MULTILINE)
    assert len(parts) == 4
    assert float(whole[1]) == pytest.approx(sum(map(float, parts)), abs=0.25)
