"""Layers of torch graphs against hooks on the modules themselves."""

import copy
import io

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch")

from paths import Rows, explain  # noqa: E402
from torch_nets import file_of, inputs, nets  # noqa: E402

from xplain_cli.errors import UsageError  # noqa: E402
from xplain_cli.methods import METHODS  # noqa: E402
from xplain_cli.models import ModelRecipe, UnableError, load_model  # noqa: E402
from xplain_cli.models.torch.archive import read_archive  # noqa: E402
from xplain_cli.models.torch.layer_names import stored_layers  # noqa: E402
from xplain_cli.specs import build  # noqa: E402

NETS = nets()
LAYERS = [
    *(("residual", name) for name in ("stem.0", "stem", "branch", "norm", "pool", "head")),
    *(("attention", f"encoder.layers.0.{name}") for name in ("self_attn", "linear1", "norm2")),
    *(("relu", name) for name in ("0", "2", "4")),
    ("residual softmax", "branch"),
]


def units(gradient):
    """Return rows each unit of a layer of which is a feature."""
    counts = property(lambda rows: np.full(len(rows), int(np.prod(gradient.shape))))
    return type("Units", (Rows,), {"counts": counts})


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
            modality, layout = ("image", "NCHW") if batch.ndim == 4 else ("tabular", None)
            loaded = load_model(ModelRecipe(str(path), modality=modality, layout=layout))
            held[name, form] = loaded.bind(loaded.settle(table)), batch
        return held[name, form]

    return opener


def hooked(name, layer, batch, value=None):
    """Return the scores of a network itself, one module's answer replaced, and that answer."""
    net = copy.deepcopy(NETS[name][0]).double()
    net.soft = False
    seen = {}

    def hook(_module, _inputs, answer):
        seen["value"] = answer[0] if isinstance(answer, tuple) else answer
        seen["value"] = seen["value"].clone()  # what comes behind may write into it
        if value is None:
            return None
        return (value, *answer[1:]) if isinstance(answer, tuple) else value.clone()

    net.get_submodule(layer).register_forward_hook(hook)
    return net(torch.as_tensor(np.asarray(batch), dtype=torch.float64)), seen["value"]


@pytest.mark.parametrize(("name", "layer"), LAYERS)
def test_a_replaced_value_moves_the_scores_and_their_derivatives_as_a_hook_does(
    opened, name, layer
):
    model, batch = opened(name)
    gradient = model.capabilities.gradient(layer)
    points = gradient.enter(batch)
    _, value = hooked(name, layer, batch)
    count = int(np.prod(gradient.shape))
    assert gradient.shape == tuple(value.shape[1:])
    own = points.reshape(len(points), -1)[:, :count]
    assert own == pytest.approx(value.detach().numpy().reshape(len(own), -1), abs=1e-12)
    other = np.random.default_rng(3).normal(size=value.shape)
    moved = points.reshape(len(points), -1).copy()
    moved[:, :count] = other.reshape(len(points), -1)
    leaf = torch.tensor(other, requires_grad=True)
    expected, _ = hooked(name, layer, batch, leaf)
    moved = moved.reshape(points.shape)
    assert gradient.scores(moved) == pytest.approx(expected.detach().numpy(), abs=1e-12)
    (slopes,) = torch.autograd.grad(expected[:, 1].sum(), leaf)
    chosen = np.tile([0.0, 1.0, 0.0], (len(points), 1))
    found, _ = gradient.derive(moved, lambda _: chosen)
    found = found.reshape(len(points), -1)[:, :count]
    assert found == pytest.approx(slopes.numpy().reshape(len(points), -1), abs=1e-12)


def test_what_passes_by_a_layer_is_the_rows_own(opened):
    model, _ = opened("residual")
    names = ("stem", "branch", "norm", "pool")
    held = {layer: model.capabilities.gradient(layer).held for layer in names}
    assert held == {"stem": 0, "branch": 108, "norm": 108, "pool": 0}


@pytest.mark.parametrize("name", ["residual", "attention", "relu"])
def test_names_are_those_that_torch_itself_reads(name):
    net, shape = NETS[name]
    data = file_of(net, shape)
    found = stored_layers(read_archive("m.pt2", data, 1 << 30).members)
    expected = {}
    for node in torch.export.load(io.BytesIO(data)).graph.nodes:
        for path, _ in (node.meta.get("nn_module_stack") or {}).values():
            if path and isinstance(node.meta.get("val"), torch.Tensor):
                expected[path] = node.name
    assert {one: found[one].node for one in expected if one in found} == {
        one: node for one, node in expected.items() if one in found
    }
    modules = {path for path, _ in net.named_modules() if path}
    assert modules - set(found) <= {
        "encoder.layers.0.self_attn.out_proj",  # its operators belong to the module around it
    }


def test_integrated_gradients_inside_a_branch_add_up_to_the_hooked_change(opened):
    model, batch = opened("residual")
    gradient = model.capabilities.gradient("branch")
    zero = np.zeros_like(batch)
    _, value = hooked("residual", "branch", zero)
    last = hooked("residual", "branch", batch)[0][:, 1].detach().numpy()
    first = hooked("residual", "branch", batch, value.detach())[0][:, 1].detach().numpy()
    of_zero = hooked("residual", "branch", zero)[0][:, 1].detach().numpy()
    for text in ("ig:layer=branch", "ig:layer=branch,tol=0.001"):
        method = build(text, METHODS["masks"])
        got = explain(method, gradient, batch, zero, pairs=((1, -1),), block=units(gradient))
        total = got.weights.sum(axis=2)[:, 0]
        assert total == pytest.approx(last - first, abs=1e-10)
        assert got.base[:, 0] == pytest.approx(first, abs=1e-10)
        assert set(got.quadrature.ravel()) == {"exact"}
        assert np.median(np.abs(total - (last - of_zero)) / np.abs(last - of_zero)) >= 0.1


def test_gradient_times_feature_is_exact_at_the_last_hidden_layer(opened):
    for name, layer in (("residual", "pool"), ("relu", "3")):
        model, batch = opened(name)
        gradient = model.capabilities.gradient(layer)
        got = explain(
            build(f"odam:layer={layer}", METHODS["masks"]),
            gradient,
            batch,
            np.zeros_like(batch),
            pairs=((1, -1), (0, 2)),
            block=units(gradient),
        )
        scores = gradient.scores(gradient.enter(batch))
        due = np.column_stack([scores[:, 1], scores[:, 0] - scores[:, 2]]) - got.base
        assert got.weights.sum(axis=2) == pytest.approx(due, abs=1e-12)


def test_layers_that_are_none_are_refused(opened):
    with pytest.raises(UsageError, match="'stem'"):
        opened("residual")[0].capabilities.gradient("stm")
    with pytest.raises(UnableError, match="softmax"):
        opened("residual softmax")[0].capabilities.gradient("softmax")
    with pytest.raises(UnableError, match=r"torch\.export"):
        opened("residual", "script")[0].capabilities.gradient("stem")
