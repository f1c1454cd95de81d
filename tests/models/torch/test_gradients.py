"""Gradients of torch files against torch itself, and Integrated Gradients of each road."""

import copy

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch")

from paths import Rows, explain, midpoints  # noqa: E402
from torch_nets import file_of, inputs, nets  # noqa: E402

from xplain_cli.engine.path_calls import PathModel, answer_paths, answer_routes  # noqa: E402
from xplain_cli.methods import METHODS, NeedPath, NeedRoutes  # noqa: E402
from xplain_cli.models import ModelRecipe, UnableError, load_model  # noqa: E402
from xplain_cli.models.gradients import Readout  # noqa: E402
from xplain_cli.models.scored import missed  # noqa: E402
from xplain_cli.specs import build  # noqa: E402

NETS = nets()
LINKS = {"residual softmax": "softmax", "sigmoid": "softmax"}
KINDS = {
    "relu": (True, False),
    "clipped": (True, False),
    "residual": (True, False),
    "residual softmax": (True, False),
    "silu": (False, True),
    "attention": (False, True),
    "sigmoid": (False, True),
}


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Return what opens a network's file: the model and a batch of inputs."""
    folder, held = tmp_path_factory.mktemp("nets"), {}

    def opener(name, form="export"):
        if (name, form) not in held:
            net, shape = NETS[name]
            path = folder / f"{name} {form}"
            path.write_bytes(file_of(net, shape, form))
            batch = inputs(shape)
            table = pd.DataFrame(batch) if batch.ndim == 2 else batch
            names = ("no", "yes") if name == "sigmoid" else None
            modality = "image" if batch.ndim == 4 else "tabular"
            layout = "NCHW" if batch.ndim == 4 else None
            recipe = ModelRecipe(str(path), modality=modality, class_names=names, layout=layout)
            loaded = load_model(recipe)
            held[name, form] = loaded.bind(loaded.settle(table)), table
        return held[name, form]

    return opener


FORMS = [(name, form) for name in NETS for form in ("export", "script")]
FORMS.remove(("attention", "script"))  # its TorchScript is refused: it calls a function of torch's


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_scores_lead_to_the_answers(opened, name, form):
    model, batch = opened(name, form)
    gradient = model.capabilities.gradient()
    assert not missed(model, gradient, batch)
    link = LINKS.get(name, "identity") if form == "export" else "identity"
    assert gradient.link == link


@pytest.mark.parametrize("name", NETS)
def test_a_graph_knows_its_kind(opened, name):
    gradient = opened(name)[0].capabilities.gradient()
    assert (gradient.kinks is not None, gradient.smooth) == KINDS[name]


@pytest.mark.parametrize(
    ("name", "form"), [one for one in FORMS if one[0] in {"relu", "residual", "attention"}]
)
def test_derivatives_are_those_of_torch(opened, name, form):
    model, batch = opened(name, form)
    gradient, net = model.capabilities.gradient(), NETS[name][0]
    leaf = torch.from_numpy(np.array(batch, np.float32)).requires_grad_()
    (expected,) = torch.autograd.grad(net(leaf)[:, 1].sum(), leaf)
    one = Readout(np.tile([1, -1], (6, 1)), "identity", "raw")
    found, _ = gradient.derive(gradient.enter(batch), one.slopes)
    size = float(expected.abs().max())
    assert found == pytest.approx(expected.numpy(), abs=2e-6 * size)


def test_pixels_are_left_row_by_row_with_their_channels_side_by_side(opened):
    gradient = opened("residual")[0].capabilities.gradient()
    planes = np.arange(3 * 36.0).reshape(1, 3, 6, 6)
    assert gradient.leave(planes)[0, :4].tolist() == [0.0, 36.0, 72.0, 1.0]


class Pictures(Rows):
    """Rows of pictures, all numbers of which are one feature each."""

    @property
    def counts(self):
        return np.full(len(self), self.rows[0].size)

    def pooled(self, rows, parts, _grid=None):
        return parts.reshape(len(rows), -1)


def integrated(gradient, shape, text="ig:tol=1e-4", *, pairs=((0, 1),), kinks=True, scale="raw"):
    from dataclasses import replace

    gradient = gradient if kinks else replace(gradient, kinks=None)
    rows, baselines = inputs(shape).astype(float), inputs(shape, seed=2).astype(float)
    return explain(
        build(text, METHODS["masks"]),
        gradient,
        rows,
        baselines,
        pairs=pairs,
        scale=scale,
        block=Pictures,
    )


@pytest.mark.parametrize("name", [name for name in KINDS if KINDS[name][0]])
def test_exact_weights_add_up_and_equal_dense_midpoints(opened, name):
    gradient, shape = opened(name)[0].capabilities.gradient(), NETS[name][1]
    scale = "log-odds" if gradient.link == "softmax" else "raw"
    got = integrated(gradient, shape, scale=scale)
    assert set(got.quadrature.ravel()) == {"exact"}
    rows, baselines = inputs(shape).astype(float), inputs(shape, seed=2).astype(float)
    one = Readout(np.tile([0, 1], (6, 1)), gradient.link, scale)
    delta = one.read(gradient.scores(rows))[0] - one.read(gradient.scores(baselines))[0]
    off = np.abs(got.weights.sum(axis=2)[:, 0] - delta)
    assert (off <= 1e-10 * np.abs(delta) + 1e-12 * np.abs(got.weights).max(axis=2)[:, 0]).all()
    for i in range(2):
        dense, coarse = (
            gradient.leave(
                midpoints(gradient, rows[i], baselines[i], pair=(0, 1), scale=scale, nodes=n)[None]
            )[0]
            for n in (4096, 2048)
        )
        slack = 4 * np.abs(dense - coarse).sum() + 1e-9
        assert np.abs(got.weights[i, 0] - dense).sum() <= slack


