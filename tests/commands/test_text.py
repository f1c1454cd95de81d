"""``xplain text`` as a user runs it: from a table, lines or a pipe to weights and a vocabulary."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from broken_texts import CORPUS
from clarity import assert_clear, is_clear
from languages import LANGUAGES
from oracles import mask_limit
from running import environment, rows_of
from token_models import make_token_model

from xplain_cli.methods.designs import kernel_weights

SMALL = ("-n", "64", "-r", "4")


def explained(run, comments, tmp_path, *options, model=None, data="comments.csv"):
    done = run("text", model or comments / "model.pkl", comments / data, *SMALL, *options)
    assert done.code == 0, done.err
    return pd.read_csv(tmp_path / "xplain-out" / "weights.csv")


def test_words_get_weights_spans_and_errors(run, comments, tmp_path):
    weights = explained(run, comments, tmp_path, "--id-column", "id", "--top-k", "3")
    assert weights.groupby("row_id").size().max() == 3
    row = weights[weights["row_id"] == "c3"].iloc[0]
    text = pd.read_csv(comments / "comments.csv")["CONTENT"][3]
    low, high = json.loads(row["spans"])[0]
    assert text[low:high] == row["feature"]
    stability = pd.read_csv(tmp_path / "xplain-out" / "stability.csv")
    assert set(stability["baseline"]) == {"deletion"}
    assert set(stability["segmentation"]) == {"unicode words"}
    assert (stability["n_omitted"] > 0).all()


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("win a free phone now friend", ()),
        # 2^12 masks are more than the default budget, so the budget is raised to them.
        ("win a free phone now friend call me today about the prize", ("--samples", "1024")),
    ],
)
def test_a_short_text_is_exact_against_brute_force(run, comments, tmp_path, text, options):
    (tmp_path / "one.txt").write_text(f"{text}\n")
    weights = explained(run, comments, tmp_path, *options, data=tmp_path / "one.txt")
    model = pickle.loads((comments / "model.pkl").read_bytes())
    words = text.split()
    width = len(words)

    def ask(masks):
        texts = [" ".join(w for w, stays in zip(words, m, strict=True) if stays) for m in masks]
        return model.predict_proba(texts)[:, 1]

    beta, _ = mask_limit("uniform-size", kernel_weights("cosine", 0.25, width), width, ask)
    mine = weights.set_index("feature")["weight"]
    assert [mine[word] for word in words] == pytest.approx(list(beta), abs=1e-9)
    stability = pd.read_csv(tmp_path / "xplain-out" / "stability.csv")
    assert stability["precision"].tolist() == ["exact"]


def test_lines_are_the_same_texts_as_the_column(run, comments, tmp_path):
    table = explained(run, comments, tmp_path, "--text-column", "CONTENT")
    lines = explained(run, comments, tmp_path, "--force", data="comments.txt")
    assert table["weight"].tolist() == lines["weight"].tolist()


def test_several_text_columns_must_be_told_apart(run, comments, tmp_path):
    done = run("text", comments / "model.pkl", comments / "comments.csv")
    assert done.code == 2
    assert "--text-column" in done.err
    assert "id, CONTENT" in done.err


@pytest.mark.parametrize(
    "options", [("--jobs", "2", "--backend", "threads"), ("--chunk-rows", "5")]
)
def test_weights_do_not_depend_on_how_work_is_spread(run, comments, tmp_path, options):
    explained(run, comments, tmp_path, "--text-column", "CONTENT", "-o", "xplain-out")
    path = tmp_path / "xplain-out" / "weights.csv"
    first = path.read_bytes()
    assert pd.read_csv(path)["weight"].abs().max() > 0.01
    explained(run, comments, tmp_path, "--text-column", "CONTENT", "--force", *options)
    assert path.read_bytes() == first


def test_rows_in_another_order_get_the_same_weights(run, comments, tmp_path):
    table = pd.read_csv(comments / "comments.csv")
    table[::-1].to_csv(tmp_path / "reversed.csv", index=False)
    options = ("--text-column", "CONTENT", "--id-column", "id")
    one = explained(run, comments, tmp_path, *options)
    two = explained(run, comments, tmp_path, *options, "--force", data=tmp_path / "reversed.csv")
    key = ["row_id", "feature_index"]
    pair = one.merge(two, on=key)
    assert len(pair) == len(one)
    assert (pair["weight_x"] == pair["weight_y"]).all()


def test_the_sparse_road_gives_the_weights_of_the_strings(run, comments, tmp_path):
    model = comments / "model.pkl"
    code = f"""
