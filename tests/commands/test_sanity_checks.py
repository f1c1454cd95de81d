"""``xplain evaluate --curves`` and ``--randomize``: comparisons, merged runs, pictures, texts."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pages import page_of
from running import rows_of

from xplain_cli.main import main

SIDE = 5
COLUMNS = [f"p{i}" for i in range(SIDE * SIDE)]


def drawn(count, seed):
    """Return pictures of three classes, each a bar of its own, and their classes."""
    stream = np.random.default_rng(seed)
    classes = stream.integers(0, 3, count)
    rows = stream.integers(0, 3, (count, SIDE, SIDE))
    for i, one in enumerate(classes):
        rows[i, 2 * one] += stream.integers(5, 9)
    return pd.DataFrame(rows.reshape(count, -1), columns=COLUMNS), np.array(list("abc"))[classes]


def told(*words):
    with pytest.raises(SystemExit) as ending:
        main([str(word) for word in words])
    assert ending.value.code == 0


@pytest.fixture(scope="module")
def bars(tmp_path_factory):
    """A network on bars, three tables, and runs of it under two baselines."""
    from sklearn.neural_network import MLPClassifier

    folder = tmp_path_factory.mktemp("bars")
    model = MLPClassifier((8,), max_iter=400, tol=1e-2, random_state=0).fit(*drawn(150, 0))
    (folder / "m.pkl").write_bytes(pickle.dumps(model))
    for name, count, seed in (("seen", 60, 1), ("unseen", 60, 2), ("rows", 12, 3)):
        drawn(count, seed)[0].to_csv(folder / f"{name}.csv", index=False)
    words = (folder / "m.pkl", folder / "rows.csv", "--background", folder / "seen.csv")
    asked = ("-m", "ig", "-t", "predicted:vs:runner-up", "-q", "-j", "1")
    told("tabular", *words, *asked, "-b", "zero", "-b", "nearest", "-o", folder / "both")
    return folder


def test_baselines_are_compared_by_one_replacement(run, bars, tmp_path):
    (tmp_path / "region.txt").write_text("\n".join(COLUMNS[:SIDE]))
    options = ("--replacements", bars / "unseen.csv", "--region", "region.txt", "--grid", "5x5")
    done = run("evaluate", bars / "both", "--curves", *options, "--report", "page.html")
    assert done.code == 0, done.err
    lines = pd.DataFrame(rows_of(bars / "both" / "curves.csv"))
    assert set(lines["baseline"]) == {"zero", "nearest"}
    assert set(lines["n_replaced"]) == {"7"}
    found = lines.astype({"share_of_drop": float, "share_random": float, "mass_in_region": float})
    by_row = found.groupby("row_id")["share_random"].nunique()
    assert (by_row == 1).all()  # one replacement for all
    means = found.groupby("baseline")[["share_of_drop", "share_random"]].mean()
    assert means.loc["nearest", "share_of_drop"] > means.loc["nearest", "share_random"] + 0.2
    assert found["mass_in_region"].between(0, 1).all()
    page = page_of(Path("page.html"))
    assert page.broken == []
    pictures = [attrs for tag, attrs in page.tags if tag == "img"]
    assert len(pictures) == 10 * 3
    assert all(one["alt"] for one in pictures)
    text = Path("page.html").read_text(encoding="utf-8")
    assert "which none of the baselines has seen" in text
    assert "the best of these" in text


def test_weights_outside_a_region_are_counted_by_hand(bars):
    lines = rows_of(bars / "both" / "nearest" / "weights.csv")
    weights = pd.DataFrame(lines).astype({"weight": float})
    inside = weights["feature"].isin(COLUMNS[:SIDE])
    sizes = weights["weight"].abs()
    shares = sizes[inside].groupby(weights["row_id"]).sum() / sizes.groupby(weights["row_id"]).sum()
    said = pd.DataFrame(rows_of(bars / "both" / "curves.csv")).query("baseline == 'nearest'")
    expected = shares.loc[said["row_id"]].to_numpy()
    assert said["mass_in_region"].astype(float).to_numpy() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--replacements", "seen.csv"), "is the background of the runs"),
        (("--region", "none.txt"), "cannot be read"),
        (("--grid", "3x3", "--replacements", "unseen.csv"), "9 pixels"),
        (("-b", "mean"), "--replace-by names"),
    ],
    ids=["seen", "no region", "no grid", "baseline"],
)
def test_what_cannot_be_compared_is_refused(run, bars, options, why):
    placed = [bars / one if one.endswith(".csv") else one for one in options]
    done = run("evaluate", bars / "both", "--curves", *placed)
    assert done.code in {2, 3}
    assert why in done.err


def test_a_randomised_model_is_explained_otherwise(run, bars):
    done = run("evaluate", bars / "both", "--randomize", "--grid", "5x5", "--report", "page.html")
    assert done.code == 0, done.err
    lines = pd.DataFrame(rows_of(bars / "both" / "randomization.csv"))
    found = lines.assign(ssim=pd.to_numeric(lines["ssim"]))
    means = found.groupby(["baseline", "state"])["ssim"].mean()
    assert means["zero", "control"] == means["nearest", "control"] == pytest.approx(1)
    assert "fixed" not in means["zero"]  # nothing of it was learned
    assert means["nearest", "refitted"] < means["nearest", "fixed"] < 1
    assert set(lines["layers"]) == {"", "output layer", "output layer down to hidden layer 1"}
    assert "holds: reruns are alike" in done.err
    assert page_of(Path("page.html")).broken == []


def test_the_same_rows_are_found_in_a_merged_run(run, bars, tmp_path):
    asked = ("-m", "lime", "-n", "64", "-r", "2", "-q", "-j", "1", "--background")
    for i in (1, 2):
        words = (bars / "m.pkl", bars / "rows.csv", *asked, bars / "seen.csv", "--shard", f"{i}/2")
        assert run("tabular", *words, "-o", f"s{i}").code == 0
    assert run("merge", "s1", "s2", "-o", "whole", "-q").code == 0
    done = run("evaluate", "whole", "--randomize", "--most-rows", "6")
    assert done.code == 0, done.err
    lines = pd.DataFrame(rows_of(tmp_path / "whole" / "randomization.csv"))
    assert lines["row_id"].nunique() == 6
    assert pd.to_numeric(lines.query("state == 'control'")["spearman"]).mean() > 0.5
    assert lines["explained"].eq("1").all()


def test_trees_have_no_layers_to_draw_anew(run, cancer):
    asked = ("-m", "occlusion", "--rows", "0:3", "-q")
    assert run("tabular", cancer.model, cancer.data, *asked).code == 0
    done = run("evaluate", "--randomize")
    assert done.code == 2
    assert "RandomForestClassifier has none" in done.err


def test_texts_are_randomised_and_have_no_curves(run, tmp_path):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts = ["good phone and nice", "bad battery and poor", "nice good", "poor bad case"] * 6
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, [1, 0, 1, 0] * 6)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(model))
    pd.DataFrame({"text": texts[:4]}).to_csv(tmp_path / "t.csv", index=False)
    assert run("text", "m.pkl", "t.csv", "-m", "kernel-shap", "-q").code == 0
    done = run("evaluate", "--randomize")
    assert done.code == 0, done.err
    states = {line["state"] for line in rows_of(tmp_path / "xplain-out" / "randomization.csv")}
    assert states == {"control", "refitted"}
    refused = run("evaluate", "--curves")
    assert refused.code == 2
    assert "texts are explained under one baseline" in refused.err


def test_pictures_are_compared_by_a_replacement_that_is_named(run, bars, tmp_path):
    pixels = drawn(4, 3)[0].to_numpy(dtype=np.uint8).reshape(-1, SIDE, SIDE, 1)
    np.save(tmp_path / "p.npy", pixels)
    words = (bars / "m.pkl", "p.npy", "-m", "ig", "--segmenter", "grid", "--segments", "25", "-q")
    assert run("image", *words, "-b", "black", "-b", "grey", "-o", "both").code == 0
    assert "--replace-by" in run("evaluate", "both", "--curves").err
    options = ("--replace-by", "nearest:class=a", "--randomize")
    done = run("evaluate", "both", "--curves", *options)
    assert done.code == 0, done.err
    lines = rows_of(tmp_path / "both" / "curves.csv")
    assert {line["replacement"] for line in lines} == {"nearest:class=a"}
    drawn_anew = rows_of(tmp_path / "both" / "randomization.csv")
    assert all(line["ssim"] for line in drawn_anew if line["explained"] == "1")
