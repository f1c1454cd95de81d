"""Translates an ONNX graph into a torch graph, operator by operator, or says what it cannot."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from xplain_cli.models.contract import UnableError
from xplain_cli.models.onnx.lookups import EmbeddingLookup
from xplain_cli.models.onnx.programs import (
    DamagedError,
    OnnxProgram,
    Operator,
    OperatorBlock,
    read_attributes,
    read_block,
    read_tensor,
)
from xplain_cli.models.operators import OPERATORS
from xplain_cli.models.operators.bounds import UntranslatableError
from xplain_cli.models.operators.tracing import LAYER, OperatorUse, Tracer, Value

_TREES = frozenset({"TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor"})
_BLOCKS = {"If": ("then_branch", "else_branch")}
_DEEPEST = 16
_MISSING_SHOWN = 8
_LABELS = Value(())
"""In place of labels, which nothing here is computed from."""
_ODD = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What an operator that is used in an odd way ends in."""


@dataclass(frozen=True)
class _Scope:
    """What names mean: in a block, and around it."""

    block: OperatorBlock
    values: dict[str, Value | None]
    outer: "_Scope | None" = None
    given: Mapping[str, Any] = field(default_factory=dict)
    depth: int = 0

    def inside(self, block: OperatorBlock, *, closed: bool = False) -> "_Scope":
        """Return a scope within this one; a closed one sees nothing of what is around it."""
        if self.depth >= _DEEPEST:
            raise UntranslatableError(f"blocks in blocks, more than {_DEEPEST} deep")
        return _Scope(block, {}, None if closed else self, self.given, self.depth + 1)


def _read_by(program: OnnxProgram, operators: Sequence[Operator]) -> Iterator[str]:
    """Yield the names that operators read, those in branches as well."""
    waiting = list(operators)
    while waiting:
        one = waiting.pop()
        yield from one.inputs
        for branch in _branches(program, one).values():
            yield from branch.outputs
            waiting += branch.operators


def _branches(program: OnnxProgram, one: Operator) -> dict[str, OperatorBlock]:
    """Return the blocks that an operator chooses among, by the names of its attributes."""
    if one.op not in _BLOCKS or one.domain:
        return {}
    spans = read_attributes(program, one)
    return {
        name: read_block(program.data, spans[name], program.versions)
        for name in _BLOCKS[one.op]
        if isinstance(spans.get(name), tuple)
    }


def _needed(program: OnnxProgram, block: OperatorBlock) -> list[Operator]:
    """Return the operators that the outputs of a block rest on, in order."""
    wanted, found = set(block.outputs), []
    for one in reversed(block.operators):
        if wanted.intersection(one.outputs) - {""}:
            found.append(one)
            wanted.update(_read_by(program, [one]))
    return found[::-1]


def _missing(program: OnnxProgram, operators: Sequence[Operator]) -> list[str]:
    """Return the operators that are not known, sorted."""
    names = set()
    for one in operators:
        key = (one.domain, one.op)
        if key not in OPERATORS and key not in program.functions and one.op not in _BLOCKS:
            names.add(f"{one.domain}.{one.op}"[:80] if one.domain else one.op[:80])
    return sorted(names)


def unknown_operators(program: OnnxProgram, output: str) -> list[str]:
    """Return the operators on the way to an output that have no derivatives here, sorted."""
    found: set[str] = set()
    waiting = [replace(program.graph, outputs=(output,))]
    seen: set[tuple[str, str]] = set()
    while waiting:
        block = waiting.pop()
        operators = _needed(program, block)
        found.update(_missing(program, operators))
        for one in operators:
            waiting += _branches(program, one).values()
            key = (one.domain, one.op)
            if key in program.functions and key not in seen:
                seen.add(key)
                waiting.append(program.functions[key])
    return sorted(found)


def _refuse_missing(program: OnnxProgram, operators: Sequence[Operator]) -> None:
    missing = _missing(program, operators)
    trees = [one for one in missing if one.rsplit(".", 1)[-1] in _TREES]
    if trees:
        raise UnableError(
            f"follows derivatives, and this model holds trees ({trees[0].rsplit('.', 1)[-1]}),"
            " which answer in steps"
        )
    if missing:
        more = f" and {len(missing) - _MISSING_SHOWN} more" * (len(missing) > _MISSING_SHOWN)
        shown = ", ".join(missing[:_MISSING_SHOWN])
        raise UnableError(f"follows operators that it knows, and not {shown}{more}")


