"""A learned baseline is trained anew with the randomised model, and kept for the contrast alone."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from running import rows_of

pytest.importorskip("torch")

ASKED = ("-m", "ig", "-t", "predicted:vs:runner-up", "-q", "-j", "1")


@pytest.fixture
def learned(run):
    """A network on five columns, its table, and a run under a baseline of some steps."""
    from sklearn.neural_network import MLPClassifier

    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(120, 5)), columns=list("abcde"))
    wanted = np.array(["x", "y", "z"])[np.digitize(rows["a"] + rows["b"], [-0.5, 0.5])]
    net = MLPClassifier((6,), max_iter=400, random_state=0, solver="lbfgs").fit(rows, wanted)
    Path("m.pkl").write_bytes(pickle.dumps(net))
    rows.to_csv("d.csv", index=False)
    train = ("baselines", "train", "ganmex", "m.pkl", "d.csv", "--steps", "30", "-o", "G.xplain")
    assert run(*train, "-q").code == 0
    rows.head(8).to_csv("few.csv", index=False)
    assert run("tabular", "m.pkl", "few.csv", "-b", "ganmex=G.xplain", *ASKED).code == 0


def test_a_generator_is_trained_for_every_state_of_the_model(run, learned):
    refused = run("evaluate", "--randomize")
    assert refused.code == 2
    assert "--trained-on FILE" in refused.err
    done = run("evaluate", "--randomize", "--trained-on", "d.csv", "--most-layers", "1")
    assert done.code == 0, done.err
    assert done.err.count("training G.xplain anew") == 2
    lines = pd.DataFrame(rows_of(Path("xplain-out/randomization.csv")))
    assert set(lines["state"]) == {"control", "refitted", "fixed"}
    alike = lines.assign(spearman=pd.to_numeric(lines["spearman"]))
    states = alike.groupby("state")["spearman"].apply(tuple)
    assert states["refitted"] != states["fixed"]
    assert set(lines.query("state == 'refitted'")["baseline_in_class"]) <= {"0.0", "1.0", ""}
    assert not list(Path().glob("*.training"))
