"""Answers that carry their labels."""

import numpy as np
import pandas as pd
import pytest

from xplain_cli.models.labelled import read_labelled

P = np.array([[0.9, 0.1], [0.3, 0.7], [0.5, 0.5]])
NAMES = ("ham", "spam")


def scored(row, names=NAMES):
    """Return a row as transformers answer all its scores: the highest first."""
    both = [{"label": name, "score": p} for name, p in zip(names, row, strict=True)]
    return sorted(both, key=lambda one: -one["score"])


FORMS = {
    "{label: p}": [dict(zip(NAMES, row, strict=True)) for row in P],
    "{label, score}, all of them": [scored(row) for row in P],
    "the best {label, score}": [scored(row)[0] for row in P],
    "a list of the best": [scored(row)[:1] for row in P],
    "pairs": [list(zip(NAMES, row, strict=True)) for row in P],
    "pairs in any order": [
        list(zip(NAMES, row, strict=True))[:: (-1) ** i] for i, row in enumerate(P)
    ],
    "a tuple of rows": tuple(dict(zip(NAMES, row, strict=True)) for row in P),
    "frame": pd.DataFrame(P, columns=NAMES),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_by_its_labels(form):
    labels, matrix = read_labelled(FORMS[form])
    assert labels == NAMES
    assert matrix == pytest.approx(P)
    _, turned = read_labelled(FORMS[form], NAMES[::-1])
    assert turned == pytest.approx(P[:, ::-1])


def test_whole_numbers_and_bools_are_labels_as_they_are_written():
    assert read_labelled([{1: 0.2, -1: 0.8}])[0] == ("1", "-1")
    assert read_labelled([{False: 0.2, True: 0.8}])[0] == ("False", "True")
    assert read_labelled(pd.DataFrame(P, columns=[2, 1]))[0] == ("2", "1")


@pytest.mark.parametrize("answer", [P, P.tolist(), P[:, 0].tolist(), [], pd.DataFrame(P), "ham"])
def test_answers_without_labels_are_not_read_so(answer):
    assert read_labelled(answer) is None


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ([{"label": "a", "score": 0.9}] * 3, "one label of each row"),
        ([{"label": n, "score": 0.9} for n in "abc"], r"one label of each row \(a, b, c\)"),
        ([{"label": "a", "score": 0.9}, {"label": "b", "score": 0.2}], "exclude each other"),
        ([{"a": 0.5, "b": 0.5}, {"a": 1.0}], "answers 1 of 2 labels"),
        ([scored((0.5, 0.3, 0.2), "abc")[:2], scored((0.1, 0.3, 0.6), "abc")[:2]], "2 of 3 labels"),
        ([[("a", 0.5), ("a", 0.5)]], "2 numbers for 1 labels"),
        ([{"a": 0.5, "b": 0.5}, [0.5, 0.5]], "labels in some rows, and none in others"),
    ],
)
def test_numbers_that_are_missing_are_never_made_up(answer, says):
    with pytest.raises(ValueError, match=says):
        read_labelled(answer)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ([{"label": "eggs", "score": 0.9}], "label 'eggs', which the first rows did not show"),
        ([{"ham": 0.9}], "no number for the label 'spam'"),
        (pd.DataFrame(P, columns=["ham", "eggs"]), "answers the columns ham, eggs"),
        (pd.DataFrame(np.zeros((1, 3)), columns=["ham", "spam", "x"]), "answers the columns"),
    ],
)
def test_labels_that_come_later_are_no_others_than_the_first(answer, says):
    with pytest.raises(ValueError, match=says):
        read_labelled(answer, NAMES)
