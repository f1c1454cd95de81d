"""Kinks of paths through torch graphs: linear between them, none missed."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch_nets import inputs, nets  # noqa: E402

from xplain_cli.models.torch.graphs import kind_of, read_graph  # noqa: E402
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


class Stepwise(torch.nn.Module):
    """A net over four steps of three numbers that are held in one of the ways."""

    def __init__(self, way):
        super().__init__()
        self.inner, self.outer, self.way = torch.nn.Linear(3, 8), torch.nn.Linear(8, 3), way

    def forward(self, x):
        if self.way == "steps first":
            return self.outer(torch.relu(self.inner(x.reshape(-1, 4, 3).transpose(0, 1)))).mean(0)
        if self.way == "steps are points":
            return self.outer(torch.relu(self.inner(x.reshape(-1, 3)))).reshape(-1, 12)
        if self.way == "turned":
            return torch.relu(self.inner(x[:, :3]).t()).t()
        return torch.relu(self.outer(torch.relu(self.inner(x[:, :3])))[:, 0] + 0.3)


def traced(net):
    sizes = ({0: torch.export.Dim.AUTO},)
    program = torch.export.export(net.eval(), (torch.zeros(4, 12),), dynamic_shapes=sizes)
    return read_graph(program.module(), probabilities=False)


@pytest.mark.parametrize("way", ["steps first", "steps are points", "turned"])
def test_paths_are_given_up_where_values_do_not_hold_points_one_after_the_other(way):
    torch.manual_seed(0)
    graph = traced(Stepwise(way))
    starts, steps = (inputs((12,), seed=seed).astype(float) for seed in (1, 2))
    assert kind_of(graph) == (True, False)
    assert graph_kinks(graph, starts, steps, 999) == [None] * 6


@pytest.mark.parametrize("way", ["one number", "sizes"])
def test_scores_of_one_number_and_sizes_are_followed(way):
    torch.manual_seed(0)
    net = Stepwise(way)
    if way == "sizes":
        net.forward = lambda x: net.outer(net.inner(x[:, 3:6]).abs())
    graph = traced(net)
    starts, steps = (inputs((12,), seed=seed).astype(float) for seed in (1, 2))
    bends = 0
    for start, step, found in zip(
        starts, steps, graph_kinks(graph, starts, steps, 999), strict=True
    ):
        middle = (found.shares[:-1] + found.shares[1:]) / 2
        at = scores(graph, start + middle[:, None] * step).reshape(len(middle), -1)
        assert at == pytest.approx((found.scores[:-1] + found.scores[1:]) / 2, abs=1e-11)
        bends += len(middle) - 1
    assert bends > 0


@pytest.mark.filterwarnings("ignore:The tensor attributes:UserWarning")
@pytest.mark.parametrize("kind", [torch.nn.LSTM, torch.nn.GRU, torch.nn.RNN])
def test_recurrent_layers_have_no_kinks(kind):
    class Read(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.read, self.head = kind(3, 5, batch_first=True), torch.nn.Linear(5, 2)

        def forward(self, x):
            return self.head(self.read(x.reshape(-1, 4, 3))[0][:, -1])

    assert kind_of(traced(Read())) == (False, True)
