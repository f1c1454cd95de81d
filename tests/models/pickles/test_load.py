"""The door to pickles: what is refused, that nothing ran, and that every honest file passes."""

import bz2
import contextlib
import copyreg
import functools
import gzip
import hashlib
import importlib.util
import io
import lzma
import pickle
import subprocess
import sys
import time
import warnings
import zlib
from pathlib import Path

import evil_pickles
import joblib
import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from xplain_cli.errors import RefusedError
from xplain_cli.models import ModelRecipe, load_model
from xplain_cli.models.inspection import inspect_file
from xplain_cli.models.pickles.allowlist import allowed_names, judge, unknown_names
from xplain_cli.models.pickles.dry_run import dry_run
from xplain_cli.models.pickles.strict import strict_load
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
# with the members of a zip (a pickle whose persistent ids are storages)
RUN_ONE = """
import io, joblib, numpy, pickle, sys, warnings, zipfile
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
for path in sys.argv[1].split(","):
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
"""


def doubled(values):
    return values * 2


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
    paths = sorted(map(str, named.values()))
    for start in range(0, len(paths), 12):
        batch = ",".join(paths[start : start + 12])
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


def test_refusal_names_the_global_its_place_and_the_ways_out(tmp_path):
    model = make_pipeline(FunctionTransformer(doubled), LogisticRegression()).fit(
        ROWS, ROWS[:, 0] > 0
    )
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(model))
    with pytest.raises(RefusedError) as refusal:
        load_model(ModelRecipe(str(path)))
    assert str(refusal.value) == (
        f"{path}: refused, nothing of it was run: it asks for test_pickle_door.doubled at"
        " Pipeline.steps[0][1].func; if you trust this name: --trusted test_pickle_door.doubled;"
        " the whole file: --trust-model; or export the model to ONNX"
    )


def test_trusted_names_and_trust_all_open_it(tmp_path):
    model = make_pipeline(FunctionTransformer(doubled), LogisticRegression()).fit(
        ROWS, ROWS[:, 0] > 0
    )
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(model))
    named = load_model(ModelRecipe(str(path), trusted=("test_pickle_door.doubled",)))
    whole = load_model(ModelRecipe(str(path), trust_all=True))
    assert named.notes == ()
    assert whole.notes == ("loaded unjudged: --trust-model runs whatever the file asks for",)


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_every_protocol_pass(tmp_path, protocol):
    model = LogisticRegression().fit(ROWS, ROWS[:, 0] > 0)
    path = tmp_path / "model.anything"
    path.write_bytes(pickle.dumps(model, protocol))
    loaded = load_model(ModelRecipe(str(path)))
    assert np.array_equal(loaded.estimator.predict_proba(ROWS), model.predict_proba(ROWS))


@pytest.mark.parametrize("compress", [0, "zlib", "gzip", "bz2", "lzma", "xz"])
def test_joblib_files_of_every_compressor_pass(tmp_path, compress):
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, ["a", "b"] * 20)
    path = tmp_path / "model.joblib"
    joblib.dump(model, path, compress=compress)
    loaded = load_model(ModelRecipe(str(path)))
    assert np.array_equal(loaded.estimator.predict_proba(ROWS), model.predict_proba(ROWS))


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zlib.compress])
def test_compressed_streams_have_a_cap_an_end_and_no_tail(tmp_path, pack):
    packed = pack(pickle.dumps(bytes(10**6)))
    path = tmp_path / "model.pkl"
    for content, cap in ((packed, 10**5), (packed[: len(packed) // 2], 2**30)):
        path.write_bytes(content)
        with pytest.raises(RefusedError, match=r"unpacks to more than|cut short"):
            read_stored(str(path), cap=cap)
    path.write_bytes(packed + b"tail")
    with pytest.raises(RefusedError, match=r"4 bytes follow the \w+ stream"):
        read_stored(str(path))


def test_a_large_file_is_held_apart_from_the_disk_and_hashed_whole(tmp_path):
    path = tmp_path / "model.pkl"
    values = np.arange(700_000.0)
    path.write_bytes(pickle.dumps([values, values.astype(">f4")]))
    content = path.read_bytes()
    stored = read_stored(str(path))
    path.write_bytes(b"another".ljust(len(content)))
    assert stored.plain == content
    assert stored.sha256 == hashlib.sha256(content).hexdigest()
    assert dry_run(stored.data).refusals == ()
    assert np.array_equal(strict_load(stored.data, ())[0], values)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["<f8", ">f8", "M8[s]", "U3", "?"])
def test_arrays_of_joblib_files_are_read_as_joblib_reads_them(order, kind):
    array = np.asarray(np.arange(2 * 3 * 4000).reshape(2, 3, 4000), kind, order=order)
    file = io.BytesIO()
    joblib.dump([array, array[:0], np.array(None), np.array(["x", 1], object)], file)
    plain, ours = joblib.load(file), strict_load(file.getvalue(), ())
    assert [one.tolist() for one in plain] == [one.tolist() for one in ours]
    assert [one.dtype for one in plain] == [one.dtype for one in ours]
    assert plain[0].strides == ours[0].strides
    assert all(one.flags.writeable and one.flags.aligned for one in ours)


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00N.",
        b"\x80\x04\x95\x0c\x00\x00\x00\x00\x00\x00\x00N0\x95\x02\x00\x00\x00\x00\x00\x00\x00N.",
    ],
)
def test_frames_that_do_not_fit_are_refused_by_both_engines(data):
    assert "frame that does not fit" in dry_run(data).refusals[0]
    with pytest.raises(pickle.UnpicklingError, match="frame that does not fit"):
        strict_load(data, ())


