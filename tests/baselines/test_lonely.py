"""A class that no reference row is in: rows against it fail, each for itself, and others do not."""

import pickle

import numpy as np
import pandas as pd
import pytest
from running import rows_of

from xplain_cli.baselines import open_baseline
from xplain_cli.errors import UsageError


@pytest.mark.parametrize("baseline", ["nearest", "medoid", "revert"])
@pytest.mark.parametrize("held", [(), ("--hold", "b")], ids=["free", "held"])
def test_rows_against_a_class_that_no_row_is_in_fail_alone(run, tmp_path, baseline, held):
    from sklearn.linear_model import LogisticRegression

    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(120, 3)), columns=list("abc"))
    wanted = np.array(["x", "y", "z"])[np.digitize(rows["a"], [-0.4, 0.4])]
    model = LogisticRegression(max_iter=500).fit(rows, wanted)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(model))
    said = model.predict(rows)
    rows[said != "z"].to_csv(tmp_path / "known.csv", index=False)
    some = pd.concat([rows[said == "y"].head(3), rows[said == "z"].head(2)])
    some.to_csv(tmp_path / "d.csv", index=False)
    done = run(
        *("tabular", "m.pkl", "d.csv", "--background", "known.csv", "-b", baseline, *held),
        *("-m", "occlusion", "-t", "z:vs:y", "-q", "--max-failed", "3"),
    )
    assert done.code == 0, done.err
    lines = rows_of(tmp_path / "xplain-out" / "stability.csv")
    assert [line["status"] for line in lines] == ["failed"] * 3 + ["ok"] * 2
    for line in lines[:3]:
        assert "the model puts no row of the background in class 'z'" in line["error"]
        assert "name a class (class=NAME)" in line["error"]


def test_texts_have_no_generator_and_are_told_what_to_take():
    for text in ("ganmex=G.xplain", "ganmex", "ganmex:path=G.xplain"):
        with pytest.raises(UsageError, match="take nearest:class=NAME"):
            open_baseline("text", text)
