"""baselines: what each gives, that the order of the background decides nothing, and whole runs."""

import csv
import pickle

import numpy as np
import pandas as pd
import pytest

from xplain_cli.baselines import BASELINES, open_baseline
from xplain_cli.baselines.assignment import NO_CLASS, foils
from xplain_cli.baselines.tables import TableReference, measure_distance
from xplain_cli.errors import UsageError, XplainError
from xplain_cli.modalities.tabular.masks import MaskedTableLaw


def table(rng, rows=40):
    return pd.DataFrame({
        "a": rng.normal(size=rows),
        "b": np.where(rng.random(rows) < 0.2, np.nan, rng.normal(5, 2, rows)),
        "c": rng.choice(["red", "green", "blue"], rows).astype(object),
    })


def answers(rows):
    """A model of two classes, by one number and one category."""
    score = rows["a"].to_numpy(dtype=float) + (rows["c"] == "red").to_numpy() - 0.5
    p = 1 / (1 + np.exp(-3 * score))
    return np.column_stack([1 - p, p])


def reference(rows):
    return TableReference(
        rows=rows,
        names=tuple(f"row {i}" for i in range(len(rows))),
        predicted=answers(rows).argmax(axis=1),
        labelled=np.full(len(rows), -1),
        outputs=("no", "yes"),
        discrete=frozenset({"c"}),
        members=(("a",), ("b",), ("c",)),
        seed=0,
        files=Files(rows),
    )


class Files:
    def __init__(self, rows):
        self.rows = rows

    def row(self, name):
        return self.rows.iloc[[int(name)]].reset_index(drop=True)

    def table(self, path):
        return self.rows.head(len(path))


def fitted(text, rows):
    return open_baseline("tabular", text).fit(reference(rows))


def given(text, rows, some):
    giver = fitted(text, rows)
    wanted = np.array([1 - answers(some).argmax(axis=1)])[0]
    if giver.wanted is not None:
        wanted = np.full(len(some), giver.wanted)
    return giver, giver.assign(some, wanted, answers), wanted


# every kind once, and once for every setting that takes another path
KINDS = {
    "zero": "zero",
    "mean": "mean",
    "median": "median",
    "mode": "mode",
    "row": "row=7",
    "file": "file=some.csv",
    "sample": "sample:k=6",
    "sample of a class": "sample:k=6,class=yes",
    "medoid": "medoid",
    "nearest": "nearest",
    "nearest of a class": "nearest:class=no",
    "revert": "revert",
    "revert of a class": "revert:class=yes",
}


def test_the_contract_names_every_kind():
    assert set(BASELINES["tabular"]) <= set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_each_row_gets_k_rows_that_the_model_takes(kind, rng):
    rows = table(rng)
    giver, ground, _ = given(KINDS[kind], rows, rows.head(5))
    assert len(ground.values) == 5 * giver.k
    assert list(ground.values.columns) == list(rows.columns)
    assert ground.values.dtypes.tolist() == rows.dtypes.tolist()
    assert len(ground.origins) == len(ground.asked) == 5
    assert np.isfinite(answers(ground.values)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_rows_together_or_alone_get_the_same(kind, rng):
    rows = table(rng)
    giver, whole, _ = given(KINDS[kind], rows, rows.head(6))
    for i in range(6):
        _, alone, _ = given(KINDS[kind], rows, rows.iloc[[i]].reset_index(drop=True))
        own = whole.values.iloc[i * giver.k : (i + 1) * giver.k].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone.values, own)
        assert alone.asked[0] == whole.asked[i]


@pytest.mark.parametrize("kind", ["medoid", "nearest", "nearest of a class", "revert"])
def test_a_class_baseline_is_of_the_class(kind, rng):
    rows = table(rng)
    _, ground, wanted = given(KINDS[kind], rows, rows.head(20))
    assert (answers(ground.values).argmax(axis=1) == wanted).all()


def test_a_sample_of_a_class_is_of_the_class(rng):
    rows = table(rng)
    _, ground, _ = given("sample:k=6,class=yes", rows, rows.head(2))
    assert (answers(ground.values).argmax(axis=1) == 1).all()


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