def test_lz4_names_the_extra_where_it_is_missing(tmp_path):
    if importlib.util.find_spec("lz4") is not None:
        pytest.skip("lz4 is installed")
    path = tmp_path / "model.joblib"
    path.write_bytes(b"\x04\x22\x4d\x18rest")
    with pytest.raises(Exception, match=r"pip install 'xplain-cli\[lz4\]'"):
        read_stored(str(path))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (b"PK\x03\x04", "a damaged zip archive"),
        (b'{"steps": 1}', "looks like JSON text that holds no XGBoost model"),
        (b"a,b\n1,2\n", "neither a pickle nor an ONNX file"),
        (b"\x80\x05garbage", "is no readable pickle"),
    ],
)
def test_other_files_are_refused_with_what_they_look_like(tmp_path, content, says):
    path = tmp_path / "model.pkl"
    path.write_bytes(content)
    with pytest.raises(RefusedError, match=says):
        load_model(ModelRecipe(str(path)))


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(RefusedError, match="no such file or directory"):
        load_model(ModelRecipe(str(tmp_path / "none.pkl")))
    with pytest.raises(RefusedError, match="a folder, not a model file"):
        load_model(ModelRecipe(str(tmp_path)))


def test_a_pin_is_compared_in_any_case_and_another_file_is_refused(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(LogisticRegression().fit(ROWS, ROWS[:, 0] > 0)))
    digest = read_stored(str(path)).sha256
    assert load_model(ModelRecipe(str(path), sha256=digest.upper())).sha256 == digest
    with pytest.raises(RefusedError, match="not the pinned 00"):
        load_model(ModelRecipe(str(path), sha256="00"))


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


def test_two_versions_become_one_note(tmp_path):
    path = tmp_path / "model.pkl"
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, ROWS[:, 0] > 0)
    data = pickle.dumps(model, 0)
    version = model.__getstate__()["_sklearn_version"]
    path.write_bytes(data.replace(version.encode(), b"1.6.1".ljust(len(version), b"0")))
    loaded = load_model(ModelRecipe(str(path)))
    assert loaded.notes == (f"fitted with scikit-learn 1.6.1, running {version}",)
    assert loaded.versions == {"scikit-learn": "1.6.1"}


def test_the_only_partial_that_loads_holds_a_listed_function():
    data = pickle.dumps(functools.partial(np.mean, [1.0]))
    assert dry_run(data).refusals[0].startswith("calls functools.partial with unusual arguments")
    with pytest.raises(pickle.UnpicklingError, match=r"functools\.partial of a function"):
        strict_load(data, ())


@pytest.mark.parametrize(
    ("callee", "arguments", "says"),
    [
        (("numpy", "power"), b"K\x02K\x03", r"asks for numpy\.power at a call while it loads"),
        (("sklearn.utils.validation", "check_array"), b"]", "check_array at a call while it loads"),
        (("builtins", "bytearray"), b"J\xff\xff\xff\x7f", "builtins.bytearray with unusual"),
        (("builtins", "bytes"), b"J\xff\xff\xff\x7f", "builtins.bytes with unusual"),
        (("numpy", "void"), b"J\xff\xff\xff\x7f", "numpy.void with unusual"),
        (
            ("builtins", "list"),
            evil_pickles.called(evil_pickles.named("builtins", "range"), b"J\xff\xff\xff\x7f"),
            "builtins.list with unusual",
        ),
    ],
)
def test_listed_functions_are_held_and_not_called(tmp_path, callee, arguments, says):
    path = tmp_path / "model.pkl"
    call = evil_pickles.called(evil_pickles.named(*callee), arguments)
    path.write_bytes(evil_pickles.stream(call))
    with pytest.raises(RefusedError, match=says):
        load_model(ModelRecipe(str(path)))
    path.write_bytes(evil_pickles.stream(evil_pickles.named(*callee)))
    assert unknown_names(dry_run(path.read_bytes())) == ()


