"""Token models are fed as their tokenizer says: padding, side, types, length; as if alone."""

import numpy as np
import pandas as pd
import pytest
from token_graphs import TEXTS, Export, alone, make_graph, make_tokenizer

from xplain_cli.models import ModelRecipe, load_model
from xplain_cli.models.onnx.tokenizer import Padding, Tokenizer

pytest.importorskip("tokenizers")

LEFT = {"direction": "left", "length": 16}
FED = {
    "no mask": (Export(), {}),
    "the graph knows the pad token": (
        Export(sees_pad=1),
        {"pad": "<blank>", "padding": {}},
    ),
    "a mask": (Export(mask="attention_mask"), {}),
    "a mask that the graph ignores": (Export(mask="attention_mask", sees_mask=False), {}),
    "a mask of floats": (Export(mask="attention_mask", mask_type="FLOAT"), {}),
    "a mask of truths": (Export(mask="mask", mask_type="BOOL"), {}),
    "one length, filled up on the left": (
        Export(length=16, late=True),
        {"special": False, "padding": LEFT},
    ),
    "one length, and the tokenizer fills up on the right": (
        Export(length=16, late=True),
        {"padding": {"length": 16}},
    ),
    "one length, and longer texts": (Export(length=8, late=True), {"padding": {"length": 8}}),
    "one length that keeps the end": (
        Export(length=6, late=True),
        {"most": 6, "cut": "left", "padding": {"length": 6}},
    ),
    "the tokenizer has one length, the graph any": (Export(), {"padding": {"length": 12}}),
    "lengths of multiples": (Export(), {"padding": {"pad_to_multiple_of": 8}}),
    "types of the padding": (
        Export(types="token_type_ids"),
        {"padding": {"length": 20, "pad_type_id": 1}},
    ),
    "names of TensorFlow": (
        Export(ids="serving_default_input_ids:0", mask="input_mask:0", types="segment_ids:0"),
        {},
    ),
    "positions": (Export(mask="attention_mask", positions="position_ids"), {}),
    "a name of its own": (Export(ids="embedding_1_input"), {}),
    "five texts at a time": (Export(rows=5), {}),
    "truncated": (Export(mask="attention_mask"), {"most": 6}),
}


@pytest.fixture
def opened(tmp_path):
    def make(name):
        export, settings = FED[name]
        make_graph(tmp_path, export, make_tokenizer(tmp_path, **settings))
        loaded = load_model(ModelRecipe(str(tmp_path / "m.onnx"), modality="text"))
        return export, loaded

    return make


@pytest.mark.parametrize("name", FED)
def test_a_text_is_answered_as_if_it_stood_alone(opened, tmp_path, name):
    export, loaded = opened(name)
    model = loaded.bind(loaded.settle(TEXTS))
    own = np.array([alone(tmp_path, export, text) for text in TEXTS])
    assert np.ptp(own, axis=0).max() > 0.01
    assert model.predict(TEXTS) == pytest.approx(own, abs=1e-6)
    again = [model.predict([text])[0] for text in TEXTS]
    assert model.predict(TEXTS) == pytest.approx(np.array(again), abs=0)


@pytest.mark.parametrize(
    ("name", "free"),
    [("a mask", True), ("a mask that the graph ignores", False), ("no mask", False)],
)
def test_texts_are_filled_up_freely_only_where_the_model_does_not_see_it(opened, name, free):
    _, loaded = opened(name)
    assert loaded.feed.free is free
    assert any("own length" in note for note in loaded.notes) is not free


def test_explanations_rest_on_the_answers_of_the_model_alone(run, tmp_path):
    export = Export(sees_pad=1)
    make_graph(tmp_path, export, make_tokenizer(tmp_path, pad="<blank>", padding={}))
    (tmp_path / "t.txt").write_text("\n".join(TEXTS) + "\n")
    done = run("text", "m.onnx", "t.txt", "-t", "column 1", "-n", "64")
    assert done.code == 0, done.err
    found = pd.read_csv(tmp_path / "xplain-out" / "stability.csv")["prediction"]
    own = [alone(tmp_path, export, text)[1] for text in TEXTS]
    assert found.to_numpy() == pytest.approx(own, abs=1e-6)


def test_the_padding_of_one_length_is_not_guessed(run, tmp_path):
    vocabulary = make_tokenizer(tmp_path, pad="", special=False)
    make_graph(tmp_path, Export(length=16, late=True), vocabulary)
    (tmp_path / "t.txt").write_text("good film\n")
    done = run("text", "m.onnx", "t.txt")
    assert done.code == 3
    assert "enable_padding(length=16" in done.err


def test_a_text_that_keeps_its_end_loses_no_units(opened):
    _, loaded = opened("one length that keeps the end")
    model = loaded.bind(loaded.settle(TEXTS))
    assert model.capabilities.read_length(TEXTS[2]) == len(TEXTS[2])
    assert any("stands before them" in note for note in loaded.notes)


@pytest.mark.parametrize(
    ("padding", "tokens", "filled"),
    [
        (Padding(), 5, 5),
        (Padding(multiple=8), 5, 8),
        (Padding(length=12), 5, 12),
        (Padding(length=12, multiple=8), 5, 16),
        (Padding(length=4), 5, 5),
    ],
)
def test_padding_counts_as_the_tokenizers_package_does(padding, tokens, filled):
    assert padding.filled(tokens) == filled


def test_a_vocabulary_without_zero_leaves_it_to_the_padding(tmp_path):
    from tokenizers import Tokenizer as Package
    from tokenizers import models

    Package(models.WordLevel({"[UNK]": 1, "good": 2}, unk_token="[UNK]")).save(
        str(tmp_path / "t.json")
    )
    assert Tokenizer(str(tmp_path / "t.json")).padding == Padding(id=0, known=True)
