"""Python's own unpickler, reading from memory: the one engine of the dry run and the strict load.

Both follow the same opcodes and the same raw arrays from the same bytes, so they cannot disagree
on what the bytes mean. Frames, which only tell a reader how far to read ahead, must fit.
"""

import gc
import io
import mmap
import pickle
import struct
from collections.abc import Callable
from typing import Any, ClassVar, Self, TypeAlias

Content: TypeAlias = bytes | mmap.mmap
"""Bytes in memory that belongs to this process alone; a large file lies in a private map."""

_BROKEN_FRAME = "has a frame that does not fit"
_CUT = "cut short"
_BINGET, _BININT1, _MEMOIZE = pickle.BINGET[0], pickle.BININT1[0], pickle.MEMOIZE[0]


# the opcodes are overridden, so the private pure-Python engine is the only one that serves
class Engine(pickle._Unpickler):  # noqa: SLF001  # as above
    """
    Python's unpickler over the whole content.

    Attributes
    ----------
    data
        The content.
    at
        The byte that is read next.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)  # noqa: SLF001  # same
    # attributes of the engine that typeshed leaves out
    stack: list[Any]
    metastack: list[list[Any]]
    proto: int
    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]
    memo: dict[int, Any]

    def __init__(self, data: Content, at: int = 0) -> None:
        super().__init__(io.BytesIO())
        self.data, self.at, self._frame_end = data, at, 0

    def nested(self) -> Self:
        """Return an engine for the pickle of an array of objects, which starts here."""
        raise NotImplementedError

    def load(self) -> Any:
        """
        Follow the opcodes up to the end of the pickle, and return what they make.

        Raises
        ------
        EOFError
            The content ends before the pickle does.
        pickle.UnpicklingError
            The opcodes, or their frames, are broken.
        """
        self.metastack, self.stack, self.proto = [], [], 0
        self.append = self.stack.append
        collecting = gc.isenabled()
        gc.disable()  # a load leaves nothing to collect, and looking for it takes as long again
        try:
            self._follow()
        except pickle._Stop as stop:  # type: ignore[attr-defined]  # noqa: SLF001  # its only end
            self.leave_frame()
            return stop.value
        finally:
            if collecting:
                gc.enable()
        raise EOFError(_CUT)

    def _follow(self) -> None:
        """Follow the opcodes; the three commonest, half of all in a model, without a call."""
        data, size, dispatch, memo = self.data, len(self.data), self.dispatch, self.memo
        at = self.at
        try:
            while at < size:
                code = data[at]
                if code == _BINGET:
                    self.append(memo[data[at + 1]])
                    at += 2
                elif code == _MEMOIZE:
                    memo[len(memo)] = self.stack[-1]
                    at += 1
                elif code == _BININT1:
                    self.append(data[at + 1])
                    at += 2
                else:
                    self.at = at + 1
                    dispatch[code](self)
                    at = self.at
        finally:
            self.at = max(at, self.at)

    def load_nested(self) -> Any:
        """Return what the pickle that starts here makes, and go on behind it."""
        engine = self.nested()
        made = engine.load()
        self.at = engine.at
        return made

    def read(self, size: int) -> bytes:
        """Return the next bytes, all of them."""
        start = self.at
        self.skip(size)
        return self.data[start : self.at]

    def skip(self, size: int) -> None:
        """Go on behind the next bytes."""
        if not 0 <= size <= len(self.data) - self.at:
            raise EOFError(_CUT)
        self.at += size

    def readline(self) -> bytes:
        """Return the next line with its end."""
        end = self.data.find(b"\n", self.at)
        if end < 0:
            raise EOFError(_CUT)
        return self.read(end + 1 - self.at)

    def leave_frame(self) -> None:
        """
        Ask that no frame reaches beyond this byte.

        Raises
        ------
        pickle.UnpicklingError
            One does: a reader that buffers frames would go on elsewhere.
        """
        if self.at < self._frame_end:
            raise pickle.UnpicklingError(_BROKEN_FRAME)

    def _open_frame(self) -> None:
        (size,) = struct.unpack("<Q", self.read(8))
        self.leave_frame()
        if size > len(self.data) - self.at:
            raise pickle.UnpicklingError(_BROKEN_FRAME)
        self._frame_end = self.at + size

    def _push_bytearray(self) -> None:
        (size,) = struct.unpack("<Q", self.read(8))
        self.append(bytearray(self.read(size)))

    for _opcode, _method in (
        (pickle.FRAME, _open_frame),
        (pickle.BYTEARRAY8, _push_bytearray),
    ):
        dispatch[_opcode[0]] = _method
