"""Several rows of the background as a baseline."""

from backgrounds import answers, given, table


def test_a_sample_of_a_class_is_of_the_class(rng):
    rows = table(rng)
    _, ground, _ = given("sample:k=6,class=yes", rows, rows.head(2))
    assert (answers(ground.values).argmax(axis=1) == 1).all()