def test_revert_changes_no_more_than_nearest_and_nothing_more_can_be_given_back(rng):
    rows = table(rng)
    some = rows.head(20)
    _, near, wanted = given("nearest", rows, some)
    _, back, _ = given("revert", rows, some)
    distance = reference(rows).distance
    far = [distance.between(distance.coded(some), distance.coded(g.values)) for g in (near, back)]
    assert (far[1] <= far[0]).all()
    for i in range(20):
        own, base = some.iloc[[i]].reset_index(drop=True), back.values.iloc[[i]]
        for column in rows.columns:
            tried = base.reset_index(drop=True).copy()
            if repr(tried[column][0]) != repr(own[column][0]):
                tried[column] = own[column]
                assert answers(tried).argmax(axis=1)[0] != wanted[i]


def test_the_mean_leaves_missing_values_out_and_categories_take_their_mode(rng):
    rows = table(rng)
    row = fitted("mean", rows).table.iloc[0]
    assert row["a"] == pytest.approx(rows["a"].mean())
    assert row["b"] == pytest.approx(rows["b"].mean())
    assert row["c"] == rows["c"].mode()[0]


def test_distances_are_l1_over_the_spread_and_one_a_category():
    rows = pd.DataFrame({"a": [0.0, 2.0, np.nan], "c": ["x", "y", "x"]})
    distance = measure_distance(rows, frozenset({"c"}))
    coded = distance.coded(rows)
    assert distance.between(coded[0], coded[1]) == 2 / 1 + 1
    assert distance.between(coded[0], coded[2]) == 1  # missing, and the same category
    assert distance.between(coded[2], coded[2]) == 0


def test_the_foil_is_the_other_side_or_the_strongest_other():
    outputs = np.tile([0.5, 0.3, 0.2], (2, 1))
    assert foils(np.array([[[0, -1]], [[0, 2]]]), outputs).tolist() == [1, 2]


def test_a_row_of_the_foil_itself_is_compared_with_the_explained_class():
    outputs = np.tile([0.5, 0.3, 0.2], (2, 1))
    assert foils(np.array([[[1, -1]], [[2, 0]]]), outputs).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("neerest", "nearest"),
        ("nearest:klass=yes", "class"),
        ("nearest:class=maybe", "no, yes"),
        ("sample:k=0", "1 or above"),
        ("row", "row=17"),
    ],
)
def test_what_is_wrong_with_a_baseline_is_said(text, said, rng):
    with pytest.raises(UsageError, match=said):
        fitted(text, table(rng))


def test_a_class_without_rows_is_refused(rng):
    rows = table(rng)
    with pytest.raises(XplainError, match="puts no row"):
        fitted("nearest:class=yes", rows[answers(rows).argmax(axis=1) == 0].reset_index(drop=True))


def law(text, rows):
    return MaskedTableLaw(
        names=("a", "both"),
        members=(("a",), ("b", "c")),
        columns=("a", "b", "c"),
        kinds=("number", "number", "category"),
        giver=fitted(text, rows),
        distance=reference(rows).distance,
        outputs=("no", "yes"),
    )


@pytest.mark.parametrize("text", ["mean", "sample:k=4"])
def test_masks_take_values_from_the_row_or_its_baselines(text, rng):
    rows = table(rng)
    own = law(text, rows)
    split = own.split(rows.head(4))
    pairs = np.tile([[0, -1]], (4, 1, 1))
    split, asked = split.grounded(pairs, answers(rows.head(4)), answers)
    assert not asked.any()
    masks = np.array([[True, False], [False, True], [True, True], [False, False]])
    made = split.masked(2, masks)
    k = own.giver.k
    x, base = rows.iloc[2], own.giver.table
    for m, (first, second) in enumerate(masks.tolist()):
        for j in range(k):
            line = made.iloc[m * k + j]
            assert line["a"] == (x["a"] if first else base["a"][j])
            assert line["c"] == (x["c"] if second else base["c"][j])


def test_features_equal_to_the_baseline_are_no_players(rng):
    rows = table(rng)
    own = law("row=3", rows)
    split, _ = own.split(rows.head(5)).grounded(
        np.tile([[0, -1]], (5, 1, 1)), answers(rows.head(5)), answers
    )
    assert split.counts[3] == 0
    assert split.shown().values.shape == (5, 2)


def test_no_baseline_has_no_class_but_those_that_say_so(rng):
    rows = table(rng)
    classes = {text: fitted(text, rows).wanted for text in KINDS.values()}
    assert {text for text, wanted in classes.items() if wanted is None} == {
        *("medoid", "nearest", "revert"),
    }
    assert classes["mean"] == classes["sample:k=6"] == NO_CLASS
    assert classes["sample:k=6,class=yes"] == 1


