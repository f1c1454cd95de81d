"""Sums along paths against plain loops; batches of one size, never of one point."""

import numpy as np
import pytest
from paths import Rows, plain, relu_net

from xplain_cli.engine.path_calls import PathModel, answer_paths, answer_pieces, answer_routes
from xplain_cli.methods import NeedPath, NeedPieces, NeedRoutes, UnexplainedError
from xplain_cli.methods.requests import SQUARED
from xplain_cli.models.batches import METER
from xplain_cli.models.gradients import Readout

RNG = np.random.default_rng(0)
NET = relu_net((4, 9, 3))
GRADIENT = plain(NET)
KEPT = np.arange(3)


def path_model(gradient=GRADIENT, kept=KEPT):
    return PathModel(gradient, "raw", kept, lambda error, where: f"{error} on {where}")


def block_of(rows):
    return Rows(RNG.normal(size=(rows, 4)), RNG.normal(size=(rows, 4)))


def need(routes, counts, **more):
    pairs = np.tile([1, -1], (len(counts), 1))
    nodes = [RNG.uniform(size=m) for m in counts]
    weights = [RNG.normal(size=m) for m in counts]
    places = np.arange(len(counts))
    return NeedPath(routes, places, pairs, margin=False, nodes=nodes, weights=weights, **more)


def looped(block, one, path):
    """Return the weighted sum of derivatives of one path, by a loop."""
    start, step = one.routes.starts[path], one.routes.steps[path]
    total = np.zeros(4)
    for share, weight in zip(one.nodes[path], one.weights[path], strict=True):
        point = (start + share * step)[None]
        slopes, _ = GRADIENT.derive(point, Readout(one.pairs[:1], "identity", "raw").slopes)
        total += weight * slopes[0]
    return total


def test_sums_are_those_of_a_loop_over_nodes():
    blocks = [block_of(5), block_of(2)]
    routes = answer_routes(path_model(), [(block, NeedRoutes()) for block in blocks])
    needs = [need(routes[0], [3, 700, 1, 40, 2]), need(routes[1], [5, 513])]
    found = answer_paths(path_model(), list(zip(blocks, needs, strict=True)))
    for block, one, sums in zip(blocks, needs, found, strict=True):
        for path in range(len(block)):
            expected = looped(block, one, path) * one.routes.steps[path]
            assert sums.sums[path] == pytest.approx(expected, abs=1e-11)
            points = one.routes.starts[path] + one.nodes[path][:, None] * one.routes.steps[path]
            assert sums.values[path] == pytest.approx(NET.scores(points)[:, 1])
        assert sums.asked.tolist() == [len(nodes) for nodes in one.nodes]


def test_unmoved_sums_are_derivatives_alone():
    block = block_of(3)
    (routes,) = answer_routes(path_model(), [(block, NeedRoutes())])
    one = need(routes, [2, 2, 2], moved=False)
    (found,) = answer_paths(path_model(), [(block, one)])
    assert found.sums == pytest.approx(np.stack([looped(block, one, i) for i in range(3)]))


def test_squares_share_their_weight_among_the_numbers_that_move():
    block = Rows([[1.0, 2, 3, 4]], [[0.0, 2, 0, 0]])
    (routes,) = answer_routes(path_model(), [(block, NeedRoutes())])
    one = need(routes, [6], reading=SQUARED)
    (found,) = answer_paths(path_model(), [(block, one)])
    assert found.sums[0].sum() == pytest.approx(one.weights[0].sum())
    assert found.sums[0, 1] == 0


def test_the_model_is_asked_full_batches_only():
    sizes = []

    def derive(points, slopes):
        sizes.append(len(points))
        return NET.derive(points, slopes)

    block = block_of(4)
    gradient = plain(NET, batch_rows=64)
    gradient = type(gradient)(**{**vars(gradient), "derive": derive})
    (routes,) = answer_routes(path_model(gradient), [(block, NeedRoutes())])
    before = METER.inputs
    answer_paths(path_model(gradient), [(block, need(routes, [1, 70, 3, 9]))])
    assert sizes == [64, 64]
    assert METER.inputs - before == 128


def test_a_sum_has_the_same_bytes_whatever_stands_beside():
    block = block_of(6)
    (routes,) = answer_routes(path_model(), [(block, NeedRoutes(999))])
    whole = need(routes, [30, 513, 2, 90, 7, 600])
    (together,) = answer_paths(path_model(), [(block, whole)])
    (pieces,) = answer_pieces(
        path_model(), [(block, NeedPieces(routes, np.arange(6), whole.pairs, margin=False))]
    )
    for i in range(6):
        own = [i]
        alone = block.take(own)
        (route,) = answer_routes(path_model(), [(alone, NeedRoutes(999))])
        asked = NeedPath(
            route,
            np.zeros(1, int),
            whole.pairs[own],
            margin=False,
            nodes=[whole.nodes[i]],
            weights=[whole.weights[i]],
        )
        (one,) = answer_paths(path_model(), [(alone, asked)])
        asked = NeedPieces(route, np.zeros(1, int), whole.pairs[own], margin=False)
        (piece,) = answer_pieces(path_model(), [(alone, asked)])
        assert one.sums[0].tobytes() == together.sums[i].tobytes()
        assert piece.sums[0].tobytes() == pieces.sums[i].tobytes()


def test_outputs_are_counted_among_those_that_are_needed():
    block = block_of(2)
    model = path_model(kept=np.array([0, 2]))
    (routes,) = answer_routes(model, [(block, NeedRoutes(99))])
    pairs = np.array([[1, 0], [1, -1]])  # of the needed ones: output 2 against 0, output 2
    asked = NeedPieces(routes, np.arange(2), pairs, margin=False)
    (found,) = answer_pieces(model, [(block, asked)])
    change = NET.scores(block.rows) - NET.scores(block.baselines)
    expected = [change[0, 2] - change[0, 0], change[1, 2]]
    assert found.sums.sum(axis=1) == pytest.approx(expected)


def test_a_missing_value_is_the_reason_of_its_own_row():
    block = block_of(3)
    block.baselines[1, 2] = np.nan
    (found,) = answer_routes(path_model(), [(block, NeedRoutes())])
    assert isinstance(found, UnexplainedError)
    assert list(found.reasons) == [1]


def test_a_row_that_cannot_be_entered_is_the_only_one_lost():
    def enter(batch):
        if (np.asarray(batch) > 50).any():
            raise ValueError("unknown category")
        return np.asarray(batch)

    block = block_of(3)
    block.rows[2, 0] = 99
    gradient = type(GRADIENT)(**{**vars(GRADIENT), "enter": enter})
    (found,) = answer_routes(path_model(gradient), [(block, NeedRoutes())])
    assert found.reasons == {2: "unknown category on this row or its baseline"}


def test_derivatives_that_are_no_numbers_are_the_reason_of_their_row():
    def derive(points, slopes):
        back, scores = NET.derive(points, slopes)
        return np.where(points[:, :1] > 50, np.nan, back), scores

    block = block_of(3)
    block.rows[0, 0] = 99
    gradient = type(GRADIENT)(**{**vars(GRADIENT), "derive": derive})
    (routes,) = answer_routes(path_model(gradient), [(block, NeedRoutes())])
    (found,) = answer_paths(path_model(gradient), [(block, need(routes, [3, 3, 3]))])
    assert list(found.reasons) == [0]
