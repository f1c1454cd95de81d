"""Integrated Gradients of texts, through the embedding of their tokens."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("tokenizers")

from running import bytes_of, rows_of
from token_graphs import TEXTS, Export, make_graph, make_tokenizer

from xplain_cli.models.gradients import UnitText
from xplain_cli.models.token_paths import owners_of

EXPORTS = {
    "alone": Export(),
    "masked": Export(mask="attention_mask"),
    "its own padding": Export(sees_pad=0),
    "types and positions": Export(
        mask="attention_mask", types="token_type_ids", positions="position_ids"
    ),
    "fixed": Export(mask="attention_mask", length=16, rows=4),
}


def model(folder, export, **tokenizer):
    """Write a model, its tokenizer and texts; return the number of each word."""
    words = make_tokenizer(folder, **tokenizer)
    make_graph(folder, export, words)
    (folder / "d.csv").write_text("text\n" + "\n".join(TEXTS) + "\n")
    return words


def explained(run, folder, *more, out="r"):
    """Return the lines of weights.csv, and those of stability.csv, of a run on the texts."""
    place = folder / out
    done = run("text", folder / "m.onnx", folder / "d.csv", "-m", "ig", "-o", place, *more)
    assert done.code == 0, done.err
    return rows_of(place / "weights.csv"), rows_of(place / "stability.csv")


def tables(words):
    """Return the embedding (tokens, 6), and what tells the classes apart (6,), of the models."""
    draw = np.random.default_rng(0)
    table = draw.normal(size=(len(words), 6)).astype(np.float32)
    draw.normal(size=(2, 6))
    draw.normal(size=(40, 6))
    last = (draw.normal(size=(6, 2)) * 2).astype(np.float32).astype(float)
    return table.astype(float), last[:, 1] - last[:, 0]


def due(words, text, unit, filler):
    """Return the closed form of a mean of embeddings and a linear layer: w.(e - e_filler) / n."""
    table, along = tables(words)
    tokens = text.split()
    at = words[filler]
    each = sum((table[words[unit]] - table[at]) @ along for word in tokens if word == unit)
    return each / (len(tokens) + 2)  # [CLS] and [SEP] stand around it


@pytest.mark.parametrize("name", EXPORTS)
def test_weights_are_the_closed_form_of_a_mean_of_embeddings(tmp_path, run, name):
    words = model(tmp_path, EXPORTS[name])
    weights, lines = explained(run, tmp_path)
    for one in weights:
        expected = due(words, TEXTS[int(one["row_id"])], one["feature"], "[PAD]")
        assert float(one["weight"]) == pytest.approx(expected, abs=1e-9)
    assert {one["quadrature"] for one in lines} == {"exact"}
    assert {one["baseline"] for one in lines} == {"embedding of [PAD]"}


def test_a_mask_token_stands_in_the_place_of_absent_units(tmp_path, run):
    words = model(tmp_path, EXPORTS["masked"])
    weights, lines = explained(run, tmp_path, "--mask-token", "[UNK]")
    for one in weights:
        expected = due(words, TEXTS[int(one["row_id"])], one["feature"], "[UNK]")
        assert float(one["weight"]) == pytest.approx(expected, abs=1e-9)
    assert {one["baseline"] for one in lines} == {"token=[UNK]"}


def test_the_base_value_is_what_the_file_says_of_the_tokens_of_the_baseline(tmp_path, run):
    import onnxruntime

    words = model(tmp_path, EXPORTS["types and positions"])
    _, lines = explained(run, tmp_path)
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    for one, text in zip(lines, TEXTS, strict=True):
        size = len(text.split()) + 2
        ids = [words["[CLS]"], *[words["[PAD]"]] * (size - 2), words["[SEP]"]]
        parts = {
            "input_ids": ids,
            "attention_mask": [1] * size,
            "token_type_ids": [1, *[0] * (size - 2), 1],  # as its template says
            "position_ids": list(range(size)),
        }
        fed = {name: np.array([part], dtype=np.int64) for name, part in parts.items()}
        (probabilities,) = session.run(None, fed)[0]
        base = np.log(probabilities[1] / probabilities[0])
        assert float(one["base_value"]) == pytest.approx(base, abs=1e-5)


def test_a_unit_of_several_tokens_weighs_what_they_weigh_together(tmp_path, run):
    model(tmp_path, EXPORTS["masked"])
    words, _ = explained(run, tmp_path)
    whole, _ = explained(run, tmp_path, "--unit", "sentence", out="s")
    sums = {}
    for one in words:
        sums[one["row_id"]] = sums.get(one["row_id"], 0.0) + float(one["weight"])
    assert {one["row_id"]: pytest.approx(float(one["weight"])) for one in whole} == sums


def test_numbers_do_not_hang_on_chunks_and_jobs(tmp_path, run):
    model(tmp_path, EXPORTS["types and positions"])
    scale = ("--output-scale", "probability")
    explained(run, tmp_path, *scale, "-j", "1")
    explained(run, tmp_path, *scale, "-j", "2", "--chunk-rows", "1", out="s")
    assert len(bytes_of(tmp_path / "r").splitlines()) > 20
    assert bytes_of(tmp_path / "s") == bytes_of(tmp_path / "r")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("-m", "saliency"), "slopes of numbers, and features are words"),
        (("-m", "ig:layer=n1"), "no other layer"),
        (("-m", "ig", "-b", "nearest:class=column 1"), "another text has tokens of its own"),
        (("-m", "ig", "--mask-token", "no token"), "makes 2 of 'no token'"),
    ],
)
def test_what_no_path_leads_to_is_refused(tmp_path, run, more, said):
    model(tmp_path, EXPORTS["masked"])
    done = run("text", tmp_path / "m.onnx", tmp_path / "d.csv", *more)
    assert (done.code, said in done.err) == (2, True), done.err


def test_a_model_that_counts_words_is_refused(tmp_path, run):
    samples = Path(__file__).parents[3] / "sample_data"
    done = run(
        *("text", samples / "comments.pkl", samples / "comments.csv"),
        *("--text-column", "CONTENT", "--rows", "0:2", "-m", "ig", "-o", tmp_path / "r"),
    )
    assert done.code == 2
    assert "TfidfVectorizer counts words; take kernel-shap" in done.err


def test_a_graph_that_only_counts_tokens_is_refused(tmp_path, run):
    from onnx import TensorProto, helper, numpy_helper, save

    make_tokenizer(tmp_path)
    (tmp_path / "d.csv").write_text("text\n" + "\n".join(TEXTS) + "\n")
    steps = [
        helper.make_node("Cast", ["input_ids"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["numbers"], ["value"], axes=[1], keepdims=1),
    ]
    shape = ["rows", "length"]
    graph = helper.make_graph(
        steps,
        "tokens",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, shape)],
        [helper.make_tensor_value_info("value", TensorProto.FLOAT, ["rows", 1])],
        [numpy_helper.from_array(np.array([1.0]), "unused")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    save(made, str(tmp_path / "m.onnx"))
    done = run("text", tmp_path / "m.onnx", tmp_path / "d.csv", "-m", "ig")
    assert (done.code, "looks token ids up in no table" in done.err) == (2, True), done.err


def test_a_token_belongs_to_the_unit_that_has_most_of_its_letters():
    text = UnitText("ab cde", (((0, 2),), ((3, 6),)))
    found = owners_of(text, [(0, 0), (0, 2), (1, 6), (2, 3), (5, 6)])
    assert found.tolist() == [-1, 0, 1, -1, 1]
    assert owners_of(replace(text, spans=()), [(0, 2)]).tolist() == [-1]
