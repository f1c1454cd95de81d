"""skops files: judged by content and by the same list as pickles."""

import copy
import io
import json
import pickle
import zipfile
from importlib.metadata import version

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from xplain_cli.errors import RefusedError
from xplain_cli.models import ModelRecipe, load_model
from xplain_cli.models.inspection import inspect_file
from xplain_cli.models.stored import read_stored

sio = pytest.importorskip("skops.io")


STREAM = np.random.default_rng(0)


TABLE = pd.DataFrame(STREAM.normal(size=(60, 3)), columns=["a", "b", "c"])


TWO = np.where(TABLE["a"] > 0, "yes", "no")


def doubled(values):
    return values * 2


def opened(folder, model, **wishes):
    path = folder / "model.anything"
    path.write_bytes(model if isinstance(model, bytes) else sio.dumps(model))
    return load_model(ModelRecipe(str(path), **wishes))


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        make_pipeline(StandardScaler(), SVC()),
        RandomForestClassifier(5, random_state=0),
        GradientBoostingClassifier(n_estimators=3),
        HistGradientBoostingClassifier(max_iter=3),
        KNeighborsClassifier(algorithm="kd_tree"),
        make_pipeline(StandardScaler(), MLPClassifier((3,), max_iter=2000, tol=0.1)),
    ],
    ids=lambda model: type(model).__name__,
)
def test_skops_files_open_without_a_flag_and_predict_the_same(tmp_path, model):
    model.fit(TABLE, TWO)
    loaded = opened(tmp_path, model)
    signature = loaded.settle(TABLE)
    answer = getattr(model, signature.response)(TABLE)
    wide = np.column_stack([-answer, answer]) if answer.ndim == 1 else answer
    assert (loaded.columns, signature.outputs) == (("a", "b", "c"), ("no", "yes"))
    assert np.array_equal(loaded.bind(signature).predict(TABLE), wide)


@pytest.mark.parametrize(
    "model",
    [HistGradientBoostingClassifier(max_iter=3), SGDClassifier(loss="squared_hinge")],
    ids=lambda model: type(model).__name__,
)
def test_losses_of_several_classes_open(tmp_path, model):
    """The loss of several classes has no base with the others, and no call in pickles."""
    model.fit(TABLE, np.arange(60) % 3)
    loaded = opened(tmp_path, model)
    signature = loaded.settle(TABLE)
    answer = getattr(model, signature.response)(TABLE)
    assert np.array_equal(loaded.bind(signature).predict(TABLE), answer)


@pytest.mark.parametrize("package", ["xgboost", "lightgbm", "catboost"])
def test_boosters_inside_skops_files_open(tmp_path, package):
    library = pytest.importorskip(package)
    kinds = {
        "xgboost": lambda: library.XGBClassifier(n_estimators=3),
        "lightgbm": lambda: library.LGBMClassifier(n_estimators=3, verbose=-1),
        "catboost": lambda: library.CatBoostClassifier(
            n_estimators=3, verbose=0, allow_writing_files=False
        ),
    }
    model = kinds[package]().fit(TABLE, (TWO == "yes").astype(int))
    loaded = opened(tmp_path, model)
    answer = loaded.bind(loaded.settle(TABLE)).predict(TABLE)
    assert np.array_equal(answer, np.asarray(model.predict_proba(TABLE), dtype=np.float64))


def test_a_skops_file_of_another_version_says_so_once(tmp_path):
    data = sio.dumps(LogisticRegression().fit(TABLE, TWO))
    running = version("scikit-learn")
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as given, zipfile.ZipFile(file, "w") as made:
        for name in given.namelist():
            made.writestr(name, given.read(name).replace(f'"{running}'.encode(), b'"1.6.1'))
    loaded = opened(tmp_path, file.getvalue())
    assert loaded.notes == (f"fitted with scikit-learn 1.6.1, running {running}",)
    assert loaded.versions == {"scikit-learn": "1.6.1"}