# whole runs


def lines_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def linear(tmp_path):
    """A linear regression on numbers, with its table."""
    from sklearn.linear_model import LinearRegression

    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(20, 12)), columns=list("abcdefghijkl"))
    model = LinearRegression().fit(X, X.to_numpy() @ np.arange(1.0, 13))
    (tmp_path / "linear.pkl").write_bytes(pickle.dumps(model))
    X.to_csv(tmp_path / "linear.csv", index=False)
    return X, model


METHODS = ["kernel-shap", "permutation", "occlusion", "lime:space=baseline"]


@pytest.mark.parametrize("baseline", ["zero", "mean", "median", "row=4", "sample:k=7"])
@pytest.mark.parametrize("method", METHODS)
def test_a_linear_model_gives_w_times_x_minus_b(run, tmp_path, linear, method, baseline):
    X, model = linear
    done = run("tabular", "linear.pkl", "linear.csv", "-m", method, "-b", baseline, "-q")
    assert done.code == 0, done.err
    base = {
        "zero": np.zeros(12),
        "mean": X.mean().to_numpy(),
        "median": np.sort(X.to_numpy(), axis=0)[9],
        "row=4": X.iloc[4].to_numpy(),
    }.get(baseline)
    stability = lines_of(tmp_path / "xplain-out" / "stability.csv")
    for line in lines_of(tmp_path / "xplain-out" / "weights.csv"):
        row, j = int(line["row_id"]), int(line["feature_index"])
        if base is not None:
            wanted = model.coef_[j] * (X.iloc[row, j] - base[j])
            assert float(line["weight"]) == pytest.approx(wanted, rel=1e-9, abs=1e-9)
    for line in stability:
        assert float(line["residual"]) == pytest.approx(0, abs=1e-8)
        assert float(line["attribution_error"]) == pytest.approx(0, abs=1e-8)
    if baseline == "row=4":
        own = stability[4]
        assert (own["n_changed"], own["n_model_inputs"], own["precision"]) == ("0", "1", "exact")
        assert float(own["base_value"]) == float(own["prediction"])


@pytest.mark.parametrize("method", ["kernel-shap", "permutation", "occlusion"])
@pytest.mark.parametrize("baseline", ["median", "nearest", "revert"])
def test_a_run_with_a_baseline_says_what_it_was(run, tmp_path, mixed, method, baseline):
    done = run(
        *("tabular", mixed.model, mixed.data, "-m", method, "-b", baseline, "-q"),
        *("-t", "predicted:vs:runner-up"),
    )
    assert done.code == 0, done.err
    stability = lines_of(tmp_path / "xplain-out" / "stability.csv")
    weights = lines_of(tmp_path / "xplain-out" / "weights.csv")
    assert {line["status"] for line in stability} == {"ok"}
    assert all(float(line["baseline_distance"]) >= 0 for line in stability)
    assert {line["baseline"] for line in stability} == {baseline}
    if baseline != "median":
        assert {line["baseline_in_class"] for line in stability} == {"1.0"}
        for line in stability:
            assert line["target"].endswith(f":vs:{line['baseline_class']}")
    for line in weights:
        if line["baseline_value"] == line["feature_value"]:
            assert (float(line["weight"]), float(line["std_error"])) == (0, 0)
    assert len(weights) == 4 * len(stability)


def test_one_against_another_is_antisymmetric(run, tmp_path, mixed):
    found = {}
    for target in ("low:vs:high", "high:vs:low"):
        done = run(
            *("tabular", mixed.model, mixed.data, "-m", "kernel-shap", "-b", "median", "-q"),
            *("-t", target, "--force", "--rows", "0:20"),
        )
        assert done.code == 0, done.err
        weights = lines_of(tmp_path / "xplain-out" / "weights.csv")
        found[target] = {(w["row_id"], w["feature"]): float(w["weight"]) for w in weights}
    one, two = found.values()
    assert one.keys() == two.keys()
    assert all(one[key] == pytest.approx(-two[key], abs=1e-12) for key in one)


