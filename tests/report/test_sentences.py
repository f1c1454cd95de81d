"""Sentences that tell an explanation."""

import pytest
from pages import reason

from xplain_cli.modalities import story_of
from xplain_cli.report.items import Item
from xplain_cli.report.sentences import Wording, heading, sentences, sides

CLASSES = Wording(story_of("tabular"), ("cat", "dog"), "probability", "classification", based=True)


def exhibit(target, prediction, base_value=0.1, reasons=(), **more):
    total = sum(one.weight for one in reasons)
    return Item("r", target, prediction, base_value, total, (), tuple(reasons), 3, **more)


@pytest.mark.parametrize(
    ("target", "outputs", "expected"),
    [
        ("a:vs:b", ("a", "b"), ("a", "b")),
        ("a:vs:b:vs:c", ("a:vs:b", "c"), ("a:vs:b", "c")),
        ("a:vs:b:vs:c", ("a", "b:vs:c"), ("a", "b:vs:c")),
        ("a:vs:b", ("a:vs:b", "a", "b"), None),
        ("a", ("a", "b"), None),
    ],
)
def test_a_pair_is_told_by_the_names_of_the_outputs(target, outputs, expected):
    assert sides(target, outputs) == expected


def test_a_pair_is_told_from_the_side_that_the_model_takes():
    reasons = [reason("legs", -0.5, value="2", baseline="4"), reason("tail", 0.2)]
    one = exhibit("cat:vs:dog", -0.3, 0.4, reasons, n_changed=2, origin="r7")
    assert heading(one, CLASSES) == "why dog and not cat"
    *said, last = sentences(one, reasons, CLASSES)
    assert said == [
        "The model gives dog a probability 0.3 higher than cat.",
        "For dog: legs is 2 and not 4 (\u22120.5).",
        "For cat: tail (+0.2).",
    ]
    assert last.startswith("With 2 of its 3 features as in the baseline (r7) the model gives cat ")
    assert last.endswith("a probability 0.4 higher than dog.")


def test_a_weight_whose_interval_holds_both_signs_is_said_to_be_uncertain():
    reasons = [reason("legs", 0.5, 0.1), reason("tail", 0.2, 0.2)]
    said = sentences(exhibit("cat", 0.8, reasons=reasons), reasons, CLASSES)
    assert said[1] == "Raising it: legs (+0.5) and tail (+0.2, sign uncertain)."


def test_a_constant_model_has_nothing_that_moves_it():
    said = sentences(exhibit("cat", 0.5, 0.5), (), CLASSES)
    assert said[:2] == ("The model gives cat a probability of 0.5.", "No feature moves it.")


def test_only_a_base_value_of_the_model_is_told_as_its_answer():
    surrogate = Wording(story_of("text"), ("value",), "raw", "regression", based=False)
    assert sentences(exhibit("value", 12.5), (), surrogate) == (
        "The model says 12.5.",
        "No feature moves it.",
    )


@pytest.mark.parametrize(
    ("n_features", "n_changed", "said"),
    [
        (1, 1, "With its one feature as in the baseline (r7)"),
        (3, 3, "With all its 3 features as in the baseline (r7)"),
        (3, None, "With its features as in the baseline (r7)"),
    ],
)
def test_what_is_as_in_the_baseline_is_counted_as_it_is_spoken(n_features, n_changed, said):
    assert story_of("tabular").removed(n_features, n_changed, "r7") == said
