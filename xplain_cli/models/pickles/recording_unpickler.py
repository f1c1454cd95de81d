"""The engine of the dry run: Python's own unpickler that imports, calls and sets nothing."""

import _compat_pickle
import pickle
import struct
from typing import Any, ClassVar, Self

from xplain_cli.models.pickles.guards import (
    NDARRAY,
    check_call,
    check_items,
    check_key,
    check_parts,
    check_state,
    check_tuple,
    plain_bytes,
    reconstructed,
    unbuilt,
)
from xplain_cli.models.pickles.kinds import contents
from xplain_cli.models.pickles.raw_arrays import (
    DTYPE,
    KEPT_BYTES,
    WRAPPER,
    RefusalError,
    finish_dtype,
    read_raw_array,
)
from xplain_cli.models.pickles.stand_ins import (
    FROM_BUFFER,
    RECONSTRUCTORS,
    Global,
    OmittedBytes,
    Stub,
)
from xplain_cli.models.pickles.unpickler import Content, Engine

_SHOWN = 80
_PLACES = 2**32
_COPIES = frozenset({"numpy", "pandas", "pyarrow"})  # their states are copied whole


def modern_name(module: str, name: str) -> tuple[str, str]:
    """Return the Python 3 spelling of a global, for protocols below 3 and all others alike."""
    if (module, name) in _compat_pickle.NAME_MAPPING:
        module, name = _compat_pickle.NAME_MAPPING[module, name]
        return module, name
    return _compat_pickle.IMPORT_MAPPING.get(module, module), name


