"""The door to pickles: what is refused, that nothing ran, and that every honest file passes."""

import contextlib
import copyreg
import json
import pickle
import subprocess
import sys
import time
from pathlib import Path

import evil_pickles
import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import BisectingKMeans
from sklearn.impute import KNNImputer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from xplain_cli.errors import RefusedError
from xplain_cli.models import ModelRecipe, load_model
from xplain_cli.models.inspection import inspect_file
from xplain_cli.models.pickles.strict_unpickler import strict_load
from xplain_cli.models.stored import read_stored

ROWS = np.random.default_rng(0).normal(size=(40, 3))


REFUSED = "refused, nothing of it was run"


# these are no pickles, and refused for what they are
OTHERS = {"npy", "npz", "npz compressed", "zip member", "zip of skops with a pickle"}


OTHERWISE = r"holds no model|holds arrays|looks like a NumPy array|not a readable skops file"


ZIPS = {"torch zip", "torch zip without a folder", "torch script", "torch script of a pickle"}


ZIPS |= {"torch export of a pickled constant", "torch export of pickled inputs"}


# only the dry run can see these, and they run nothing before the first question
UNSEEN = {"lying dtype", "ndarray in a transformer", "second stream"}


# every loader in turn: joblib's, pickle's until the end of the file, NumPy's, and torch's way
# with the members of a zip (a pickle whose persistent ids are storages), until the file has run
RUN_ONE = """
import io, joblib, json, numpy, os, pickle, sys, time, warnings, zipfile
sys.path.insert(0, sys.argv[2])
import evil_pickles

class Torch(pickle.Unpickler):
    def persistent_load(self, pid):
        return None

def streams(file):
    while True:
        Torch(file).load()

def members(path):
    for name in zipfile.ZipFile(path).namelist():
        content = zipfile.ZipFile(path).read(name)
        for load in (streams, members):
            try:
                load(io.BytesIO(content))
            except BaseException:
                pass

evil_pickles.register_extension()
warnings.simplefilter("ignore")
for path, marker, harmful in json.loads(sys.argv[1]):
    for load in (
        joblib.load,
        lambda path: streams(open(path, "rb")),
        lambda path: [*numpy.load(path, allow_pickle=True).values()],
        lambda path: numpy.load(path, allow_pickle=True),
        members,
    ):
        try:
            load(path)
        except BaseException:
            pass
        if os.path.exists(marker):
            break
    end = time.monotonic() + 4
    while harmful and not os.path.exists(marker) and time.monotonic() < end:
        time.sleep(0.01)  # what it began beside us has time until the next file, which may end us
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    markers = tmp_path_factory.mktemp("markers")
    named = dict(evil_pickles.corpus(folder, lambda name: markers / name.replace(" ", "-")))
    return named, folder, markers


def test_every_malicious_file_is_refused_and_none_of_them_runs(corpus):
    named, _, markers = corpus
    copyreg.clear_extension_cache()
    for name, path in named.items():
        with pytest.raises(RefusedError, match=OTHERWISE if name in OTHERS else REFUSED):
            load_model(ModelRecipe(str(path)))
        with contextlib.suppress(RefusedError):
            inspect_file(str(path))
    assert sorted(path.name for path in markers.iterdir()) == []
    assert len(named) >= 95


def test_thestrict_load_alone_stops_them_too(corpus):
    named, _, markers = corpus
    for name, path in named.items():
        if name in OTHERS | UNSEEN | ZIPS | {"torch of old"}:
            continue
        data = read_stored(str(path)).data
        with pytest.raises(Exception):  # noqa: B017, PT011  # the engine's own kinds, all of them
            strict_load(data, ())
    assert sorted(path.name for path in markers.iterdir()) == []


@pytest.mark.slow
def test_each_file_would_have_run(corpus):
    named, _, markers = corpus
    helpers = Path(evil_pickles.__file__).parent
    # in batches, as a file may end its process; each file has a marker of its own
    marked = {str(path): str(markers / name.replace(" ", "-")) for name, path in named.items()}
    harmful = {str(path) for name, path in named.items() if name not in evil_pickles.INERT}
    pairs = [(path, mark, path in harmful) for path, mark in sorted(marked.items())]
    for start in range(0, len(pairs), 48):
        batch = json.dumps(pairs[start : start + 48])
        subprocess.run(
            [sys.executable, "-c", RUN_ONE, batch, helpers],
            check=False,
            capture_output=True,
            timeout=120,
        )
    expected = {name.replace(" ", "-") for name in named if name not in evil_pickles.INERT}
    deadline = time.monotonic() + 30  # some start a process and do not wait for it
    ran: set[str] = set()
    while time.monotonic() < deadline and not expected <= ran:
        ran = {path.name for path in markers.iterdir()}
        time.sleep(0.05)
    for path in markers.iterdir():
        path.unlink()
    assert sorted(expected - ran) == []
    assert sorted(ran - expected) == []


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_every_protocol_pass(tmp_path, protocol):
    model = LogisticRegression().fit(ROWS, ROWS[:, 0] > 0)
    path = tmp_path / "model.anything"
    path.write_bytes(pickle.dumps(model, protocol))
    loaded = load_model(ModelRecipe(str(path)))
    assert np.array_equal(loaded.estimator.predict_proba(ROWS), model.predict_proba(ROWS))


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"model": 1}, r"holds a dict \(model\), not a model"),
        (StandardScaler().fit(ROWS), "holds a StandardScaler, which does not predict"),
        ([1], "holds a list, not a model"),
    ],
)
def test_pickles_of_no_model_are_refused(tmp_path, value, says):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(value))
    with pytest.raises(RefusedError, match=says):
        load_model(ModelRecipe(str(path)))


HONEST = {
    **{
        loss: lambda loss=loss: SGDClassifier(loss=loss)
        for loss in ("squared_hinge", "epsilon_insensitive", "squared_epsilon_insensitive")
    },
    "elkan": lambda: make_pipeline(BisectingKMeans(2, algorithm="elkan"), LogisticRegression()),
    "indicator": lambda: make_pipeline(KNNImputer(add_indicator=True), LogisticRegression()),
}


@pytest.mark.parametrize("name", HONEST)
def test_settings_that_few_take_open_without_a_flag(tmp_path, name):
    model = HONEST[name]().fit(ROWS, np.arange(40) % 3)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(model))
    assert load_model(ModelRecipe(str(tmp_path / "m.pkl"))).n_columns == 3


def test_scores_scaled_by_a_temperature_open_without_a_flag(tmp_path):
    try:
        model = CalibratedClassifierCV(LogisticRegression(), method="temperature")
        model.fit(ROWS, np.arange(40) % 3)
    except ValueError:
        pytest.skip("this scikit-learn knows no temperature")
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(model))
    assert load_model(ModelRecipe(str(tmp_path / "m.pkl"))).n_columns == 3


@pytest.mark.parametrize("width", [99_999_999_999, float("1e300")])
def test_more_columns_than_any_table_has_are_refused_at_once(tmp_path, width):
    """They would be named one by one, for hours."""
    model = LogisticRegression().fit(ROWS, np.arange(40) % 3)
    model.n_features_in_ = width
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(model))
    with pytest.raises(RefusedError, match=r"m\.pkl: states that it was fitted on \d+ columns"):
        load_model(ModelRecipe(str(tmp_path / "m.pkl")))
