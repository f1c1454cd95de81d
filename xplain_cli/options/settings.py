"""Every option once, by its long name: its kind, its default, and the values it allows."""

import re
from typing import Literal, get_args

from xplain_cli.errors import UsageError
from xplain_cli.options.kinds import Setting

OutputFormat = Literal["csv", "json", "jsonl", "parquet"]
InputFormat = Literal["csv", "tsv", "parquet", "jsonl", "text", "npy", "npz"]
Quoting = Literal["double", "none"]
Decimal = Literal[".", ","]
Response = Literal["predict_proba", "decision_function", "predict"]
Backend = Literal["auto", "serial", "threads", "loky", "dask"]
Occurrences = Literal["merge", "each"]
Layout = Literal["NCHW", "NHWC"]
Channels = Literal["grey", "rgb", "rgba"]

_SLICE = re.compile(r"(\d*):(\d*)")
SHARD = re.compile(r"(\d+)/(\d+)")
_ADDRESS = re.compile(r"[a-z]+://.+")
_BUDGET = re.compile(r"\d+(\.\d+)?(e\+?\d+|[smh])?")
_SHARE = re.compile(r"\d+|\d+(\.\d+)?%")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_PAIR = re.compile(r"[^=]+=.+", re.DOTALL)
SETTINGS: dict[str, Setting] = {
    "model": Setting("path"),
    "data": Setting("paths", ()),
    "output": Setting("path"),
    "output_format": Setting(choices=get_args(OutputFormat)),
    "top_k": Setting("integer", least=1),
    "csv_guard": Setting("flag", default=True),
    "no_values": Setting("flag", default=False),
    "wide": Setting("flag", default=False),
    "write_repeats": Setting("flag", default=False),
    "report": Setting("path", shape=re.compile(r"(?is).*\.html?"), example="page.html"),
    "method": Setting(default="lime"),
    "target": Setting(),
    "output_scale": Setting(),
    "response": Setting(choices=get_args(Response)),
    "model_output": Setting(),
    "class_names": Setting("path"),
    "background": Setting("path"),
    "samples": Setting("integer", least=1),
    "repeats": Setting("integer", least=1),
    "max_rel_se": Setting("number", least=0),
    "max_samples": Setting("integer", least=1),
    "budget": Setting("share", shape=_BUDGET, example="20m (s, m or h) or 2e6 (model inputs)"),
    "seed": Setting("integer", default=0, least=0),
    "stability_k": Setting("integer", default=5, least=1),
    "jobs": Setting("integer", least=1),
    "backend": Setting(default="auto", choices=get_args(Backend)),
    "chunk_rows": Setting("integer", least=1),
    "scheduler": Setting(shape=_ADDRESS, example="tcp://HOST:8786"),
    "row_timeout": Setting("number", least=0),
    "rows": Setting(shape=_SLICE, example="0:100 (START:STOP, from 0, STOP left out)"),
    "shard": Setting(shape=SHARD, example="2/4 (I/N: the second of four)"),
    "id_column": Setting(),
    "keep": Setting("list", ()),
    "features": Setting("names", ()),
    "drop_columns": Setting("names", ()),
    "categorical": Setting("names", ()),
    "group": Setting("pairs", (), shape=_PAIR, example="city=city_* (NAME=GLOB)"),
    "input_format": Setting(choices=get_args(InputFormat)),
    "sep": Setting(),
    "quoting": Setting(choices=get_args(Quoting)),
    "decimal": Setting(default=".", choices=get_args(Decimal)),
    "encoding": Setting(default="utf-8-sig"),
    "na_values": Setting("names", ()),
    "dtype": Setting("pairs", (), shape=_PAIR, example="zip=text (COLUMN=TYPE)"),
    "no_header": Setting("flag", default=False),
    "text_column": Setting(),
    "unit": Setting(default="word"),
    "occurrences": Setting(default="merge", choices=get_args(Occurrences)),
    "mask_token": Setting(),
    "hash_units": Setting("flag", default=False),
    "baseline": Setting("list", ()),
    "judge": Setting("path"),
    "segmenter": Setting(default="slic"),
    "segments": Setting("integer", least=1),
    "resize": Setting(),
    "crop": Setting(),
    "channels": Setting(choices=get_args(Channels)),
    "rescale": Setting(),
    "mean": Setting("names", ()),
    "std": Setting("names", ()),
    "layout": Setting(choices=get_args(Layout)),
    "max_pixels": Setting("integer", default=50_000_000, least=1),
    "maps": Setting("flag", default=True),
    "write_maps": Setting("flag", default=False),
    "batch_size": Setting("integer", least=1),
    "trust_model": Setting("flag", default=False),
    "trusted": Setting("list", ()),
    "model_sha256": Setting(shape=_SHA256, example="64 hexadecimal digits"),
    "python_path": Setting("paths", ()),
    "fail_on": Setting(),
    "max_failed": Setting("share", "0", shape=_SHARE, example="10 (rows) or 2.5%"),
    "force": Setting("flag", default=False),
    "dry_run": Setting("flag", default=False),
    "quiet": Setting("flag", default=False),
    "verbose": Setting("flag", default=False),
    "debug": Setting("flag", default=False),
    "log_json": Setting("flag", default=False),
    "no_progress": Setting("flag", default=False),
    "no_color": Setting("flag", default=False),
}
"""Long option name, with ``_`` for ``-``, to what it takes."""

