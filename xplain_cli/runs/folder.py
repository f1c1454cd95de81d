"""Opens a run folder, new, resumed or finished, and closes it."""

import contextlib
import glob
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from xplain_cli.errors import RefusedError
from xplain_cli.explanation import Records
from xplain_cli.plan import Plan
from xplain_cli.runs import parts
from xplain_cli.runs.conflicts import check_free, clash
from xplain_cli.runs.paths import (
    ASIDE,
    MARKER,
    SALT,
    RunPlace,
    RunState,
    read_marker,
    read_secret,
    sha256,
    unwritable,
    write_atomically,
    write_json,
    writing,
)
from xplain_cli.runs.seal import RESULTS, sealed

__all__ = ["Run", "RunPlace", "RunState", "open_run", "write_atomically", "writing"]


@contextlib.contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise RefusedError(
            f"a part of the run is damaged ({error}); run the same command again:"
            " it is computed anew"
        ) from error


@dataclass(frozen=True)
class Run:
    """
    An open run folder; a plain value that workers may carry.

    Attributes
    ----------
    state
        "new", "resumed", or "finished": every part is there and nothing needs computing.
    done
        The chunks (start, stop), in rows, whose parts were whole when the run was opened.
    rendered
        The final files are there, unchanged, and in the asked-for rendering.
    set_aside
        Where an earlier finished run in the default folder went.
    """

    place: RunPlace
    folder: Path
    state: str
    marker: RunState
    done: frozenset[tuple[int, int]] = frozenset()
    rendered: bool = False
    set_aside: Path | None = None
    temporary: bool = False

    @property
    def chunk_rows(self) -> int:
        """Rows per chunk; what the run began with wins over what is asked later."""
        return self.marker.chunk_rows

    def _part(self, start: int, stop: int) -> Path:
        return self.folder / "parts" / parts.name_of(start, stop)

    def write_part(self, start: int, stop: int, records: Records) -> None:
        """Keep the records of rows *start* to *stop*."""
        self.keep_part(start, stop, parts.pack(records, self.marker.identity))

    def keep_part(self, start: int, stop: int, part: bytes) -> None:
        """Keep the part of rows *start* to *stop*, as ``parts.pack`` made it."""
        write_atomically(self._part(start, stop), part)

    def read_part(self, start: int, stop: int, *, codes: bool = False) -> Records:
        """Return the records of a chunk; *codes* as of ``parts.unpack``."""
        with _reading():
            return parts.unpack(self._part(start, stop), self.marker.identity, codes=codes)

    def secret(self) -> str:
        """Return a random secret that lasts until the run is finished, and is then forgotten."""
        return read_secret(self.folder / SALT)

    def pool_path(self, name: str) -> Path:
        """Return where the pool called *name* is kept."""
        return self.folder / "pool" / name

    def write_repeats(self, chunks: Sequence[tuple[int, int]]) -> Path:
        """Write each repeat's weights, of all parts, beside the final files; return the path."""
        path, paths = self.place.repeats, [self._part(*chunk) for chunk in chunks]
        with _reading():
            write_atomically(
                path, lambda file: parts.write_repeats(file, paths, self.marker.identity)
            )
        return path

    def finish(
        self,
        manifest: Mapping[str, Any],
        results: Mapping[str, Any],
        *,
        n_parts: int,
        extra: Sequence[Path] = (),
    ) -> "Run":
        """
        Write the manifest, with the SHA-256 of every output, and the results; close the run.

        Files of an earlier rendering of the same run are removed from the run folder.
        """
        outputs = {path.name: sha256(path) for path in (*self.files, *extra)}
        write_json(self.place.manifest, {**manifest, "outputs": outputs})
        outputs[self.place.manifest.name] = sha256(self.place.manifest)
        write_json(self.folder / RESULTS, results)
        for name in {SALT, *self.marker.outputs} - set(outputs):
            (self.folder / Path(name).name).unlink(missing_ok=True)
        held = sealed(self.place, manifest, outputs)
        marker = replace(self.marker, state="finished", n_parts=n_parts, outputs=outputs, held=held)
        write_json(self.folder / MARKER, asdict(marker))
        return replace(self, state="finished", marker=marker, rendered=True)

    @property
    def files(self) -> tuple[Path, Path]:
        """The final files: weights and stability."""
        return self.place.weights, self.place.stability

    def is_unchanged(self) -> bool:
        """Say whether every final file is there with the content that it was closed with."""
        held = self.marker.outputs
        if not {path.name for path in (*self.files, self.place.manifest)} <= set(held):
            return False
        paths = {self.place.manifest.with_name(Path(name).name): held[name] for name in held}
        return all(path.is_file() and sha256(path) == known for path, known in paths.items())

    def check_finished(self) -> None:
        """
        Check that a finished run stands as its manifest says: nothing else may be a success.

        Raises
        ------
        RefusedError
            It is not marked as finished, or a file is missing, or another one than was written.
        """
        found = read_marker(self.folder)
        if found is None or found.state != "finished" or found.outputs != self.marker.outputs:
            raise RefusedError(f"{self.place.name}: the run is not marked as finished")
        if not self.is_unchanged():
            raise RefusedError(
                f"{self.place.name}: a file of the run is not the one that was written; look for"
                " what else writes there, and run the same command again"
            )

    def keep_gates(self, gates: Sequence[Mapping[str, Any]]) -> None:
        """Keep what a later command judged, in the results of a finished run."""
        path = self.folder / RESULTS
        known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        write_json(path, {**known, "gates": list(gates)})
        marker = read_marker(self.folder)
        if marker is not None and marker.held:
            held = {**marker.held, RESULTS: sha256(path)}
            write_json(self.folder / MARKER, asdict(replace(marker, held=held)))

    def abandon(self) -> None:
        """Undo the beginning of a new run that was refused before its first part."""
        if self.state != "new" or self.temporary or any((self.folder / "parts").iterdir()):
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.set_aside is not None and not self.folder.exists():
            self.set_aside.rename(self.folder)

    def close(self) -> None:
        """Remove the folder of a run whose result went to standard output."""
        if self.temporary:
            shutil.rmtree(self.folder, ignore_errors=True)


