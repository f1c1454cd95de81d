"""``xplain baselines train`` from end to end: trained, killed, gone on with, used, refused."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from running import rows_of

from xplain_cli import jobs
from xplain_cli.baselines.learned_file import read_learned

pytest.importorskip("torch")

TRAIN = ("baselines", "train", "ganmex")


@pytest.fixture
def files(tmp_path):
    """A table of numbers and words of three classes, and a network behind a one-hot code."""
    from sklearn.compose import make_column_transformer
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    rng = np.random.default_rng(0)
    rows = pd.DataFrame({
        "a": rng.normal(size=150),
        "b": rng.integers(0, 5, 150).astype(float),
        "c": rng.choice(["x", "y", "z"], 150).astype(object),
    })
    wanted = np.where(rows["c"] == "x", "no", np.where(rows["a"] > 0, "yes", "maybe"))
    columns = make_column_transformer((OneHotEncoder(), ["c"]), (StandardScaler(), ["a", "b"]))
    net = MLPClassifier((8,), max_iter=400, random_state=0, solver="lbfgs")
    model = make_pipeline(columns, net).fit(rows, wanted)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(model))
    rows.to_csv(tmp_path / "d.csv", index=False)
    return rows, model


def test_a_training_is_the_same_whenever_it_is_killed(run, tmp_path, files, monkeypatch):
    rows, model = files
    words = (*TRAIN, "m.pkl", "d.csv", "--steps", "40", "--noise", "0.3")
    done = run(*words, "-o", "G.xplain", "--log-json")
    assert done.code == 0, done.err
    events = [json.loads(line) for line in done.err.splitlines()]
    snapshots = [one for one in events if one["event"] == "snapshot"]
    assert [one["step"] for one in snapshots] == [40]
    assert {"target_rate", "judge_rate", "distance", "class"} <= set(snapshots[0])
    assert not (tmp_path / "G.xplain.training").exists()
    assert "target    " in done.out

    # killed after the second of four snapshots
    recipe = jobs.baselines._recipe
    monkeypatch.setattr(
        jobs.baselines,
        "_recipe",
        lambda *words, **more: jobs.baselines.replace(recipe(*words, **more), every=10),
    )
    keep, count = jobs.baselines.write_atomically, []

    def killed(path, data):
        keep(path, data)
        count.append(path)
        if len(count) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(jobs.baselines, "write_atomically", killed)
    assert run(*words, "-o", "K.xplain").code == 130
    assert not (tmp_path / "K.xplain").exists()
    monkeypatch.setattr(jobs.baselines, "write_atomically", keep)
    again = run(*words, "-o", "K.xplain")
    assert "going on after step 20" in again.err
    assert run(*words, "-o", "W.xplain").code == 0
    assert (tmp_path / "K.xplain").read_bytes() == (tmp_path / "W.xplain").read_bytes()
    assert "is there already" in run(*words, "-o", "K.xplain").err

    told = run("baselines", "show", "G.xplain")
    assert "noise 0.3" in told.out
    assert "no (" in told.out
    used = run(
        "tabular",
        "m.pkl",
        "d.csv",
        "-m",
        "kernel-shap",
        "-b",
        "ganmex=G.xplain",
        "-q",
        "-t",
        "predicted:vs:runner-up",
        "--rows",
        "0:20",
    )
    assert used.code == 0, used.err
    learned = read_learned(str(tmp_path / "G.xplain"))
    outputs = model.predict_proba(rows.head(20))
    order = outputs.argsort(axis=1)
    vectors, fixed = learned.space.vectors(rows.head(20))
    made = learned.space.rows(learned.generator.made(vectors, fixed, order[:, -2]), rows.head(20))
    there, at = model.predict_proba(made), np.arange(20)
    gap = there[at, order[:, -1]] - there[at, order[:, -2]]
    for i, line in enumerate(rows_of(tmp_path / "xplain-out" / "stability.csv")):
        assert float(line["base_value"]) == pytest.approx(gap[i], abs=1e-9)
        assert float(line["attribution_error"]) <= 1e-12


def test_no_place_is_found_out_too_late_and_no_input_is_lost(run, tmp_path, files):
    """The output is looked at before anything is trained, forced or not."""
    before = {name: (tmp_path / name).read_bytes() for name in ("m.pkl", "d.csv")}
    (tmp_path / "folder").mkdir()
    for place, said in (
        ("d.csv", "d.csv is what this command reads"),
        ("m.pkl", "m.pkl is what this command reads"),
        ("folder", "is not a regular file"),
        ("/proc/G.xplain", "cannot be written"),
    ):
        done = run(*TRAIN, "m.pkl", "d.csv", "--steps", "9999", "-o", place, "--force")
        assert done.code in {2, 3}
        assert said in done.err
        assert "--background" not in done.err
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_what_cannot_be_trained_is_refused_with_the_way_out(run, tmp_path, files):
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import Ridge

    rows, _ = files
    numbers = rows[["a", "b"]]
    numbers.to_csv(tmp_path / "n.csv", index=False)
    forest = RandomForestClassifier(3, random_state=0).fit(numbers, rows["c"])
    (tmp_path / "f.pkl").write_bytes(pickle.dumps(forest))
    (tmp_path / "r.pkl").write_bytes(pickle.dumps(Ridge().fit(numbers, rows["a"])))
    (tmp_path / "t.txt").write_text("a text\nanother\n" * 20)
    for words, said in (
        (("f.pkl", "n.csv", "-o", "G.xplain"), "take -b nearest"),
        (("r.pkl", "n.csv", "-o", "G.xplain"), "has no classes"),
        (("m.pkl", "d.csv"), "where to?"),
        ((), "no MODEL"),
    ):
        done = run(*TRAIN, *words)
        assert done.code == 2
        assert said in done.err
    assert "train what?" in run("baselines", "train").err
    assert not (tmp_path / "G.xplain").exists()