_TABLES = ("background", "features", "drop_columns", "categorical", "group")
_TEXTS = ("text_column", "unit", "occurrences", "mask_token", "hash_units", "batch_size")
_PICTURES = (
    *("segmenter", "segments", "resize", "crop", "channels", "rescale", "mean", "std"),
    *("layout", "max_pixels", "maps", "write_maps"),
)
_CELLS = (
    *("id_column", "keep", "input_format", "sep", "quoting", "decimal", "encoding", "na_values"),
    *("dtype", "no_header"),
)
_INSPECTED = (
    *("model", "data", "background", "target", "output_scale", "response", "model_output"),
    *("class_names", "method", "samples", "repeats", "id_column", "features", "drop_columns"),
    *("categorical", "group", "input_format", "sep", "quoting", "decimal", "encoding"),
    *(
        "na_values",
        "dtype",
        "no_header",
        "trust_model",
        "trusted",
        "model_sha256",
        "python_path",
        "quiet",
        "debug",
    ),
)

COMMANDS: dict[str, tuple[str, ...]] = {
    "tabular": tuple(name for name in SETTINGS if name not in {*_TEXTS, *_PICTURES}),
    "text": tuple(name for name in SETTINGS if name not in {*_TABLES, *_PICTURES, "judge"}),
    "image": tuple(
        name
        for name in SETTINGS
        if name not in {*_TABLES, *_TEXTS, *_CELLS, "judge"} or name == "batch_size"
    ),
    "inspect": _INSPECTED,
    "evaluate": (
        *("output", "model", "data", "baseline", "trust_model", "trusted", "python_path"),
        *("quiet", "debug"),
    ),
    "merge": ("output", "force", "quiet", "debug"),
    "gate": ("output", "fail_on", "quiet", "debug"),
    "report": ("output", "report", "quiet", "debug"),
}
"""The commands, and the options that each takes from the environment and the project file."""


def row_slice(text: str) -> tuple[int, int | None]:
    """
    Return the first row and the row after the last one (None: to the end) of START:STOP.

    Raises
    ------
    UsageError
        The text is no slice, or an empty one.
    """
    match = _SLICE.fullmatch(text)
    if match is None:
        raise UsageError(f"--rows is {text!r}; it must look like {SETTINGS['rows'].example}")
    start = int(match[1] or 0)
    stop = int(match[2]) if match[2] else None
    if stop is not None and stop <= start:
        raise UsageError(f"--rows is {text!r}, which holds no row; STOP must be above START")
    return start, stop