def _owned(place: RunPlace, folder: Path, marker: RunState) -> list[Path]:
    """Return the files of a run that a new one in its place must not inherit."""
    listed = [folder / Path(name).name for name in marker.outputs]
    own = [folder / "run_results.json", place.repeats, place.vocabulary, place.report]
    return [*listed, *own, place.manifest, place.weights, place.stability]


def _sweep(place: RunPlace, folder: Path) -> None:
    """Remove what a killed run left aside."""
    for inside in (folder, folder / "parts", folder / "pool"):
        for path in inside.glob(f"*{ASIDE}"):
            path.unlink(missing_ok=True)
    for final in (place.weights, place.stability, place.manifest):
        for path in final.parent.glob(f".{glob.escape(final.name)}.*{ASIDE}"):
            path.unlink(missing_ok=True)


def _begin(place: RunPlace, folder: Path, marker: RunState, replaced: RunState | None) -> None:
    """Mark the folder as the new run's, then remove what the old one left."""
    made = not folder.exists()
    try:
        folder.mkdir(exist_ok=True)
        # First of all: whatever stays behind after a kill is then of another plan, or the same.
        write_json(folder / MARKER, asdict(marker))
        for name in ("parts", "pool"):
            if replaced is not None and (folder / name).exists():
                shutil.rmtree(folder / name)
            (folder / name).mkdir(exist_ok=True)
        for path in _owned(place, folder, replaced) if replaced is not None else ():
            path.unlink(missing_ok=True)
        _sweep(place, folder)
    except (OSError, RefusedError) as error:
        with contextlib.suppress(OSError):
            if made:
                folder.rmdir()  # a run that cannot begin leaves nothing
        if isinstance(error, RefusedError):
            raise
        raise unwritable(error, folder) from error


def _resume(place: RunPlace, folder: Path, found: RunState, plan: Plan) -> Run:
    try:
        for name in ("parts", "pool"):
            (folder / name).mkdir(exist_ok=True)
        _sweep(place, folder)
        matches = [parts.NAME.fullmatch(path.name) for path in (folder / "parts").iterdir()]
    except OSError as error:
        raise unwritable(error, folder) from error
    whole = [
        match
        for match in matches
        if match and parts.is_whole(folder / "parts" / match[0], found.identity)
    ]
    done = frozenset((int(match[1]), int(match[2])) for match in whole)
    finished = found.state == "finished" and len(done) >= found.n_parts
    asked = RunState.of(plan, found.chunk_rows)
    run = Run(
        place=place,
        folder=folder,
        state="finished" if finished else "resumed",
        marker=replace(found, rendering=asked.rendering, top_k=asked.top_k, budget=asked.budget),
        done=done,
    )
    return replace(
        run, rendered=finished and found.rendering == asked.rendering and run.is_unchanged()
    )


def _set_aside(folder: Path, run_id: str) -> Path:
    """Rename a finished run and return its new name."""
    aside = folder.with_name(f"{folder.name}.{run_id}")
    count = 1
    while os.path.lexists(aside):
        count += 1
        aside = folder.with_name(f"{folder.name}.{run_id}.{count}")
    try:
        return folder.rename(aside)
    except OSError as error:
        raise unwritable(error, aside) from error


def _temporary_folder() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="xplain-"))
    except OSError as error:
        raise unwritable(error, Path(tempfile.gettempdir())) from error


def open_run(place: RunPlace, plan: Plan, *, explicit: bool, force: bool, chunk_rows: int) -> Run:
    """
    Open the run of *plan* at *place*: new, resumed or finished.

    Parameters
    ----------
    explicit
        The user named the place: a finished run there is then never set aside.
    force
        Start anew whatever run stands there (a finished one of other numbers in the default
        folder is set aside all the same); a folder that is not a run is never touched.
    chunk_rows
        Rows per chunk of a new run; a run that is resumed keeps its own.

    Raises
    ------
    UsageError
        Another run stands there (or, for a file, a file of unknown origin) and *force* is off.
    RefusedError
        The folder is not a run, is a file, or cannot be made.
    """
    marker = RunState.of(plan, chunk_rows)
    temporary = place.folder is None
    folder = place.folder or _temporary_folder()
    place = RunPlace(folder, place.fmt) if temporary else place
    found, set_aside = read_marker(folder), None
    if found is None and not force:
        check_free(place)
    if found is not None and found.identity == plan.identity and not force:
        return _resume(place, folder, found, plan)
    if found is not None and found.identity != plan.identity:
        if not explicit and found.state == "finished":
            set_aside, found = _set_aside(folder, found.run_id), None
        elif not force:
            raise clash(place, found, plan)
    _begin(place, folder, marker, found)
    return Run(place, folder, "new", marker, set_aside=set_aside, temporary=temporary)
