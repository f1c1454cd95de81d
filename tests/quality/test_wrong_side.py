"""On which side of a decision a row is, by each kind of target."""

import pytest

from xplain_cli.errors import UsageError
from xplain_cli.quality.wrong_side import WrongSide, check_class

TWO = ("approved", "declined")


@pytest.mark.parametrize(
    ("target", "scale", "number", "wrong"),
    [
        ("declined", "probability", 0.5, True),
        ("declined", "probability", 0.49, False),
        ("approved", "probability", 0.4, True),
        ("approved", "probability", 0.6, False),
        ("declined", "raw", 0.1, True),
        ("approved", "raw", 0.1, False),
        ("declined:vs:approved", "probability", 0.2, True),
        ("approved:vs:declined", "probability", 0.2, False),
    ],
)
def test_a_row_is_on_the_wrong_side_from_the_threshold_on(target, scale, number, wrong):
    asked = WrongSide("declined", TWO, scale)
    side = asked.side(target)
    assert asked.is_wrong(side.toward(number), target) == wrong


def test_a_target_that_says_nothing_of_the_class_has_no_side():
    assert WrongSide("c", ("a", "b", "c"), "probability").side("a") is None


def test_a_raw_score_among_several_needs_a_threshold():
    with pytest.raises(UsageError, match="--threshold"):
        WrongSide("c", ("a", "b", "c"), "raw").least("c")
    assert WrongSide("c", ("a", "b", "c"), "raw", 1.5).least("c") == 1.5


def test_a_class_that_is_none_is_refused():
    with pytest.raises(UsageError, match="did you mean 'declined'"):
        check_class("declind", TWO)
