"""The exact list of names that a pickle may ask for, and the verdict on a dry run."""

import json
from collections.abc import Collection
from functools import cache
from importlib import resources

from xplain_cli.errors import RefusedError
from xplain_cli.models.dry_run import DryRun
from xplain_cli.models.stubs import Made, attributes, walk

_SHOWN = 5

SUBSTITUTED = frozenset({"functools:partial"})
"""Names that the strict load replaces by harmless ones of our own (see ``pickled``)."""


@cache
def allowed_names() -> frozenset[str]:
    """Return the shipped list of ``module:name`` (.ci/make_allowlist.py makes it)."""
    text = resources.files("xplain_cli.models").joinpath("allowed.json").read_text("utf-8")
    return frozenset(json.loads(text))


def is_allowed(module: str, name: str, trusted: Collection[str] = ()) -> bool:
    """Return whether a global is on the list, or was trusted by its exact dotted name."""
    key = f"{module}:{name}"
    return key in allowed_names() or key in SUBSTITUTED or f"{module}.{name}" in trusted


def unknown_names(run: DryRun, trusted: Collection[str] = ()) -> tuple[tuple[str, str], ...]:
    """Return (dotted name, place) of each global that is neither on the list nor trusted."""
    unknown = [one for one in run.globals if not is_allowed(one.module, one.name, trusted)]
    if not unknown:
        return ()
    places = {id(value): place for value, place in walk(run.root)}
    return tuple((one.dotted, places.get(id(one), "a part not kept")) for one in unknown)


def stated_version(run: DryRun) -> str | None:
    """Return the scikit-learn version that the file states, the outermost one."""
    for value, _ in walk(run.root):
        version = attributes(value).get("_sklearn_version") if isinstance(value, Made) else None
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