@dataclass(frozen=True)
class _Conversion:
    program: OnnxProgram
    tracer: Tracer
    lookup: EmbeddingLookup | None = None

    def value(self, scope: _Scope | None, name: str) -> Value | None:
        """Return what a name means."""
        if not name:
            return None
        while scope is not None:
            if name in scope.values:
                found = scope.values[name]
                if found is _LABELS:
                    raise UntranslatableError("labels: they have no scores")
                return found
            if name in scope.block.constants:
                span = scope.block.constants[name]
                read = partial(read_tensor, self.program.data, self.program.folder, span)
                scope.values[name] = self.tracer.stored(span, read)
                return scope.values[name]
            scope = scope.outer
        raise UntranslatableError(f"a value that nothing makes ({name[:60]!r})")

    def run(self, scope: _Scope) -> list[Value | None]:
        """Translate a block; return its outputs."""
        self.tracer.bounds.advance(len(scope.block.operators))
        operators = _needed(self.program, scope.block)
        _refuse_missing(self.program, operators)
        for one in operators:
            inputs = [self.value(scope, name) for name in one.inputs]
            while inputs and inputs[-1] is None:
                inputs.pop()
            try:
                made = self._made(scope, one, inputs)
            except _ODD as error:
                said = " ".join(str(error).split())[:120]
                raise UntranslatableError(f"this {one.op[:40]} ({said})") from error
            for name, value in zip(one.outputs, made, strict=False):
                scope.values[name] = _LABELS if value is None else value
                if value is not None and _is_layer(value, self.tracer.rows):
                    value.node.meta.setdefault(LAYER, name)
        return [self.value(scope, name) for name in scope.block.outputs]

    def _made(
        self, scope: _Scope, one: Operator, inputs: list[Value | None]
    ) -> Sequence[Value | None]:
        """Return the results of an operator."""
        attributes = read_attributes(self.program, one)
        attributes = {
            name: scope.given.get(found[1:]) if _is_reference(found) else found
            for name, found in attributes.items()
        }
        attributes = {name: found for name, found in attributes.items() if found is not None}
        if one.op in _BLOCKS:
            return self._branch(scope, one, inputs)
        block = self.program.functions.get((one.domain, one.op))
        if block is not None:
            inside = replace(scope.inside(block, closed=True), given=attributes)
            inside.values.update(zip(block.inputs, inputs, strict=False))
            inside.values.update({
                name: None for name in block.inputs[len(inputs) :] if name not in inside.values
            })
            return self.run(inside)
        step = OperatorUse(one.op, one.version, attributes, sum(1 for name in one.outputs if name))
        made = partial(OPERATORS[one.domain, one.op], self.tracer, step, *inputs)
        found = (
            made() if self.lookup is None else self.lookup.watch(self.tracer, step, inputs, made)
        )
        return [found] if isinstance(found, Value) else found

    def _branch(
        self, scope: _Scope, one: Operator, inputs: list[Value | None]
    ) -> Sequence[Value | None]:
        """Return the results of the branch that is taken on any row."""
        condition = inputs[0]
        if condition is None or condition.moves:
            raise UntranslatableError("an If that depends on the input")
        ways = {bool(seen.reshape(-1)[0]) for seen in condition.seen}
        if len(ways) != 1:
            raise UntranslatableError("an If that depends on how many rows there are")
        taken = _BLOCKS[one.op][0 if ways.pop() else 1]
        return self.run(scope.inside(_branches(self.program, one)[taken]))


def _is_layer(value: Value, rows: Sequence[int]) -> bool:
    """Return whether a value holds numbers of each row, of a shape that no other row changes."""
    shapes = [tuple(one.shape) for one in value.seen]
    alike = all(one[1:] == shapes[0][1:] for one in shapes)
    own = [one[:1] for one in shapes] == [(count,) for count in rows]
    return value.node is not None and value.is_float and alike and own and len(shapes[0]) > 1


def _is_reference(found: Any) -> bool:
    return isinstance(found, str) and found.startswith("@")


def convert(
    program: OnnxProgram,
    tracer: Tracer,
    inputs: Mapping[str, Value],
    outputs: Sequence[str],
    lookup: EmbeddingLookup | None = None,
) -> list[Value]:
    """
    Return some outputs of a program as values of a graph under construction.

    Parameters
    ----------
    lookup
        What watches for the embedding of token ids, where some input takes these.

    Raises
    ------
    UnableError
        It holds operators that are not known, or uses them in a way that cannot be followed.
    """
    block = replace(program.graph, outputs=tuple(outputs))
    try:
        found = _Conversion(program, tracer, lookup).run(_Scope(block, dict(inputs)))
    except UntranslatableError as error:
        raise UnableError(f"cannot follow {error}") from error
    except DamagedError as error:
        raise UnableError(f"cannot follow a file that {error}") from error
    except (IndexError, RecursionError) as error:
        raise UnableError("cannot follow a graph of such a form") from error
    return [one for one in found if one is not None]
