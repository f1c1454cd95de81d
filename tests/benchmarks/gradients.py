"""What Integrated Gradients costs and how far it errs: digits, networks of scikit-learn and torch.

    python tests/benchmarks/gradients.py            # NumPy alone
    python tests/benchmarks/gradients.py torch      # torch networks too, captum beside them
    python tests/benchmarks/gradients.py layers     # what is missed at layers of a residual network

Process time, one thread. Rows are digits 800 to 1,797, the baseline is zero, the target is the
predicted class against the runner-up. ``bare`` is a loop of forward and backward batches of as many
points, without anything around it.
"""

import sys
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from paths import Rows, explain

from xplain_cli.methods import METHODS
from xplain_cli.models.contract import Signature
from xplain_cli.models.estimators.networks import estimator_gradient
from xplain_cli.specs import build

X, Y = load_digits(return_X_y=True)
NAMES = tuple(map(str, range(10)))
SIGNATURE = Signature(
    "predict_proba", "classification", "probability", NAMES, None, margin=False, note=""
)


def timed(work):
    began = time.process_time()
    found = work()
    return found, time.process_time() - began


def of_rows(gradient, rows, text="ig", step=32, scale="log-odds"):
    """Explain rows in chunks of 32, as a run does: the predicted class against the runner-up."""
    parts = []
    for at in range(0, len(rows), step):
        some = rows[at : at + step]
        order = np.argsort(-gradient.scores(some), axis=1)
        parts += [(some, order[:, :2])]
    found = []
    for some, pairs in parts:
        got = explain(
            build(text, METHODS["masks"]),
            gradient,
            some,
            np.zeros_like(some),
            pairs=pairs,
            scale=scale,
            block=Pixels,
            own=True,
        )
        found.append(got)
    return found


class Pixels(Rows):
    """Rows of any shape; each number is a feature."""

    @property
    def counts(self):
        return np.full(len(self), self.rows[0].size)

    def pooled(self, rows, parts, _grid=None):
        return parts.reshape(len(rows), -1)


def numpy_network():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = MLPClassifier((64, 32), max_iter=300, random_state=0)
        model = make_pipeline(StandardScaler(), net).fit(X[:800], Y[:800])
    gradient = estimator_gradient(model, SIGNATURE, lambda batch: batch)
    found, took = timed(lambda: of_rows(gradient, X[797:]))
    pieces = np.concatenate([one.n_samples.ravel() for one in found])
    print(
        f"scikit-learn 64-32, exact: {1e3 * took / 1000:.3f} ms a row,"
        f" {np.median(pieces):.0f} pieces (median),"
        f" {'with' if 'torch' in sys.modules else 'without'} torch"
    )


def torch_networks():
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = torch.tensor(X / 16, dtype=torch.float32)
    bend = {"relu": nn.ReLU, "silu": nn.SiLU}

    class Cut(nn.Module):
        """A residual network with pooling."""

        def __init__(self):
            super().__init__()
            self.stem, self.branch = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
            self.pool, self.head = nn.MaxPool2d(2), nn.Linear(128, 10)

        def forward(self, x):
            h = torch.relu(self.stem(x))
            h = torch.relu(h + self.branch(h))
            return self.head(self.pool(h).flatten(1))

    class Words(nn.Module):
        """A transformer over the lines of a digit."""

        def __init__(self):
            super().__init__()
            layer = nn.TransformerEncoderLayer(16, 2, 32, activation="gelu", batch_first=True)
            self.enter, self.head = nn.Linear(8, 16), nn.Linear(16, 10)
            self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)

        def forward(self, x):
            return self.head(self.encoder(self.enter(x.view(-1, 8, 8))).mean(1))

    def dense(name):
        return nn.Sequential(*(
            nn.Linear(64, 64),
            bend[name](),
            nn.Linear(64, 64),
            bend[name](),
            nn.Linear(64, 10),
        ))

    for name, net, shape in (
        ("ReLU MLP", dense("relu"), (64,)),
        ("SiLU MLP", dense("silu"), (64,)),
        ("residual CNN", Cut(), (1, 8, 8)),
        ("transformer", Words(), (64,)),
    ):
        _train(torch, net, rows.reshape(-1, *shape))
        _measure(torch, name, net.eval(), rows.reshape(-1, *shape)[800:])


