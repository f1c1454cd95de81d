"""Labels of the background: baselines of a class are labelled and predicted as that class."""

import csv
import json
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from backgrounds import answers, fitted, given, reference, table
from running import rows_of

from xplain_cli.baselines import open_baseline
from xplain_cli.baselines.tables import OTHER_LABEL
from xplain_cli.errors import UsageError, XplainError
from xplain_cli.models import ModelRecipe, load_model

KINDS = ["nearest", "medoid", "revert"]


@pytest.mark.parametrize("kind", [*KINDS, "sample"])
def test_candidates_are_labelled_and_predicted_as_the_class(kind, rng):
    rows = table(rng)
    labelled = np.where(np.arange(len(rows)) % 3 == 0, 1, OTHER_LABEL)
    both = np.flatnonzero((labelled == 1) & (answers(rows).argmax(axis=1) == 1))
    known = replace(reference(rows), labelled=labelled, labels="y")
    baseline = open_baseline("tabular", f"{kind}:class=yes,labels=y")
    ground = baseline.fit(known).assign(rows.head(4), np.ones(4, dtype=int), answers)
    if kind == "sample":
        assert len(ground.values) == 4 * len(both)
    else:
        assert {name.removesuffix(", reverted") for name in ground.origins} <= {
            f"row {i}" for i in both
        }
    assert "column 'y'" in baseline.sentence


@pytest.fixture
def labelled(tmp_path, mixed):
    """The rows with the model's classes as labels, but every second one is wrong."""
    rows = pd.read_csv(mixed.data)
    loaded = load_model(ModelRecipe(str(mixed.model)))
    bound = loaded.bind(loaded.settle(rows))
    found = np.array(bound.signature.outputs)[bound.predict(rows).argmax(axis=1)]
    wrong = np.arange(len(rows)) % 2 > 0
    path = tmp_path / "labelled.csv"
    rows.assign(grade=np.where(wrong, "unsure", found)).to_csv(path, index=False)
    return path


def stability_of(folder):
    with (folder / "stability.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_of_the_background_holds_the_labels(run, tmp_path, mixed, labelled, kind):
    base = ("tabular", mixed.model, mixed.data, "--background", labelled, "-m", "occlusion", "-q")
    assert run(*base, "-b", f"{kind}:labels=grade", "--rows", "0:20").code == 0
    lines = stability_of(tmp_path / "xplain-out")
    origins = {int(line["baseline_origin"].split()[2].rstrip(",")) for line in lines}
    assert origins
    assert all(row % 2 == 0 for row in origins)  # the others have another label
    assert {line["baseline_in_class"] for line in lines} == {"1.0"}
    manifest = json.loads((tmp_path / "xplain-out" / "manifest.json").read_text(encoding="utf-8"))
    assert "by the model and by column 'grade'" in manifest["baseline"]
    assert manifest["plan"]["numbers"]["baseline"] == f"{kind}:labels=grade"


def test_data_that_is_its_own_background_has_its_labels(run, tmp_path, mixed, labelled):
    base = ("tabular", mixed.model, labelled, "-m", "occlusion", "-q", "--rows", "0:20")
    assert run(*base, "-b", "nearest:labels=grade").code == 0
    origins = [line["baseline_origin"] for line in stability_of(tmp_path / "xplain-out")]
    assert all(int(origin.split()[2]) % 2 == 0 for origin in origins)


def test_origins_are_rows_of_the_file_also_where_rows_cannot_be_used(
    run, tmp_path, mixed, labelled
):
    rows = pd.read_csv(labelled).astype({"age": object})
    rows.loc[[1, 3, 5], "age"] = "old"
    rows.to_csv(labelled, index=False)
    base = ("tabular", mixed.model, mixed.data, "--background", labelled, "-m", "occlusion", "-q")
    assert run(*base, "-b", "nearest:labels=grade", "--rows", "0:20").code == 0
    origins = [line["baseline_origin"] for line in stability_of(tmp_path / "xplain-out")]
    assert all(int(origin.split()[2]) % 2 == 0 for origin in origins)


@pytest.mark.parametrize(
    ("baseline", "says"),
    [
        ("nearest:labels=grde", "has no column 'grde'; did you mean 'grade'"),
        ("medoid:labels=city", "none is a class of the model"),
        ("sample:labels=grade", "of which class? sample:class=NAME"),
    ],
)
def test_labels_that_cannot_be_are_refused(run, mixed, labelled, baseline, says):
    done = run("tabular", mixed.model, labelled, "-m", "occlusion", "-b", baseline)
    assert done.code == 2
    assert says in done.err


def test_a_class_that_no_row_is_both_labelled_and_predicted_as_is_refused(run, mixed, labelled):
    rows = pd.read_csv(labelled, dtype=str)
    names = sorted(set(rows["grade"]) - {"unsure"})
    rows.assign(grade=rows["grade"].replace(names[0], "unsure")).to_csv(labelled, index=False)
    asked = f"nearest:class={names[0]},labels=grade"
    done = run("tabular", mixed.model, labelled, "-m", "occlusion", "-b", asked)
    assert done.code == 3
    assert f"both labelled {names[0]!r} in column 'grade' and put in that class" in done.err


def test_without_values_labels_are_not_shown(run, mixed, labelled):
    base = ("tabular", mixed.model, labelled, "-m", "occlusion", "--no-values")
    done = run(*base, "-b", "nearest:labels=city")
    assert done.code == 2
    assert "Oslo" not in done.err


def test_labels_of_a_model_without_classes_are_refused():
    rows = table(np.random.default_rng(0))
    known = replace(reference(rows), predicted=np.full(len(rows), -1))
    with pytest.raises(UsageError, match="the model has no classes"):
        open_baseline("tabular", "nearest:labels=y").fit(known)


def test_the_nearest_is_no_farther_than_any_other_of_its_class(rng):
    rows = table(rng)
    ref = reference(rows)
    _, ground, wanted = given("nearest", rows, rows.head(10))
    distance = ref.distance
    got = distance.between(distance.coded(rows.head(10)), distance.coded(ground.values))
    for i in range(10):
        others = rows[ref.predicted == wanted[i]]
        apart = distance.between(distance.coded(others), distance.coded(rows.iloc[[i]]))
        assert got[i] == apart.min()


def test_a_class_without_rows_is_refused(rng):
    rows = table(rng)
    with pytest.raises(XplainError, match="puts no row"):
        fitted("nearest:class=yes", rows[answers(rows).argmax(axis=1) == 0].reset_index(drop=True))


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