def test_pairs_of_classes_add_up(run, tmp_path, mixed):
    found = {}
    for target in ("low:vs:mid", "mid:vs:high", "low:vs:high"):
        run(
            *("tabular", mixed.model, mixed.data, "-m", "kernel-shap", "-b", "mean", "-q"),
            *("-t", target, "--force", "--rows", "0:20", "--output-scale", "log-odds:eps=1e-9"),
        )
        weights = lines_of(tmp_path / "xplain-out" / "weights.csv")
        found[target] = {(w["row_id"], w["feature"]): float(w["weight"]) for w in weights}
    one, two, whole = found.values()
    assert all(one[key] + two[key] == pytest.approx(whole[key], abs=1e-9) for key in whole)


def test_the_same_numbers_for_any_chunks_and_order(run, tmp_path, mixed):
    rows = pd.read_csv(mixed.data)
    rows.insert(0, "name", [f"r{i}" for i in range(len(rows))])
    rows.to_csv(tmp_path / "one.csv", index=False)
    rows.sample(frac=1, random_state=3).to_csv(tmp_path / "two.csv", index=False)
    found = []
    for data, size in (("one.csv", "40"), ("one.csv", "7"), ("two.csv", "40")):
        done = run(
            *("tabular", mixed.model, data, "--id-column", "name", "-m", "kernel-shap", "-q"),
            *("-b", "revert", "--chunk-rows", size, "--force"),
        )
        assert done.code == 0, done.err
        weights = lines_of(tmp_path / "xplain-out" / "weights.csv")
        found.append({(w["row_id"], w["feature"]): (w["weight"], w["std_error"]) for w in weights})
    assert found[0] == found[1] == found[2]


def test_lime_on_draws_takes_no_baseline(run, cancer):
    done = run("tabular", cancer.model, cancer.data, "-b", "mean")
    assert done.code == 2
    assert "lime:space=baseline" in done.err


def test_a_foil_needs_one_target(run, mixed):
    done = run("tabular", mixed.model, mixed.data, "-m", "kernel-shap", "-b", "revert", "-t", "all")
    assert done.code == 2
    assert "class=NAME" in done.err


def test_a_row_and_a_file_that_are_not_there_are_refused(run, cancer, tmp_path):
    base = ("tabular", cancer.model, cancer.data, "--id-column", "id", "-m", "occlusion")
    (tmp_path / "some.csv").write_text("a,b\n1,2\n")
    for baseline, code, said in (("row=nobody", 2, "nobody"), ("file=some.csv", 3, "no column")):
        done = run(*base, "-b", baseline)
        assert (done.code, said in done.err) == (code, True), done.err


def test_the_digest_of_a_baseline_file_is_part_of_the_plan(run, cancer, tmp_path):
    rows = pd.read_csv(cancer.data)
    ids = []
    for value in (5, 6):
        rows.iloc[[value]].to_csv(tmp_path / "base.csv", index=False)
        done = run(
            *("tabular", cancer.model, cancer.data, "--id-column", "id", "-m", "occlusion"),
            *("-b", "file=base.csv", "-o", "out.jsonl", "--force", "--rows", "0:2"),
        )
        assert done.code == 0, done.err
        ids.append((tmp_path / "out.jsonl").read_text())
    assert ids[0] != ids[1]


@pytest.mark.parametrize(
    ("method", "code"),
    [("kernel-shap", 0), ("permutation", 0), ("occlusion", 1), ("lime:space=baseline", 1)],
)
def test_a_gate_holds_methods_to_adding_up(run, cancer, method, code):
    done = run(
        *("tabular", cancer.model, cancer.data, "--id-column", "id", "-m", method, "-q"),
        *("--rows", "0:6", "--fail-on", "max(abs(residual))>1e-6, max(attribution_error)>1e-6"),
    )
    assert done.code == code, done.err


def test_the_attribution_error_is_what_weights_miss_of_the_difference(run, tmp_path, cancer):
    done = run(
        *("tabular", cancer.model, cancer.data, "--id-column", "id", "-m", "occlusion", "-q"),
        *("--rows", "0:6"),
    )
    assert done.code == 0, done.err
    sums = {}
    for line in lines_of(tmp_path / "xplain-out" / "weights.csv"):
        sums[line["row_id"]] = sums.get(line["row_id"], 0) + float(line["weight"])
    for line in lines_of(tmp_path / "xplain-out" / "stability.csv"):
        due = float(line["prediction"]) - float(line["base_value"])
        wanted = abs(sums[line["row_id"]] - due) / abs(due)
        assert float(line["attribution_error"]) == pytest.approx(wanted, abs=1e-9)


