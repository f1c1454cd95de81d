"""Requests are a table: what methods yield is answered by kind, and a new kind is one line."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from running import SMALL, rows_of

from xplain_cli.engine.model_calls import ANSWERS, ModelCalls, run_together
from xplain_cli.errors import RefusedError
from xplain_cli.methods import NeedMasks, NeedOutputs, NeedPool, UnexplainedError
from xplain_cli.models.contract import Capabilities
from xplain_cli.models.one_by_one import together_or_each
from xplain_cli.scales import Scale
from xplain_cli.targets import Target


class Sums:
    """A model that adds up a table's columns, and counts its calls."""

    capabilities = Capabilities()

    def __init__(self):
        self.calls = 0

    def predict(self, table):
        self.calls += 1
        return table.to_numpy().sum(axis=1, keepdims=True)


class Rows:
    """Rows of three numbers; an absent one is 0."""

    copies, inputs_repeat, keys = 1, False, (b"first", b"second")
    pool_of = None

    def masked(self, row, masks):
        return pd.DataFrame(masks * np.array([1.0, 10.0, 100.0]) * (row + 1))

    def between(self, row, shares):
        return pd.DataFrame(shares * np.array([1.0, 10.0, 100.0]) * (row + 1))


@pytest.fixture
def asked():
    return ModelCalls(Sums(), Target("y", "fixed", ((0, -1),)), Scale("raw"), np.array([0]), 8)


@dataclass(frozen=True)
class NeedPath:
    """Asks for the outputs at nodes on the way from the baseline to a row, weighted and summed."""

    rows: range
    nodes: tuple[float, ...]
    weights: tuple[float, ...]


def average(rows):
    """Return of each row the mean output on the way: a method that no shelf holds."""
    sums = yield NeedPath(range(rows), (0.25, 0.75), (0.5, 0.5))
    return sums


def answer_paths(asked, waiting):
    """Answer such requests of all blocks in one call."""
    tables = [
        block.between(row, np.repeat(np.array(need.nodes)[:, None], 3, axis=1))
        for block, need in waiting
        for row in need.rows
    ]
    outputs = asked.model.predict(pd.concat(tables))[:, 0].reshape(len(tables), -1)
    weights = [need.weights for _, need in waiting for _ in need.rows]
    sums = (outputs * np.array(weights)).sum(axis=1)
    return np.split(sums, np.cumsum([len(need.rows) for _, need in waiting])[:-1])


def test_a_new_request_is_one_line_of_the_table(asked, monkeypatch):
    monkeypatch.setitem(ANSWERS, NeedPath, answer_paths)
    found = run_together(asked, [(Rows(), average(1)), (Rows(), average(2))])
    assert [part.tolist() for part in found] == [[55.5], [55.5, 111.0]]
    assert asked.model.calls == 1


def test_a_request_without_an_answer_is_named(asked):
    with pytest.raises(TypeError, match="the request NeedPath: ANSWERS has NeedMasks, NeedOutputs"):
        run_together(asked, [(Rows(), average(1))])


def yielding(request):
    answer = yield request
    return answer


def test_blocks_that_ask_for_different_things_run_side_by_side(asked):
    asked = replace(asked, pools=("that of all rows",))
    masks = np.array([[True, True, False], [True, True, False], [False, False, True]])
    drawn = pd.DataFrame([[1.0, 2.0, 3.0]])
    pool, masked, outputs = run_together(
        asked,
        [
            (Rows(), yielding(NeedPool())),
            (Rows(), yielding(NeedMasks(range(1, 2), [masks]))),
            (Rows(), yielding(NeedOutputs([drawn, drawn]))),
        ],
    )
    assert pool == "that of all rows"
    assert masked.outputs[0][:, 0].tolist() == [22.0, 22.0, 200.0]
    assert masked.asked.tolist() == [2]  # equal masks are asked once
    assert outputs.tolist() == [[6.0], [6.0]]


def test_drawn_rows_of_several_blocks_are_asked_together(asked):
    tables = [pd.DataFrame(np.full((m, 3), float(m))) for m in (1, 2, 3)]
    requests = [NeedOutputs(tables[:2]), NeedOutputs(tables[2:])]
    found = run_together(asked, [(Rows(), yielding(request)) for request in requests])
    assert [part[:, 0].tolist() for part in found] == [[3.0, 6.0, 6.0], [9.0, 9.0, 9.0]]
    assert asked.model.calls == 1


def test_an_answer_that_is_a_reason_ends_the_method(asked, monkeypatch):
    lost = UnexplainedError({0: "why"})
    monkeypatch.setitem(ANSWERS, NeedPath, lambda *_: [lost])
    assert run_together(asked, [(Rows(), average(1))]) == [lost]


def test_what_fails_together_is_asked_one_by_one():
    def ask(items):
        if 2 in items:
            raise ValueError("two")
        return sum(items)

    answers, raised = together_or_each(ask, [1, 2, 3])
    assert answers == [([1], 1), ([3], 3)]
    assert {item: str(error) for item, error in raised.items()} == {2: "two"}
    assert together_or_each(ask, [1, 3]) == ([([1, 3], 4)], {})


def test_what_a_user_must_mend_is_no_matter_of_one_item():
    def ask(_):
        raise RefusedError("the model is gone")

    with pytest.raises(RefusedError):
        together_or_each(ask, [1, 2])


def test_a_model_that_fails_on_a_row_costs_that_row_only(run, cancer, tmp_path):
    (tmp_path / "picky.py").write_text(
        "def predict(table):\n"
        "    if (table['mean radius'] == 13.08).any():\n"
        "        raise ValueError('not this one')\n"
        "    return table['mean radius'].to_numpy()\n"
    )
    command = ("tabular", "picky:predict", cancer.data, "--drop-columns", "id", *SMALL)
    done = run(*command, "--python-path", ".", "--rows", "15:25")
    assert done.code == 4, done.err
    stability = rows_of(tmp_path / "xplain-out" / "stability.csv")
    assert [line["status"] for line in stability].count("failed") == 1
    assert any("not this one" in line["error"] for line in stability)
    assert run(*command, "--python-path", ".", "--rows", "15:25", "--max-failed", "1").code == 0


def test_a_text_that_the_model_fails_on_fails_alone(run, comments, tmp_path):
    (tmp_path / "t.txt").write_text("some good words\nsome poison here\nmore good words\n")
    options = ("--python-path", str(comments), "-n", "64", "-r", "4")
    done = run("text", "judges:fails", tmp_path / "t.txt", *options)
    assert done.code == 4
    stability = pd.read_csv(tmp_path / "xplain-out" / "stability.csv")
    assert stability["status"].tolist() == ["ok", "failed", "ok"]
    assert "RuntimeError" in stability["error"][1]
