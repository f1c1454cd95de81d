"""Finds a finished run again: from its folder, or from any file of it."""

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from xplain_cli.errors import RefusedError, suspect
from xplain_cli.explanation import FloatArray, Records
from xplain_cli.remote import is_remote
from xplain_cli.runs import parts
from xplain_cli.runs.paths import (
    MARKER,
    SUFFIXES,
    RunPlace,
    RunState,
    read_marker,
    sha256,
    write_json,
)

_HIDDEN = re.compile(r"\.(?P<name>.+)\.xplain")
_SIBLING = re.compile(r"(?P<stem>.+)\.(?:stability(?P<suffix>\.\w+)|manifest\.json)")


_RESULTS = "run_results.json"


def _read_mapping(path: Path) -> dict[str, Any]:
    """
    Return what a file of JSON holds.

    Raises
    ------
    ValueError
        It holds no JSON, or no object.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not isinstance(found, dict):
        raise ValueError("no object")  # noqa: TRY004 - of what a file holds
    return found


@dataclass(frozen=True)
class FinishedRun:
    """A run whose every part is there."""

    folder: Path
    marker: RunState
    parts: tuple[Path, ...]

    @property
    def place(self) -> RunPlace:
        """Where its files stand: in the folder, or beside the file that the user named."""
        match = _HIDDEN.fullmatch(self.folder.name)
        if match:
            file = self.folder.with_name(match["name"])
            return RunPlace(self.folder, file.suffix.lower()[1:], file)
        kept = (Path(name) for name in self.marker.outputs)
        fmt = next((path.suffix[1:] for path in kept if path.stem == "weights"), "csv")
        return RunPlace(self.folder, fmt)

    def altered(self) -> str | None:
        """Return what to say where the run's manifest or results are other files than were made."""
        sealed = {**self.marker.outputs, **self.marker.held}
        for path in (self.place.manifest, self.folder / _RESULTS):
            if path.name in sealed and not (path.is_file() and sha256(path) == sealed[path.name]):
                return f"{path}: is another file than was written; run the command again"
        return None

    def facts(self) -> dict[str, Any]:
        """
        Return the manifest.

        Raises
        ------
        RefusedError
            It cannot be read.
        """
        path = self.place.manifest
        try:
            found = _read_mapping(path)
        except (OSError, ValueError) as error:
            raise RefusedError(
                f"{path}: the manifest of the run cannot be read; run its command again"
            ) from error
        return found

    def results(self) -> dict[str, Any]:
        """Return how the run went and what it was asked; {} where that cannot be read."""
        try:
            return _read_mapping(self.folder / _RESULTS)
        except (OSError, ValueError):
            return {}

    def keep(self, path: Path) -> None:
        """Name a file that was added beside the manifest among the outputs of the run."""
        kept = {path.name: sha256(path)}
        facts = self.facts()
        manifest = self.place.manifest
        write_json(manifest, {**facts, "outputs": {**facts.get("outputs", {}), **kept}})
        outputs = {**self.marker.outputs, **kept, manifest.name: sha256(manifest)}
        write_json(self.folder / MARKER, asdict(replace(self.marker, outputs=outputs)))

    def hold(self, path: Path) -> None:
        """Seal a file that was added to the run folder, and is none of the outputs."""
        if self.marker.held:
            name = path.relative_to(self.folder).as_posix()
            held = {**self.marker.held, name: sha256(path)}
            write_json(self.folder / MARKER, asdict(replace(self.marker, held=held)))

    def read(self, part: Path) -> Records:
        """
        Return what one part holds.

        Raises
        ------
        RefusedError
            It is damaged.
        """
        try:
            return parts.unpack(part, self.marker.identity)
        except ValueError as error:
            raise RefusedError(f"{part}: is damaged; run the command again") from error

    def records(self) -> Iterator[Records]:
        """Return what the run holds, part by part, in input order."""
        return map(self.read, self.parts)


@dataclass(frozen=True)
class TargetLine:
    """What a run says of one target of a row: a weight for each feature up to the last written."""

    target: str
    weights: FloatArray
    names: tuple[str, ...]


