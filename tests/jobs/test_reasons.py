"""Reason codes of a finished run: which rows get some, which never, and what is refused."""

import json

import numpy as np
import pytest
from linear_runs import NAMES, SLOPES, store, table, words
from running import copied, rows_of, run_in

CODES = 'protected = ["zone"]\nforbidden = ["rent"]\n' + "\n".join(
    f'[codes.{name}]\ncode = "{i}"\ntext = "about {name}"'
    for i, name in enumerate(NAMES)
    if name not in {"zone", "rent"}
)


@pytest.fixture(scope="module")
def explained_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explained")
    table(24).to_csv(folder / "d.csv", index=False)
    store(folder / "m.pkl")
    (folder / "codes.toml").write_text(CODES)
    run_in(folder, *words("m.pkl", "d.csv", "exact", "-m", "kernel-shap", "-b", "zero"))
    return folder


@pytest.fixture
def explained(run, explained_once, tmp_path):
    """Exact weights of the margin of class 1, and what runs commands beside them."""
    copied(explained_once, tmp_path)
    return run


def expected():
    """Return the codes of each row against class 1 by the closed form: slope times value."""
    found = {}
    for line in table(24).to_dict("records"):
        parts = {name: SLOPES[i] * line[name] for i, name in enumerate(NAMES)}
        if sum(parts.values()) + 0.1 < 0:
            continue
        own = [(-w, i) for i, (name, w) in enumerate(parts.items()) if name not in {"zone", "rent"}]
        found[line["id"]] = [str(i) for w, i in sorted(own) if w < 0][:2]
    return found


def test_exact_weights_give_the_codes_of_the_closed_form(explained, tmp_path):
    done = explained(
        "reasons", "exact", "--codes", "codes.toml", "--against", "1", "--at-most", "2"
    )
    assert done.code == 0, done.err
    told = {}
    for line in rows_of(tmp_path / "exact" / "reasons.csv"):
        told.setdefault(line["row_id"], []).extend([line["code"]] if line["code"] else [])
    assert told == expected()
    assert "protected 'zone' moved" in done.err


def test_protected_and_forbidden_features_never_appear(explained, tmp_path):
    done = explained("reasons", "exact", "--codes", "codes.toml", "--against", "0", "-o", "r.json")
    assert done.code == 0, done.err
    rows = json.loads((tmp_path / "r.json").read_text())
    named = {reason["feature"] for row in rows for reason in row["reasons"]}
    assert named == set(NAMES) - {"zone", "rent"}


def test_both_classes_share_out_all_rows(explained, tmp_path):
    sides = {}
    for name in ("0", "1"):
        command = ("reasons", "exact", "--codes", "codes.toml", "--against", name)
        sides[name] = {row["row_id"] for row in json.loads(explained(*command, "-o", "-").out)}
    assert len(sides["0"]) + len(sides["1"]) == 24
    assert sides["0"] & sides["1"] == set()


def test_an_explanation_that_decides_otherwise_gives_no_reasons(explained, tmp_path):
    assert explained(*words("m.pkl", "d.csv", "lime", "-n", "64", "-r", "3")).code == 0
    command = ("reasons", "lime", "--codes", "codes.toml", "--against", "1", "-o", "-")
    rows = json.loads(explained(*command).out)
    lines = {line["row_id"]: line for line in rows_of(tmp_path / "lime" / "stability.csv")}
    for row in rows:
        line = lines[row["row_id"]]
        agrees = float(line["prediction"]) + float(line["residual"]) >= 0
        assert agrees or (row["why"], row["reasons"]) == ("decides otherwise", [])
    assert np.isfinite([row["margin"] for row in rows if row["reasons"]]).all()


def test_a_reason_without_a_code_is_refused_by_name(explained, tmp_path):
    (tmp_path / "few.toml").write_text('[codes.age]\ncode = "1"\ntext = "age"\n')
    done = explained("reasons", "exact", "--codes", "few.toml", "--against", "1")
    assert done.code == 2
    assert "few.toml: no code for" in done.err


def test_abstaining_is_judged_and_written_for_ci(explained, tmp_path):
    done = explained(
        *("reasons", "exact", "--codes", "codes.toml", "--against", "1", "--threshold", "-99"),
        *("--fail-on", "share(abstained)>90%", "--junit", "r.xml"),
    )
    assert done.code == 0
    assert 'failures="0"' in (tmp_path / "r.xml").read_text()


def test_the_codes_of_the_samples_fit_the_loans(run, tmp_path):
    from pathlib import Path

    samples = Path(__file__).parents[2] / "sample_data"
    base = ("tabular", samples / "loans.pkl", samples / "loans.csv", "--id-column", "application")
    assert run(*base, "--rows", "0:60", "-o", "loans", "-q").code == 0
    done = run(
        *("reasons", "loans", "--codes", samples / "loans_codes.toml", "--against", "declined"),
        *("--letter", samples / "loans_letter.txt", "--letters", "letters"),
    )
    assert done.code == 0, done.err
    letters = json.loads((tmp_path / "letters" / "letters.json").read_text())["letters"]
    told = {line["row_id"] for line in rows_of(tmp_path / "loans" / "reasons.csv") if line["code"]}
    assert set(letters.values()) == told != set()
