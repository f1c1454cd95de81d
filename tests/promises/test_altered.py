"""Runs whose files somebody altered are refused, or found out; nothing calls that a bug."""

import io
import json
import shutil
import zipfile

import numpy as np
import pytest

from xplain_cli.runs import parts
from xplain_cli.runs.finished import find_run


@pytest.fixture
def copied(looked_at, tmp_path):
    """A run of its own to alter."""
    return shutil.copytree(looked_at, tmp_path / "altered")


def rewrite(path, at, value):
    """Write a file of JSON with another value at one place."""
    held = json.loads(path.read_text())
    place = held
    for name in at[:-1]:
        place = place[name]
    place[at[-1]] = value
    path.write_text(json.dumps(held))


@pytest.mark.parametrize("command", ["show", "report"])
def test_an_altered_manifest_is_a_refusal_that_names_it(run, copied, command):
    rewrite(copied / "manifest.json", ("plan",), {"numbers": {}})
    done = run(command, "altered")
    assert (done.code, "manifest.json: is another file than was written" in done.err) == (3, True)


@pytest.mark.parametrize("text", ["[]", "1", "[" * 100_000, ""])
@pytest.mark.parametrize("name", ["manifest.json", "run.json"])
def test_what_is_no_object_is_no_run(run, copied, name, text):
    (copied / name).write_text(text)
    done = run("show", "altered")
    assert (done.code, "bug" in done.err) == (3, False), done.err


def test_a_marker_of_other_kinds_is_no_run(run, copied):
    whole = (copied / "run.json").read_text()
    for field, value in (
        *(("n_parts", None), ("plan", "x"), ("plan", {"numbers": 1}), ("chunk_rows", 0)),
        *(("outputs", []), ("held", {"a": 1}), ("run_id", 1), ("top_k", True)),
        ("plan", {"numbers": {}, "selection": {"rows": ["a", 1]}}),
        ("plan", {"numbers": {"seed": float("nan")}, "selection": {}}),
    ):
        (copied / "run.json").write_text(whole)
        rewrite(copied / "run.json", (field,), value)
        done = run("show", "altered")
        assert (done.code, "run.json cannot be read" in done.err) == (3, True), (field, done.err)


def test_verify_fails_where_altered_results_cannot_be_asked_again(run, copied):
    rewrite(copied / "run_results.json", ("request", "top_k"), [])
    done = run("verify", "altered")
    assert (done.code, "cannot be asked again" in done.err) == (1, True), done.err


def altered(path, change, compression=zipfile.ZIP_STORED):
    """Write a part with some of its members changed."""
    with zipfile.ZipFile(path) as archive:
        held = {one: archive.read(one) for one in archive.namelist()}
    change(held)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in held.items():
            archive.writestr(name, data)


def columns(held, change, frame="weights"):
    """Change what a part says of its columns."""
    name = f"{frame}.columns.npy"
    entries = json.loads(np.load(io.BytesIO(held[name])).tobytes())
    change(entries)
    file = io.BytesIO()
    np.save(file, np.frombuffer(json.dumps(entries).encode(), np.uint8))
    held[name] = file.getvalue()


def label(text):
    """Say another dtype of the columns that are words."""

    def change(entries):
        for entry in entries:
            entry[2] = text if entry[1] == "words" else entry[2]

    return lambda held: columns(held, change)


def count(held):
    """Count other lines."""
    file = io.BytesIO()
    np.save(file, np.load(io.BytesIO(held["lines.npy"])) + 1)
    held["lines.npy"] = file.getvalue()


def header(held):
    """State a shape that nobody can parse."""
    held["lines.npy"] = b"\x93NUMPY\x01\x00\x08\x00" + b"(((((((\n"


CHANGES = {
    "wide cells": label("U2000000000"),
    "bytes": label("S2000000000"),
    "no dtype": label("nonsense"),
    "no entries": lambda held: columns(held, lambda entries: entries.__setitem__(0, None)),
    "an odd place": lambda held: columns(held, lambda entries: entries[0].__setitem__(4, {})),
    "other counts": count,
    "no header": header,
}


@pytest.mark.parametrize("name", CHANGES)
def test_an_altered_part_is_damaged(run, copied, name):
    path = min((copied / "parts").iterdir())
    altered(path, CHANGES[name])
    with pytest.raises(ValueError, match="part"):
        parts.unpack(path, find_run(str(copied)).marker.identity)
    done = run("report", "altered")
    assert (done.code, "bug" in done.err) == (3, False), done.err


def test_a_part_that_is_packed_is_refused_before_it_is_unpacked(copied):
    path = min((copied / "parts").iterdir())
    bomb = b"\x93NUMPY" + bytes(1 << 20)
    altered(path, lambda held: held.update({"more.npy": bomb}), zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="is packed"):
        parts.unpack(path, find_run(str(copied)).marker.identity)
