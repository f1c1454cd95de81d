"""ONNX files: inputs cast as declared, class names, refusals."""

import pickle

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_models import MATRIX, NUMBER, TABLE, THREE, exported, graph
from skl2onnx.common.data_types import (
    BooleanTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.models import ModelRecipe, load_model
from xplain_cli.models.inspection import inspect_file


def test_class_names_may_be_given_and_must_fit(opened):
    model = LogisticRegression().fit(TABLE.to_numpy(), THREE > 0)
    signature = opened(exported(model, zipmap=False), class_names=("bad", "good")).settle(TABLE)
    assert (signature.outputs, signature.positive) == (("bad", "good"), 1)
    with pytest.raises(UsageError, match="3 names"):
        opened(exported(model, zipmap=False), class_names=("a", "b", "c")).settle(TABLE)


def test_one_input_per_column_is_matched_by_name_and_cast(opened):
    table = TABLE.assign(word=np.where(THREE > 1, "x", "y"), n=np.arange(60) % 4, flag=THREE > 0)
    columns = ColumnTransformer([
        ("number", StandardScaler(), ["a", "n"]),
        ("word", OneHotEncoder(handle_unknown="ignore"), ["word"]),
        ("rest", "passthrough", ["flag"]),
    ])
    names = ["a", "word", "n", "flag"]
    model = make_pipeline(columns, LogisticRegression()).fit(table[names], THREE)
    types = [
        ("a", FloatTensorType([None, 1])),
        ("word", StringTensorType([None, 1])),
        ("n", Int64TensorType([None, 1])),
        ("flag", BooleanTensorType([None, 1])),
    ]
    loaded = opened(exported(model, types, zipmap=False))
    assert (loaded.columns, loaded.n_columns) == (tuple(names), 4)
    assert (loaded.discrete, loaded.numeric) == ({"word"}, {"a", "n", "flag"})
    batch = table[names].astype({"n": np.float64})
    bound = loaded.bind(loaded.settle(batch))
    assert np.abs(bound.predict(batch) - model.predict_proba(table[names])).max() < 1e-5
    assert loaded.notes == (
        "the model takes float32: numbers are rounded to about 7 digits",
        "ONNX has no missing text: it is handed over as ''",
        "whole numbers, rounded to the nearest: n",
    )
    with pytest.raises(RefusedError, match=r"column 'n' has missing values.*tensor\(int64\)"):
        loaded.settle(batch.assign(n=np.nan))


def test_regression_has_one_value(opened):
    model = LinearRegression().fit(TABLE.to_numpy(), NUMBER)
    loaded = opened(exported(model))
    signature = loaded.settle(TABLE)
    assert (signature.response, signature.task, signature.outputs) == (
        *("variable", "regression", ("value",)),
    )
    assert np.abs(loaded.bind(signature).predict(TABLE)[:, 0] - NUMBER).max() < 1e-5


def test_bound_models_travel_to_workers_and_answer_the_same(opened):
    model = LogisticRegression().fit(TABLE.to_numpy(), THREE)
    loaded = opened(exported(model, zipmap=False))
    bound = loaded.bind(loaded.settle(TABLE))
    again = pickle.loads(pickle.dumps(bound))
    assert np.array_equal(bound.predict(TABLE), again.predict(TABLE))


def test_damaged_foreign_and_shapeless_files_are_refused_in_one_line(opened, tmp_path):
    good = exported(LinearRegression().fit(TABLE.to_numpy(), NUMBER)).SerializeToString()
    path = tmp_path / "damaged.onnx"
    for content in (good[: len(good) // 2], b"\x08\x07nonsense"):
        path.write_bytes(content)
        with pytest.raises(RefusedError, match=r"damaged.onnx: .*export it again") as refusal:
            load_model(ModelRecipe(str(path)))
        assert "\n" not in str(refusal.value)
    picture = ("X", TensorProto.FLOAT, [None, 3, 8, 8])
    with pytest.raises(RefusedError, match=r"input 'X' has the shape \[None, 3, 8, 8\]"):
        opened(
            graph([helper.make_node("Identity", ["X"], ["Y"])], [picture], [("Y", *picture[1:])])
        )
    foreign = helper.make_node("MyOp", ["X"], ["Y"], domain="com.other")
    odd = graph([foreign], [("X", 1, [None, 2])], [("Y", 1, [None, 2])])
    odd.opset_import.append(helper.make_opsetid("com.other", 1))
    with pytest.raises(RefusedError, match=r"com.other.*not a registered function"):
        opened(odd)


def test_a_file_is_told_by_its_content(tmp_path):
    model = LinearRegression().fit(TABLE.to_numpy(), NUMBER)
    path = tmp_path / "model.bin"
    path.write_bytes(exported(model).SerializeToString())
    assert load_model(ModelRecipe(str(path))).kind == "onnx"
    found = inspect_file(str(path))
    assert found.tree == (
        "input X: tensor(float) ['any', 3]",
        "output variable: tensor(float) ['any', 1]",
        "gradients of variable: all operators known",
    )
    assert onnx.load(path).graph.name


def test_wrong_widths_and_other_requests_are_refused(opened):
    model = LinearRegression().fit(TABLE.to_numpy(), NUMBER)
    with pytest.raises(RefusedError, match="failed on the first 60 rows"):
        opened(exported(model)).settle(TABLE[["a", "b"]])
    with pytest.raises(UsageError, match="take --model-output for ONNX"):
        opened(exported(model), response="predict").settle(TABLE)


def fixed(model, rows):
    """Return a model whose inputs take so many rows at a time, no more and no fewer."""
    for one in model.graph.input:
        one.type.tensor_type.shape.dim[0].dim_value = rows
    for one in model.graph.output:
        if one.type.HasField("tensor_type"):
            one.type.tensor_type.ClearField("shape")
    return model


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("form", ["zipmap", "matrix", "several", "columns"])
def test_a_graph_of_so_many_rows_is_asked_so(opened, form, rows):
    labels = np.column_stack([THREE > 0, THREE]).astype(int) if form == "several" else THREE
    model, types, given = LogisticRegression(), MATRIX, TABLE.to_numpy()
    if form == "columns":
        model = make_pipeline(ColumnTransformer([("all", "passthrough", list("abc"))]), model)
        types, given = [(name, FloatTensorType([None, 1])) for name in "abc"], TABLE
    model = (MultiOutputClassifier(model) if form == "several" else model).fit(given, labels)
    whole = exported(model, types=types, zipmap=form == "zipmap")
    loaded = opened(fixed(whole, rows))
    signature = loaded.settle(TABLE)
    own = model.predict_proba(given)
    own = np.hstack(own) if form == "several" else own
    bound = loaded.bind(signature)
    for asked in (1, 3, 60):
        answers = bound.predict(TABLE.head(asked))
        assert answers.shape == own[:asked].shape
        assert np.abs(answers - own[:asked]).max() < 1e-5
    assert f"the graph takes {rows} rows at a time, and is asked so" in loaded.notes


def test_a_graph_of_one_row_is_explained(run, tmp_path):
    model = fixed(exported(LogisticRegression().fit(TABLE.to_numpy(), THREE)), 1)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    TABLE.to_csv(tmp_path / "d.csv", index=False)
    done = run("tabular", "m.onnx", "d.csv", "-t", "2", "-m", "kernel-shap", "--rows", "0:4", "-q")
    assert done.code == 0, done.err
