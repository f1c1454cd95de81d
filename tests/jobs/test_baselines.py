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
    rows.head(7).to_csv(tmp_path / "few.csv", index=False)
    (tmp_path / "t.txt").write_text("a text\nanother\n" * 20)
    for words, said in (
        (("f.pkl", "n.csv", "-o", "G.xplain"), "take -b nearest"),
        (("r.pkl", "n.csv", "-o", "G.xplain"), "has no classes"),
        (
            ("m.pkl", "few.csv", "-o", "G.xplain"),
            "few.csv: too few rows to learn from: 7; give DATA",
        ),
        (("m.pkl", "d.csv"), "where to?"),
        ((), "no MODEL"),
    ):
        done = run(*TRAIN, *words)
        assert done.code == (3 if "few" in said else 2)
        assert said in done.err
        assert "--background" not in done.err
    assert "train what?" in run("baselines", "train").err
    assert not (tmp_path / "G.xplain").exists()


def test_private_rows_stay_out_of_the_file(run, tmp_path, files):
    rows, _ = files
    words = (*TRAIN, "m.pkl", "d.csv", "--steps", "2", "-q")
    for name, more in (("G.xplain", ()), ("P.xplain", ("--no-values",))):
        assert run(*words, "-o", name, *more).code == 0
    plain, private = (read_learned(str(tmp_path / name)) for name in ("G.xplain", "P.xplain"))
    assert plain.samples is not None
    assert private.samples is None
    seen = plain.space.rows(plain.samples.vectors, rows.head(len(plain.samples.vectors)))
    held = {tuple(row) for row in rows[["b", "c"]].itertuples(index=False)}
    assert {tuple(row) for row in seen[["b", "c"]].itertuples(index=False)} <= held
    told = run("baselines", "show", "P.xplain")
    assert "pairs     none: it was trained with --no-values" in told.out
    assert "pair 1" not in told.out
    for one, other in zip(plain.generator.weights, private.generator.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_torch_program_is_trained_for(run, tmp_path):
    """Pictures of a torch.export file: trained, shown, used; its class is what torch says."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 60, (90, 6, 5, 3)).astype(np.uint8)
    bright = rng.integers(0, 3, 90)
    for i, channel in enumerate(bright.tolist()):
        pixels[i, ..., channel] += 150
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3))
    with torch.no_grad():
        net[2].weight.copy_(8 * torch.eye(3))
        net[2].bias.zero_()
    many = [{0: torch.export.Dim("n", min=2, max=512)}]
    program = torch.export.export(net, (torch.zeros(2, 3, 6, 5),), dynamic_shapes=many)
    torch.export.save(program, tmp_path / "m.pt2")
    np.save(tmp_path / "p.npy", pixels)
    (tmp_path / "names.txt").write_text("red\ngreen\nblue\n")
    form = ("--rescale", "1/255", "--layout", "NCHW", "--class-names", "names.txt")
    refused = run(*TRAIN, "m.pt2", "p.npy", *form[:-2], "-o", "G.xplain", "-q")
    assert "name them with --class-names" in refused.err
    done = run(*TRAIN, "m.pt2", "p.npy", *form, "--steps", "20", "-o", "G.xplain", "-q")
    assert done.code == 0, done.err
    learned = read_learned(str(tmp_path / "G.xplain"))
    assert learned.space.form.shape == (6, 5, 3)
    assert sum(learned.generator.known) == 72  # of 90, a fifth is held out
    assert min(learned.generator.known) > 0
    used = run(
        *("image", "m.pt2", "p.npy", *form, "-m", "occlusion", "-b", "ganmex=G.xplain", "-q"),
        *("--segmenter", "grid", "--segments", "4", "-t", "predicted:vs:runner-up"),
    )
    assert used.code == 0, used.err
    lines = rows_of(tmp_path / "xplain-out" / "stability.csv")
    assert len(lines) == 90
    assert {line["baseline_origin"] for line in lines} == {"made of the picture"}