def test_a_refusal_lists_the_unknown_types_and_the_ways_out(tmp_path):
    model = make_pipeline(FunctionTransformer(doubled), LogisticRegression()).fit(TABLE, TWO)
    name = f"{doubled.__module__}.doubled"
    with pytest.raises(RefusedError) as refusal:
        opened(tmp_path, model)
    assert str(refusal.value) == (
        f"{tmp_path / 'model.anything'}: refused, nothing of it was run: it asks for {name};"
        f" if you trust this name: --trusted {name}; the whole file: --trust-model;"
        " or export the model to ONNX"
    )
    assert opened(tmp_path, model, trusted=(name,)).notes == ()
    assert opened(tmp_path, model, trust_all=True).notes != ()


def edited(model, change):
    """Return a skops file whose schema was changed."""
    source = zipfile.ZipFile(io.BytesIO(sio.dumps(model)))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "schema.json":
                schema = json.loads(content)
                change(schema)
                content = json.dumps(schema).encode()
            target.writestr(name, content)
    return file.getvalue()


def call(module, name, argument):
    """Return the part of a schema that calls a type with a word."""
    word = {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "content": json.dumps(argument),
        "is_json": True,
    }
    words = {
        "__class__": "tuple",
        "__module__": "builtins",
        "__loader__": "TupleNode",
        "content": [word],
    }
    kind = "ConstructorFromReduceNode"
    return {"__class__": name, "__module__": module, "__loader__": kind, "content": words}


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("posix", "system"),
        ("builtins", "eval"),
        ("subprocess", "getoutput"),
        ("numpy", "ndarray"),
        ("lightgbm.basic", "Booster"),
        ("functools", "partial"),
        ("sklearn.datasets._base", "load_files"),
    ],
)
def test_skops_files_that_would_call_something_are_refused(tmp_path, module, name):
    marker = tmp_path / "marker"

    def change(schema):
        schema["content"]["content"]["C"] = call(module, name, f"touch {marker}")

    data = edited(LogisticRegression().fit(TABLE, TWO), change)
    with pytest.raises(RefusedError, match="refused, nothing of it was run"):
        opened(tmp_path, data)
    assert not marker.exists()


def test_damaged_and_endless_skops_files_are_refused(tmp_path):
    def deep(schema):
        part = schema
        for _ in range(300):
            part["more"] = part = {"more": {}}

    model = LogisticRegression().fit(TABLE, TWO)
    with pytest.raises(RefusedError, match="refused, nothing of it was run"):
        opened(tmp_path, edited(model, deep))
    with pytest.raises(RefusedError, match="not a readable skops file"):
        opened(tmp_path, edited(model, lambda schema: schema.clear()))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("schema.json", "{")
    with pytest.raises(RefusedError, match="not a readable skops file"):
        opened(tmp_path, file.getvalue())
    with pytest.raises(RefusedError, match="holds a StandardScaler, which does not predict"):
        opened(tmp_path, StandardScaler().fit(TABLE))


def json_node(value):
    return {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "content": json.dumps(value),
        "is_json": True,
    }


def deep_nodes(part):
    """Yield every part of a schema that names a type."""
    if isinstance(part, dict):
        if "__loader__" in part:
            yield part
        for one in part.values():
            yield from deep_nodes(one)
    elif isinstance(part, list):
        for one in part:
            yield from deep_nodes(one)


def of_loader(schema, loader):
    return next(node for node in deep_nodes(schema) if node["__loader__"] == loader)


