"""Cache of what rows share, such as masks: the least recently used goes, by a limit in bytes."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Cache(Generic[T]):
    """
    Values by key, the least recently used dropped first.

    Parameters
    ----------
    size
        Returns the bytes that a value will take.
    limit
        Bytes of all values together; the latest one stays even if it is larger.
    """

    def __init__(self, size: Callable[[T], int], limit: int) -> None:
        self._size = size
        self._limit = limit
        self._values: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the value of a key, made if it is not kept."""
        if key not in self._values:
            value = make()
            self._values[key] = (value, self._size(value))
            while len(self._values) > 1 and self.held > self._limit:
                self._values.popitem(last=False)
        self._values.move_to_end(key)
        return self._values[key][0]

    @property
    def held(self) -> int:
        """Bytes of all values."""
        return sum(size for _, size in self._values.values())
