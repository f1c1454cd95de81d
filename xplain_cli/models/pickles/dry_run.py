"""A dry run of a pickle or joblib file: it follows every opcode, and imports and runs nothing.

The engine is the one that the strict load uses, so the two cannot disagree on what the bytes mean;
only what would import, call or set is replaced.
"""

import pickle
import struct
from dataclasses import dataclass
from typing import Any

from xplain_cli.models.pickles.raw_arrays import RefusalError
from xplain_cli.models.pickles.recording_unpickler import inert_engine
from xplain_cli.models.pickles.stand_ins import Global
from xplain_cli.models.pickles.unpickler import Content

_SHOWN = 200
_BROKEN = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    MemoryError,
    RecursionError,
    struct.error,
)


@dataclass(frozen=True)
class DryRun:
    """
    What a file would build.

    Attributes
    ----------
    root
        The whole, made of plain values and stand-ins; None where the run stopped.
    globals
        Every name that the file asks for, in order of appearance.
    refusals
        What no list can allow, as phrases ("calls a computed value at byte 12").
    called
        The names that are called while it loads.
    size
        Bytes of the content.
    """

    root: Any
    globals: tuple[Global, ...]
    refusals: tuple[str, ...]
    called: tuple[Global, ...] = ()
    size: int = 0


def dry_run(data: Content, *, storages: bool = False) -> DryRun:
    """
    Follow the content of a pickle or (unpacked) joblib file; never raises for its content.

    Parameters
    ----------
    data
        The content.
    storages
        True lets it refer to objects outside, as torch does to the bytes of its tensors.
    """
    names: dict[str, Global] = {}
    engine = inert_engine(data, names, storages=storages)
    root, refusals = None, []
    try:
        root = engine.load()
        left = len(data) - engine.at
        if left:
            refusals.append(f"has {left} bytes after the end of the pickle (a second stream?)")
    except RefusalError as error:
        refusals.append(f"{error} at byte {engine.at}")
    except _BROKEN as error:
        reason = str(error)[:_SHOWN] or type(error).__name__
        refusals.append(f"is no readable pickle ({reason}) at byte {engine.at}")
    called = tuple(engine.called.values())
    return DryRun(
        None if refusals else root, tuple(names.values()), tuple(refusals), called, len(data)
    )