class _Inert(Engine):
    """
    The engine with every import, call and assignment replaced by a record.

    Attributes
    ----------
    names
        What was asked for, by ``module:name``.
    called
        Those of them that are called while it loads.
    storages
        Whether it may refer to the storages of torch's tensors.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(Engine.dispatch)

    def __init__(
        self, data: Content, names: dict[str, Global], at: int = 0, *, inner: bool = False
    ) -> None:
        super().__init__(data, at)
        self.names, self._inner, self.storages = names, inner, False
        self.called: dict[str, Global] = {}
        self._taken: dict[int, Any] = {}

    def _take(self, value: Any, *, deep: bool = False) -> None:
        """
        Note that a call or a state has copied from a list, dict or set; *deep*: from all within.

        What is added to one later would be judged, and is not what was copied.
        """
        parts, seen = [value], set[int]()  # tuples may share tuples without end
        while parts:
            part = parts.pop()
            if id(part) in seen:
                continue
            seen.add(id(part))
            if isinstance(part, tuple):
                parts.extend(one for one in part if isinstance(one, (tuple, list, dict, set)))
            elif isinstance(part, (list, dict, set)):
                self._taken[id(part)] = part
                parts.extend(contents(part) or () if deep else ())

    def _open(self, target: Any) -> Any:
        if id(target) in self._taken:
            raise RefusalError("adds items to a value that was copied before")
        return target

    def nested(self) -> Self:
        """Return an engine for an array of objects, which holds no further one."""
        if self._inner:
            raise RefusalError("holds a joblib array within an array of objects")
        engine = type(self)(self.data, self.names, self.at, inner=True)
        engine.called = self.called
        return engine

    def find_class(self, module: str, name: str) -> Global:
        """Record a global."""
        module, name = modern_name(module, name)
        if not all(map(str.isidentifier, (*module.split("."), name))):
            kind = "dotted" if "." in name else "odd"
            raise RefusalError(f"asks for the {kind} name {name[:_SHOWN]!r} of {module[:_SHOWN]!r}")
        found = NDARRAY if (module, name) == ("numpy", "ndarray") else Global(module, name)
        return self.names.setdefault(found.key, found)

    def persistent_load(self, pid: Any) -> Any:
        """Refuse persistent ids, but for the storages of torch's tensors."""
        if not self.storages or not isinstance(pid, tuple) or pid[:1] != ("storage",):
            raise RefusalError("refers to an object outside the file (persistent id)")
        return OmittedBytes(0)

    def get_extension(self, code: int) -> Any:
        """Refuse copyreg's extension codes."""
        raise RefusalError(f"uses the copyreg extension code {code}")

    def _make(self, callee: Any, arguments: Any, keywords: Any, *, called: bool) -> Stub:
        if not isinstance(callee, Global):
            raise RefusalError("calls a computed value")
        if not isinstance(arguments, tuple) or not isinstance(keywords, dict):
            raise RefusalError(f"calls {callee.dotted} with computed arguments")
        if called and callee.key == "copyreg:_reconstructor":
            callee, arguments, called = reconstructed(arguments)
        if called:
            self.called[callee.key] = callee
        made = Stub(callee, arguments, keywords, called=called)
        self._take(arguments)
        check_call(made, called=called)
        return made

    def _instantiate(self, klass: Any, args: list[Any]) -> None:
        arguments = tuple(args)
        check_tuple(arguments)
        self.append(self._make(klass, arguments, {}, called=True))

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        made = self._make(self.stack[-1], arguments, {}, called=True)
        self.stack[-1] = plain_bytes(made)

    def load_newobj(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = self._make(self.stack[-1], arguments, {}, called=False)

    def load_newobj_ex(self) -> None:
        keywords = self.stack.pop()
        arguments = self.stack.pop()
        self.stack[-1] = self._make(self.stack[-1], arguments, keywords, called=False)

    def load_build(self) -> None:
        state = self.stack.pop()
        made = self.stack[-1]
        if isinstance(made, Global):
            raise RefusalError(f"sets attributes of {made.dotted} itself")
        if not isinstance(made, Stub) or made.built:
            raise RefusalError("sets the state of a finished value")
        check_state(state)
        self._take(state, deep=made.callee.module.partition(".")[0] in _COPIES)
        made.state, made.built = state, True
        if made.callee.key == DTYPE:
            finish_dtype(made)
        elif made.callee.key == WRAPPER:
            self.stack[-1] = self._array(made)

    def _array(self, made: Stub) -> Stub:
        made.value = read_raw_array(made, self)
        if made.value is not None:
            return made
        array = self.load_nested()
        if not isinstance(array, Stub) or array.callee.key not in RECONSTRUCTORS | FROM_BUFFER:
            raise RefusalError("holds an array of objects that is no array")
        return array

    def load_put(self) -> None:
        place = int(self.readline()[:-1])
        if not 0 <= place < _PLACES:  # the hashes of larger numbers can be made to collide
            raise RefusalError("keeps a value under a number that no pickler writes")
        self.memo[place] = self.stack[-1]

    def load_dict(self) -> None:
        items = self.pop_mark()
        self.append({})
        self._set_items(items)

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set_items([key, value])

    def load_setitems(self) -> None:
        self._set_items(self.pop_mark())

    def _set_items(self, items: list[Any]) -> None:
        check_items(items)
        pairs = zip(items[::2], items[1::2], strict=True)
        target = self._open(self.stack[-1])
        if isinstance(target, dict):
            target.update(pairs)
        else:
            unbuilt(target).entries.extend(pairs)

    def load_append(self) -> None:
        value = self.stack.pop()
        self._extend([value])

    def load_appends(self) -> None:
        self._extend(self.pop_mark())

    def _extend(self, items: list[Any]) -> None:
        check_parts(items)
        target = self._open(self.stack[-1])
        (target if isinstance(target, list) else unbuilt(target).items).extend(items)

    def load_additems(self) -> None:
        items = self.pop_mark()
        target = self._open(self.stack[-1])
        check_parts(items)
        for item in items:
            check_key(item)
        if isinstance(target, set):
            target.update(items)
        else:
            unbuilt(target).items.extend(items)

    def load_frozenset(self) -> None:
        items = self.pop_mark()
        check_parts(items)
        for item in items:
            check_key(item)
        self.append(frozenset(items))

    def load_list(self) -> None:
        items = self.pop_mark()
        check_parts(items)
        self.append(items)

    def load_tuple(self) -> None:
        self._join(self.pop_mark())

    def load_tuple1(self) -> None:
        self._join([self.stack.pop()])

    def load_tuple2(self) -> None:
        last = self.stack.pop()
        self._join([self.stack.pop(), last])

    def load_tuple3(self) -> None:
        items = self.stack[-3:]
        del self.stack[-3:]
        self._join(items)

    def _join(self, items: list[Any]) -> None:
        made = tuple(items)
        check_tuple(made)
        self.append(made)

    def load_binbytes(self) -> None:
        (size,) = struct.unpack("<I", self.read(4))
        self._keep_bytes(size)

    def load_binbytes8(self) -> None:
        (size,) = struct.unpack("<Q", self.read(8))
        self._keep_bytes(size)

    def _keep_bytes(self, size: int) -> None:
        if size > KEPT_BYTES:
            self.append(OmittedBytes(size, self.data, self.at))
            self.skip(size)
        else:
            self.append(self.read(size))

    def load_buffer(self) -> None:
        raise RefusalError("refers to a buffer outside the file")

    for _opcode, _method in (
        (pickle.PUT, load_put),
        (pickle.REDUCE, load_reduce),
        (pickle.NEWOBJ, load_newobj),
        (pickle.NEWOBJ_EX, load_newobj_ex),
        (pickle.BUILD, load_build),
        (pickle.DICT, load_dict),
        (pickle.SETITEM, load_setitem),
        (pickle.SETITEMS, load_setitems),
        (pickle.APPEND, load_append),
        (pickle.APPENDS, load_appends),
        (pickle.ADDITEMS, load_additems),
        (pickle.FROZENSET, load_frozenset),
        (pickle.LIST, load_list),
        (pickle.TUPLE, load_tuple),
        (pickle.TUPLE1, load_tuple1),
        (pickle.TUPLE2, load_tuple2),
        (pickle.TUPLE3, load_tuple3),
        (pickle.BINBYTES, load_binbytes),
        (pickle.BINBYTES8, load_binbytes8),
        (pickle.NEXT_BUFFER, load_buffer),
        (pickle.READONLY_BUFFER, load_buffer),
    ):
        dispatch[_opcode[0]] = _method


def inert_engine(data: Content, names: dict[str, Global], *, storages: bool) -> _Inert:
    """Return an engine at the start of some content; it records what is asked for in *names*."""
    engine = _Inert(data, names)
    engine.storages = storages
    return engine
