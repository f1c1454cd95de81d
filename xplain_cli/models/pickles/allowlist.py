"""The verdict on a dry run: which names it may ask for, and whether its parts mean no harm."""

from collections.abc import Collection, Iterator

from xplain_cli.errors import RefusedError
from xplain_cli.models.pickles.dry_run import DryRun
from xplain_cli.models.pickles.kinds import CONTAINERS, SharedError
from xplain_cli.models.pickles.meaning import Meaning
from xplain_cli.models.pickles.native_parts import odd_native
from xplain_cli.models.pickles.records import allow_list, allowed_names
from xplain_cli.models.pickles.stand_ins import Global, Stub, attributes, walk

_SHOWN = 5
_FOLLOWED = frozenset({"array", "bytes", "bytearray", "dtype", "maker", "type"})
_SPARE = 10**6

SUBSTITUTED = frozenset({"functools:partial"})
"""Names that the strict load replaces by harmless ones of our own (see ``pickled``)."""


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
    """Return whether a listed name may be called while a file loads: picklers do call it."""
    record = allow_list().records.get(one.key)
    made = record is not None and (bool(record.call) or record.role in _FOLLOWED)
    return made or one.key in CONTAINERS | SUBSTITUTED or one.dotted in trusted


def odd_parts(run: DryRun, trusted: Collection[str] = ()) -> Iterator[str]:
    """
    Yield what is wrong with the parts of a file, each with its place in the file.

    Nothing of it is wrong with its names, which ``unknown_names`` tells.
    """
    meaning = Meaning(8 * run.size + _SPARE, trusted)
    try:
        for part, place in walk(run.root):
            for name, wrong in meaning.odd(part):
                yield f"{place}.{name}: {wrong}" if name else f"{place}: {wrong}"
            broken = odd_native(part)
            if broken is not None and not meaning.is_trusted(part):
                yield f"{place}: {broken}"
    except SharedError:
        yield "its parts refer to each other more often than those of any model"


def stated_version(run: DryRun) -> str | None:
    """Return the scikit-learn version that the file states, the outermost one."""
    for value, _ in walk(run.root):
        version = attributes(value).get("_sklearn_version") if isinstance(value, Stub) else None
        if isinstance(version, str):
            return version
    return None


def judge(path: str, run: DryRun, trusted: Collection[str] = ()) -> None:
    """
    Refuse a file whose dry run asks for more than the list grants, or whose parts mean harm.

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
    odd = next(odd_parts(run, trusted), None)
    if odd is not None:
        raise RefusedError(
            f"{path}: refused, nothing of it was run: {odd}; store the model again as it was"
            " fitted, or export it to ONNX; if you made this file yourself: --trust-model"
        )
