"""Two runs compared: what changed, why, and what is only noise."""

import json
import pickle

import numpy as np
import pytest
from linear_runs import NAMES, SLOPES, doubled, store, table, words
from running import copied, rows_of
from sklearn.linear_model import LogisticRegression

EXACT = ("-m", "occlusion", "-b", "zero")
ROWS = 24
NOISY = ("-n", "256", "-r", "8")


@pytest.fixture
def place(tmp_path):
    """A folder with a table, two models, and a table of which one row is another."""
    table(ROWS).to_csv(tmp_path / "d.csv", index=False)
    changed = table(ROWS)
    changed.loc[3, "income"] = 2.5
    changed.to_csv(tmp_path / "d2.csv", index=False)
    store(tmp_path / "m.pkl")
    store(tmp_path / "m2.pkl", doubled("income"))
    return tmp_path


@pytest.fixture(scope="module")
def made_once():
    """Run folders by what made them: most tests compare the same few runs."""
    return {}


@pytest.fixture
def differ(run, place, made_once, tmp_path_factory):
    """Explain twice and compare; return the outcome of the comparison and its files."""

    def content(word):
        return (place / word).read_bytes() if (place / word).is_file() else word

    def explained(name, *command):
        whole = (name, *map(content, command))
        if whole in made_once:
            copied(made_once[whole], place / name)
            return
        model, data, *more = command
        assert run(*words(model, data, name, *more)).code == 0
        made_once[whole] = copied(place / name, tmp_path_factory.mktemp("made") / name)

    def compared(old, new, *options):
        explained("old", *old)
        explained("new", *new)
        done = run("diff", "old", "new", *options)
        folder = place / "xplain-diff"
        if not (folder / "diff.json").is_file():
            return done, None, None, None
        tables = (
            rows_of(folder / f"{name}.csv") for name in ("diff", "diff_rows", "diff_features")
        )
        return done, *tables

    return compared


def named(features):
    return {line["feature"] for line in features if line["changed"] == "1"}


def test_another_seed_is_noise(differ):
    done, weights, rows, features = differ(
        ("m.pkl", "d.csv", *NOISY), ("m.pkl", "d.csv", *NOISY, "-s", "1")
    )
    assert done.code == 0
    assert {line["verdict"] for line in rows} == {"noise"}
    assert {line["changed"] for line in weights} == {"0"}
    assert named(features) == set()
    assert "the model is the same" in done.err


def test_an_exact_method_does_not_change_with_the_seed(differ):
    _, weights, rows, _ = differ(("m.pkl", "d.csv", *EXACT), ("m.pkl", "d.csv", *EXACT, "-s", "1"))
    assert {line["verdict"] for line in rows} == {"same"}
    assert {line["p_value"] for line in weights} == {"1.0"}


@pytest.mark.parametrize("method", [EXACT, NOISY])
def test_a_doubled_coefficient_is_found_in_every_row_and_no_other_is_named(differ, method):
    done, weights, rows, features = differ(
        ("m.pkl", "d.csv", *method), ("m2.pkl", "d.csv", *method)
    )
    found = [line for line in weights if line["feature"] == "income" and line["changed"] == "1"]
    assert len(found) >= 0.95 * ROWS
    assert named(features) == {"income"}
    assert {line["verdict"] for line in rows} == {"model"}
    assert "the model changed (model" in done.err


def test_exact_differences_are_those_of_the_closed_form(differ):
    _, weights, _, _ = differ(("m.pkl", "d.csv", *EXACT), ("m2.pkl", "d.csv", *EXACT))
    values = table(ROWS).set_index("id")
    own = [line for line in weights if line["feature"] == "income"]
    expected = [SLOPES[1] * values.loc[line["row_id"], "income"] for line in own]
    assert [float(line["difference"]) for line in own] == pytest.approx(expected, abs=1e-12)


