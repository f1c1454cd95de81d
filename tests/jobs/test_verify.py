"""A finished run holds, or what of it does not is found and named."""

import json
from pathlib import Path

import numpy as np
import pytest
from linear_runs import doubled, store, table, words
from running import copied, run_in

from xplain_cli.errors import RefusedError
from xplain_cli.jobs import manifest
from xplain_cli.runs.finished import find_run
from xplain_cli.runs.seal import broken_seals, marker_flaws


@pytest.fixture(scope="module")
def honest_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("honest")
    table(24).to_csv(folder / "d.csv", index=False)
    store(folder / "m.pkl")
    run_in(folder, *words("m.pkl", "d.csv", "out", "-n", "64", "-r", "3", "--chunk-rows", "9"))
    return folder


@pytest.fixture
def honest(run, honest_once, tmp_path):
    """A run of LIME on 24 rows, its model and its table."""
    return copied(honest_once, tmp_path) / "out"


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def test_an_honest_run_holds_and_its_rows_are_the_same_to_the_byte(run, honest):
    done = run("verify", "out", "--check-rows", "6", "--check-seed", "1")
    assert (done.code, done.out) == (0, "out: holds\n")
    assert "rows: 6 rows explained again, the same to the byte" in done.err


def test_a_run_on_several_workers_holds(run, honest):
    base = words("m.pkl", "d.csv", "two", "-n", "64", "-r", "3", "--backend", "threads")
    assert run(*base, "-j", "2").code == 0
    assert run("verify", "two").code == 0


def holds(folder):
    """Say whether the files of a run are those that were written, without explaining anything."""
    try:
        found = find_run(str(folder))
        facts = found.facts()
    except RefusedError:
        return False
    flaws = broken_seals(found.place, found.marker, facts)
    return not [*flaws, *marker_flaws(found.place, found.marker, facts)]


def test_one_changed_byte_of_any_file_is_found(honest):
    files = [path for path in sorted(honest.rglob("*")) if path.is_file()]
    assert len(files) >= 10
    assert holds(honest)
    for path in files:
        size = path.stat().st_size
        for at in {0, *np.random.default_rng(size).integers(0, size, 5).tolist(), size - 1}:
            flip(path, at)
            assert not holds(honest), (path, at)
            flip(path, at)
    assert holds(honest)


def test_a_file_that_is_gone_or_new_is_named(run, honest):
    part = next((honest / "parts").iterdir())
    held = part.read_bytes()
    part.unlink()
    assert run("verify", "out", "--check-rows", "0").code == 1
    part.write_bytes(held)
    (honest / ".snakemake_timestamp").touch()  # how Snakemake marks a folder that it made
    assert run("verify", "out", "--check-rows", "0").code == 0
    (honest / "parts" / "more.npz").write_bytes(b"x")
    assert "parts/more.npz was added" in run("verify", "out", "--check-rows", "0").err


def test_another_model_is_refused_before_it_is_opened(run, honest, tmp_path):
    store(tmp_path / "m2.pkl", doubled("income"))
    done = run("verify", "out", "--model", "m2.pkl")
    assert done.code == 1
    assert "not the pinned" in done.err


def test_another_data_row_is_found(run, honest, tmp_path):
    other = table(24)
    other.loc[7, "rent"] += 1e-9
    other.to_csv(tmp_path / "d2.csv", index=False)
    done = run("verify", "out", "--data", "d2.csv", "--background", "d.csv")
    assert done.code == 1
    assert "data: data differ" in done.err


def test_rows_that_were_made_up_are_found_though_every_hash_is_right(run, honest):
    """Whoever can write weights can write hashes: only explaining again finds them."""
    from xplain_cli.runs import parts
    from xplain_cli.runs.paths import sha256, write_json

    found = find_run(str(honest))
    path = found.parts[0]
    records = found.read(path)
    records.weights.loc[3, "weight"] += 1e-12
    path.write_bytes(parts.pack(records, found.marker.identity))
    marker = json.loads((honest / "run.json").read_text())
    marker["held"][f"parts/{path.name}"] = sha256(path)
    write_json(honest / "run.json", marker)
    done = run("verify", "out", "--check-rows", "24")
    assert done.code == 1
    assert "1 of 24 rows not the same to the byte: weight" in done.err


def test_another_version_is_named_and_rows_are_held_against_their_errors(run, honest, monkeypatch):
    real = manifest.version
    monkeypatch.setattr(
        manifest, "version", lambda name: "0.99" if name == "scikit-learn" else real(name)
    )
    done = run("verify", "out", "--check-rows", "4")
    assert done.code == 0
    assert f"versions: scikit-learn {real('scikit-learn')} then, 0.99 now" in done.err
    assert "4 rows explained again, the same within their errors" in done.err


def test_a_run_in_a_file_holds_with_what_lies_beside_it(run, honest, tmp_path):
    assert run(*words("m.pkl", "d.csv", "w.csv", "-n", "64", "-r", "3")).code == 0
    assert run("verify", "w.csv", "--check-rows", "2").code == 0
    flip(tmp_path / "w.stability.csv", 5)
    assert run("verify", "w.csv", "--check-rows", "2").code == 1


def test_what_evaluate_report_and_gate_add_is_sealed_too(run, honest):
    assert run("evaluate", "out", "-q").code == 0
    assert run("report", "out", "-q").code == 0
    assert run("verify", "out", "--check-rows", "0").code == 0
    flip(honest / "evaluation.csv", 3)
    assert run("verify", "out", "--check-rows", "0").code == 1


def test_a_damaged_marker_is_named_and_nothing_is_advised_that_verify_has_not(run, honest):
    (honest / "run.json").write_text("{")
    done = run("verify", "out")
    assert done.code == 1
    assert "out: run.json cannot be read: it is damaged" in done.err
    assert "--output" not in done.err


def test_what_is_no_run_is_refused(run, tmp_path):
    Path("x").mkdir()
    assert run("verify", "x").code == 3
