"""Work spread over processes: in order, and not far ahead."""

import os

import pytest
from process_tasks import refuse, slower_first

from xplain_cli.errors import RefusedError
from xplain_cli.workers.processes import in_order


def test_results_come_in_order_and_from_other_processes():
    found = list(in_order(slower_first, range(12), 2))
    assert [i for i, _ in found] == list(range(12))
    assert os.getpid() not in {pid for _, pid in found}


def test_tasks_are_taken_a_few_ahead():
    taken = []
    tasks = (taken.append(i) or i for i in range(100))
    results = in_order(slower_first, tasks, 2)
    next(results)
    assert len(taken) <= 5
    results.close()


def test_an_error_is_the_workers_own():
    with pytest.raises(RefusedError, match="no 3"):
        list(in_order(refuse, [3], 2))
