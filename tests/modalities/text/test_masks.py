"""Masks of texts lose nothing; hashes hide units."""

import pickle

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from languages import LANGUAGES

from xplain_cli.modalities.text.masks import MOST_UNITS, TextMasker

texts = st.one_of(st.text(), st.sampled_from(list(LANGUAGES.values())))


def test_without_a_dictionary_characters_stand_for_words_and_it_is_said():
    rows = TextMasker(dictionary=False).split([LANGUAGES["Japanese"]])
    assert rows.shown().row_columns["segmentation"].tolist() == ["characters"]


@given(texts, st.randoms(use_true_random=False))
def test_what_stands_between_units_stays_whatever_is_deleted(text, random):
    rows = TextMasker(merged=False).split([text])
    if rows.reasons:
        return
    _, spans = rows.spanned(0)
    mask = np.array([[random.random() < 0.5 for _ in spans]])
    gone = {
        i for (span,), stays in zip(spans, mask[0], strict=True) if not stays for i in range(*span)
    }
    assert rows.masked(0, mask) == ["".join(c for i, c in enumerate(text) if i not in gone)]


def test_equal_words_are_one_feature_unless_each_is_asked():
    merged = TextMasker().split(["no no yes"])
    assert [unit.spans for unit in merged.units[0]] == [((0, 2), (3, 5)), ((6, 9),)]
    assert merged.masked(0, np.array([[False, True]])) == ["  yes"]
    assert TextMasker(merged=False).split(["no no yes"]).counts.tolist() == [3]


def test_a_token_may_stand_in_place():
    rows = TextMasker(mask_token="[MASK]").split(["no, no yes"])
    assert rows.masked(0, np.array([[False, True]])) == ["[MASK], [MASK] yes"]


def test_texts_without_a_unit_are_empty():
    rows = TextMasker().split(["", "!?", None, float("nan"), "word"])
    assert not rows.reasons
    assert sorted(rows.empty) == [0, 1, 2, 3]
    assert "holds no word" in rows.empty[1]
    assert "there is no text" in rows.empty[2]
    assert rows.take([4, 1]).empty == {1: rows.empty[1]}


def test_what_cannot_be_split_has_a_reason(tmp_path, monkeypatch):
    (tmp_path / "own_units.py").write_text("def fails(text):\n    raise KeyError('no')\n")
    monkeypatch.syspath_prepend(tmp_path)
    rows = TextMasker("own_units:fails").split(["word"])
    assert "KeyError" in rows.reasons[0]


def test_too_many_features_lead_to_longer_units():
    text = " ".join(f"w{i}" for i in range(MOST_UNITS + 1))
    assert "--unit sentence" in TextMasker().split([text]).reasons[0]
    assert not TextMasker(refine=3).split([text]).reasons


def test_lone_surrogates_and_odd_line_ends_are_text():
    rows = TextMasker().split(["a\ud800b \r\n c\x0bd"])
    assert not rows.reasons
    assert len(rows.keys[0]) == 32


def test_hashes_hide_units_and_stay_comparable_under_one_salt():
    perturbation = TextMasker(salt="s")
    shown = perturbation.split(["secret word secret"]).shown()
    assert "secret" not in shown.names[0].tolist()
    assert shown.names[0, 0] == perturbation.split(["a secret"]).shown().names[0, 1]
    assert shown.names[0, 0] != TextMasker(salt="t").split(["secret"]).shown().names[0, 0]
    assert TextMasker(salt="").salted("x").salt == "x"
    assert TextMasker(salt="y").salted("x").salt == "y"


def test_laws_travel_to_workers():
    perturbation = TextMasker(unit="char", merged=False, mask_token="_", salt="s", refine=2)
    assert pickle.loads(pickle.dumps(perturbation)) == perturbation


def test_a_model_that_stops_reading_leaves_later_units_out():
    rows = TextMasker().split(["one two three four"]).read_to([7])
    assert rows.counts.tolist() == [2]
    assert rows.inputs == ["one two"]
    assert rows.shown().row_columns["n_truncated"].tolist() == [2]
