"""ONNX models of strings and of token ids."""

import pickle

import pandas as pd
import pytest
from comments import explained
from token_models import make_token_model

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
