"""Failed rows by reason: what differs in place or value alone is one."""

import pandas as pd

from xplain_cli.quality.failures import Failure, Failures


def failed(*reasons, first=0):
    ids = [f"r{first + i}" for i in range(len(reasons))]
    status = ["ok" if reason is None else "failed" for reason in reasons]
    return pd.DataFrame({"row_id": ids, "status": status, "error": reasons})


def word(line, cell, column="age"):
    return f"d.csv: line {line}, column {column!r}: {cell!r} is not a number"


def test_reasons_that_differ_in_place_or_value_are_one():
    found = Failures()
    found.add(failed(word(3, "abc"), None, word(17, "d'ef"), "the model raised KeyError"))
    assert found.most(3) == (
        Failure(word(3, "abc"), 2, ("r0", "r2")),
        Failure("the model raised KeyError", 1, ("r3",)),
    )


def test_reasons_in_two_columns_are_two():
    found = Failures()
    found.add(failed(word(3, "abc"), word(3, "abc", "weight")))
    assert [one.count for one in found.most(3)] == [1, 1]


def test_the_most_frequent_come_first_and_the_rest_is_one_line():
    found = Failures()
    found.add(failed("a", "b", "c", "d", "e", "e", "d", "c", "c"))
    assert [(one.reason, one.count) for one in found.most(3)] == [
        ("c", 3),
        ("d", 2),
        ("e", 2),
        ("2 further reasons", 2),
    ]


def test_counts_merged_are_the_count_of_all():
    parts = [failed("a", "b", "a"), failed("c", None, "a", first=3)]
    whole, merged = Failures(), Failures()
    for part in parts:
        whole.add(part)
        one = Failures()
        one.add(part)
        merged.merge(one)
    assert merged.most(2) == whole.most(2)


def test_thousands_of_kinds_are_counted_in_little_memory():
    found = Failures()
    words = ["".join(chr(97 + int(d)) for d in f"{i:04}") for i in range(1200)]
    found.add(failed(*words))
    assert found.most(1)[0] == Failure(
        "other reasons", 200, tuple(f"r{i}" for i in range(1000, 1005))
    )
    assert sum(one.count for one in found.most(3)) == 1200
