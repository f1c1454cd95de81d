"""Rows in which there is nothing to explain: ``empty``, not failed; zeros, base = prediction."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from broken_pictures import rgb
from picture_models import mean_colours
from picture_runs import SIDE
from PIL import Image

SMALL = ("-n", "64", "-r", "4")
TEXTS = [
    "win a free phone now",
    ":-) !!!",
    "",
    "   ",
    "click here to win cash",
    "\u2026",
    ":-) !!!",
]
EMPTY = [1, 2, 3, 5, 6]


@pytest.fixture
def remarks(tmp_path):
    """Comments, some of which are smileys, blank or missing."""
    table = pd.DataFrame({"id": [f"c{i}" for i in range(len(TEXTS))], "text": TEXTS})
    table.to_csv(tmp_path / "remarks.csv", index=False)
    return tmp_path / "remarks.csv"


@pytest.fixture
def explain(run, comments, remarks, tmp_path):
    def explained(*options, data=remarks, code=0):
        options = options if "-m" in options else (*SMALL, *options)
        done = run("text", comments / "model.pkl", data, "--text-column", "text", *options)
        assert done.code == code, done.err
        return done

    return explained


def stability(folder="xplain-out"):
    return pd.read_csv(Path(folder) / "stability.csv", keep_default_na=False, na_values=[""])


def test_comments_that_are_smileys_or_blank_end_well(explain, comments):
    done = explain()
    said = stability()
    assert said.index[said["status"] == "empty"].tolist() == EMPTY
    assert (said["status"] != "failed").all()
    model = pickle.loads((comments / "model.pkl").read_bytes())
    own = model.predict_proba([TEXTS[i] for i in EMPTY])
    found = said.loc[EMPTY]
    wanted = [
        row[list(model.classes_).index(t)] for row, t in zip(own, found["target"], strict=True)
    ]
    assert found["prediction"].to_numpy() == pytest.approx(wanted, abs=1e-12)
    assert found["base_value"].tolist() == found["prediction"].tolist()
    assert (found[["residual", "attribution_error", "max_rel_se"]] == 0).all(axis=None)
    assert (found["n_model_inputs"] == 1).all()
    assert set(found["error"]) == {
        "nothing to explain: the text holds no word",
        "nothing to explain: there is no text",
    }
    weights = pd.read_csv("xplain-out/weights.csv")
    assert set(weights["row_id"]) == {0, 4}
    assert "2 explained, 5 empty" in done.err
    assert json.loads(Path("xplain-out/run_results.json").read_text())["rows_empty"] == 5


@pytest.mark.parametrize(
    "method", ["lime", "kernel-shap", "permutation", "occlusion", "lime:refine=2"]
)
def test_no_method_fails_on_them(explain, method):
    explain("-m", method, *(() if method == "occlusion" else SMALL))
    assert stability()["status"].value_counts().to_dict() == {"ok": 2, "empty": 5}


@pytest.mark.parametrize("unit", ["sentence", "char", "regex=[a-z]+"])
def test_what_holds_nothing_depends_on_the_unit(explain, unit):
    explain("--unit", unit)
    empty = stability()["status"].eq("empty")
    assert empty[[2, 3]].all()
    assert empty[1] == (unit != "char")
    assert not empty[[0, 4]].any()


def test_against_another_text_they_are_empty_as_well(explain, comments):
    explain("-t", "spam", "-b", f"nearest:class=fine,from={comments / 'comments.txt'}")
    found = stability().loc[EMPTY]
    assert (found["status"] == "empty").all()
    assert found["base_value"].tolist() == found["prediction"].tolist()


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".parquet"])
def test_every_format_holds_them(explain, suffix):
    pytest.importorskip("pyarrow")
    explain("-o", f"out{suffix}")
    path = Path(f"out{suffix}")
    if suffix == ".parquet":
        assert set(pd.read_parquet(path)["row_id"]) == {"0", "4"}
        return
    text = path.read_text()
    rows = json.loads(text) if suffix == ".json" else list(map(json.loads, text.splitlines()))
    rows = rows if suffix == ".jsonl" else rows["explanations"]
    empty = [row for row in rows if row["status"] == "empty"]
    assert [row["row"] for row in empty] == EMPTY
    assert empty[0]["explanations"][0]["weights"] == []
    assert empty[0]["explanations"][0]["base_value"] == empty[0]["explanations"][0]["prediction"]


@pytest.mark.parametrize(
    ("gate", "code"),
    [
        ("prediction<2", 0),
        ("share(max_rel_se>=0)<0.5", 0),
        ("min(n_model_inputs)<2", 0),
        ("count(failed)>0", 0),
        ("count(status==empty)>3", 1),
    ],
)
def test_they_violate_no_gate_but_that_on_the_status(explain, tmp_path, gate, code):
    only = tmp_path / "smileys.csv"
    # the probe needs a text, and the rows that are judged have none
    pd.DataFrame({"text": [":-)", *TEXTS[1:4], "!"]}).to_csv(only, index=False)
    explain("--fail-on", gate, data=only, code=code)


def test_pages_count_them(explain):
    explain("--report", "page.html")
    page = Path("page.html").read_text()
    assert "2 rows explained, 5 empty, 0 failed" in page
    assert "Why rows failed" not in page


def test_a_chunk_of_nothing_else_and_jobs_change_no_byte(explain):
    explain("-o", "one")
    explain("-o", "two", "--chunk-rows", "2", "--jobs", "2", "--backend", "threads")
    for name in ("weights.csv", "stability.csv"):
        assert Path("one", name).read_bytes() == Path("two", name).read_bytes()


def test_slices_merge_to_the_undivided_run(explain, run):
    explain("-o", "whole")
    for number in (1, 2):
        explain("-o", f"slice{number}", "--shard", f"{number}/2")
    done = run("merge", "slice1", "slice2", "-o", "merged")
    assert done.code == 0, done.err
    assert "5 empty" in done.err
    for name in ("weights.csv", "stability.csv", "vocabulary.csv"):
        assert Path("merged", name).read_bytes() == Path("whole", name).read_bytes()


def test_a_run_with_them_can_be_evaluated(explain, run):
    explain()
    done = run("evaluate", "xplain-out")
    assert done.code == 0, done.err
    assert set(pd.read_csv("xplain-out/evaluation.csv")["row_id"]) == {0, 4}


def test_a_plan_counts_only_what_has_units(explain, tmp_path):
    only = tmp_path / "smileys.csv"
    pd.DataFrame({"text": [":-)", "...", "!"]}).to_csv(only, index=False)
    assert "features        0" in explain("--dry-run", data=only).out


def test_a_model_that_fails_on_no_text_makes_failed_rows(run, remarks, tmp_path):
    (tmp_path / "refuses_blanks.py").write_text(
        "import numpy as np\n\n\ndef score(texts):\n"
        "    return np.array([np.nan if not t.strip() else float(len(t)) for t in texts])\n"
    )
    done = run(
        *(
            "text",
            "refuses_blanks:score",
            remarks,
            "--text-column",
            "text",
            "--python-path",
            tmp_path,
        ),
        *("--unit", "regex=[a-z]{3}", "-m", "occlusion"),
    )
    assert done.code == 4
    assert stability()["status"].tolist()[1:4] == ["empty", "failed", "failed"]


@pytest.fixture
def scenes(tmp_path):
    """Pictures with something in them, and with nothing."""
    folder = tmp_path / "scenes"
    folder.mkdir()
    rgb(SIDE, SIDE).save(folder / "a.png")
    Image.new("RGB", (SIDE, SIDE), (200, 10, 10)).save(folder / "flat.png")
    Image.new("RGBA", (SIDE, SIDE), (9, 9, 9, 0)).save(folder / "glass.png")
    Image.new("L", (SIDE, SIDE), 77).save(folder / "grey.png")
    return folder


@pytest.mark.parametrize(
    ("baseline", "empty"),
    [
        ("mean", ["flat.png", "glass.png", "grey.png"]),
        ("blur", ["flat.png", "glass.png", "grey.png"]),
        ("white", ["glass.png"]),
        ("black", []),
        ("colour=#c80a0a", ["flat.png"]),
    ],
)
def test_pictures_that_are_what_hides_them_are_empty(run, tmp_path, scenes, baseline, empty):
    model = mean_colours(tmp_path / "m.onnx", shape=["rows", 3, SIDE, SIDE])
    done = run("image", model, scenes, "-b", baseline, "--segments", "4", "-n", "64")
    assert done.code == 0, done.err
    said = stability()
    assert said["row_id"][said["status"] == "empty"].tolist() == empty
    weights = pd.read_csv("xplain-out/weights.csv")
    flat = weights[weights["row_id"].isin(empty)]
    assert set(flat["row_id"]) == set(empty)
    assert (flat["weight"] == 0).all()
    found = said[said["status"] == "empty"]
    assert found["base_value"].tolist() == found["prediction"].tolist()
    assert np.isfinite(said["prediction"]).all()


def test_a_damaged_picture_still_fails(run, tmp_path, scenes):
    (scenes / "z.png").write_bytes(b"")
    model = mean_colours(tmp_path / "m.onnx", shape=["rows", 3, SIDE, SIDE])
    assert run("image", model, scenes, "--segments", "4", "-n", "64").code == 4
    assert stability().groupby("status")["row_id"].first()["failed"] == "z.png"
