"""targets: which number is explained."""

import numpy as np
import pytest

from xplain_cli.errors import UsageError
from xplain_cli.targets import (
    Target,
    choose,
    own_values,
    pair_values,
    parse_target,
    position_names,
    target_names,
)

ABC = ("a", "b", "c")


def parse(text, outputs=ABC, task="classification", positive=None, **rest):
    return parse_target(text, outputs, task=task, positive=positive, **rest)


def test_binary_explains_the_positive_class_by_default():
    assert parse(None, ("no", "yes"), positive=1) == Target("yes", "fixed", ((1, -1),))


def test_multiclass_explains_the_predicted_class_by_default():
    assert parse(None) == Target("predicted", "predicted")


def test_regression_explains_the_value_by_default():
    assert parse(None, ("value",), task="regression") == Target("value", "fixed", ((0, -1),))


def test_several_numbers_are_all_explained_by_default():
    target = parse(None, ("x", "y"), task="regression")
    assert target == Target("all", "fixed", ((0, -1), (1, -1)))


def test_a_class_is_named_with_or_without_prefix():
    assert parse("class=b") == parse("b") == Target("b", "fixed", ((1, -1),))


def test_a_pair_compares_two_classes():
    assert parse("c:vs:a") == Target("c:vs:a", "fixed", ((2, 0),))


@pytest.mark.parametrize("text", ["d", "a:vs:d", "a:vs:a", "top:0", "top:4", "class=", "Top:1"])
def test_what_is_no_output_is_refused(text):
    with pytest.raises(UsageError):
        parse(text)


def test_a_wrong_class_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'malignant'"):
        parse("malignent", ("benign", "malignant"))


def test_a_data_column_as_target_is_said_to_be_one():
    with pytest.raises(UsageError, match="is a column of the data"):
        parse("age", columns=("age", "income"))


@pytest.mark.parametrize("text", ["predicted", "top:1", "a:vs:b", "predicted:vs:runner-up"])
def test_a_class_asked_of_a_regression_is_refused(text):
    with pytest.raises(UsageError, match="chooses among classes"):
        parse(text, ("value",), task="regression")


def test_all_of_many_outputs_needs_force():
    many = tuple(map(str, range(101)))
    with pytest.raises(UsageError, match="--force"):
        parse("all", many)
    assert len(parse("all", many, force=True).pairs) == 101


def test_top_takes_the_largest_outputs_and_ties_go_to_the_earlier():
    pairs = choose(Target("top:2", "top", top=2), np.array([[0.2, 0.4, 0.4]]))
    assert target_names(pairs[0], ABC) == ["b", "c"]


def test_predicted_against_runner_up_is_the_two_largest():
    pairs = choose(parse("predicted:vs:runner-up"), np.array([[0.5, 0.1, 0.4]]))
    assert target_names(pairs[0], ABC) == ["a:vs:c"]


def test_the_difference_of_two_margins_is_the_margin():
    pairs = np.array([[1, 0], [1, -1]])
    values = pair_values(np.array([[-3.0, 3.0]]), pairs, margin=True)
    assert values[:, 0].tolist() == [3.0, 3.0]


@pytest.mark.parametrize("margin", [False, True])
def test_each_row_has_the_values_of_its_own_targets(rng, margin):
    scaled, pairs = rng.normal(size=(5, 4)), rng.integers(0, 4, (5, 3, 2))
    pairs[::2, :, 1] = -1
    each = [pair_values(scaled[[i]], pairs[i], margin=margin)[:, 0] for i in range(5)]
    assert own_values(scaled, pairs, margin=margin).tolist() == np.array(each).tolist()


def test_an_equals_sign_in_class_names_is_no_sign_of_several_outputs():
    assert parse(None, ("a=1", "b=2", "c=3")) == Target("predicted", "predicted")


def test_classes_of_several_outputs_do_not_exclude_each_other():
    outputs = ("output_0=a", "output_0=b", "output_1=c", "output_1=d")
    assert parse(None, outputs).spec == "all"
    with pytest.raises(UsageError, match="chooses among classes"):
        parse("predicted", outputs)


def test_a_label_never_leads_to_a_position():
    for text in ("1", "column", "class=1", "colum 1"):
        with pytest.raises(UsageError, match="these are their positions") as refusal:
            parse(text, position_names(3))
        assert "did you mean" not in str(refusal.value)
        assert "--class-names" in str(refusal.value)
    assert parse("column 1", position_names(3)) == Target("column 1", "fixed", ((1, -1),))
    assert parse("column 2:vs:column 0", position_names(3)).pairs == ((2, 0),)


def test_many_numbers_are_never_all_explained_unasked():
    many = tuple(f"output_{i}" for i in range(101))
    with pytest.raises(UsageError, match="--force explains them all, --target 'output_0' one"):
        parse(None, many, task="regression")
    assert parse(None, many, task="regression", force=True).spec == "all"
    assert parse(None, many[:100], task="regression").spec == "all"
    assert parse(None, position_names(1000)) == Target("predicted", "predicted")


def test_a_choice_among_unnamed_numbers_says_how_they_become_classes():
    with pytest.raises(UsageError, match="or name the classes"):
        parse("predicted", position_names(4), task="regression")


def test_classes_whose_names_hold_the_word_between_can_be_named():
    outputs = ["a:vs:b", "a", "c"]
    assert target_pairs("a:vs:b", outputs) == ((0, -1),)
    assert target_pairs("a:vs:b:vs:c", outputs) == ((0, 2),)
    assert target_pairs("c:vs:a:vs:b", outputs) == ((2, 0),)
    assert target_pairs("a:vs:c", outputs) == ((1, 2),)


def target_pairs(text, outputs):
    return parse_target(text, outputs, task="classification", positive=None).pairs
