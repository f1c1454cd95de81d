"""The nearest text of a class as a baseline, and whole runs."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from comments import against_nearest
from hypothesis import given
from hypothesis import strategies as st
from languages import LANGUAGES
from token_models import make_token_model

from xplain_cli.baselines.candidates import NearestMember
from xplain_cli.modalities.text.alignment import align
from xplain_cli.modalities.text.masks import TextMasker
from xplain_cli.modalities.text.nearest import AlignedRows, text_members
from xplain_cli.modalities.text.segmentation import split_units

SCORES = {"bad": -2.0, "good": 3.0, "film": 0.25, "plot": 1.5, "very": 0.5, "end": -0.75}


some_words = st.lists(st.sampled_from([*SCORES, *LANGUAGES.values()]), max_size=8)


gaps = st.sampled_from([" ", ", ", "  ", "!\n", "... "])


@st.composite
def texts(draw):
    return "".join(word + draw(gaps) for word in draw(some_words)) + draw(st.text(max_size=3))


def law_of(*others, unit="word"):
    plain = TextMasker(unit=unit)
    found = {text: f"row {i}" for i, text in enumerate(others)}
    return TextMasker(
        unit=unit, others=NearestMember(text_members("fine", found, plain), 1, "fine")
    )


def aligned(text, *others, **options) -> AlignedRows:
    return law_of(*others, **options).split([text])


def sides(rows, row=0):
    """Return a text with all of its features, and with none."""
    masks = np.array([[True], [False]]) & np.ones(rows.counts[row], dtype=bool)
    return rows.masked(row, masks)


@given(texts(), texts(), st.sampled_from(["word", "char", "sentence"]))
def test_all_features_are_the_text_and_none_are_the_other_one(text, other, unit):
    spans = [split_units(one, unit, dictionary=False) for one in (text, other)]
    changes = align(text, spans[0], other, spans[1])
    mine, theirs, low = "", "", 0
    for one in changes:
        assert low <= one.low <= one.high
        assert text[one.low : one.high] != one.other
        mine += text[low : one.high]
        theirs += text[low : one.low] + one.other
        low = one.high
    assert (mine + text[low:], theirs + text[low:]) == (text, other)


def test_masks_move_each_feature_between_the_texts():
    rows = aligned("a very bad film, the end", "a good film!")
    assert [one.name for one in rows.changes[0]] == ["very", "bad", ",", "the", "end"]
    assert sides(rows) == ["a very bad film, the end", "a good film!"]
    mask = np.array([[True, False, True, True, False]])
    assert rows.masked(0, mask) == ["a very film, the "]


def test_the_nearest_has_the_least_jaccard_distance_and_is_never_the_text_itself(rng):
    words = np.array(list(SCORES))
    made = sorted({" ".join(rng.choice(words, 4)) for _ in range(40)})
    rows = law_of(*made).split(made)
    for i, text in enumerate(made):
        own = set(text.split())
        apart = [
            np.inf if one == text else 1 - len(own & set(one.split())) / len(own | {*one.split()})
            for one in made
        ]
        assert rows.given[i].distances[0] == pytest.approx(min(apart))
        assert rows.given[i].values == [made[np.argmin(apart)]]


def test_a_text_that_is_alone_in_its_class_has_a_reason():
    rows = law_of("a good film").split(["a good film", "a bad film", ""])
    assert sorted(rows.reasons) == [0]
    assert sorted(rows.empty) == [2]
    assert "from=FILE" in rows.reasons[0]
    assert rows.counts.tolist() == [0, 1, 0]


def test_of_a_sum_over_words_each_feature_weighs_what_it_adds_over_its_counterpart():
    def model(batch):
        return np.array([sum(SCORES.get(word, 0.0) for word in text.split()) for text in batch])

    rows = aligned("very bad film end", "good film plot plot")
    changes = rows.changes[0]
    alone = model(rows.masked(0, np.eye(len(changes), dtype=bool)))
    nothing = model(rows.masked(0, np.zeros((1, len(changes)), dtype=bool)))
    assert [one.name for one in changes] == ["very", "bad", "end", "absent: plot"]
    assert (alone - nothing).tolist() == [0.5 - 3.0, -2.0, -0.75 - 1.5, -1.5]


def test_the_base_is_the_model_at_the_nearest_text_of_the_class(run, comments, tmp_path):
    gate = ("--fail-on", "max(attribution_error)>1e-9", "--id-column", "id")
    weights, rows = against_nearest(run, tmp_path, comments, *gate)
    table = pd.read_csv(comments / "comments.csv").set_index("id")
    model = pickle.loads((comments / "model.pkl").read_bytes())
    origins = table["CONTENT"][rows["baseline_origin"]]
    assert rows["base_value"].to_numpy() == pytest.approx(model.predict_proba(origins)[:, 1])
    assert (model.predict(origins) == "fine").all()
    assert set(rows["baseline_class"]) == {"fine"}
    assert (rows["baseline_in_class"] == 1).all()
    assert (rows["baseline_origin"] != rows["row_id"]).all()
    counts = weights.groupby("row_id").size()
    assert counts[rows["row_id"]].tolist() == rows["n_changed"].tolist()
    manifest = json.loads((tmp_path / "xplain-out" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["plan"]["numbers"]["baseline"] == "nearest:class=fine"
    assert manifest["baseline"].startswith("nearest:class=fine: what differs")


def test_the_order_of_texts_and_the_number_of_jobs_decide_nothing(run, comments, tmp_path):
    whole, _ = against_nearest(run, tmp_path, comments, "--id-column", "id")
    turned = tmp_path / "turned.csv"
    pd.read_csv(comments / "comments.csv").iloc[::-1].to_csv(turned, index=False)
    options = ("--id-column", "id", "--jobs", "2", "--chunk-rows", "5")
    other, _ = against_nearest(run, tmp_path, comments, *options, data=turned)
    columns = ["row_id", "rank", "feature", "weight", "std_error", "baseline_value", "spans"]
    first, second = (
        one.sort_values(["row_id", "rank"])[columns].reset_index(drop=True)
        for one in (whole, other)
    )
    pd.testing.assert_frame_equal(first, second)


def test_both_texts_end_where_the_model_stops_reading(run, tmp_path):
    pytest.importorskip("tokenizers")
    make_token_model(tmp_path)
    (tmp_path / "t.txt").write_text(
        "bad bad and far more words than eight of them\n"
        "good bad and far more words than eight of others\n"
        "good good and far more words than nine\n",
        encoding="utf-8",
    )
    (tmp_path / "names.txt").write_text("no\nyes\n", encoding="utf-8")
    options = ("-t", "yes", "--class-names", "names.txt", "-m", "kernel-shap")
    done = run("text", "m.onnx", "t.txt", *options, "-b", "nearest:class=yes", "--rows", "0:1")
    assert done.code == 0, done.err
    weights = pd.read_csv(tmp_path / "xplain-out" / "weights.csv")
    assert weights["feature"].tolist() == ["bad", "bad", "eight"]
    assert weights["baseline_value"].tolist() == ["good", "good", "nine"]
    line = pd.read_csv(tmp_path / "xplain-out" / "stability.csv").iloc[0]
    assert (line["n_truncated"], line["n_units"], line["n_changed"]) == (2, 7, 3)
    assert line["base_value"] == pytest.approx(1 / (1 + np.exp(-2.0)), abs=1e-6)


def test_hashed_units_show_nothing_of_the_other_text(run, comments, tmp_path):
    weights, _ = against_nearest(run, tmp_path, comments, "--hash-units")
    assert weights["baseline_value"].isna().all()
    assert weights["feature"].str.fullmatch(r"(absent: )?[0-9a-f]{16}").all()


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("-b", "nearest"), 2, "of which class? nearest:class=NAME"),
        (("-b", "nearest:class=fone"), 2, "did you mean 'fine'"),
        (("-b", "nearest:class=fine,labels=lable"), 2, "no column 'lable'"),
        (("-b", "nearest:class=fine,labels=likes"), 3, "labelled 'fine' in column 'likes'"),
        (("-b", "nearest:class=fine,from=gone.csv"), 3, "gone.csv"),
        (("-b", "nearest:class=fine", "--mask-token", "_"), 2, "name one of them"),
        (("-b", "nearest:class=fine", "-b", "nearest:class=spam"), 2, "under one"),
        (("-b", "nearest:class=fine", "-m", "lime:refine=2"), 2, "leave -b nearest out"),
    ],
)
def test_what_cannot_be_is_refused(run, comments, options, code, says):
    base = ("text", comments / "model.pkl", comments / "comments.csv")
    done = run(*base, "--text-column", "CONTENT", *options)
    assert done.code == code
    assert says in done.err
