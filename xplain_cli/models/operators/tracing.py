"""Builds a torch graph operator by operator: the form that torch.export's programs have.

Each value is seen on batches of two lengths while the graph is built. What is alike on both is a
constant and is computed here; a length that differs grows with the rows, and how it does follows
from the two; all else becomes a node of the graph, in double precision.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xplain_cli.models.operators.bounds import Bounds, UntranslatableError, check_size, foresee
from xplain_cli.models.torch.graphs import SHAPE

ROWS = (3, 5)
"""The lengths of the batches on which values are seen."""

LAYER = "layer"
"""What the ``meta`` of a node has of the file: the name of the value."""

_CHOOSING = frozenset({
    *(
        "_to_copy",
        "cat",
        "clone",
        "expand",
        "index_select",
        "permute",
        "reshape",
        "select",
        "slice",
    ),
    *("squeeze", "unsqueeze"),
})
"""Operators that choose and arrange numbers, and change none."""

_OF_WHOLES = _CHOOSING | {"add", "mul", "neg", "sub"}
KEEP = {"keepdim": True}
"""Named arguments: an axis that is reduced stays, 1 long."""

_MOST_NODES = 50_000


@dataclass(frozen=True)
class RowsLength:
    """A length that grows with the number of rows: *each* of them for every row, and *more*."""

    each: int
    more: int

    def of(self, rows: int) -> int:
        """Return the length with so many rows."""
        return self.each * rows + self.more


Length: TypeAlias = int | RowsLength


@dataclass(frozen=True, eq=False)
class Value:
    """
    A tensor of the graph.

    Attributes
    ----------
    seen
        What it is on each batch; the same object where it is a constant.
    moves
        Whether it depends on the numbers of the rows.
    node
        Its node, where it moves.
    cells
        On each batch, the column of each number, where it is a number of the input itself.
    texts
        Whether its numbers stand for cells of text.
    whole
        Whether the file takes its numbers as whole, which are computed with in double precision.
    """

    seen: tuple[Any, ...]
    moves: bool = False
    node: Any = None
    cells: tuple[Any, ...] | None = None
    texts: bool = False
    whole: bool = False

    @property
    def fixed(self) -> bool:
        """Whether it is a constant."""
        return not self.moves and all(one is self.seen[0] for one in self.seen)

    @property
    def rank(self) -> int:
        """How many axes it has."""
        return int(self.seen[0].dim())

    @property
    def is_float(self) -> bool:
        """Whether its numbers are fractions."""
        return bool(self.seen[0].is_floating_point()) and not self.whole


def _each(given: Any) -> Iterator[Any]:
    """Yield the values and lengths in arguments."""
    if isinstance(given, (list, tuple)):
        for one in given:
            yield from _each(one)
    elif isinstance(given, (Value, RowsLength)):
        yield given


def _mapped(given: Any, change: Callable[[Any], Any]) -> Any:
    """Return arguments with their values and lengths changed."""
    if isinstance(given, (list, tuple)):
        return [_mapped(one, change) for one in given]
    return change(given) if isinstance(given, (Value, RowsLength)) else given


@dataclass(frozen=True)
class OperatorUse:
    """
    An operator that is to be translated.

    Attributes
    ----------
    op, version
        Its name, and the version of its domain.
    attributes
        What the file says of it.
    outputs
        How many results are used.
    """

    op: str
    version: int
    attributes: Mapping[str, Any]
    outputs: int = 1

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute, or what it is where the file leaves it out."""
        return self.attributes.get(name, default)


@dataclass(frozen=True)
class Encoding:
    """
    The numbers of the input that stand for the categories of a column.

    Attributes
    ----------
    column
        Its number.
    categories
        Texts, or whole numbers.
    start
        Where its numbers start.
    strict
        Whether the model fails on another category.
    """

    column: int
    categories: tuple[Any, ...]
    start: int
    strict: bool


