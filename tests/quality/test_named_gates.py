"""Gates with names, and the table that each speaks of."""

import pytest

from xplain_cli.errors import UsageError
from xplain_cli.quality.named_gates import DIFF_ROWS, gates_of

NAMED = ("precise=p95(max_rel_se)>0.15", "drift=share(first_reason_changed)>5%")


def test_each_command_takes_the_gates_of_its_table():
    gates, notes = gates_of(None, NAMED)
    assert [(gate.name, gate.text) for gate in gates] == [("precise", "p95(max_rel_se)>0.15")]
    assert notes == ["gate 'drift' is not judged here: it speaks of diff_rows.csv"]
    assert [gate.name for gate in gates_of(None, NAMED, DIFF_ROWS)[0]] == ["drift"]


def test_a_gate_that_no_command_can_read_is_refused_by_name():
    with pytest.raises(UsageError, match=r"gate 'odd' 'max\(nothing\)>1': at character 5"):
        gates_of(None, ["odd=max(nothing)>1"])


def test_a_condition_for_all_commands_is_left_to_those_that_can_read_it():
    assert gates_of("p95(max_rel_se)>0.15", (), DIFF_ROWS, of_all=True)[0] == ()
    with pytest.raises(UsageError, match=r"a column of diff_rows\.csv"):
        gates_of("p95(max_rel_se)>0.15", (), DIFF_ROWS)


def test_a_column_of_ones_is_a_condition_by_itself():
    (gate,) = gates_of("share(same_decision)<0.9", ())[0]
    assert (gate.inner.operator, gate.inner.value) == ("==", 1.0)


def test_two_gates_of_one_name_are_refused():
    with pytest.raises(UsageError, match="--gate 'a': stands there twice"):
        gates_of(None, ["a=count(failed)>0", "b=count(failed)>1", "a=count(failed)>2"])
