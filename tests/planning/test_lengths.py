"""A few rows stand for all: they are as long as all are, wherever the long ones stand."""

import numpy as np

from xplain_cli.planning.lengths import Lengths, _repeated


def test_typical_rows_are_the_middles_of_equal_parts_of_all_lengths():
    counts = np.random.default_rng(0).permutation(np.arange(80))
    chosen = Lengths(counts, np.zeros(80, dtype=bool), 1).typical(8)
    assert sorted(counts[chosen].tolist()) == [5, 15, 25, 35, 45, 55, 65, 75]
    assert chosen.tolist() == sorted(chosen.tolist())


def test_few_rows_are_all_taken():
    assert Lengths(np.array([3, 1]), np.zeros(2, dtype=bool), 1).typical(8).tolist() == [0, 1]


def test_values_of_every_third_row_stand_for_all():
    lengths = Lengths(np.array([4, 9, 2]), np.zeros(3, dtype=bool), 3)
    assert lengths.of_all(lengths.counts, 8).tolist() == [4, 4, 4, 9, 9, 9, 2, 2]


def test_a_row_is_asked_once_in_a_chunk():
    keys = [b"a", b"b", b"a", b"a", b"b", b"a"]
    assert _repeated(keys, 3).tolist() == [False, False, True, False, False, True]
    assert not _repeated(keys, 1).any()
