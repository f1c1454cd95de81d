"""The exact list of names that a pickle may ask for, and the verdict on a dry run."""

import json
from collections.abc import Collection
from functools import cache
from importlib import resources

from xplain_cli.errors import RefusedError
from xplain_cli.models.pickles.dry_run import DryRun
from xplain_cli.models.pickles.stand_ins import Global, Stub, attributes, walk

_SHOWN = 5
_CORES = ("numpy._core", "numpy.core")
_ARROW = ("_restore_array", "chunked_array", "py_buffer", "type_for_alias")
_TREES = ("metrics._dist_metrics", "neighbors._ball_tree", "neighbors._kd_tree")
_PLAIN = (
    *("bytearray", "bytes", "complex", "dict", "frozenset", "list", "object", "range", "set"),
    *("slice", "tuple"),
)
_BUILDERS = frozenset({
    *("_codecs:encode", "collections:defaultdict", "copyreg:_reconstructor", "functools:partial"),
    *("numpy:dtype", "numpy.ma.core:_mareconstruct"),
    *(f"numpy.random._pickle:__{name}_ctor" for name in ("bit_generator", "generator")),
    "numpy.random._pickle:__randomstate_ctor",
    *(f"{core}.multiarray:{name}" for core in _CORES for name in ("_reconstruct", "scalar")),
    *(f"{core}.numeric:_frombuffer" for core in _CORES),
    *("pandas._libs.internals:_unpickle_block", "pandas.core.indexes.base:_new_Index"),
    *(f"pyarrow.lib:{name}" for name in _ARROW),
    *(f"sklearn.{name}:newObj" for name in _TREES),
    *(f"builtins:{name}" for name in _PLAIN),
})
"""Functions, and classes in lower case, that picklers call; all others are only held by models."""

SUBSTITUTED = frozenset({"functools:partial"})
"""Names that the strict load replaces by harmless ones of our own (see ``pickled``)."""


@cache
def allowed_names() -> frozenset[str]:
    """Return the shipped list of ``module:name`` (.ci/make_allowlist.py makes it)."""
    text = resources.files("xplain_cli.models.pickles").joinpath("allowed.json").read_text("utf-8")
    return frozenset(json.loads(text))


def is_allowed(module: str, name: str, trusted: Collection[str] = ()) -> bool:
    """Return whether a global is on the list, or was trusted by its exact dotted name."""
    key = f"{module}:{name}"
    return key in allowed_names() or key in SUBSTITUTED or f"{module}.{name}" in trusted


def unknown_names(run: DryRun, trusted: Collection[str] = ()) -> tuple[tuple[str, str], ...]:
    """
    Return (dotted name, place) of each global that is neither on the list nor trusted.

    So is a listed function that the file calls, where models only hold it.
    """
    unknown = [one for one in run.globals if not is_allowed(one.module, one.name, trusted)]
    calls = [one for one in run.called if one not in unknown and not _may_call(one, trusted)]
    if not unknown and not calls:
        return ()
    places = {id(value): place for value, place in walk(run.root)}
    found = [(one.dotted, places.get(id(one), "a part not kept")) for one in unknown]
    return (*found, *((one.dotted, "a call while it loads") for one in calls))


def _may_call(one: Global, trusted: Collection[str]) -> bool:
    """Return whether a listed name may be called while a file loads: a class, or a builder."""
    return (
        one.name[:1].isupper()
        or one.key in _BUILDERS
        or one.name.startswith("__pyx_unpickle_")
        or one.dotted in trusted
    )


def stated_version(run: DryRun) -> str | None:
    """Return the scikit-learn version that the file states, the outermost one."""
    for value, _ in walk(run.root):
        version = attributes(value).get("_sklearn_version") if isinstance(value, Stub) else None
        if isinstance(version, str):
            return version
    return None


def judge(path: str, run: DryRun, trusted: Collection[str] = ()) -> None:
    """
    Refuse a file whose dry run asks for more than the list grants.

    Raises
    ------
    RefusedError
        Names each unknown global, where it sits, and the ways out; or what no list can allow.
    """
    unknown = unknown_names(run, trusted)
    if run.refusals:
        asked = "".join(f", and asks for {name}" for name, _ in unknown[:_SHOWN])
        raise RefusedError(
            f"{path}: refused, nothing of it was run: it {run.refusals[0]}{asked};"
            " if you made this file yourself: --trust-model; or export the model to ONNX"
        )
    if unknown:
        listed = ", ".join(f"{name} at {place}" for name, place in unknown[:_SHOWN])
        more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
        flags = " ".join(f"--trusted {name}" for name, _ in unknown)
        raise RefusedError(
            f"{path}: refused, nothing of it was run: it asks for {listed}{more}; if you trust"
            f" {'these names' if len(unknown) > 1 else 'this name'}: {flags};"
            " the whole file: --trust-model; or export the model to ONNX"
        )
