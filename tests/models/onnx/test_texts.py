"""ONNX models of strings and of token ids."""

import pickle

import pandas as pd
import pytest
from comments import explained
from onnx import TensorProto, helper
from onnx_models import graph
from token_models import make_token_model

from xplain_cli.models import ModelRecipe, load_model

SMALL = ("-n", "64", "-r", "4")


def test_string_models_in_onnx_are_asked_texts(run, comments, tmp_path):
    skl2onnx = pytest.importorskip("skl2onnx")
    from skl2onnx.common.data_types import StringTensorType
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    table = pd.read_csv(comments / "comments.csv")
    words = CountVectorizer(token_pattern="[a-zA-Z]+", lowercase=False)
    fitted = make_pipeline(words, LogisticRegression()).fit(table["CONTENT"], table["likes"] % 2)
    onnx = skl2onnx.to_onnx(
        fitted,
        initial_types=[("text", StringTensorType([None]))],
        options={id(fitted): {"zipmap": False}},
        target_opset=17,
    )
    (tmp_path / "m.onnx").write_bytes(onnx.SerializeToString())
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(fitted))
    options = ("--text-column", "CONTENT")
    mine = explained(run, comments, tmp_path, *options, model=tmp_path / "m.onnx")
    plain = explained(run, comments, tmp_path, *options, "--force", model=tmp_path / "m.pkl")
    assert mine["weight"].to_numpy() == pytest.approx(plain["weight"].to_numpy(), abs=1e-5)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("shape", [[], [1]])
def test_string_models_of_so_many_texts_are_asked_so(tmp_path, rows, shape):
    codes = helper.make_node(
        "LabelEncoder",
        ["text"],
        ["answer"],
        keys_strings=["good", "bad"],
        values_floats=[1.0, -1.0],
        default_float=0.25,
        domain="ai.onnx.ml",
    )
    texts = [("text", TensorProto.STRING, [rows, *shape])]
    model = graph([codes], texts, [("answer", TensorProto.FLOAT, [rows, *shape])])
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    loaded = load_model(ModelRecipe(str(tmp_path / "m.onnx"), modality="text"))
    asked = ["good", "bad", "new", "bad"]
    bound = loaded.bind(loaded.settle(asked))
    assert bound.predict(asked)[:, 0].tolist() == [1.0, -1.0, 0.25, -1.0]
    assert bound.predict(asked[1:2])[:, 0].tolist() == [-1.0]


def test_token_models_in_onnx_find_the_tokenizer_beside_them(run, tmp_path):
    pytest.importorskip("tokenizers")
    make_token_model(tmp_path)
    (tmp_path / "t.txt").write_text(
        "good bad good\nbad bad and far more words than eight of them\n"
    )
    done = run("text", "m.onnx", "t.txt", *SMALL)
    assert done.code == 0, done.err
    weights = pd.read_csv(tmp_path / "xplain-out" / "weights.csv")
    first = weights[weights["row_id"] == 0].set_index("feature")["weight"]
    assert first["good"] > 0 > first["bad"]
    stability = pd.read_csv(tmp_path / "xplain-out" / "stability.csv")
    assert stability["n_truncated"].tolist() == [0, 2]
    (tmp_path / "tokenizer.json").unlink()
    done = run("text", "m.onnx", "t.txt", *SMALL, "--force")
    assert done.code == 3
    assert "tokenizer.json" in done.err
