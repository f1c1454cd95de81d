"""Kinks of paths through torch graphs: linear between them, none missed."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch_nets import inputs, nets  # noqa: E402

from xplain_cli.models.torch.graphs import read_graph  # noqa: E402
from xplain_cli.models.torch.kinks import graph_kinks  # noqa: E402

NETS = nets()


def graph_of(name):
    net, shape = NETS[name]
    sizes = ({0: torch.export.Dim.AUTO},)
    program = torch.export.export(net, (torch.zeros(4, *shape),), dynamic_shapes=sizes)
    return read_graph(program.module(), probabilities=False), shape


def scores(graph, points):
    with torch.no_grad():
        return graph.run(torch.from_numpy(points)).numpy()


@pytest.mark.parametrize("name", ["relu", "clipped", "residual"])
def test_scores_are_linear_between_kinks_and_none_is_missed(name):
    graph, shape = graph_of(name)
    starts = inputs(shape, rows=3).astype(float)
    steps = inputs(shape, rows=3, seed=2).astype(float)
    dense = np.linspace(0, 1, 4001)
    for start, step, found in zip(
        starts, steps, graph_kinks(graph, starts, steps, 999), strict=True
    ):
        wide = (-1, *[1] * len(shape))
        at = start + found.shares.reshape(wide) * step
        assert found.scores == pytest.approx(scores(graph, at), abs=1e-11)
        middle = (found.shares[:-1] + found.shares[1:]) / 2
        halves = (found.scores[:-1] + found.scores[1:]) / 2
        assert scores(graph, start + middle.reshape(wide) * step) == pytest.approx(
            halves, abs=1e-11
        )
        bent = np.abs(np.diff(scores(graph, start + dense.reshape(wide) * step), 2, axis=0))
        seen = dense[1:-1][bent.max(axis=1) > 1e-8]
        near = np.abs(seen[:, None] - found.shares[None]).min(axis=1)
        assert near.max(initial=0) <= 2.6e-4


def test_a_path_of_too_many_pieces_is_given_up():
    graph, shape = graph_of("residual")
    starts, steps = inputs(shape).astype(float), inputs(shape, seed=2).astype(float)
    lengths = [len(one.shares) - 1 for one in graph_kinks(graph, starts, steps, 999)]
    most = int(np.median(lengths))
    few = graph_kinks(graph, starts, steps, most)
    assert [one is None for one in few] == [length > most for length in lengths]
    assert len(set(np.array(lengths) > most)) == 2


def test_a_path_of_too_many_pieces_is_given_up_before_they_take_memory():
    wide = torch.nn.Sequential(torch.nn.Conv2d(1, 64, 3), torch.nn.ReLU(), torch.nn.Flatten())
    sizes = ({0: torch.export.Dim.AUTO},)
    program = torch.export.export(wide, (torch.zeros(4, 1, 64, 64),), dynamic_shapes=sizes)
    graph = read_graph(program.module(), probabilities=False)
    start = np.random.default_rng(0).normal(size=(1, 1, 64, 64))
    # its 100,000 points would take 200 GiB behind the first layer
    assert graph_kinks(graph, start, -2 * start, 1024) == [None]
