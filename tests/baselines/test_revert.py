"""The nearest row of a class, with all given back that the class does not need."""

from backgrounds import answers, given, reference, table


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
