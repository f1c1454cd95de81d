"""Work spread over processes: in order, and not far ahead."""

import os
import time

import pytest

from xplain_cli.errors import RefusedError
from xplain_cli.workers.processes import in_order


def slower_first(i):
    time.sleep(0.05 if i % 4 == 0 else 0.0)
    return i, os.getpid()


def refuse(i):
    raise RefusedError(f"no {i}")


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