def test_changed_values_are_not_taken_for_a_changed_model(differ):
    done, _, rows, _ = differ(
        ("m.pkl", "d.csv", *EXACT),
        ("m.pkl", "d2.csv", *EXACT),
        "--fail-on",
        "count(verdict==model)>0",
    )
    verdicts = {line["row_id"]: line["verdict"] for line in rows}
    assert done.code == 0
    assert verdicts.pop("p3") == "data"
    assert set(verdicts.values()) == {"same"}
    assert "the model is the same" in done.err
    assert "1 of 24 rows with other values" in done.err


def test_a_background_that_changed_is_data(differ):
    options = ("-m", "occlusion", "-b", "mean")
    _, _, rows, _ = differ(
        ("m.pkl", "d.csv", *options), ("m.pkl", "d.csv", *options, "--background", "d2.csv")
    )
    assert {line["verdict"] for line in rows} == {"data"}
    assert {line["values_changed"] for line in rows} == {"0"}


def test_another_question_is_refused_and_compared_across(differ, run):
    done, *_ = differ(
        ("m.pkl", "d.csv", *EXACT), ("m.pkl", "d.csv", "-m", "occlusion", "-b", "mean")
    )
    assert done.code == 2
    assert "the question changed: baseline zero -> mean" in done.err
    done = run("diff", "old", "new", "--across", "-o", "-")
    assert json.loads(done.out)["summary"]["verdicts"]["question"] == ROWS


def test_settings_of_another_method_are_no_changes_of_this_one(differ):
    done, *_ = differ(("m.pkl", "d.csv", *EXACT), ("m.pkl", "d.csv", "-m", "lime", *NOISY))
    assert done.code == 2
    assert "method occlusion -> lime" in done.err
    assert "method ridge" not in done.err


def test_runs_that_share_no_target_are_told_to_share_one(differ, place):
    model = LogisticRegression().fit(table(ROWS)[list(NAMES)], np.arange(ROWS) % 3)
    (place / "c.pkl").write_bytes(pickle.dumps(model))
    done, *_ = differ(
        ("c.pkl", "d.csv", *EXACT, "-t", "0"), ("c.pkl", "d.csv", *EXACT, "-t", "1"), "--across"
    )
    assert done.code == 2
    assert "explain both for the same --target" in done.err


def test_rows_and_features_that_one_run_lacks_are_said(differ, place):
    other = table(ROWS).rename(columns={"zone": "area"}).iloc[5:]
    other.to_csv(place / "d3.csv", index=False)
    store_named(place / "m3.pkl", [*NAMES[:-1], "area"])
    done, _, rows, _ = differ(("m.pkl", "d.csv", *EXACT), ("m3.pkl", "d3.csv", *EXACT))
    assert "5 rows are only in OLD: p0, p1, p2, p3, p4" in done.err
    assert "features only in OLD: zone" in done.err
    assert "features only in NEW: area" in done.err
    assert len(rows) == ROWS - 5


def store_named(path, names):
    """Store the linear model under other names of columns."""
    store(path)
    model = pickle.loads(path.read_bytes())
    model.feature_names_in_ = np.array(names, dtype=object)
    path.write_bytes(pickle.dumps(model))


def test_the_order_and_the_chunks_of_rows_do_not_matter(differ, place, run):
    table(ROWS).iloc[::-1].to_csv(place / "r.csv", index=False)
    _, _, rows, _ = differ(
        ("m.pkl", "d.csv", *EXACT), ("m.pkl", "r.csv", *EXACT, "--chunk-rows", "7")
    )
    assert [line["row_id"] for line in rows] == [f"p{i}" for i in range(ROWS)]
    assert {line["verdict"] for line in rows} == {"same"}


def test_a_gate_on_reasons_that_changed_is_judged_and_written_for_ci(differ, place):
    done, _, rows, _ = differ(
        ("m.pkl", "d.csv", *EXACT),
        ("m2.pkl", "d.csv", *EXACT),
        *("--fail-on", "share(first_reason_changed)>5%", "--junit", "j.xml"),
    )
    changed = [line for line in rows if line["first_reason_changed"] == "1"]
    assert done.code == 1
    assert len(changed) / ROWS > 0.05
    assert all(line["first_reason_old"] != line["first_reason_new"] for line in changed)
    text = (place / "j.xml").read_text()
    assert 'failures="1"' in text
    assert changed[0]["row_id"] in text