@dataclass
class Tracer:
    """
    A torch graph under construction.

    Attributes
    ----------
    rows
        The lengths of the batches on which values are seen: one, where the graph takes no other.
    freed
        The number of rows that the file has written into its shapes, which are read as growing
        with the rows; None: there is none, or it stays.
    width
        How many numbers a row of a table is so far: its columns, and its categories behind them.
    encodings
        The columns that enter as categories.
    fills
        By column, what stands for a missing number.
    bounds
        What it has made so far.
    constants
        Constants of the file that were read before, by their places: graphs can share them.
    """

    rows: tuple[int, ...] = ROWS
    freed: int | None = None
    width: int = 0
    encodings: dict[tuple[Any, ...], Encoding] = field(default_factory=dict)
    fills: dict[int, float] = field(default_factory=dict)
    bounds: Bounds = field(default_factory=Bounds)
    held: dict[str, Any] = field(default_factory=dict)
    constants: dict[Any, Any] = field(default_factory=dict)
    _constants: dict[int, Any] = field(default_factory=dict)
    _lengths: dict[RowsLength, Any] = field(default_factory=dict)
    _nodes: int = 0

    def __post_init__(self) -> None:
        import torch
        from torch.fx import Graph

        self.torch: Any = torch
        self.graph: Any = Graph()
        self.source: Any = self.graph.placeholder("points")

    def enter(self, node: Any, seen: list[Any]) -> Value:
        """Return the value of a node that reads the input."""
        return Value(tuple(seen), moves=True, node=node)

    def slice_source(self, start: int, stop: int) -> Any:
        """Return the node of some columns of the input."""
        target = self.torch.ops.aten.slice.Tensor
        return self.graph.call_function(target, (self.source, 1, start, stop, 1))

    def encoded(self, column: int, categories: tuple[Any, ...], *, strict: bool) -> Value:
        """Return the numbers of the input that stand for the categories of a column."""
        key = (column, categories, strict)
        if key not in self.encodings:
            self.encodings[key] = Encoding(column, categories, self.width, strict)
            self.width += len(categories)
        start, size = self.encodings[key].start, len(categories)
        check_size(size, size)
        eye = self.torch.eye(size, dtype=self.torch.float64)
        seen = [eye[self.torch.arange(rows) % size] for rows in self.rows]
        return self.enter(self.slice_source(start, start + size), seen)

    def constant(self, array: NDArray[Any] | float) -> Value:
        """Return a constant; fractions become double."""
        given = np.asarray(array)
        if given.dtype.kind not in "fiub":
            raise UntranslatableError("constants of text")
        wide = {"f": np.float64, "u": np.int64}.get(given.dtype.kind, given.dtype)
        return self._fixed(self.torch.from_numpy(np.array(given, dtype=wide)))

    def stored(self, place: Any, read: Callable[[], NDArray[Any]]) -> Value:
        """Return a constant of the file, which is read once."""
        if place not in self.constants:
            self.constants[place] = self.constant(read()).seen[0]
        return self._fixed(self.constants[place])

    def _fixed(self, tensor: Any) -> Value:
        return Value((tensor,) * len(self.rows))

    def call(self, name: str, *args: Any, named: Mapping[str, Any] | None = None) -> Any:
        """
        Return what an operator of torch makes of values, lengths and plain arguments.

        Parameters
        ----------
        name
            ``relu`` or ``add.Tensor``: of torch.ops.aten.
        named
            Arguments that go by their names.

        Raises
        ------
        UntranslatableError
            It would compute with texts or whole numbers; or the graph grows without end.
        """
        packet, _, overload = name.partition(".")
        kwargs = dict(named or {})
        target = getattr(getattr(self.torch.ops.aten, packet), overload or "default")
        parts = list(_each([args, list(kwargs.values())]))
        values = [one for one in parts if isinstance(one, Value)]
        moves = any(one.moves for one in values)
        _check_kinds(packet, values)
        fixed = all(isinstance(one, Value) and one.fixed for one in parts)
        self.bounds.advance()
        seen = self._seen(target, args, kwargs, 1 if fixed else len(self.rows))
        if fixed:
            seen *= len(self.rows)
        if isinstance(seen[0], (list, tuple)):
            return self._several(target, args, kwargs, seen) if moves else _apart(seen)
        if not moves:
            return Value(tuple(seen))
        cells = self._cells(packet, target, args, kwargs)
        node = self._emit(target, args, kwargs, seen[0])
        texts = any(one.texts for one in values)
        whole = any(one.whole for one in values) and seen[0].is_floating_point()
        return Value(tuple(seen), moves=True, node=node, cells=cells, texts=texts, whole=whole)

    def one(self, name: str, *args: Any, named: Mapping[str, Any] | None = None) -> Value:
        """Return what an operator of torch that makes one tensor makes (see ``call``)."""
        found: Value = self.call(name, *args, named=named)
        return found

    def _seen(self, target: Any, args: Any, kwargs: Any, batches: int) -> list[Any]:
        """Return what a call makes on each batch."""
        found = []
        moves = any(isinstance(one, Value) and one.moves for one in _each([args]))
        with self.torch.no_grad():
            for at in range(batches):

                def on(one: Any, at: int = at) -> Any:
                    return one.of(self.rows[at]) if isinstance(one, RowsLength) else one.seen[at]

                given = {key: _mapped(one, on) for key, one in kwargs.items()}
                whole = _mapped(args, on)
                foresee(target, whole, given)
                found.append(target(*whole, **given))
                self.bounds.add(found[-1], moves=moves)
        return found

    def _cells(self, packet: str, target: Any, args: Any, kwargs: Any) -> tuple[Any, ...] | None:
        """Return the columns of the numbers of a result, where it only chooses among cells."""
        moving = [one for one in _each([args]) if isinstance(one, Value) and one.moves]
        alien = [one for one in _each([args]) if isinstance(one, Value) and not one.moves]
        if packet not in _CHOOSING or any(one.cells is None for one in moving):
            return None
        if packet == "cat" and alien:
            return None
        shadow = _mapped(args, _shadow)
        return tuple(self._seen(target, shadow, kwargs, len(self.rows)))

    def _emit(self, target: Any, args: Any, kwargs: Any, seen: Any) -> Any:
        """Return a new node."""
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            raise UntranslatableError(f"more than {_MOST_NODES} steps")
        given = {key: _mapped(one, self.node) for key, one in kwargs.items()}
        node = self.graph.call_function(target, tuple(_mapped(list(args), self.node)), given)
        if hasattr(seen, "shape"):
            node.meta[SHAPE] = tuple(seen.shape)
        return node

    def _several(self, target: Any, args: Any, kwargs: Any, seen: list[Any]) -> list[Value]:
        """Return the results of an operator that makes more than one."""
        import operator

        whole = self._emit(target, args, kwargs, seen[0])
        found = []
        for i, parts in enumerate(zip(*seen, strict=True)):
            node = self.graph.call_function(operator.getitem, (whole, i))
            node.meta[SHAPE] = tuple(parts[0].shape)
            found.append(Value(tuple(parts), moves=True, node=node))
        return found

    def node(self, one: Any) -> Any:
        """Return the node of a value or length."""
        if isinstance(one, RowsLength):
            return self._length(one)
        if one.node is not None:
            return one.node
        return self._constant_node(one.seen[0]) if one.fixed else self._grown(one)

    def _constant_node(self, tensor: Any) -> Any:
        if id(tensor) not in self._constants:
            name = f"constant_{len(self.held)}"
            self.held[name] = tensor
            self._constants[id(tensor)] = self.graph.create_node("get_attr", name)
        return self._constants[id(tensor)]

    def _length(self, rows: RowsLength) -> Any:
        """Return the node of a length."""
        import operator

        if rows not in self._lengths:
            with self.graph.inserting_after(self.source):  # before all that may use it
                node = self.graph.call_function(self.torch.ops.aten.sym_size.int, (self.source, 0))
                for step, number, idle in (
                    (operator.mul, rows.each, 1),
                    (operator.add, rows.more, 0),
                ):
                    if number != idle:
                        with self.graph.inserting_after(node):
                            node = self.graph.call_function(step, (node, number))
            self._lengths[rows] = node
        return self._lengths[rows]

    def _grown(self, value: Value) -> Any:
        """Return the node of a value that depends on how many rows there are, and no more."""
        first, shape = value.seen[0], self.shape(value)
        if all(isinstance(one, int) for one in shape):
            each, more = self._affine(value)
            size = self._length(RowsLength(1, 0))
            aten = self.torch.ops.aten
            grown = self.graph.call_function(
                aten.mul.Scalar, (self._constant_node(each.to(first.dtype)), size)
            )
            return self.graph.call_function(
                aten.add.Tensor, (grown, self._constant_node(more.to(first.dtype)))
            )
        small = first
        for axis, length in enumerate(shape):
            if isinstance(length, RowsLength):
                small = small.narrow(axis, 0, 1)
        if not all(bool((one == small).all()) for one in value.seen):
            raise UntranslatableError("values that depend on how many rows there are")
        held, sizes = self._constant_node(small.clone()), _mapped(list(shape), self._length)
        return self.graph.call_function(self.torch.ops.aten.expand.default, (held, sizes))

    def _affine(self, value: Value) -> tuple[Any, Any]:
        """Return what each row adds to the numbers of a value, and what they are without any."""
        low, high = (one.to(self.torch.float64) for one in value.seen[:2])
        each = (high - low) / (self.rows[1] - self.rows[0])
        if bool((each != each.round()).any()):
            raise UntranslatableError("a length that is no multiple of how many rows there are")
        return each, low - each * self.rows[0]

    def _lengths_of(self, numbers: list[list[int]]) -> list[Length]:
        """Return lengths that are seen on each batch."""
        if len(self.rows) == 1:
            return list(numbers[0])
        found: list[Length] = []
        for low, high in zip(numbers[0], numbers[1], strict=True):
            each, rest = divmod(high - low, self.rows[1] - self.rows[0])
            if rest:
                raise UntranslatableError("a length that is no multiple of how many rows there are")
            found.append(RowsLength(each, low - each * self.rows[0]) if each else low)
        return found

    def shape(self, value: Value) -> list[Length]:
        """Return the lengths of a value."""
        return self._lengths_of([list(one.shape) for one in value.seen])

    def lengths(self, value: Value) -> list[Length]:
        """
        Return the whole numbers of a value that says how something is shaped.

        Raises
        ------
        UntranslatableError
            They depend on the numbers of the rows.
        """
        if value.moves:
            raise UntranslatableError("shapes that depend on the input")
        return self._lengths_of([
            [int(one) for one in seen.reshape(-1).tolist()] for seen in value.seen
        ])

    def wholes(self, value: Value) -> list[int]:
        """Return the whole numbers of a constant."""
        return [_settled(one) for one in self.lengths(value)]

    def sizes(self, value: Value, axes: list[int]) -> list[int]:
        """Return the lengths of some axes, which must not grow with the rows."""
        shape = self.shape(value)
        return [_settled(shape[axis]) for axis in axes]

    def array(self, value: Value) -> NDArray[Any]:
        """Return the numbers of a constant."""
        if not value.fixed:
            raise UntranslatableError("settings that depend on the input")
        return np.asarray(value.seen[0].numpy())

    def number(self, value: Value) -> float:
        """Return a constant of one number."""
        return float(self.array(value).reshape(-1)[0])

    def reshape(self, value: Value, dims: list[Length]) -> Value:
        """Return a value in another shape, of which one length may be -1."""
        wanted: list[Length] = list(dims)
        grown = [at for at, one in enumerate(dims) if isinstance(one, RowsLength)]
        if len(grown) == 1 and -1 not in dims:
            wanted[grown[0]] = -1
        elif grown and -1 in dims:
            known = self.call("reshape", replace(value, moves=False, node=None), list(dims))
            wanted = self.shape(known)
        found: Value = self.call("reshape", value, wanted)
        return found


def _shadow(one: Any) -> Any:
    """Return a value with the columns of its numbers in their place."""
    return replace(one, seen=one.cells) if isinstance(one, Value) and one.cells is not None else one


def _settled(length: Length) -> int:
    if isinstance(length, RowsLength):
        raise UntranslatableError("settings that depend on how many rows there are")
    return length


def _apart(seen: list[Any]) -> list[Value]:
    """Return constants that an operator makes several of."""
    return [Value(tuple(parts)) for parts in zip(*seen, strict=True)]


def _check_kinds(packet: str, values: list[Value]) -> None:
    if packet not in _CHOOSING and any(one.texts for one in values):
        raise UntranslatableError("texts other than categories that are encoded")
    if packet not in _OF_WHOLES and any(one.whole for one in values):
        raise UntranslatableError("arithmetic on whole numbers")


Handler: TypeAlias = Callable[..., Value | Sequence[Value | None]]
"""Returns what an operator makes, labels as None: of the tracer, the step, and its inputs."""
