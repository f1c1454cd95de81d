"""A new method, request or modality is one file or folder, and a line of a table.

A new baseline is shown in ``test_new_baseline.py``, a new option and a new command in
``tests/options/test_declare.py``.
"""

import sys
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from xplain_cli.commands import COMMANDS, make_app
from xplain_cli.engine.model_calls import ANSWERS
from xplain_cli.explanation import exact_attribution
from xplain_cli.features import Wants
from xplain_cli.methods import METHODS
from xplain_cli.methods.defaults import no_constants, nothing_sampled
from xplain_cli.modalities import MODALITIES
from xplain_cli.models.callables import CallableModel
from xplain_cli.models.contract import Capabilities

SLOPES = np.array([1.0, -2.0, 0.5])


def run(folder, monkeypatch, *words, commands=COMMANDS):
    """Run a command in this process, where the tables hold a line more."""
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(make_app(commands), [*map(str, words), "-q", "-j", "1"])
    assert done.exit_code == 0, (done.output, done.exception)


# --- a method, and a request of its own


@dataclass(frozen=True)
class NeedSwap:
    """Asks for the model's outputs on rows whose numbers are swapped with their baselines'."""

    rows: range


def answer_swaps(calls, waiting):
    """Answer the requests of all blocks: the outputs (b,) at the mirrored rows."""
    found = []
    for block, need in waiting:
        shares = np.full((1, len(SLOPES)), 2.0)
        points = [block.between(row, shares) for row in need.rows]
        found.append(np.concatenate([calls.model.predict(point)[:, 0] for point in points]))
    return found


@dataclass(frozen=True)
class SwapMethod:
    """What a model says beyond each row, shared out evenly: as much as a stub needs."""

    needs: ClassVar[frozenset[str]] = frozenset({"row_by_row"})
    instead: ClassVar[str] = "kernel-shap"
    exact: ClassVar[bool] = True
    pooled: ClassVar[bool] = False
    sampled: ClassVar[bool] = False
    wants: ClassVar[Wants] = Wants()
    default_budget = nothing_sampled
    facts = no_constants

    def row_inputs(self, _perturbation, _n, _budget):
        """Return the model inputs of a row."""
        return 1

    def explain(self, task):
        """Explain a block of rows."""
        b, n = len(task.block), task.n
        beyond = yield NeedSwap(range(b))
        gain = beyond - task.predictions[:, 0]
        weights = np.repeat(gain[:, None, None] / n, n, axis=2)
        base = task.predictions - gain[:, None]
        return exact_attribution(weights, base, samples=1, asked=np.full(b, 1))


@pytest.fixture
def linear(tmp_path):
    """A linear function of three columns, and a table."""
    (tmp_path / "line.py").write_text(
        "import numpy as np\n"
        f"def predict(table):\n    return table.to_numpy() @ np.array({SLOPES.tolist()})\n"
    )
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(24, 3)), columns=["a", "b", "c"])
    table.to_csv(tmp_path / "d.csv", index=False)
    return table


def test_a_method_and_its_request_are_a_file_and_a_line_each(tmp_path, monkeypatch, linear):
    able = replace(CallableModel.capabilities, row_by_row=True)
    monkeypatch.setattr(CallableModel, "capabilities", able)
    monkeypatch.setitem(METHODS["masks"], "swap", SwapMethod)
    monkeypatch.setitem(ANSWERS, NeedSwap, answer_swaps)
    words = ("tabular", "line:predict", "d.csv", "-m", "swap", "-b", "zero", "-o", "out")
    run(tmp_path, monkeypatch, *words, "--python-path", ".")
    weights = pd.read_csv(tmp_path / "out" / "weights.csv")
    found = weights.groupby("row_id")["weight"].sum()
    assert found.to_numpy() == pytest.approx(linear.to_numpy() @ SLOPES, abs=1e-12)


def test_a_model_without_what_a_method_needs_is_refused_by_name(tmp_path, monkeypatch, linear):
    monkeypatch.chdir(tmp_path)
    words = ("tabular", "line:predict", "d.csv", "-m", "ig", "--python-path", ".")
    done = CliRunner().invoke(make_app(COMMANDS), words)
    assert str(done.exception) == "ig needs a model that gives gradients; take kernel-shap"


# --- a fourth modality: rows are series, stretches of them are features