@pytest.mark.parametrize("tol", [1e-2, 2e-3])
@pytest.mark.parametrize("name", ["relu", "residual"])
def test_no_row_errs_by_more_than_its_tolerance(opened, name, tol):
    gradient, shape = opened(name)[0].capabilities.gradient(), NETS[name][1]
    exact = integrated(gradient, shape).weights
    got = integrated(gradient, shape, f"ig:tol={tol}", kinks=False)
    error = np.abs(got.weights - exact).sum(axis=2) / np.abs(exact).sum(axis=2)
    assert (got.converged == 1).all()
    assert error.max() <= tol


@pytest.mark.parametrize("name", ["silu", "attention"])
def test_a_net_without_kinks_takes_rules_of_at_most_32_nodes(opened, name):
    gradient, shape = opened(name)[0].capabilities.gradient(), NETS[name][1]
    rows, baselines = inputs(shape) * 0.5, inputs(shape, seed=2) * 0.5
    got = explain(
        build("ig:tol=1e-4", METHODS["masks"]), gradient, rows, baselines, pairs=((0, 1),)
    )
    assert set(got.quadrature.ravel()) == {"gauss-legendre"}
    for i in range(6):
        dense = midpoints(gradient, rows[i], baselines[i], pair=(0, 1), nodes=16384)
        assert np.abs(got.weights[i, 0] - dense).sum() <= 1e-6 * np.abs(dense).sum()


def test_completeness_alone_deceives(opened):
    """Of 64 midpoints the weights err at least twice as much as their sum."""
    gradient, shape = opened("residual")[0].capabilities.gradient(), NETS["residual"][1]
    exact = integrated(gradient, shape).weights[:, 0]
    rows, baselines = inputs(shape).astype(float), inputs(shape, seed=2).astype(float)
    coarse = np.stack([
        gradient.leave(midpoints(gradient, row, baseline, pair=(0, 1), nodes=64)[None])[0]
        for row, baseline in zip(rows, baselines, strict=True)
    ])
    erred, summed = np.abs(coarse - exact).sum(axis=1), np.abs((coarse - exact).sum(axis=1))
    assert np.median(erred) >= 2 * np.median(summed)


def test_a_row_weighs_the_same_bytes_whatever_stands_beside(opened):
    gradient, shape = opened("residual")[0].capabilities.gradient(), NETS["residual"][1]
    rows, baselines = inputs(shape).astype(float), inputs(shape, seed=2).astype(float)
    method = build("ig", METHODS["masks"])
    whole = explain(method, gradient, rows, baselines, block=Pictures)
    for i in (0, 5):
        own = slice(i, i + 1)
        alone = explain(method, gradient, rows[own], baselines[own], block=Pictures)
        assert alone.weights[0].tobytes() == whole.weights[i].tobytes()


def test_a_path_of_too_many_pieces_is_integrated(opened, monkeypatch):
    monkeypatch.setattr("xplain_cli.methods.integrated_gradients.MOST_PIECES", 20)
    gradient, shape = opened("residual")[0].capabilities.gradient(), NETS["residual"][1]
    assert set(integrated(gradient, shape, "ig:tol=0.05").quadrature.ravel()) == {"trapezoid"}


def test_whole_numbers_have_no_path(tmp_path):
    class Counts(torch.nn.Module):
        def forward(self, x):
            return x.to(torch.float32).sum(1, keepdim=True)

    file = tmp_path / "counts"
    program = torch.export.export(Counts(), (torch.zeros(4, 3, dtype=torch.int64),))
    torch.export.save(program, str(file) + ".pt2")
    loaded = load_model(ModelRecipe(str(file) + ".pt2"))
    table = pd.DataFrame(np.ones((4, 3)))
    with pytest.raises(UnableError, match="takes int64"):
        loaded.bind(loaded.settle(table)).capabilities.gradient()


def test_a_value_times_itself_is_no_line(tmp_path):
    class Squared(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.enter = torch.nn.Linear(3, 4)

        def forward(self, x):
            held = self.enter(x)
            return held * held

    path = tmp_path / "squared.pt2"
    path.write_bytes(file_of(Squared(), (3,)))
    loaded = load_model(ModelRecipe(str(path)))
    table = pd.DataFrame(inputs((3,)))
    gradient = loaded.bind(loaded.settle(table)).capabilities.gradient()
    assert (gradient.kinks, gradient.smooth) == (None, True)


@pytest.mark.parametrize("name", ["relu", "residual", "silu", "attention"])
def test_weights_at_equal_nodes_are_those_of_captum(opened, name):
    attr = pytest.importorskip("captum.attr")
    gradient, (net, shape) = opened(name)[0].capabilities.gradient(), NETS[name]
    rows, baselines = inputs(shape).astype(float), inputs(shape, seed=2).astype(float)
    model = PathModel(gradient, "raw", np.arange(3), lambda error, where: f"{error} {where}")
    block, nodes = Pictures(rows, baselines), (np.arange(24) + 0.5) / 24
    (routes,) = answer_routes(model, [(block, NeedRoutes())])
    asked = NeedPath(
        routes,
        np.arange(6),
        np.tile([1, -1], (6, 1)),
        margin=False,
        nodes=[nodes] * 6,
        weights=[np.full(24, 1 / 24)] * 6,
    )
    (found,) = answer_paths(model, [(block, asked)])
    expected = attr.IntegratedGradients(copy.deepcopy(net).double()).attribute(
        *(torch.from_numpy(one) for one in (rows, baselines)),
        target=1,
        n_steps=24,
        method="riemann_middle",
    )
    flat = gradient.leave(expected.numpy())
    assert found.sums == pytest.approx(flat, abs=1e-5 * np.abs(flat).max())