def said_of(records: Records) -> dict[int, list[TargetLine]]:
    """Return what a part says of each row that was explained, by its number in DATA."""
    ends = np.cumsum(records.lines)
    features = records.weights["feature_index"].to_numpy()
    weights = records.weights["weight"].to_numpy()
    words = records.weights["feature"].to_numpy(dtype=object)
    columns = (records.stability[name].tolist() for name in ("row", "target", "status"))
    lines: dict[int, list[TargetLine]] = {}
    for row, target, status, start, stop in zip(*columns, ends - records.lines, ends, strict=True):
        if status != "ok":
            continue
        own = slice(start, stop)
        size = int(features[own].max(initial=-1)) + 1
        placed, names = np.zeros(size), np.full(size, "", dtype=object)
        placed[features[own]], names[features[own]] = weights[own], words[own]
        lines.setdefault(int(row), []).append(
            TargetLine(str(target), placed, tuple(names.tolist()))
        )
    return lines


def _candidates(path: Path) -> Iterator[Path]:
    """
    Return the folders whose run *path* may belong to, the likeliest first.

    A file that the user named has its run beside it; a file of a run folder lies in it.
    """
    path = path.absolute()
    yield path
    if path.name:
        yield path.with_name(f".{path.name}.xplain")
    sibling = _SIBLING.fullmatch(path.name)
    if sibling:
        suffixes = [sibling["suffix"]] if sibling["suffix"] else SUFFIXES
        owners = [path.with_name(f".{sibling['stem']}{suffix}.xplain") for suffix in suffixes]
        owners = [owner for owner in owners if owner.is_dir()]
        if len(owners) > 1:
            names = " or ".join(owner.name[1:].removesuffix(".xplain") for owner in owners)
            raise RefusedError(f"{path}: may belong to {names}; name one of them")
        yield from owners
    yield from path.parents


def _from_here(folder: Path) -> Path:
    """Return the folder of a run that was named from here as it is seen from here."""
    with contextlib.suppress(ValueError):
        seen = folder.relative_to(Path.cwd())
        return seen if seen.name else folder
    return folder


def find_run(named: str) -> FinishedRun:
    """
    Return the finished run that *named* is the folder, or a file, of.

    Raises
    ------
    RefusedError
        There is no run, or it is not finished.
    """
    path = Path(named)
    if is_remote(named):
        raise RefusedError(f"{named}: runs are read here; copy its folder first")
    if not path.exists():
        raise RefusedError(f"{named}: no such run; name a run folder, or a file of one")
    folder = next((c for c in _candidates(path) if (c / MARKER).is_file()), None)
    folder = folder if folder is None or path.is_absolute() else _from_here(folder)
    try:
        marker = read_marker(folder) if folder is not None else None
    except RefusedError as error:
        raise RefusedError(
            f"{named}: {MARKER} cannot be read: it is damaged, or of another version of xplain"
        ) from error
    if folder is None or marker is None:
        raise RefusedError(f"{named}: is neither a run folder nor a file of a run")
    found = sorted((folder / "parts").glob("part-*.npz"), key=lambda p: (len(p.name), p.name))
    whole = tuple(p for p in found if parts.NAME.fullmatch(p.name))
    if marker.state != "finished" or len(whole) < marker.n_parts:
        raise RefusedError(
            f"{named}: the run {marker.run_id} is not finished; the same command continues it"
        )
    run = FinishedRun(folder, marker, whole)
    suspect(run.altered)
    return run


def find_runs(named: str) -> tuple[FinishedRun, ...]:
    """
    Return the run that *named* is, or the runs of a comparison: those in its folder.

    Raises
    ------
    RefusedError
        There is no run, or one of them is not finished.
    """
    path = Path(named)
    inner = [] if (path / MARKER).is_file() or not path.is_dir() else list(path.glob(f"*/{MARKER}"))
    if not inner:
        return (find_run(named),)
    runs = [find_run(str(one.parent)) for one in sorted(inner)]
    return tuple(sorted(runs, key=_place_among))


def _place_among(run: FinishedRun) -> tuple[int, str]:
    """Return where a run stands among those of its comparison: as its baselines were typed."""
    asked: dict[str, Any] = run.results().get("request") or {}
    typed = [*map(str, asked.get("argv") or ())]
    own = str((asked.get("baselines") or [""])[0])
    words = [word.removeprefix("--baseline=") for word in typed]
    return (words.index(own) if own in words else len(words)), run.folder.name
