"""Small torch networks of the usual kinds, and their files."""

import io
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
nn = torch.nn


class Residual(nn.Module):
    """Convolutions with a skip, a normalisation, pooling, activations in place."""

    def __init__(self, *, soft=False):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True))
        self.branch = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(4 * 3 * 3, 3)
        self.soft = soft

    def forward(self, x):
        h = self.stem(x)
        h = torch.relu(h + self.norm(torch.relu(self.branch(h))))
        scores = self.head(self.pool(h).flatten(1))
        return scores.softmax(1) if self.soft else scores


class Attention(nn.Module):
    """A transformer over four words of three numbers."""

    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", batch_first=True)
        self.enter = nn.Linear(3, 8)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.encoder(self.enter(x.view(-1, 4, 3))).mean(1))


def nets():
    """Return networks with the shape of one input."""
    torch.manual_seed(0)
    wide = {"relu": nn.ReLU(), "silu": nn.SiLU()}
    dense = {
        name: nn.Sequential(nn.Linear(12, 24), bend, nn.Linear(24, 24), bend, nn.Linear(24, 3))
        for name, bend in wide.items()
    }
    clipped = nn.Sequential(
        *(nn.Linear(12, 24), nn.LeakyReLU(0.1), nn.Linear(24, 24), nn.Hardtanh(-0.5, 0.7)),
        *(nn.Linear(24, 16), nn.ReLU6(), nn.Linear(16, 3)),
    )
    made = {
        **{name: (net, (12,)) for name, net in dense.items()},
        "clipped": (clipped, (12,)),
        "residual": (Residual(), (3, 6, 6)),
        "residual softmax": (Residual(soft=True), (3, 6, 6)),
        "attention": (Attention(), (12,)),
        "sigmoid": (
            nn.Sequential(nn.Linear(12, 6), nn.Tanh(), nn.Linear(6, 1), nn.Sigmoid()),
            (12,),
        ),
    }
    for net, shape in made.values():
        net.train()
        for _ in range(3):  # so that a normalisation has statistics of its own
            net(torch.randn(32, *shape) * 2)
        net.eval()
    return made


def file_of(net, shape, form="export"):
    """Return the bytes of a network in a form."""
    rows, file = torch.zeros(4, *shape), io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        if form == "script":
            torch.jit.save(torch.jit.trace(net, rows, check_trace=False), file)
        else:
            sizes = ({0: torch.export.Dim.AUTO},)
            torch.export.save(torch.export.export(net, (rows,), dynamic_shapes=sizes), file)
    return file.getvalue()


def inputs(shape, rows=6, seed=1):
    """Return random inputs that float32 holds."""
    drawn = np.random.default_rng(seed).normal(size=(rows, *shape)) * 2
    return drawn.astype(np.float32)
