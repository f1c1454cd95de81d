"""The target: which number of the model's output is explained, a class, a value, A:vs:B."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xplain_cli.errors import UsageError, nearest
from xplain_cli.explanation import BoolArray, FloatArray, IntArray

MOST_TARGETS = 100
_AGAINST = ":vs:"
_TOP = re.compile(r"top:(\d+)$")
_OF_ONE_OUTPUT = re.compile(r"output_\d+=")


@dataclass(frozen=True)
class Target:
    """
    What is explained: ``columns`` outputs, or pairs of them, chosen per row by ``kind``.

    Attributes
    ----------
    spec : str
        As it stands in ``target_spec``.
    kind : str
        "fixed" (``pairs`` for every row), "predicted", "top" or "runner-up".
    pairs : tuple of (int, int)
        For "fixed": (plus, minus) output columns, minus -1 for a single output.
    top : int
        For "top": how many.
    """

    spec: str
    kind: str
    pairs: tuple[tuple[int, int], ...] = ()
    top: int = 0


def position_names(count: int) -> tuple[str, ...]:
    """Return how columns of an answer are called that the model does not name."""
    return tuple(f"column {i}" for i in range(count))


def is_unnamed(outputs: Sequence[str]) -> bool:
    """Tell whether outputs are called by their positions, for want of names."""
    return bool(outputs) and tuple(outputs) == position_names(len(outputs))


def likely_names(name: str, outputs: Sequence[str]) -> str:
    """
    Return a hint to the outputs that may be meant by a name that is none of them.

    A label never leads to a position: 1 may be the class of any column.
    """
    if not is_unnamed(outputs):
        return nearest(name, outputs)
    return (
        "; the model does not name them, so these are their positions: --class-names FILE names"
        " them, in that order"
    )


def _output_index(name: str, outputs: Sequence[str], columns: Sequence[str]) -> int:
    if name in outputs:
        return list(outputs).index(name)
    if name in columns:
        raise UsageError(
            f"--target {name!r} is a column of the data, not an output of the model;"
            f" outputs are {_some(outputs)}"
        )
    raise UsageError(
        f"--target {name!r} is not an output of the model; it has"
        f" {_some(outputs)}{likely_names(name, outputs)}"
    )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:12])
    return shown + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def of_several(outputs: Sequence[str]) -> bool:
    """Return whether these are the classes of several outputs, which do not exclude each other."""
    return all(_OF_ONE_OUTPUT.match(name) for name in outputs)


def _are_classes(outputs: Sequence[str], task: str) -> bool:
    """Tell whether outputs exclude each other, so that one can be chosen among them."""
    return task == "classification" and len(outputs) > 1 and not of_several(outputs)


def _all_outputs(outputs: Sequence[str], task: str, *, force: bool) -> Target:
    """Return the target of all outputs; of more than a hundred only with *force*."""
    if len(outputs) > MOST_TARGETS and not force:
        fewer = "top:5 the strongest" if _are_classes(outputs, task) else f"{outputs[0]!r} one"
        raise UsageError(
            f"--target all: the model has {len(outputs)} outputs; --force explains them all,"
            f" --target {fewer}"
        )
    return Target("all", "fixed", tuple((i, -1) for i in range(len(outputs))))


def _default_target(
    outputs: Sequence[str], task: str, positive: int | None, *, force: bool
) -> Target:
    """Binary: the positive class; one number: the value; several numbers: all; else predicted."""
    if positive is not None:
        return Target(outputs[positive], "fixed", ((positive, -1),))
    if len(outputs) == 1:
        return Target(outputs[0], "fixed", ((0, -1),))
    if task != "classification" or of_several(outputs):
        return _all_outputs(outputs, task, force=force)
    return Target("predicted", "predicted")


def _sides(text: str, outputs: Sequence[str]) -> tuple[str, str]:
    """Return the two sides of ``A:vs:B``: outputs, whose own names may hold the word between."""
    parts = text.split(":vs:")
    ways = [(":vs:".join(parts[:i]), ":vs:".join(parts[i:])) for i in range(1, len(parts))]
    return next((way for way in ways if set(way) <= set(outputs)), ways[0])


def _class_target(text: str, outputs: Sequence[str], columns: Sequence[str]) -> Target:
    if text.startswith("class="):
        text = text.removeprefix("class=")
    elif text not in outputs and ":vs:" not in text and ":" in text:
        first_name, second_name = text.split(":", 1)
        if first_name in outputs and second_name in outputs:
            raise UsageError(
                f"--target {text!r} is not an output of the model; did you mean"
                f" '{first_name}:vs:{second_name}', the one against the other?"
            )
    elif ":vs:" in text and text not in outputs:
        first, second = (_output_index(t, outputs, columns) for t in _sides(text, outputs))
        if first == second:
            raise UsageError(f"--target {text!r}: both sides are the same output")
        return Target(text, "fixed", ((first, second),))
    index = _output_index(text, outputs, columns)
    return Target(outputs[index], "fixed", ((index, -1),))


def _check_classes(text: str, outputs: Sequence[str], task: str) -> None:
    """Refuse a choice among classes where the model has none."""
    words = {"predicted", "predicted:vs:runner-up"}
    chooses = _TOP.match(text) or text in words or ":vs:" in text
    if chooses and not _are_classes(outputs, task) and text not in outputs:
        named = ", or name the classes (--class-names FILE)" if is_unnamed(outputs) else ""
        raise UsageError(
            f"--target {text!r} chooses among classes, but the model gives"
            f" {'one number' if len(outputs) == 1 else 'numbers'} ({_some(outputs)}); leave"
            f" --target out, or name an output{named}"
        )


def parse_target(
    text: str | None,
    outputs: Sequence[str],
    *,
    task: str,
    positive: int | None,
    columns: Sequence[str] = (),
    force: bool = False,
) -> Target:
    """
    Return the target that *text* names: INTERFACE's ``-t``.

    Raises
    ------
    UsageError
        Not an output of the model, a class asked of a regression, or ``all`` of more than 100
        outputs without *force*.
    """
    if text is None:
        return _default_target(outputs, task, positive, force=force)
    top = _TOP.match(text)
    _check_classes(text, outputs, task)
    if text == "all":
        return _all_outputs(outputs, task, force=force)
    if text == "predicted":
        return Target(text, "predicted")
    if text == "predicted:vs:runner-up":
        return Target(text, "runner-up")
    if top:
        count = int(top[1])
        if not 1 <= count <= len(outputs):
            raise UsageError(
                f"--target {text}: the model has {len(outputs)} classes; take top:1 to"
                f" top:{len(outputs)}, or all"
            )
        return Target(text, "top", top=count)
    return _class_target(text, outputs, columns)


def choose(target: Target, outputs: FloatArray) -> IntArray:
    """
    Return the (plus, minus) output columns to explain for each row.

    Parameters
    ----------
    target
        The target.
    outputs : (b, k) float
        The model's outputs for b rows, untransformed.

    Returns
    -------
    (b, t, 2) int
        minus is -1 where a single output is explained. Ties go to the earlier output.
    """
    rows = outputs.shape[0]
    if target.kind == "fixed":
        return np.tile(np.array(target.pairs, dtype=np.int64), (rows, 1, 1))
    order = np.argsort(-outputs, axis=1, kind="stable")
    if target.kind == "runner-up":
        return order[:, None, :2].astype(np.int64)
    count = target.top if target.kind == "top" else 1
    plus = order[:, :count].astype(np.int64)
    return np.stack([plus, np.full_like(plus, -1)], axis=2)


def named_pair(name: str, outputs: Sequence[str]) -> tuple[int, int] | None:
    """Return the (plus, minus) outputs of a name in column ``target``; None: there are no such."""
    known = {output: i for i, output in enumerate(outputs)}
    if name in known:
        return known[name], -1
    parts = name.split(_AGAINST)
    for cut in range(1, len(parts)):  # a name may hold the sign itself
        plus, minus = _AGAINST.join(parts[:cut]), _AGAINST.join(parts[cut:])
        if plus in known and minus in known:
            return known[plus], known[minus]
    return None


def is_pair(target: Target) -> bool:
    """Tell whether the target compares two outputs."""
    return target.kind == "runner-up" or any(minus >= 0 for _, minus in target.pairs)


def used_outputs(target: Target, n_outputs: int) -> IntArray:
    """Return the sorted indices of the outputs that any row of this target may need."""
    if target.kind != "fixed":
        return np.arange(n_outputs)
    return np.unique([i for pair in target.pairs for i in pair if i >= 0])


def compare(plus: FloatArray, minus: FloatArray, paired: BoolArray, *, margin: bool) -> FloatArray:
    """
    Return plus - minus where *paired*, else plus.

    One decision margin m stands for two classes as (-m, +m): there the difference is m itself.
    """
    difference = (plus - minus) / 2 if margin else plus - minus
    return np.where(paired, difference, plus)


def pair_values(scaled: FloatArray, pairs: IntArray, *, margin: bool) -> FloatArray:
    """
    Return the explained numbers: column plus, less column minus where there is one.

    Parameters
    ----------
    scaled : (m, k) float
        Outputs on the explained scale.
    pairs : (t, 2) int
        Output columns of each target.
    margin
        See ``compare``.

    Returns
    -------
    (t, m) float
    """
    plus, minus = scaled[:, pairs[:, 0]].T, scaled[:, np.maximum(pairs[:, 1], 0)].T
    return np.ascontiguousarray(compare(plus, minus, pairs[:, 1:] >= 0, margin=margin))


def own_values(scaled: FloatArray, pairs: IntArray, *, margin: bool) -> FloatArray:
    """
    Return the explained numbers of rows, each of targets of its own: ``pair_values`` row by row.

    Parameters
    ----------
    scaled : (d, k) float
        Outputs on the explained scale.
    pairs : (d, t, 2) int
        Output columns of each row's targets.
    margin
        See ``compare``.

    Returns
    -------
    (d, t) float
    """
    plus, minus = (
        np.take_along_axis(scaled, columns, axis=1)
        for columns in (pairs[..., 0], np.maximum(pairs[..., 1], 0))
    )
    return np.ascontiguousarray(compare(plus, minus, pairs[..., 1] >= 0, margin=margin))


def target_names(pairs: IntArray, outputs: Sequence[str]) -> list[str]:
    """Return the names of targets (t, 2) as they stand in column ``target``."""
    return [
        outputs[plus] if minus < 0 else f"{outputs[plus]}{_AGAINST}{outputs[minus]}"
        for plus, minus in pairs.tolist()
    ]


def names_of_rows(pairs: IntArray, outputs: Sequence[str]) -> list[list[str]]:
    """Return the names of the targets of rows (d, t, 2); rows of the same targets share them."""
    known: dict[bytes, list[str]] = {}
    named = []
    for own in pairs:
        key = own.tobytes()
        if key not in known:
            known[key] = target_names(own, outputs)
        named.append(known[key])
    return named
