"""Every word that an output prints is explained, once, in the docs as on the page."""

import json
import re
from html import unescape
from pathlib import Path

import pandas as pd
import pytest
from running import SMALL
from typer.testing import CliRunner

from xplain_cli.baselines import BASELINES
from xplain_cli.commands import COMMANDS, make_app
from xplain_cli.errors import UsageError
from xplain_cli.explanation import STABILITY_COLUMNS, WEIGHT_COLUMNS
from xplain_cli.jobs.evaluate import MEASURES
from xplain_cli.jobs.reasons import CODE_COLUMNS
from xplain_cli.methods import METHODS
from xplain_cli.modalities.text.vocabulary import COLUMNS as VOCABULARY
from xplain_cli.options.help import ENDINGS
from xplain_cli.quality.glossary import as_markdown, find_term, meanings, terms
from xplain_cli.quality.named_gates import DIFF_COLUMNS, REASON_COLUMNS, VERDICTS
from xplain_cli.quality.words import FIDELITY, PRECISION, UNSTEADY
from xplain_cli.scales import SCALES

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_data"


def unknown(names):
    missing = []
    for name in names:
        try:
            find_term(str(name))
        except UsageError:
            missing.append(name)
    return missing


def labels_of(page):
    """Return the heads of columns and the labels of a page, and what a SHA-256 is of."""
    found = re.findall(r"<(?:th scope=\"col\"[^>]*|dt)>(.*?)</", page.read_text(encoding="utf-8"))
    told = {unescape(re.sub("<.*?>", "", label)) for label in found} - {"\u2212 / +", ""}
    return {label.removeprefix("SHA-256 of ") for label in told}


def columns_of(folder):
    return {name for path in folder.glob("*.csv") for name in pd.read_csv(path, nrows=1).columns}


def test_the_columns_of_every_run_are_explained():
    assert unknown([*WEIGHT_COLUMNS, *STABILITY_COLUMNS, *MEASURES, *VOCABULARY]) == []
    assert unknown([*DIFF_COLUMNS, *VERDICTS, *CODE_COLUMNS, *REASON_COLUMNS]) == []


@pytest.mark.parametrize(
    ("words", "baseline"),
    [
        (("tabular", "wine.joblib", "wine.csv", "-m", "kernel-shap"), ("median", "nearest")),
        (("text", "comments.pkl", "comments.csv", "--text-column", "CONTENT"), ()),
        (("image", "pictures/digits.pkl", "pictures/digits.npy", "--segmenter", "grid"), ()),
    ],
    ids=["tabular", "text", "image"],
)
def test_the_columns_and_files_of_a_run_of_each_modality_are_explained(
    run, tmp_path, words, baseline
):
    command, model, data, *options = words
    options += [word for name in baseline for word in ("-b", name)]
    more = ("--rows", "0:2", *SMALL, "-o", "out", "--write-repeats")
    assert run(command, SAMPLES / model, SAMPLES / data, *options, *more).code == 0
    folders = [tmp_path / "out", *(tmp_path / "out" / name for name in baseline)]
    for folder in folders:
        assert unknown(columns_of(folder)) == []
        for manifest in folder.glob("manifest.json"):  # a comparison of runs has none of its own
            assert unknown(json.loads(manifest.read_text(encoding="utf-8"))) == []
        names = {path.name for path in folder.iterdir()} - set(baseline)
        assert unknown(names - {"parts", "pool", "run.json"}) == []


def test_a_bare_number_is_an_exit_code():
    assert find_term("141") == "exit code 141"
    with pytest.raises(UsageError, match="'142' is no term"):
        find_term("142")


def test_the_names_on_the_shelves_and_the_labels_are_explained():
    shelves = {name for shelf in METHODS.values() for name in shelf}
    assert unknown([*shelves, *SCALES, *PRECISION, UNSTEADY, *FIDELITY]) == []
    assert unknown(["ok", "empty", "failed", "FAILED"]) == []
    assert unknown({name for shelf in BASELINES.values() for name in shelf}) == []


def test_every_exit_code_is_explained():
    codes = re.findall(r"\d+", ENDINGS)
    assert len(codes) == 9
    assert unknown(f"exit code {code}" for code in codes) == []


def test_what_the_closing_table_prints_is_explained(run, cancer):
    done = run("tabular", cancer.model, cancer.data, *SMALL, "--rows", "0:5")
    table = done.err[done.err.index("Explained") :]
    head = next(line for line in table.splitlines() if line.startswith("feature"))
    assert unknown(word.strip() for word in re.split(r"\s{2,}", head)) == []
    assert unknown(re.findall(r"^(Precision|Fidelity|Locality|Rows)", table, re.MULTILINE)) == []
    assert unknown(re.findall(r"(\w+) +median", table)) == []


def test_the_page_explains_what_it_prints(run, cancer):
    run("tabular", cancer.model, cancer.data, *SMALL, "--rows", "0:5", "--report", "p.html")
    text = Path("p.html").read_text(encoding="utf-8")
    section = text[text.index('id="glossary"') : text.index('id="origin"')]
    told = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", section))
    told = {unescape(name): unescape(meaning) for name, meaning in told.items()}
    assert told == {name: terms()[name] for name in told}
    heads = re.findall(r'<th scope="col"[^>]*>(.*?)</th>', text)
    plain = {unescape(re.sub("<.*?>", "", head)) for head in heads} - {"\u2212 / +"}
    assert unknown(plain) == []
    assert {find_term(name) for name in plain} <= set(told)


def test_the_labels_of_the_pages_of_one_run_of_two_and_of_several_are_explained(run, cancer):
    words = ("tabular", cancer.model, cancer.data, *SMALL, "--rows", "0:4")
    for seed in ("1", "2"):
        assert run(*words, "--seed", seed, "-o", seed, "--report", f"{seed}.html").code == 0
    assert run("diff", "1", "2", "-o", "d").code == 0
    several = ("-m", "kernel-shap", "-b", "mean", "-b", "median", "-o", "s", "--report", "s.html")
    assert run(*words, *several).code == 0
    for page in ("1.html", "s.html", "d/diff.html"):
        named = {"model", "data", "background", "weights.csv", "mean", "median"}
        assert len(labels_of(Path(page)) - named) > 3
        assert unknown(labels_of(Path(page))) == []


def test_the_docs_hold_the_same_glossary():
    page = ROOT / ".github" / "docs" / "glossary.md"
    assert page.read_text(encoding="utf-8") == as_markdown()


def test_a_term_has_one_meaning_in_full_sentences():
    assert all(meaning.endswith((".", "?")) for meaning in terms().values())
    assert meanings(["R2", "local_r2"]) == (("local_r2", terms()["local_r2"]),)


@pytest.mark.parametrize("typed", ["max_rel_se", "max-rel-se", "Max rel SE"])
def test_a_term_is_found_however_it_is_spelled(typed):
    assert find_term(typed) == "max_rel_se"


def test_explain_prints_a_term_or_all_of_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(make_app(COMMANDS), ["explain", "exit", "code", "4"])
    assert told.output == f"exit code 4: {terms()['exit code 4']}\n"
    assert CliRunner().invoke(make_app(COMMANDS), ["explain"]).output == as_markdown()
    refused = CliRunner().invoke(make_app(COMMANDS), ["explain", "fidelty"])
    assert "did you mean 'fidelity'" in str(refused.exception)
