"""Lines of csv made column by column, by Arrow where it is installed: the same bytes, sooner."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from xplain_cli.explanation import FloatArray, distinct_words
from xplain_cli.output.cells import texts

# between these, Arrow writes a number that is not whole as Python does
_LEAST, _MOST = 1e-4, 1e10
_LOOKED_AT = 500


def _arrow() -> Any:
    """Return Arrow and its functions; None: it is not installed."""
    try:
        import pyarrow as pa
        import pyarrow.compute
    except ImportError:
        return None
    return pa


def _come_often(values: FloatArray) -> bool:
    """Say whether numbers repeat, as shares and edges of bins do; some of them tell."""
    some = values[:: len(values) // _LOOKED_AT] if len(values) > _LOOKED_AT else values
    return len(np.unique(some)) * 4 <= len(some)


def _numbers(arrow: Any, values: FloatArray) -> Any:
    """Return float64 numbers as the shortest text that reads back the same; NaN is empty."""
    if _come_often(values):
        # by their bits, for 0.0 and -0.0 are two texts
        places, bits = pd.factorize(np.ascontiguousarray(values).view(np.int64))
        return _each(arrow, bits.view(np.float64)).take(arrow.array(places))
    return _each(arrow, values)


def _each(arrow: Any, values: FloatArray) -> Any:
    """Return numbers as texts, each by itself."""
    size = np.abs(values)
    with np.errstate(invalid="ignore"):
        alike = (size >= _LEAST) & (size < _MOST) & (values != np.trunc(values))
    found = arrow.array(values).cast(arrow.large_string())
    if alike.all():
        return found
    others = ["" if value != value else repr(value) for value in values[~alike].tolist()]  # noqa: PLR0124 (NaN)
    others = arrow.array(others, arrow.large_string())
    return arrow.compute.replace_with_mask(found, arrow.array(~alike), others)


def _words(arrow: Any, column: "pd.Series[Any]", escape: Callable[[str], str]) -> Any:
    """Return texts, escaped once each."""
    places, words = distinct_words(column)
    escaped = arrow.array([escape(word) for word in words], arrow.large_string())
    return escaped.take(arrow.array(places))


def _column(
    arrow: Any, column: "pd.Series[Any]", escape: Callable[[str], str], *, is_integer: bool
) -> Any:
    dtype = column.dtype
    if dtype == np.float64 and not is_integer:
        return _numbers(arrow, column.to_numpy())
    if isinstance(dtype, np.dtype) and dtype.kind in "iu":
        return arrow.array(column.to_numpy()).cast(arrow.large_string())
    kinds = set(map(type, column.tolist())) if dtype.kind == "O" else set()
    if kinds == {str} or (isinstance(dtype, pd.StringDtype) and not column.hasnans):
        return _words(arrow, column, escape)
    if kinds == {float} and not is_integer:
        return _numbers(arrow, column.to_numpy(dtype=np.float64))
    return arrow.array(texts(column, escape, is_integer=is_integer), arrow.large_string())


def _joined(arrow: Any, columns: list[Any]) -> bytes:
    """Return the bytes of all lines, which lie one after the other in the array of them."""
    join, empty = arrow.compute.binary_join_element_wise, arrow.scalar("", arrow.large_string())
    comma, end = (arrow.scalar(text, arrow.large_string()) for text in (",", "\n"))
    lines = join(*columns[:-1], join(columns[-1], empty, end), comma)
    _, places, data = lines.buffers()
    ends = np.frombuffer(places, np.int64)[lines.offset : lines.offset + len(lines) + 1]
    return bytes(memoryview(data)[int(ends[0]) : int(ends[-1])])


def csv_lines(frame: pd.DataFrame, escape: Callable[[str], str], integers: frozenset[str]) -> bytes:
    """
    Return the lines of a frame as csv in UTF-8, without a header.

    Parameters
    ----------
    escape
        What is done to text.
    integers
        Names of columns of whole numbers, which floats may hold.
    """
    named = [(column, name in integers) for name, column in frame.items()]
    arrow = _arrow()
    if arrow is not None and len(frame) and named:
        try:
            columns = [_column(arrow, one, escape, is_integer=whole) for one, whole in named]
            return _joined(arrow, columns)
        except UnicodeEncodeError:
            pass  # a lone surrogate, which has no UTF-8
    cells = [texts(one, escape, is_integer=whole) for one, whole in named]
    lines = [",".join(line) for line in zip(*cells, strict=True)]
    return encoded("\n".join([*lines, ""]))


def encoded(text: str) -> bytes:
    """Return UTF-8; data may hold lone surrogates, and one such cell must not end the run."""
    return text.encode("utf-8", "backslashreplace")
