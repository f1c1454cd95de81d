"""Plan: everything that decides the numbers and nothing else; its digest names the run."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """What the user asked for: the options of an explaining command, resolved and typed."""

    modality: str
    model: str
    data: tuple[str, ...]
    # result
    output: str = ""
    output_explicit: bool = False
    output_format: str = "csv"
    top_k: int | None = None
    csv_guard: bool = True
    no_values: bool = False
    wide: bool = False
    write_repeats: bool = False
    report: str | None = None
    # what is explained
    method: str = "lime"
    target: str | None = None
    output_scale: str | None = None
    response: str | None = None
    model_output: str | None = None
    class_names: str | None = None
    background: str | None = None
    baselines: tuple[str, ...] = ()
    judge: str | None = None
    # how long
    samples: int | None = None
    repeats: int | None = None
    max_rel_se: float | None = None
    max_samples: int | None = None
    budget: str | None = None
    seed: int = 0
    stability_k: int = 5
    # how work is spread
    jobs: int | None = None
    backend: str = "auto"
    chunk_rows: int | None = None
    scheduler: str | None = None
    row_timeout: float | None = None
    batch_size: int | None = None
    # which rows
    rows: tuple[int, int | None] | None = None
    shard: tuple[int, int] | None = None
    id_column: str | None = None
    keep: tuple[str, ...] = ()
    # the table
    features: tuple[str, ...] = ()
    drop_columns: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    input_format: str | None = None
    sep: str | None = None
    quoting: str | None = None
    decimal: str = "."
    encoding: str = "utf-8-sig"
    na_values: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    no_header: bool = False
    # texts
    text_column: str | None = None
    unit: str = "word"
    occurrences: str = "merge"
    mask_token: str | None = None
    hash_units: bool = False
    # pictures
    segmenter: str = "slic"
    segments: int | None = None
    resize: str | None = None
    crop: str | None = None
    channels: str | None = None
    rescale: str | None = None
    mean: tuple[str, ...] = ()
    std: tuple[str, ...] = ()
    layout: str | None = None
    max_pixels: int = 50_000_000
    maps: bool = True
    write_maps: bool = False
    # trust
    trust_model: bool = False
    trusted: tuple[str, ...] = ()
    model_sha256: str | None = None
    python_path: tuple[str, ...] = ()
    # judgement and manners
    fail_on: str | None = None
    max_failed: str = "0"
    force: bool = False
    dry_run: bool = False
    quiet: bool = False
    verbose: bool = False
    debug: bool = False
    progress: bool = True
    argv: tuple[str, ...] = ()
    project_file: str | None = None

    @property
    def first_baseline(self) -> str | None:
        """The baseline of this run; several are as many runs."""
        return self.baselines[0] if self.baselines else None


def digest(values: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of plain JSON values, independent of key order."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Plan:
    """
    The decisions of a run, as plain JSON values in three groups.

    Attributes
    ----------
    numbers
        Model, data and background hashes, columns and kinds, method and its settings, target,
        scale, samples, repeats, seed, model batch size. Resume and merge need it equal.
    selection
        Which rows, ids, kept columns and values the parts hold. Resume needs it equal too.
    rendering
        Format, top-k, guard: how the parts become files. May change on a finished run.

    budget
        What ``--budget`` asked for, where it chose the samples; it decides no number itself.

    Jobs, backend, chunk size and paths are in none of them.
    """

    numbers: dict[str, Any]
    selection: dict[str, Any] = field(default_factory=dict)
    rendering: dict[str, Any] = field(default_factory=dict)
    budget: str | None = None

    @property
    def groups(self) -> dict[str, dict[str, Any]]:
        """The three groups by name, as the manifest shows them."""
        return {
            "numbers": self.numbers,
            "selection": self.selection,
            "rendering": self.rendering,
        }

    @property
    def digests(self) -> dict[str, str]:
        """The SHA-256 (hex) of each group."""
        return {name: digest(values) for name, values in self.groups.items()}

    @property
    def run_id(self) -> str:
        """The first 12 hex digits of the numbers digest."""
        return digest(self.numbers)[:12]

    @property
    def identity(self) -> str:
        """The digest of what parts hold: numbers and selection."""
        return digest({"numbers": self.numbers, "selection": self.selection})
