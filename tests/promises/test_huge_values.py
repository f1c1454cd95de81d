"""Numbers beyond float32, and beyond the square root of the largest float, are explained."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

from xplain_cli.baselines.tables import measure_distance, moments
from xplain_cli.methods.discretizers import entropy_edges
from xplain_cli.modalities.tabular.cells import cut

FEW = ("-n", 64, "-r", 2, "--rows", "0:3", "--no-progress", "-o", "out", "--force")


@pytest.mark.parametrize("exponent", [39, 200, 300])
def test_entropy_edges_of_huge_values_are_those_of_small_ones(rng, exponent):
    x = rng.normal(size=200)
    labels = (x > 0.3).astype(int) + (np.abs(x) > 1)
    scale = 2.0 ** int(exponent / 0.30103)
    small = entropy_edges(x * 2.0**90, labels) / 2.0**90
    assert len(small) > 1
    assert np.allclose(entropy_edges(x * scale, labels) / scale, small, rtol=1e-6)


def test_moments_overflow_nowhere_and_are_the_plain_ones_elsewhere(rng):
    x = rng.normal(size=50)
    assert moments(x) == (x.mean(), x.std())
    assert moments(x[:0]) == (0.0, 0.0)
    mean, sd = moments(x * 2.0**1000)
    assert np.allclose([mean / 2.0**1000, sd / 2.0**1000], [x.mean(), x.std()], rtol=1e-12)


def test_bins_of_huge_values_draw_values_in_them(rng):
    x = np.sort(rng.normal(size=100)) * 1e200
    perturbation = cut("a", x, np.percentile(x, [25, 50, 75]))
    codes, drawn = perturbation.draw(rng.random(500))
    assert np.isfinite(drawn["a"]).all()
    assert (np.searchsorted(perturbation.edges, drawn["a"]) == codes).mean() > 0.99
    assert len(np.unique(drawn["a"])) > 400


def test_distances_of_huge_values_are_those_of_small_ones(rng):
    rows = pd.DataFrame({"a": rng.normal(size=30)})
    apart = []
    for scale in (1.0, 2.0**900):
        scaled = rows * scale
        distance = measure_distance(scaled, frozenset())
        coded = distance.coded(scaled)
        apart.append(distance.between(coded[:1], coded))
    assert np.allclose(*apart, rtol=1e-9)


@pytest.fixture
def huge(tmp_path):
    """Store a model and a table of values of about 10 to a power."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    def make(power, extreme=1.0):
        x = np.random.default_rng(0).normal(size=(60, 2)) * 10.0**power
        table = pd.DataFrame(x, columns=["a", "b"])
        table.loc[0, "a"] *= extreme
        model = HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5)
        (tmp_path / "m.pkl").write_bytes(pickle.dumps(model.fit(table, table["a"] > 0)))
        table.to_csv(tmp_path / "d.csv", index=False)

    return make


@pytest.mark.parametrize("power", [39, 200, 307])
@pytest.mark.parametrize(
    "method",
    [
        *("lime:discretizer=entropy", "lime:discretizer=quartile", "lime:discretizer=none"),
        *("lime:space=baseline", "kernel-shap"),
    ],
)
def test_huge_values_are_explained_by_what_decides(run, tmp_path, huge, method, power):
    huge(power)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn adds up what it checks
        done = run("tabular", "m.pkl", "d.csv", "-m", method, *FEW)
    assert done.code == 0, done.err
    weights = pd.read_csv(tmp_path / "out" / "weights.csv")
    size = weights.assign(size=weights["weight"].abs()).groupby("feature")["size"].mean()
    assert size["a"] > 10 * size["b"]
    assert size["a"] > 0.05


def test_values_whose_differences_are_infinite_are_refused(run, huge):
    huge(300, extreme=1e9)
    done = run("tabular", "m.pkl", "d.csv", *FEW)
    assert done.code == 3, done.err
    assert "column 'a' has values above 4e+307" in done.err
    assert "--drop-columns a" in done.err


def test_a_model_of_float32_that_cannot_hold_them_is_named(run, tmp_path, huge):
    from sklearn.ensemble import RandomForestClassifier

    huge(30)
    table = pd.read_csv(tmp_path / "d.csv")
    model = RandomForestClassifier(3, random_state=0).fit(table, table["a"] > 0)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(model))
    (table * 1e10).to_csv(tmp_path / "d.csv", index=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        done = run("tabular", "m.pkl", "d.csv", *FEW)
    assert done.code == 3, done.err
    assert "too large for dtype('float32')" in done.err
