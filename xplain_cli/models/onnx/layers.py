"""The layers of an ONNX file, for ``xplain inspect``: known once its graph is translated."""

import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np

from xplain_cli.models.contract import Signature, UnableError
from xplain_cli.models.onnx.entries import OnnxAsked
from xplain_cli.models.onnx.gradients import layers_of, translate
from xplain_cli.models.onnx.model import TYPES, Slot, fixed_rows


def _unasked(_: Any) -> Any:
    """Stand for what answers: nothing is asked here."""
    raise ValueError("a model that is looked at answers nothing")


def file_layers(
    path: str, inputs: Sequence[Slot], outputs: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    """
    Return (name, lengths for one row) of the layers on the way to the last output that has scores.

    None where torch is not installed, or the graph cannot be followed.
    """
    known = all(one.type in TYPES for one in inputs)
    if not outputs or not known or importlib.util.find_spec("torch") is None:
        return ()
    asked = OnnxAsked(
        path=path,
        kinds={one.name: np.dtype(TYPES[one.type]).name for one in inputs},
        shapes={one.name: one.shape for one in inputs},
        outputs=(outputs[-1],),
        rows=fixed_rows(inputs),
        layout="NCHW",
        signature=Signature(outputs[-1], "regression", "raw", (), None, margin=False, note=""),
        feed=_unasked,
        answer=_unasked,
    )
    try:
        found = layers_of(translate(asked))
    except (UnableError, RuntimeError):
        return ()
    return tuple((name, one.lengths) for name, one in found.items())
