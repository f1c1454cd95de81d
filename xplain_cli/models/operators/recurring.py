"""Recurrent layers, unrolled: a step of the graph for each place of the sequence."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from xplain_cli.models.operators.bounds import UntranslatableError
from xplain_cli.models.operators.tracing import Handler, OperatorUse, Tracer, Value

_BENDS = {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "relu"}
_LONGEST = 1024

State: TypeAlias = tuple[Value, ...]
"""What a layer carries from place to place: (h,), or (h, c) of an LSTM."""


@dataclass(frozen=True)
class _Gates:
    """The weights of one direction, for inputs and for the state, and its activations."""

    inputs: Value
    state: Value
    shift: Value
    state_shift: Value
    bends: tuple[str, ...]
    hidden: int
    reset_last: bool = False


def _part(trace: Tracer, given: Value, gates: _Gates, at: int) -> Value:
    return trace.one("slice.Tensor", given, 1, at * gates.hidden, (at + 1) * gates.hidden, 1)


def _rnn(trace: Tracer, gates: _Gates, given: Value, state: State) -> State:
    whole = trace.one("linear", state[0], gates.state, gates.state_shift)
    return (trace.one(gates.bends[0], trace.one("add.Tensor", given, whole)),)


def _lstm(trace: Tracer, gates: _Gates, given: Value, state: State) -> State:
    whole = trace.one(
        "add.Tensor", given, trace.one("linear", state[0], gates.state, gates.state_shift)
    )
    opened, out, kept, cell = (_part(trace, whole, gates, at) for at in range(4))
    first, second, third = gates.bends
    opened, out, kept = (trace.one(first, one) for one in (opened, out, kept))
    added = trace.one("mul.Tensor", opened, trace.one(second, cell))
    memory = trace.one("add.Tensor", trace.one("mul.Tensor", kept, state[1]), added)
    return trace.one("mul.Tensor", out, trace.one(third, memory)), memory


def _gru(trace: Tracer, gates: _Gates, given: Value, state: State) -> State:
    h, size = state[0], gates.hidden
    own = trace.one("linear", h, gates.state, gates.state_shift)
    update, reset = (
        trace.one(
            gates.bends[0],
            trace.one("add.Tensor", _part(trace, given, gates, at), _part(trace, own, gates, at)),
        )
        for at in (0, 1)
    )
    if gates.reset_last:
        carried = trace.one("mul.Tensor", reset, _part(trace, own, gates, 2))
    else:
        weights = trace.one("slice.Tensor", gates.state, 0, 2 * size, 3 * size, 1)
        shift = trace.one("slice.Tensor", gates.state_shift, 0, 2 * size, 3 * size, 1)
        carried = trace.one("linear", trace.one("mul.Tensor", reset, h), weights, shift)
    new = trace.one(gates.bends[1], trace.one("add.Tensor", _part(trace, given, gates, 2), carried))
    rest = trace.one("rsub.Scalar", update, 1.0)
    kept = trace.one("mul.Tensor", update, h)
    return (trace.one("add.Tensor", trace.one("mul.Tensor", rest, new), kept),)


Turn: TypeAlias = Callable[[Tracer, _Gates, Value, State], State]


@dataclass(frozen=True)
class _Kind:
    """A kind of layer: its gates, its activations, what it carries, and a step of it."""

    gates: int
    bends: tuple[str, ...]
    carries: int
    turn: Turn


_KINDS = {
    "RNN": _Kind(1, ("tanh",), 1, _rnn),
    "LSTM": _Kind(4, ("sigmoid", "tanh", "tanh"), 2, _lstm),
    "GRU": _Kind(3, ("sigmoid", "tanh"), 1, _gru),
}


def _bends(step: OperatorUse, kind: _Kind, directions: int) -> list[tuple[str, ...]]:
    """Return the activations of each direction."""
    asked = step.get("activations")
    if not asked:
        return [kind.bends] * directions
    names = [str(one).lower() for one in asked]
    if any(one not in _BENDS for one in names):
        raise UntranslatableError(f"{step.op} with the activations {', '.join(names)[:60]}")
    per = len(kind.bends)
    return [tuple(names[i * per : (i + 1) * per]) for i in range(directions)]


def _check(step: OperatorUse, given: tuple[Value | None, ...], length: int, trace: Tracer) -> None:
    """Refuse what is not unrolled."""
    if step.get("clip") or step.get("input_forget"):
        raise UntranslatableError(f"{step.op} with clip or input_forget")
    if given[4] is not None and (trace.array(given[4]) != 0).any() and step.op == "LSTM":
        raise UntranslatableError("LSTM with peepholes")
    lengths = given[1]
    if lengths is not None and any(bool((one != length).any()) for one in lengths.seen):
        raise UntranslatableError(f"{step.op} over sequences of several lengths")
    if length > _LONGEST:
        raise UntranslatableError(f"{step.op} over more than {_LONGEST} places")


def _gates_of(
    trace: Tracer, step: OperatorUse, weights: tuple[Value, Value, Value | None], at: int
) -> _Gates:
    """Return the weights of one direction."""
    kind, hidden = _KINDS[step.op], int(step.get("hidden_size", weights[1].seen[0].shape[2]))
    inputs, state = (trace.one("select.int", one, 0, at) for one in weights[:2])
    size = kind.gates * hidden
    if weights[2] is None:
        zeros = trace.constant(np.zeros(size))
        shifts = zeros, zeros
    else:
        both = trace.one("select.int", weights[2], 0, at)
        shifts = (
            trace.one("slice.Tensor", both, 0, 0, size, 1),
            trace.one("slice.Tensor", both, 0, size, 2 * size, 1),
        )
    directions = int(weights[0].seen[0].shape[0])
    bends = _bends(step, kind, directions)[at]
    return _Gates(inputs, state, *shifts, bends, hidden, bool(step.get("linear_before_reset")))


def _begun(
    trace: Tracer, step: OperatorUse, x: Value, gates: _Gates, given: tuple[Value | None, ...]
) -> list[State]:
    """Return the state of each direction before the first place."""
    kind, found = _KINDS[step.op], []
    directions = 2 if step.get("direction") == "bidirectional" else 1
    for at in range(directions):
        parts = []
        for one in (given[2], given[3])[: kind.carries]:
            if one is None:
                zeros = trace.constant(np.zeros((1, gates.hidden)))
                parts.append(trace.one("expand", zeros, [trace.shape(x)[1], gates.hidden]))
            else:
                parts.append(trace.one("select.int", one, 0, at))
        found.append(tuple(parts))
    return found


def _recurrent(
    trace: Tracer, step: OperatorUse, x: Value, inputs: Value, state: Value, *rest: Value | None
) -> list[Value]:
    shift, *given = (*rest, None, None, None, None, None)[:6]
    if step.get("layout"):
        raise UntranslatableError(f"{step.op} with layout 1")
    (length,) = trace.sizes(x, [0])
    checked = (None, given[0], given[1], given[2], given[3])
    _check(step, checked, length, trace)
    kind, directions = _KINDS[step.op], int(inputs.seen[0].shape[0])
    all_gates = [_gates_of(trace, step, (inputs, state, shift), at) for at in range(directions)]
    states = _begun(trace, step, x, all_gates[0], checked)
    answers: list[list[Value]] = []
    for at, gates in enumerate(all_gates):
        backwards = at == 1 or step.get("direction") == "reverse"
        entered = trace.one("linear", x, gates.inputs, gates.shift)
        seen: list[Value] = []
        for place in reversed(range(length)) if backwards else range(length):
            now = trace.one("select.int", entered, 0, place)
            states[at] = kind.turn(trace, gates, now, states[at])
            seen.append(states[at][0])
        answers.append(seen[::-1] if backwards else seen)
    by_place = [trace.one("stack", [one[place] for one in answers], 0) for place in range(length)]
    last = [trace.one("stack", [one[i] for one in states], 0) for i in range(kind.carries)]
    return [trace.one("stack", by_place, 0), *last]


RECURRING: dict[str, Handler] = dict.fromkeys(_KINDS, _recurrent)