def _train(torch, net, rows):
    chosen = torch.optim.Adam(net.parameters(), 2e-3)
    labels = torch.tensor(Y)
    for _ in range(15):
        for some in torch.randperm(800).split(50):
            loss = torch.nn.functional.cross_entropy(net(rows[some]), labels[some])
            chosen.zero_grad()
            loss.backward()
            chosen.step()


def _measure(torch, name, net, rows):
    from dataclasses import replace

    from xplain_cli.models.torch.gradients import Asked, torch_gradient

    sizes = ({0: torch.export.Dim.AUTO},)
    module = torch.export.export(net, (rows[:4],), dynamic_shapes=sizes).module()
    raw = replace(SIGNATURE, scale="raw", response="forward")
    shape = (None, *rows.shape[1:])
    gradient = torch_gradient(Asked(module, "float32", shape, "NCHW", raw))
    batch = rows.double().numpy()
    some = batch[:64]
    exact = of_rows(gradient, some, "ig:tol=1e-8", scale="raw")
    for tol in (1e-2, 2e-3):
        bare = replace(gradient, kinks=None)
        got = of_rows(bare, some, f"ig:tol={tol}", scale="raw")
        off, size = (
            np.concatenate([np.abs(part).sum(axis=(1, 2)) for part in parts])
            for parts in (
                [one.weights - two.weights for one, two in zip(got, exact, strict=True)],
                [two.weights for two in exact],
            )
        )
        nodes = np.concatenate([one.n_samples.ravel() for one in got])
        done = np.concatenate([one.converged.ravel() for one in got])
        print(
            f"{name}: tol {tol:g}: L1 error at most {(off / size).max():.1e}, nodes median"
            f" {np.median(nodes):.0f}, converged {done.mean():.0%}, {got[0].quadrature[0, 0]}"
        )
    _cost(torch, name, net, gradient, batch)


def _cost(torch, name, net, gradient, batch):
    """Hold 64 nodes a row against bare batches of as many points, in double precision."""
    from xplain_cli.engine.path_calls import PathModel, answer_paths, answer_routes
    from xplain_cli.methods import NeedPath, NeedRoutes

    nodes = (np.arange(64) + 0.5) / 64
    count, size = 256, gradient.batch_rows
    model = PathModel(gradient, "raw", np.arange(10), lambda error, where: f"{error} {where}")
    net = net.double()

    def ours():
        for at in range(0, count, 32):
            block = Pixels(batch[at : at + 32], np.zeros_like(batch[at : at + 32]))
            (routes,) = answer_routes(model, [(block, NeedRoutes())])
            pairs = np.tile([1, 0], (32, 1))
            asked = NeedPath(
                routes, np.arange(32), pairs, margin=False, nodes=[nodes] * 32, weights=[nodes] * 32
            )
            answer_paths(model, [(block, asked)])

    def bare():
        points = torch.from_numpy(np.repeat(batch[:1], size, axis=0))
        for _ in range(count * 64 // size):
            leaf = points.clone().requires_grad_()
            made = net(leaf)
            torch.autograd.grad((made[:, 1] - made[:, 0]).sum(), leaf)

    ours()
    bare()
    times = [(timed(ours)[1], timed(bare)[1]) for _ in range(3)]
    ratio = np.median([one / other for one, other in times])
    line = f"{name}: 64 nodes cost {ratio:.2f} times bare batches of {size} (double precision)"
    print(f"{line}{_captum(torch, net, batch[:count], times[0][1])}", flush=True)


def _captum(torch, net, batch, bare):
    """Return what captum costs at as many nodes, where it is installed."""
    try:
        from captum.attr import IntegratedGradients
    except ImportError:
        return ""
    rows = torch.from_numpy(batch)
    target = net(rows).argmax(1)

    def theirs():
        IntegratedGradients(net).attribute(
            rows,
            rows * 0,
            target=target,
            n_steps=64,
            internal_batch_size=512,
            method="riemann_middle",
        )

    theirs()
    return f"; captum {timed(theirs)[1] / bare:.2f} times"


def _residual(torch):
    """Return a residual network on digits, trained, and 100 rows that it has not seen."""
    from torch import nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16)

        def forward(self, x):
            return torch.relu(x + self.norm(self.conv(x)))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            first = (nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(inplace=True))
            self.stem, self.block, self.pool = nn.Sequential(*first), Block(), nn.MaxPool2d(2)
            self.second, self.act = nn.Conv2d(16, 32, 3, padding=1), nn.ReLU()
            self.mean, self.hidden = nn.AdaptiveAvgPool2d(2), nn.Linear(128, 64)
            self.last, self.head = nn.ReLU(), nn.Linear(64, 10)

        def forward(self, x):
            x = self.mean(self.act(self.second(self.pool(self.block(self.stem(x))))))
            return self.head(self.last(self.hidden(x.flatten(1))))

    torch.manual_seed(1)
    net, rows = Net(), torch.tensor(X / 16, dtype=torch.float32).view(-1, 1, 8, 8)
    _train(torch, net.train(), rows)
    return net.eval(), rows[800:900]


