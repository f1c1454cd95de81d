"""The hashes of all that a run keeps beside its final files: parts, pools, results, maps."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from xplain_cli.plan import digest, finite
from xplain_cli.runs.parts import NAME
from xplain_cli.runs.paths import ASIDE, MARKER, SALT, RunPlace, RunState, sha256

RESULTS = "run_results.json"
_BESIDE = "beside:"  # of files that lie beside the file that the user named


_STAMP = ".snakemake_timestamp"
"""An empty file by which Snakemake marks folders that one of its rules has made."""


def _below(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder that stay; salt, locks and stamps do not."""
    for path in sorted(folder.rglob("*")):
        passing = path.name in {MARKER, SALT} or path.name.endswith((ASIDE, ".lock"))
        if path.is_file() and not passing and not _is_stamp(path):
            yield path


def _is_stamp(path: Path) -> bool:
    return path.name == _STAMP and not path.is_symlink() and path.stat().st_size == 0


def _kept(place: RunPlace, map_folders: Sequence[str]) -> dict[str, Path]:
    """Return the files of a run by the name that the seal has for them."""
    folder = place.folder
    if folder is None:
        raise ValueError("standard output has no files")
    found = {path.relative_to(folder).as_posix(): path for path in _below(folder)}
    if place.file is not None:
        beside = place.manifest.parent
        for name in map_folders:
            for path in _below(beside / name):
                found[_BESIDE + path.relative_to(beside).as_posix()] = path
    return found


def _map_folders(facts: Mapping[str, Any]) -> Sequence[str]:
    found: Sequence[str] = facts.get("maps", {}).get("folders", ())
    return found


def sealed(place: RunPlace, facts: Mapping[str, Any], outputs: Mapping[str, str]) -> dict[str, str]:
    """
    Return the SHA-256 (hex) of each file of a run that its outputs do not list.

    Parameters
    ----------
    facts, outputs
        The manifest, and the final files by name.
    """
    kept = _kept(place, _map_folders(facts))
    return {name: sha256(path) for name, path in kept.items() if name not in outputs}


def _as_written(marker: RunState) -> bytes:
    text = json.dumps(finite(asdict(marker)), indent=2, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode("utf-8", "backslashreplace")


def marker_flaws(place: RunPlace, marker: RunState, facts: Mapping[str, Any]) -> list[str]:
    """Return what of a run's marker contradicts itself, the manifest, or the parts."""
    flaws = []
    numbers, selection = marker.plan["numbers"], marker.plan["selection"]
    plan, folder = facts.get("plan", {}), place.folder or Path()
    parts = [path for path in (folder / "parts").glob("part-*.npz") if NAME.fullmatch(path.name)]
    with contextlib.suppress(OSError):
        if marker.held and (folder / MARKER).read_bytes() != _as_written(marker):
            flaws.append(f"{MARKER} is not as it was written")
    digests = facts.get("digests", {})
    asked = facts.get("budget", {}).get("asked")
    for holds, text in (
        (marker.run_id == digest(numbers)[:12], "run_id is not that of its plan"),
        (marker.identity == digest(marker.plan), "identity is not that of its plan"),
        (numbers == plan.get("numbers"), "its numbers are not those of the manifest"),
        (selection == plan.get("selection"), "its selection is not that of the manifest"),
        (marker.rendering == digests.get("rendering"), "rendering is not that of the manifest"),
        (marker.top_k == plan.get("rendering", {}).get("top_k"), "top_k is not as in the manifest"),
        (marker.budget == asked, "budget is not that of the manifest"),
        (marker.n_parts == len(parts), f"n_parts is {marker.n_parts}, and {len(parts)} are there"),
        (_fits(marker, selection, parts), "chunk_rows is not that of the parts"),
    ):
        if not holds:
            flaws.append(f"{MARKER}: {text}")
    return flaws


def _fits(marker: RunState, selection: Mapping[str, Any], parts: Sequence[Path]) -> bool:
    """Say whether the parts are those of chunks of such a size."""
    start, stop = selection["rows"]
    step = marker.chunk_rows
    wanted = {f"part-{at:09d}-{min(at + step, stop):09d}.npz" for at in range(start, stop, step)}
    return wanted == {path.name for path in parts}


def broken_seals(place: RunPlace, marker: RunState, facts: Mapping[str, Any]) -> list[str]:
    """Return which files of a finished run are gone, are others than were written, or are new."""
    beside = place.manifest.parent
    listed = {name: (beside / Path(name).name, known) for name, known in marker.outputs.items()}
    kept = _kept(place, _map_folders(facts))
    if marker.held:
        folder = place.folder or Path()
        for name, known in marker.held.items():
            own = beside / name.removeprefix(_BESIDE) if name.startswith(_BESIDE) else folder / name
            listed[name] = (own, known)
    flaws = []
    for name, (path, known) in listed.items():
        if not path.is_file():
            flaws.append(f"{name} is gone")
        elif sha256(path) != known:
            flaws.append(f"{name} is another file than was written")
    if marker.held:
        flaws += [f"{name} was added" for name in kept if name not in listed]
    return flaws
