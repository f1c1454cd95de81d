"""How fast rows are done."""

from xplain_cli.progress import Counter, Pace


def test_rows_of_an_earlier_run_do_not_count_as_speed():
    counter = Counter(100, 0.0)
    counter.skip(50)
    counter.advance(10, 0)
    assert counter.pace(5.0) == Pace(60, 100, 0, 2.0, 20.0)