def torch_layers():
    import io
    from dataclasses import replace

    import torch

    from xplain_cli.models.torch.archive import read_archive
    from xplain_cli.models.torch.gradients import Asked, torch_gradient
    from xplain_cli.models.torch.layer_names import stored_layers

    torch.set_num_threads(1)
    net, rows = _residual(torch)
    file, sizes = io.BytesIO(), ({0: torch.export.Dim.AUTO},)
    program = torch.export.export(net, (rows[:4],), dynamic_shapes=sizes)
    torch.export.save(program, file)
    layers = stored_layers(read_archive("net.pt2", file.getvalue(), 1 << 30).members)
    raw = replace(SIGNATURE, scale="raw", response="forward")
    asked = Asked(program.module(), "float32", (None, 1, 8, 8), "NCHW", raw, layers)
    batch = rows.double().numpy()
    whole = torch_gradient(asked)
    scores, zero = (whole.scores(one) for one in (batch, batch * 0))
    best = scores.argmax(axis=1)
    lines = np.arange(len(batch))
    change = scores[lines, best] - zero[lines, best]
    pairs = np.column_stack([best, np.full(len(batch), -1)])
    print(
        "100 digits, score of the predicted class, zero image: medians of |sum - due| / |due|,"
        " in brackets of maps without their parts below 0"
    )
    for name in ("stem", "block.conv", "block", "pool", "act", "last"):
        gradient = torch_gradient(asked, name)
        block = _over(gradient)
        said = []
        for text in ("odam", "layer-cam", "grad-cam"):
            method = build(f"{text}:layer={name}", METHODS["masks"])
            got = explain(method, gradient, batch, batch * 0, pairs=pairs, own=True, block=block)
            due = scores[lines, best] - got.base[:, 0]
            missed = np.abs(got.weights.sum(axis=2)[:, 0] - due) / np.abs(due)
            drawn = (
                "" if got.rectified_error is None else f" ({np.median(got.rectified_error):.2g})"
            )
            said.append(f"{text} {np.median(missed):.2g}{drawn}")
        method = build(f"ig:layer={name},tol=1e-3", METHODS["masks"])
        bare = replace(gradient, kinks=None)
        got = explain(method, bare, batch, batch * 0, pairs=pairs, own=True, block=block)
        total, due = got.weights.sum(axis=2)[:, 0], scores[lines, best] - got.base[:, 0]
        for word, against in (("what the layer changes", due), ("F(x) - F(0)", change)):
            missed = np.abs(total - against) / np.abs(against)
            said.append(f"ig against {word} {np.median(missed):.1e}, at most {missed.max():.1e}")
        print(f"  {name}: {'; '.join(said)}; converged {got.converged.mean():.0%}", flush=True)


def _over(gradient):
    """Return rows each unit of a layer of which is a feature; it lies over a picture."""
    shape, grid = gradient.shape, gradient.grid

    def charted(_rows, chosen, parts, _grid=None):
        return None if grid is None else parts.reshape(len(chosen), *grid, -1).sum(axis=3)

    def counts(rows):
        return np.full(len(rows), int(np.prod(shape)))

    return type("Units", (Rows,), {"counts": property(counts), "charted": charted})


if __name__ == "__main__":
    with threadpool_limits(limits=1):
        if "layers" in sys.argv[1:]:
            torch_layers()
            raise SystemExit
        numpy_network()
        if "torch" in sys.argv[1:]:
            torch_networks()