DATA = '''"""Series: a row of a NumPy array each; stretches of equal length are features."""

import hashlib
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pandas as pd

from xplain_cli.explanation import Rows
from xplain_cli.features import (
    NOT_EMPTY, FeatureLabels, Traits, not_judged, not_refined, nothing_between, read_whole,
    unsalted, without_baselines,
)
from xplain_cli.modalities import Neighbourhood, OpenedModality, Piece

STRETCH = 4


@dataclass(frozen=True)
class SeriesRows:
    inputs: np.ndarray
    keys: tuple
    reasons: dict = field(default_factory=dict)
    copies: ClassVar = 1
    most_asked: ClassVar = 0
    subset: ClassVar = None
    inputs_repeat: ClassVar = False
    pool_of: ClassVar = None
    empty: ClassVar = NOT_EMPTY
    read_to = read_whole
    refined = not_refined
    with_baselines = without_baselines
    judged = not_judged
    between = nothing_between

    def __len__(self):
        return len(self.keys)

    @property
    def counts(self):
        return np.full(len(self), self.inputs.shape[1] // STRETCH)

    def take(self, rows):
        rows = list(rows)
        return SeriesRows(self.inputs[rows], tuple(self.keys[i] for i in rows))

    def shown(self):
        n = int(self.counts[0])
        names = np.array([f"step {STRETCH * j}" for j in range(n)], dtype=object)
        means = self.inputs.reshape(len(self), n, STRETCH).mean(axis=2).astype(object)
        return FeatureLabels(np.broadcast_to(names, means.shape), means)

    def masked(self, row, masks):
        return self.inputs[row] * np.repeat(masks, STRETCH, axis=1)


@dataclass(frozen=True)
class SeriesMasker:
    draws: ClassVar = None
    inclusion: ClassVar = "bernoulli"
    distance_unit: ClassVar = 1.0
    weight_columns: ClassVar = ()
    stability_columns: ClassVar = ()
    traits: ClassVar = Traits()
    salted = unsalted

    def split(self, batch):
        keys = tuple(hashlib.sha256(row.tobytes()).digest() for row in batch)
        return SeriesRows(np.asarray(batch), keys)


@dataclass(frozen=True)
class Series:
    rows: np.ndarray
    paths: tuple
    columns: ClassVar = ()
    notes: ClassVar = ()
    batch_rows: ClassVar = 32

    @property
    def sha256(self):
        return hashlib.sha256(self.rows.tobytes()).hexdigest()

    @property
    def n_rows(self):
        return len(self.rows)

    def gives(self, method):
        return "masks"

    def probe(self):
        return self.rows[:8]

    typical = probe

    def pieces(self, size, start, stop):
        for at in range(start, stop, size):
            end = min(at + size, stop)
            kept = pd.DataFrame(index=range(end - at))
            yield Piece(self.rows[at:end], Rows(at, list(range(at, end)), kept))

    def chunk_rows(self, method, neighbourhood):
        return 4

    def perturbation_for(self, method, model, signature):
        return Neighbourhood(SeriesMasker(), "zero", "zero: absent stretches are 0")

    def numbers(self):
        return {"stretch": STRETCH}

    def facts(self):
        return {"paths": list(self.paths), "sha256": self.sha256}

    def described(self):
        return f"series of {self.rows.shape[1]} steps"


def open_data(request, load):
    return OpenedModality(Series(np.load(request.sources.data[0]), request.sources.data), load())
'''
STORY = '''"""The story of runs on series: stretches are features."""

from xplain_cli.modalities import Story

STORY = Story(
    rows="series",
    feature="stretch",
    value_name="mean",
    features_said=lambda numbers, facts: f"stretches of {numbers['stretch']} steps",
    spoken=lambda name, value, baseline: name,
    removed=lambda n_features, n_changed, origin: "With all of it at zero",
)
'''
COMMAND = '''"""``xplain series``: explain every series of an array."""

from xplain_cli.console import open_console
from xplain_cli.options import runs, tables
from xplain_cli.options.command import Options, takes
from xplain_cli.options.request import to_request


@takes(
    runs.Words, runs.Sources, runs.Explanation, runs.Sampling, runs.Gates, runs.Slices, runs.Result,
    runs.Safety, runs.Workers, runs.Trust, runs.ProjectFile, runs.Talk, runs.Screen,
)
def series(options: Options) -> int:
    """
    Explain every series.

    Example: xplain series model.pkl data.npy
    """
    from xplain_cli.jobs.deliver import explain_anywhere

    request = to_request(options, "series")
    return explain_anywhere(request, open_console(options.values, options.notes))
'''


@pytest.fixture
def series(tmp_path, monkeypatch):
    """A folder with its line in ``MODALITIES``, and a command with its line in ``COMMANDS``."""
    folder = tmp_path / "waves"
    folder.mkdir()
    for name, text in {"__init__": "", "data": DATA, "story": STORY, "command": COMMAND}.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    (tmp_path / "total.py").write_text("def predict(batch):\n    return batch.sum(axis=1)\n")
    np.save(tmp_path / "d.npy", np.random.default_rng(0).normal(size=(10, 12)))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(MODALITIES, "series", "waves")
    from waves.command import series

    yield {**COMMANDS, "series": series}
    for name in [name for name in sys.modules if name.split(".")[0] in {"waves", "total"}]:
        del sys.modules[name]


@pytest.mark.parametrize("method", ["kernel-shap", "lime", "occlusion"])
def test_a_modality_is_a_folder_and_a_line(tmp_path, monkeypatch, series, method):
    words = ("series", "total:predict", "d.npy", "-m", method, "--python-path", ".", "-o", "out")
    run(tmp_path, monkeypatch, *words, "--report", "page.html", commands=series)
    weights = pd.read_csv(tmp_path / "out" / "weights.csv")
    found = weights.pivot_table(index="row_id", columns="feature_index", values="weight")
    data = np.load(tmp_path / "d.npy")
    assert found.to_numpy() == pytest.approx(data.reshape(10, 3, 4).sum(axis=2), abs=1e-6)
    assert "stretches of 4 steps" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_slices_of_a_new_modality_merge(tmp_path, monkeypatch, series):
    words = ("series", "total:predict", "d.npy", "-m", "kernel-shap", "--python-path", ".")
    for name, rows in {"whole": "0:10", "a": "0:4", "b": "4:10"}.items():
        run(tmp_path, monkeypatch, *words, "--rows", rows, "-o", name, commands=series)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(make_app(series), ["merge", "a", "b", "-o", "merged", "-q"])
    assert done.exit_code == 0, (done.output, done.exception)
    for name in ("weights.csv", "stability.csv"):
        assert (tmp_path / "merged" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_what_a_model_cannot_do_is_one_value():
    assert Capabilities() == replace(Capabilities(gradient=print), gradient=None)