def test_a_folder_of_other_things_is_not_touched(differ, place):
    (place / "xplain-diff").mkdir()
    (place / "xplain-diff" / "mine.txt").write_text("x")
    done, *_ = differ(("m.pkl", "d.csv", *EXACT), ("m.pkl", "d.csv", *EXACT))
    assert done.code == 3
    assert [path.name for path in (place / "xplain-diff").iterdir()] == ["mine.txt"]
    assert "the model is the same" not in done.err  # it is refused before the runs are read


def test_selected_features_are_not_called_changed(differ):
    """Which features a surrogate takes is a matter of the seed where two are alike."""
    options = ("-m", "lime:features=2", *NOISY)
    done, weights, _, _ = differ(
        ("m.pkl", "d.csv", *options), ("m.pkl", "d.csv", *options, "-s", "1")
    )
    assert done.code == 0
    assert sum(line["changed"] == "1" for line in weights) <= 0.01 * len(weights)


def test_units_of_texts_are_joined_each_with_itself(run, comments, tmp_path):
    base = ("text", comments / "model.pkl", comments / "comments.csv", "--text-column", "CONTENT")
    for seed in ("0", "1"):
        options = ("--occurrences", "each", "--rows", "0:6", "-s", seed, "-o", f"run{seed}", "-q")
        assert run(*base, *options).code == 0
    assert run("diff", "run0", "run1").code == 0
    lines = rows_of(tmp_path / "xplain-diff" / "diff.csv")
    keys = [(line["row_id"], line["target"], line["feature"]) for line in lines]
    assert any("again [[" in line["feature"] for line in lines)
    assert len(set(keys)) == len(keys)
    assert "" not in {line[side] for line in lines for side in ("weight_old", "weight_new")}


def test_superpixels_are_joined_by_their_maps(run, photos, watching, tmp_path):
    base = ("image", watching, photos, "-q", "--rescale", "1/255", "--segments", "4")
    cuts = {"old": ("--segmenter", "grid"), "new": ("--segmenter", "file=old/segments")}
    for name, cut in cuts.items():
        asked = base if name == "old" else base[:-2]
        done = run(*asked, *cut, "-o", name)
        assert done.code == 0, done.err
    done = run("diff", "old", "new", "--across")
    assert done.code == 0, done.err
    lines = rows_of(tmp_path / "xplain-diff" / "diff.csv")
    assert {line["changed"] for line in lines} == {"0"}
    assert {line["weight_old"] == "" or line["weight_new"] == "" for line in lines} == {False}


def test_merged_and_distant_runs_are_compared_as_any_other(run, place):
    """The same tables to the byte, whether NEW was explained whole, in slices, or stands far."""
    pytest.importorskip("fsspec")
    far = f"file://{place}/far/new"
    explained = [("m.pkl", "old"), ("m2.pkl", "new"), ("m2.pkl", far)]
    slices = [("m2.pkl", "low", "--rows", "0:10"), ("m2.pkl", "high", "--rows", "10:")]
    for model, output, *rows in (*explained, *slices):
        assert run(*words(model, "d.csv", output, *EXACT, *rows)).code == 0
    assert run("merge", "high", "low", "-o", "merged", "-q").code == 0
    found = {}
    for i, new in enumerate(("new", "merged", far)):
        done = run("diff", "old", new, "-o", f"apart-{i}")
        assert done.code == 0, done.err
        assert "the model changed" in done.err
        tables = (f"{name}.csv" for name in ("diff", "diff_rows", "diff_features"))
        found[new] = [(place / f"apart-{i}" / name).read_bytes() for name in tables]
    assert found["merged"] == found["new"] == found[far]
    assert named(rows_of(place / "apart-1" / "diff_features.csv")) == {"income"}
