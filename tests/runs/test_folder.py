"""The run folder: parts, second runs, whole files or none."""

import json
from dataclasses import replace

import pytest
from run_folders import OTHER, PLAN, records, run_at

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.runs.folder import RunPlace, write_atomically


def folder(tmp_path, name="xplain-out"):
    return RunPlace.from_output(str(tmp_path / name), "csv")


def begun(place, plan=PLAN):
    run = run_at(place, plan)
    run.write_part(0, 2, records())
    return run


def finished(place, plan=PLAN):
    run = begun(place, plan)
    for path in run.files:
        write_atomically(path, b"lines\n")
    return run.finish({"seed": 0}, {"seconds": float("inf")}, n_parts=1)


def tree(path):
    return {found.relative_to(path).as_posix() for found in path.rglob("*") if found.is_file()}


def cut(data):
    return data[: len(data) // 2]


def flip(data):
    return data[:1000] + bytes([data[1000] ^ 1]) + data[1001:]


@pytest.mark.parametrize("damage", [cut, flip, lambda _: b"", lambda _: b"not a zip"])
def test_a_damaged_part_is_not_done_and_says_so(tmp_path, damage):
    run = begun(folder(tmp_path))
    part = run.folder / "parts" / "part-000000000-000000002.npz"
    part.write_bytes(damage(part.read_bytes()))
    assert run_at(folder(tmp_path)).done == frozenset()
    with pytest.raises(RefusedError, match="run the same command again"):
        run.read_part(0, 2)


def test_a_part_of_another_plan_is_not_done(tmp_path):
    run, other = begun(folder(tmp_path)), begun(folder(tmp_path, "b"), OTHER)
    name = "parts/part-000000000-000000002.npz"
    (run.folder / name).write_bytes((other.folder / name).read_bytes())
    assert run_at(folder(tmp_path)).done == frozenset()


def test_a_damaged_part_reopens_a_finished_run(tmp_path):
    run = finished(folder(tmp_path))
    (run.folder / "parts" / "part-000000000-000000002.npz").unlink()
    assert run_at(folder(tmp_path)).state == "resumed"


def test_a_killed_run_resumes_with_its_own_chunks_and_no_litter(tmp_path):
    run = begun(folder(tmp_path))
    (run.folder / "parts" / ".x.0.xplain-tmp").write_bytes(b"half")
    again = run_at(folder(tmp_path), chunk_rows=512)
    assert (again.state, again.done, again.chunk_rows) == ("resumed", {(0, 2)}, 2)
    assert tree(again.folder) == {"run.json", "parts/part-000000000-000000002.npz"}


def test_a_finished_run_computes_and_renders_nothing(tmp_path):
    finished(folder(tmp_path))
    again = run_at(folder(tmp_path))
    assert (again.state, again.done, again.rendered) == ("finished", {(0, 2)}, True)


@pytest.mark.parametrize("name", ["weights.csv", "stability.csv", "manifest.json"])
def test_a_missing_file_is_rendered_anew(tmp_path, name):
    (finished(folder(tmp_path)).folder / name).unlink()
    assert run_at(folder(tmp_path)).rendered is False


def test_a_changed_file_is_rendered_anew(tmp_path):
    finished(folder(tmp_path)).files[0].write_bytes(b"edited\n")
    assert run_at(folder(tmp_path)).rendered is False


def test_another_format_replaces_the_files_of_a_finished_run(tmp_path):
    finished(folder(tmp_path))
    plan = replace(PLAN, rendering={"format": "jsonl"})
    again = run_at(RunPlace.from_output(str(tmp_path / "xplain-out"), "jsonl"), plan)
    assert (again.state, again.rendered) == ("finished", False)
    for path in again.files:
        write_atomically(path, b"{}\n")
    again.finish({}, {}, n_parts=1)
    kept = {"run.json", "manifest.json", "run_results.json", "parts/part-000000000-000000002.npz"}
    assert tree(again.folder) == kept | {"weights.jsonl", "stability.jsonl"}


def test_a_finished_run_of_other_numbers_is_set_aside(tmp_path):
    first = finished(folder(tmp_path))
    second = run_at(folder(tmp_path), OTHER)
    assert (second.state, second.done) == ("new", frozenset())
    assert second.set_aside == tmp_path / f"xplain-out.{PLAN.run_id}"
    assert "weights.csv" in tree(second.set_aside)
    finished(folder(tmp_path), OTHER)
    finished(folder(tmp_path), PLAN)
    third = run_at(folder(tmp_path), OTHER)
    assert third.set_aside == tmp_path / f"xplain-out.{first.marker.run_id}.2"


@pytest.mark.parametrize(("make", "explicit"), [(begun, False), (begun, True), (finished, True)])
def test_other_runs_are_refused_without_force(tmp_path, make, explicit):
    before = tree(make(folder(tmp_path)).folder)
    with pytest.raises(UsageError, match="differs in seed; add --force"):
        run_at(folder(tmp_path), OTHER, explicit=explicit)
    assert tree(tmp_path / "xplain-out") == before


@pytest.mark.parametrize("make", [begun, finished])
@pytest.mark.parametrize("plan", [PLAN, OTHER])
def test_force_starts_anew_and_keeps_what_is_not_ours(tmp_path, make, plan):
    (make(folder(tmp_path)).folder / "notes.txt").write_text("mine")
    run = run_at(folder(tmp_path), plan, explicit=True, force=True)
    assert (run.state, run.done, run.set_aside) == ("new", frozenset(), None)
    assert tree(run.folder) == {"run.json", "notes.txt"}


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("marker", [None, "{", "[]", '{"tool": "other"}'])
def test_a_folder_that_is_not_a_run_is_never_touched(tmp_path, force, marker):
    foreign = tmp_path / "xplain-out"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("years")
    if marker is not None:
        (foreign / "run.json").write_text(marker)
    before = tree(foreign)
    with pytest.raises(RefusedError, match="is not a run"):
        run_at(folder(tmp_path), explicit=True, force=force)
    assert tree(foreign) == before
    assert (foreign / "thesis.tex").read_text() == "years"


def test_an_empty_folder_becomes_a_run(tmp_path):
    (tmp_path / "xplain-out").mkdir()
    assert run_at(folder(tmp_path), explicit=True).state == "new"


@pytest.mark.parametrize("force", [False, True])
def test_a_file_in_place_of_the_folder_is_refused(tmp_path, force):
    (tmp_path / "xplain-out").write_text("a file")
    with pytest.raises(RefusedError, match="is a file, not a run folder"):
        run_at(folder(tmp_path), force=force)


def test_a_folder_that_cannot_be_made_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(RefusedError, match="make its parent folder first"):
        run_at(folder(tmp_path, "no/such"))
    assert list(tmp_path.iterdir()) == []


def test_a_named_file_has_siblings_and_a_hidden_folder(tmp_path):
    run = finished(RunPlace.from_output(str(tmp_path / "out.csv"), "jsonl"))
    assert run.place.fmt == "csv"
    assert {path.name for path in tmp_path.iterdir()} == {
        ".out.csv.xplain",
        "out.csv",
        "out.stability.csv",
        "out.manifest.json",
    }
    assert run_at(run.place, explicit=True).rendered is True


def test_a_file_of_unknown_origin_is_not_overwritten_without_force(tmp_path):
    (tmp_path / "out.csv").write_text("mine")
    place = RunPlace.from_output(str(tmp_path / "out.csv"), "csv")
    with pytest.raises(UsageError, match="add --force to overwrite it"):
        run_at(place, explicit=True)
    assert {path.name for path in tmp_path.iterdir()} == {"out.csv"}
    assert run_at(place, explicit=True, force=True).state == "new"


def test_the_manifest_is_deterministic_and_names_every_output(tmp_path):
    runs = [finished(folder(tmp_path, name)) for name in ("a", "b")]
    first, second = [run.place.manifest.read_bytes() for run in runs]
    assert first == second
    assert set(json.loads(first)["outputs"]) == {"weights.csv", "stability.csv"}
    assert json.loads((runs[0].folder / "run_results.json").read_text()) == {"seconds": None}