HOSTILE = {
    "a class of keys": lambda schema: of_loader(schema, "DictNode")["key_types"]["content"][
        0
    ].update(__module__="lightgbm.basic", __class__="Booster"),
    "a class of a list": lambda schema: of_loader(schema, "ListNode").update(
        __module__="pandas", __class__="DataFrame"
    ),
    "a special name": lambda schema: schema["content"]["content"].update(
        __array_interface__=json_node(1)
    ),
    "a cache on the disk": lambda schema: schema["content"]["content"].update(
        memory=json_node("cache")
    ),
    "a hidden method": lambda schema: schema["content"]["content"].update(predict=json_node("x")),
    "a method of an object": lambda schema: schema["content"]["content"].update(
        verbose={
            "__class__": schema["__class__"],
            "__module__": schema["__module__"],
            "__loader__": "MethodNode",
            "content": {"func": "fit", "obj": copy.deepcopy(schema)},
        }
    ),
    "an array of another class": lambda schema: of_loader(schema, "NdArrayNode").update(
        __module__="numpy", __class__="frombuffer"
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_parts_that_skops_does_not_write_are_refused(tmp_path, name):
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(TABLE, TWO)

    def change(schema):
        types = schema["content"]["key_types"]["content"]
        HOSTILE[name](schema)
        types += [types[0]] * (len(schema["content"]["content"]) - len(types))

    with pytest.raises(RefusedError, match="refused"):
        opened(tmp_path, edited(model, change))


def test_an_array_that_states_more_than_it_holds_is_refused(tmp_path):
    file = io.BytesIO()
    model = LogisticRegression().fit(TABLE, TWO)
    with (
        zipfile.ZipFile(io.BytesIO(sio.dumps(model))) as given,
        zipfile.ZipFile(file, "w") as made,
    ):
        for name in given.namelist():
            content = given.read(name)
            made.writestr(name, content.replace(b"'shape': (1, 3), }   ", b"'shape': (1, 3000)}  "))
    with pytest.raises(RefusedError, match="a lying array"):
        opened(tmp_path, file.getvalue())


def test_an_array_with_a_broken_header_is_refused(tmp_path):
    file = io.BytesIO()
    model = LogisticRegression().fit(TABLE, TWO)
    with (
        zipfile.ZipFile(io.BytesIO(sio.dumps(model))) as given,
        zipfile.ZipFile(file, "w") as made,
    ):
        for name in given.namelist():
            made.writestr(name, given.read(name).replace(b"{'descr'", b"((('descr"))
    with pytest.raises(RefusedError, match="refused, nothing of it was run: it holds"):
        opened(tmp_path, file.getvalue())


def test_a_tree_that_leads_outside_is_refused(tmp_path):
    model = RandomForestClassifier(2, max_depth=2, random_state=0).fit(TABLE, TWO)
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(sio.dumps(model))) as given,
        zipfile.ZipFile(file, "w") as made,
    ):
        for name in given.namelist():
            content = given.read(name)
            if name.endswith(".npy"):
                array = np.load(io.BytesIO(content))
                if "left_child" in (array.dtype.names or ()):
                    array["left_child"][0] = 0
                    packed = io.BytesIO()
                    np.save(packed, array)
                    content = packed.getvalue()
            made.writestr(name, content)
    with pytest.raises(RefusedError, match="a node whose child does not lie behind it"):
        opened(tmp_path, file.getvalue())


def test_inspection_tells_the_kind_and_the_columns(tmp_path):
    path = tmp_path / "model.anything"
    path.write_bytes(sio.dumps(LogisticRegression().fit(TABLE, TWO)))
    found = inspect_file(str(path))
    assert (found.kind, found.columns) == ("skops", ("a", "b", "c"))
    assert found.sha256 == read_stored(str(path)).sha256
    model = make_pipeline(FunctionTransformer(doubled), LogisticRegression()).fit(TABLE, TWO)
    path.write_bytes(sio.dumps(model))
    assert inspect_file(str(path)).unknown == ((f"{doubled.__module__}.doubled", ""),)


def zipped(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (zipped(model__data_pkl=pickle.dumps(1)), "holds weights without their architecture"),
        (zipped(a_npy=b""), r"a NumPy \.npz archive, which holds arrays and no model"),
        (zipped(a_txt=b""), "a zip archive that holds no model; unpack it"),
    ],
)
def test_other_zips_are_refused_with_what_they_are(tmp_path, data, says):
    with pytest.raises(RefusedError, match=says):
        opened(tmp_path, data)