import pathlib
import pickle

MODEL = pickle.loads(pathlib.Path({str(model)!r}).read_bytes())
ask = MODEL.predict_proba
"""
    (tmp_path / "bare.py").write_text(code)
    options = ("--text-column", "CONTENT", "--python-path", str(tmp_path))
    sparse = explained(run, comments, tmp_path, *options)
    plan = json.loads((tmp_path / "xplain-out" / "manifest.json").read_text())["plan"]["numbers"]
    assert plan["sparse"] is True
    strings = explained(run, comments, tmp_path, *options, "-t", "1", "--force", model="bare:ask")
    assert strings["weight"].to_numpy() == pytest.approx(sparse["weight"].to_numpy(), abs=1e-9)


def test_a_callable_is_asked_every_distinct_text_once(run, comments, tmp_path):
    (tmp_path / "t.txt").write_text("free free win\nfree cash\n")
    options = ("--python-path", str(comments), "--batch-size", "4")
    explained(run, comments, tmp_path, *options, model="judges:spam", data=tmp_path / "t.txt")
    stability = pd.read_csv(tmp_path / "xplain-out" / "stability.csv")
    # both texts have two words: 3 masks, and the text itself
    assert stability["n_model_inputs"].tolist() == [4, 4]


def test_order_alone_has_a_poor_fit(run, comments, tmp_path):
    words = "k d a f c l b e g j h i n m"
    (tmp_path / "t.txt").write_text(f"{words}\n")
    options = ("--python-path", str(comments))
    explained(run, comments, tmp_path, *options, model="judges:order", data=tmp_path / "t.txt")
    stability = pd.read_csv(tmp_path / "xplain-out" / "stability.csv")
    assert stability["local_r2"][0] < 0.2
    assert stability["fidelity"].tolist() == ["poor"]


def test_a_text_that_the_model_fails_on_fails_alone(run, comments, tmp_path):
    (tmp_path / "t.txt").write_text("some good words\nsome poison here\nmore good words\n")
    options = ("--python-path", str(comments), *SMALL)
    done = run("text", "judges:fails", tmp_path / "t.txt", *options)
    assert done.code == 4
    stability = pd.read_csv(tmp_path / "xplain-out" / "stability.csv")
    assert stability["status"].tolist() == ["ok", "failed", "ok"]
    assert "RuntimeError" in stability["error"][1]


def test_units_can_be_hashed_and_compared_by_salt(run, comments, tmp_path, monkeypatch):
    monkeypatch.setenv("XPLAIN_HASH_SALT", "s3cret")
    weights = explained(run, comments, tmp_path, "--text-column", "CONTENT", "--hash-units")
    assert weights["feature"].str.fullmatch("[0-9a-f]{16}").all()
    everything = "".join(
        path.read_text() for path in (tmp_path / "xplain-out").iterdir() if path.is_file()
    )
    assert "phone" not in everything
    assert "s3cret" not in everything
    monkeypatch.delenv("XPLAIN_HASH_SALT")
    other = explained(
        run, comments, tmp_path, "--text-column", "CONTENT", "--hash-units", "--force"
    )
    assert set(weights["feature"]).isdisjoint(other["feature"])
    assert not (tmp_path / "xplain-out" / "salt").exists()


def test_the_vocabulary_sums_up_documents(run, comments, tmp_path):
    weights = explained(run, comments, tmp_path, "--text-column", "CONTENT")
    words = pd.read_csv(tmp_path / "xplain-out" / "vocabulary.csv").set_index("feature")
    free = weights[weights["feature"] == "free"]["weight"]
    assert words.loc["free", "n_documents"] == len(free)
    assert words.loc["free", "mean_weight"] == pytest.approx(free.mean())
    assert words.loc["free", "std_error"] == pytest.approx(free.std(ddof=1) / len(free) ** 0.5)


def test_long_texts_are_explained_from_coarse_to_fine(run, comments, tmp_path):
    filler = " ".join(f"plain sentence number{i}." for i in range(120))
    (tmp_path / "t.txt").write_text(f"{filler} win a free phone now. {filler}\n")
    weights = explained(run, comments, tmp_path, "-m", "lime:refine=1", data=tmp_path / "t.txt")
    assert set(weights["feature"]) == {"win", "a", "free", "phone", "now"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_gets_an_explanation(run, comments, tmp_path, language):
    (tmp_path / "t.jsonl").write_text(json.dumps({"text": LANGUAGES[language]}) + "\n")
    weights = explained(run, comments, tmp_path, data=tmp_path / "t.jsonl")
    for spans, feature in zip(weights["spans"], weights["feature"].astype(str), strict=True):
        low, high = json.loads(spans)[0]
        assert LANGUAGES[language][low:high] == feature


@pytest.mark.parametrize("stdin", ["pipe", "null", "closed"])
def test_a_configured_folder_needs_no_arguments(comments, tmp_path, stdin):
    (tmp_path / "xplain.toml").write_text(
        f"[text]\nmodel = {str(comments / 'model.pkl')!r}\n"
        f"data = {str(comments / 'comments.txt')!r}\n"
    )
    command = f"{sys.executable} -m xplain_cli text --top-k 10 -n 64 -r 4"
    plumbing = {"pipe": f"echo hello | {command}", "null": f"{command} </dev/null"}
    line = plumbing.get(stdin, f"{command} 0<&-")
    done = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, env=environment(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(pd.read_csv(tmp_path / "xplain-out" / "stability.csv")) == 24


def test_a_pipe_is_read_where_only_the_model_is_configured(comments, tmp_path):
    (tmp_path / "xplain.toml").write_text(f"[text]\nmodel = {str(comments / 'model.pkl')!r}\n")
    done = subprocess.run(
        [sys.executable, "-m", "xplain_cli", "text", "--top-k", "10", "--input-format", "text"],
        cwd=tmp_path,
        env=environment(),
        input="win a free phone now\nthank you\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["row"] for line in done.stdout.splitlines()] == [0, 1]


def test_code_in_a_project_file_grants_no_trust(run, comments, tmp_path):
    (tmp_path / "xplain.toml").write_text("[text]\nunit = 'os:listdir'\n")
    done = run("text", comments / "model.pkl", comments / "comments.txt")
    assert done.code == 2
    assert "never grant trust" in done.err


@pytest.mark.parametrize("name", CORPUS)
def test_a_broken_text_is_told_clearly(run, comments, tmp_path, name):
    case = CORPUS[name]
    (tmp_path / case.name).write_bytes(case.data)
    done = run("text", comments / "model.pkl", case.name, *SMALL, *case.options)
    assert done.code == case.code, done.err
    assert "Traceback" not in done.err
    if case.code in {2, 3}:
        assert_clear(done, case.name, whole=case.whole)
    if case.code == 4:
        lines = rows_of(tmp_path / "xplain-out" / "stability.csv")
        errors = [row["error"] for row in lines if row["status"] == "failed"]
        assert errors
        assert all(errors)


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


def test_the_sample_command_works_in_a_clone():
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "xplain_cli", "text", "--top-k", "10", "--rows", "0:12", "-o", "-"],
        cwd=root,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 12
    assert is_clear("t.txt: line 1: try --x", "t.txt") == []


def test_shards_hashed_with_secrets_of_their_own_are_not_merged(run, comments, tmp_path):
    options = (comments / "model.pkl", comments / "comments.txt", *SMALL, "--hash-units")
    for i in (1, 2):
        assert run("text", *options, "--shard", f"{i}/2", "-o", f"part{i}").code == 0
    done = run("merge", "part1", "part2", "-o", "whole")
    assert done.code == 2
    assert "XPLAIN_HASH_SALT" in done.err
