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
from comments import explained
from languages import LANGUAGES
from oracles import mask_limit
from running import Forked, environment, forks, rows_of

from xplain_cli.methods.designs import kernel_weights

SMALL = ("-n", "64", "-r", "4")


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


def test_order_alone_has_a_poor_fit(run, comments, tmp_path):
    words = "k d a f c l b e g j h i n m"
    (tmp_path / "t.txt").write_text(f"{words}\n")
    options = ("--python-path", str(comments))
    explained(run, comments, tmp_path, *options, model="judges:order", data=tmp_path / "t.txt")
    stability = pd.read_csv(tmp_path / "xplain-out" / "stability.csv")
    assert stability["local_r2"][0] < 0.2
    assert stability["fidelity"].tolist() == ["poor"]


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


CONFIGURED = ("text", "--top-k", "10", "-n", "64", "-r", "4")


@pytest.fixture
def configured(comments, tmp_path):
    """A folder whose project file names the model and the comments."""
    (tmp_path / "xplain.toml").write_text(
        f"[text]\nmodel = {str(comments / 'model.pkl')!r}\n"
        f"data = {str(comments / 'comments.txt')!r}\n"
    )
    return tmp_path


def test_a_configured_folder_needs_no_arguments(configured):
    line = f"{sys.executable} -m xplain_cli {' '.join(CONFIGURED)} 0<&-"  # stdin is closed
    done = subprocess.run(
        ["bash", "-c", line], cwd=configured, env=environment(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(pd.read_csv(configured / "xplain-out" / "stability.csv")) == 24


@forks
@pytest.mark.parametrize("stdin", ["pipe", "null"])
def test_a_configured_folder_reads_nothing_else(configured, stdin):
    process = Forked(configured, *CONFIGURED, given="hello\n" if stdin == "pipe" else None)
    assert process.wait(120) == 0, process.said.read_text()
    assert len(pd.read_csv(configured / "xplain-out" / "stability.csv")) == 24


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


def test_a_kernel_too_narrow_for_any_mask_is_a_reason(run, comments, tmp_path):
    (tmp_path / "t.txt").write_text("one word here and then so many more than a few of them\n")
    words = ("text", "judges:order", tmp_path / "t.txt", "--python-path", str(comments))
    done = run(*words, "-n", "64", "-r", "2", "-m", "lime:kernel_width=0.0001", "-o", "out")
    assert done.code == 4
    assert "kernel_width=0.0001 leaves no mask any weight: it is too narrow" in done.err