def test_several_baselines_are_compared(run, tmp_path, mixed):
    done = run(
        *("tabular", mixed.model, mixed.data, "-m", "kernel-shap", "-b", "median", "-b", "nearest"),
        *("--rows", "0:20", "--stability-k", "2", "-o", "both"),
    )
    assert done.code == 0, done.err
    assert "the first reason changes in" in done.err
    lines = lines_of(tmp_path / "both" / "agreement.csv")
    firsts = {}
    for name in ("median", "nearest"):
        for line in lines_of(tmp_path / "both" / name / "weights.csv"):
            if line["rank"] == "1":
                firsts.setdefault(line["row_id"], []).append(line["feature"])
    assert len(lines) == 20
    for line in lines:
        assert line["first_reasons"] == "; ".join(firsts[line["row_id"]])
        assert 0 <= float(line["topk_jaccard"]) <= 1


def test_a_file_of_several_baselines_has_files_beside_it(run, tmp_path, mixed):
    done = run(
        *("tabular", mixed.model, mixed.data, "-m", "occlusion", "-b", "mean", "-b", "row=1"),
        *("--rows", "0:5", "-o", "w.csv", "-q"),
    )
    assert done.code == 0, done.err
    names = {path.name for path in tmp_path.glob("w.*.csv")}
    assert {"w.mean.csv", "w.row=1.csv", "w.agreement.csv"} <= names


@pytest.mark.parametrize("options", [("-o", "-"), ("-b", "mean")])
def test_baselines_that_cannot_stand_side_by_side_are_refused(run, mixed, options):
    base = ("tabular", mixed.model, mixed.data, "-m", "occlusion", "-b", "mean", "-b", "zero")
    assert run(*base, *options).code == 2


@pytest.mark.parametrize("baseline", ["median", "sample:k=5", "revert"])
def test_tree_shap_and_kernel_shap_agree(run, tmp_path, cancer, baseline):
    found = []
    for method in ("tree-shap", "kernel-shap"):
        done = run(
            *("tabular", cancer.model, cancer.data, "--id-column", "id", "-m", method, "-q"),
            *("--rows", "0:4", "-b", baseline, "--force", "--fail-on", "max(residual)>1e-9"),
        )
        assert done.code == 0, done.err
        weights = lines_of(tmp_path / "xplain-out" / "weights.csv")
        found.append({(w["row_id"], w["feature"]): w for w in weights})
    exact, sampled = found
    gaps = [float(exact[key]["weight"]) - float(sampled[key]["weight"]) for key in exact]
    errors = [float(sampled[key]["std_error"]) for key in exact]
    assert np.linalg.norm(gaps) <= 2 * np.linalg.norm(errors) + 1e-9


def test_tree_shap_is_for_trees(run, diabetes):
    done = run("tabular", diabetes.model, diabetes.data, "-m", "tree-shap")
    assert done.code == 2
    assert "tree-shap needs trees" in done.err
    assert "kernel-shap" in done.err


def test_a_judge_says_of_each_baseline_whether_it_is_of_its_class(run, tmp_path, mixed):
    base = ("tabular", mixed.model, mixed.data, "-m", "kernel-shap", "-b", "nearest", "-q")
    done = run(*base, "--judge", mixed.model, "--rows", "0:9")
    assert done.code == 0, done.err
    lines = lines_of(tmp_path / "xplain-out" / "stability.csv")
    assert {line["judge_in_class"] for line in lines} == {"1.0"}  # the model itself agrees


def test_a_judge_of_other_classes_or_without_a_class_is_refused(run, mixed, cancer):
    base = ("tabular", mixed.model, mixed.data, "-m", "kernel-shap")
    for options in (
        ("-b", "nearest", "--judge", cancer.model),
        ("-b", "mean", "--judge", mixed.model),
        ("-m", "lime", "--judge", mixed.model),
    ):
        done = run(*base, *options)
        assert (done.code, "--judge" in done.err) == (2, True), done.err


def test_no_values_hides_those_of_baselines_too(run, tmp_path, mixed):
    base = ("tabular", mixed.model, mixed.data, "-m", "occlusion", "--rows", "0:3", "-q")
    assert run(*base, "-b", "nearest", "--no-values").code == 0
    lines = lines_of(tmp_path / "xplain-out" / "weights.csv")
    assert {(line["feature_value"], line["baseline_value"]) for line in lines} == {("", "")}