def test_a_reconstructor_builds_on_plain_types_alone():
    booster = evil_pickles.named("xgboost.core", "Booster")
    parts = (booster, booster, b"}")
    call = evil_pickles.called(evil_pickles.named("copyreg", "_reconstructor"), *parts)
    run = dry_run(evil_pickles.stream(call))
    assert run.refusals[0].startswith("calls copyreg._reconstructor on xgboost.core.Booster")


@pytest.mark.parametrize("compose", [lambda step: step, lambda step: FeatureUnion([("a", step)])])
def test_models_that_read_files_while_predicting_are_refused(tmp_path, compose):
    path = tmp_path / "model.pkl"
    (tmp_path / "text").write_text("good")
    texts = [str(tmp_path / "text")] * 2
    reading = make_pipeline(compose(CountVectorizer(input="filename")), LogisticRegression())
    path.write_bytes(pickle.dumps(reading.fit(texts, [0, 1])))
    with pytest.raises(RefusedError, match="CountVectorizer reads the files that texts name"):
        load_model(ModelRecipe(str(path)))
    assert load_model(ModelRecipe(str(path), trust_all=True)).kind == "scikit-learn"


def test_a_model_that_holds_a_class_which_reads_models_is_refused(tmp_path):
    xgboost = pytest.importorskip("xgboost")
    path = tmp_path / "model.pkl"
    calling = FunctionTransformer(xgboost.Booster, kw_args={"model_file": "/etc/passwd"})
    path.write_bytes(pickle.dumps(make_pipeline(calling, LogisticRegression())))
    with pytest.raises(RefusedError, match="holds the class Booster as a value"):
        load_model(ModelRecipe(str(path)))


def test_the_list_has_no_doors_out():
    suspicious = {"getattr", "eval", "exec", "load", "partial", "memmap", "open", "fromfile"}
    assert {key for key in allowed_names() if key.split(":")[1] in suspicious} == set()
    packages = {key.split(":")[0].split(".")[0] for key in allowed_names()}
    expected = (
        "_codecs _loss builtins catboost collections copyreg joblib lightgbm numpy pandas pyarrow"
        " scipy sklearn xgboost"
    )
    assert sorted(packages) == expected.split()
    assert not any(key.startswith("scipy.stats") for key in allowed_names())


def test_inspection_reads_a_pickle_without_importing_sklearn(tmp_path):
    import pandas as pd

    table = pd.DataFrame(ROWS, columns=["a", "b", "c"])
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(table, ["no", "yes"] * 20)
    for path in (tmp_path / "model.pkl", tmp_path / "model.joblib"):
        path.write_bytes(pickle.dumps(model)) if path.suffix == ".pkl" else joblib.dump(model, path)
        script = (
            "import sys; from xplain_cli.models.inspection import inspect_file;"
            "found = inspect_file(sys.argv[1]);"
            "print(*found.tree, found.columns, found.unknown, found.refusals, sep='\\n');"
            "assert 'sklearn' not in sys.modules"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, path], check=True, capture_output=True, text=True
        )
        assert done.stdout.splitlines() == [
            "Pipeline",
            "  steps standardscaler: StandardScaler (3 columns)",
            "  steps logisticregression: LogisticRegression (3 columns; classes no, yes)",
            "('a', 'b', 'c')",
            "()",
            "()",
        ]


def test_deeply_nested_keys_and_endless_arrays_end_early():
    nested = b"\x80\x04}" + b")" + b"\x85" * 200_000 + b"Ns."
    assert dry_run(nested).refusals == ("uses a deeply nested key at byte 200006",)
    assert dry_run(b"\x80\x05\x96" + b"\xff" * 7 + b"\x0f.").refusals


@pytest.mark.slow
def test_every_estimator_passes_and_predicts_the_same():
    sys.path.insert(0, str(Path(__file__).parents[3] / ".ci"))
    fitted_values = importlib.import_module("fitted_values")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, model in fitted_values.fitted_estimators():
            file = io.BytesIO()
            joblib.dump(model, file)
            for data in (pickle.dumps(model), file.getvalue()):
                judge(name, dry_run(data))
                loaded = strict_load(data, ())
                assert type(loaded) is type(model)
                try:
                    expected = model.predict(ROWS[:, [0, 1, 2, 0]])
                except (AttributeError, ValueError, TypeError):
                    continue
                assert np.array_equal(expected, loaded.predict(ROWS[:, [0, 1, 2, 0]]))
