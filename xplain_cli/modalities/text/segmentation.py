"""Splits a text into units: words by Unicode's rules, characters, sentences, patterns.

A unit is a span (start, end) in code points; what lies between units belongs to no unit and stays
whatever is taken away.
"""

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeAlias

from xplain_cli.errors import ModelDiedError, RefusedError, UsageError, nearest
from xplain_cli.models.callables import extend_path
from xplain_cli.models.user_code import run_user_code

Span: TypeAlias = tuple[int, int]

UNITS = ("word", "char", "sentence")
"""Units by name; ``regex=PATTERN`` and ``package.module:callable`` are further ones."""

# scripts whose words no space parts: a dictionary finds them, Unicode's rules do not
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\u30FC\u3005"
_CARRIES = r"[\p{L}\p{N}\p{M}_\p{Extended_Pictographic}\p{Regional_Indicator}]"
_SENTENCE = r"[^\s](?:[^.!?\u2026\u3002\uFF01\uFF1F\u0964\u0965\u061F\u06D4\n]|[.!?\u2026\u061F\u06D4](?![\"'\u2019\u201D)\]]*(?:\s|$)))*[.!?\u2026\u3002\uFF01\uFF1F\u0964\u0965\u061F\u06D4]*[\"'\u2019\u201D)\]]*"  # noqa: E501  # one class of marks, readable only whole


@lru_cache(maxsize=16)
def _compiled(pattern: str) -> Any:
    import regex

    return regex.compile(pattern, regex.V1)


def has_dictionary() -> bool:
    """Return whether the package that knows the words of unspaced scripts is installed."""
    return importlib.util.find_spec("icu4py") is not None


def _dictionary_words(text: str, start: int) -> Iterator[Span]:
    from icu4py.breakers import WordBreaker

    carries = _compiled(_CARRIES)
    for word in WordBreaker(text, "und"):
        end = start + len(word)
        if carries.search(word):
            yield start, end
        start = end


def _plain_words(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield what lies between Unicode's word boundaries and holds a letter, digit or emoji."""
    carries = _compiled(_CARRIES)
    cuts = [cut.start() for cut in _compiled(r"(?w)\b").finditer(text, start, end)]
    bounds = sorted({start, *cuts, end})
    for low, high in pairwise(bounds):
        if carries.search(text, low, high):
            yield low, high


def split_words(text: str, *, dictionary: bool) -> list[Span]:
    """
    Return the words of a text (Unicode Standard Annex 29).

    Runs of scripts without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) are split by
    ICU's dictionaries with *dictionary*, else into characters.
    """
    if not dictionary:
        return list(_plain_words(text, 0, len(text)))
    spans: list[Span] = []
    at = 0
    for run in _compiled(f"[{_UNSPACED}]+").finditer(text):
        spans.extend(_plain_words(text, at, run.start()))
        spans.extend(_dictionary_words(run.group(), run.start()))
        at = run.end()
    spans.extend(_plain_words(text, at, len(text)))
    return spans


def is_unspaced(text: str) -> bool:
    """Return whether a text has words that no space parts."""
    return _compiled(f"[{_UNSPACED}]").search(text) is not None


def _graphemes(text: str) -> list[Span]:
    return [m.span() for m in _compiled(r"\X").finditer(text) if not m.group().isspace()]


def _matches(pattern: str, text: str) -> list[Span]:
    return [m.span() for m in _compiled(pattern).finditer(text) if m.end() > m.start()]


def split_sentences(text: str) -> list[Span]:
    """Return sentences: up to a closing mark before a blank, or to the end of the line."""
    carries = _compiled(_CARRIES)
    found = [m.span() for m in _compiled(_SENTENCE).finditer(text)]
    return [(low, high) for low, high in found if carries.search(text, low, high)]


@lru_cache(maxsize=4)
def _function(name: str) -> Callable[[str], Sequence[Span]]:
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except Exception as error:  # the user's module may raise anything
        raise RefusedError(
            f"--unit {name}: importing {module} failed: {type(error).__name__}: {error};"
            " --python-path names its folder"
        ) from error
    if not callable(found):
        raise RefusedError(f"--unit {name}: {module} has no callable {attribute!r}")
    return found  # type: ignore[no-any-return]  # the user's own; what it returns is checked


def _run(name: str, work: Callable[..., Any], *values: Any) -> Any:
    """Call a function that calls the user's, where that may end the process."""
    try:
        return run_user_code(work, name, *values)
    except ModelDiedError as error:
        raise ModelDiedError(
            f"--unit {name}: the process that runs it {error.reason}", error.reason
        ) from error


def _import_function(name: str, folders: Sequence[str]) -> None:
    extend_path(folders)
    _function(name)


def _spans(name: str, text: str) -> list[Span]:
    return [(int(low), int(high)) for low, high in _function(name)(text)]


def _called(name: str, text: str) -> list[Span]:
    spans: list[Span] = _run(name, _spans, text)
    at = 0
    for low, high in spans:
        if not at <= low < high <= len(text):
            raise ValueError(
                f"--unit {name} gave ({low}, {high}) for a text of {len(text)} code points; spans"
                " are (start, end), in order, and do not overlap"
            )
        at = high
    return spans


def check_unit(unit: str, python_path: Sequence[str] = ()) -> None:
    """
    Check what ``--unit`` asks for, before the first text.

    Parameters
    ----------
    unit
        What it names.
    python_path
        Folders that a callable's module may lie in.

    Raises
    ------
    UsageError
        An unknown name, or a pattern that is none.
    RefusedError
        A callable that cannot be imported.
    """
    if unit.startswith("regex="):
        import regex

        try:
            _compiled(unit.removeprefix("regex="))
        except regex.error as error:
            raise UsageError(f"--unit {unit}: not a pattern: {error}") from error
    elif ":" in unit:
        _run(unit, _import_function, tuple(python_path))
    elif unit not in UNITS:
        raise UsageError(
            f"--unit {unit!r} is not one of {', '.join(UNITS)}, regex=PATTERN,"
            f" package.module:callable{nearest(unit, UNITS)}"
        )


def split_units(text: str, unit: str, *, dictionary: bool) -> list[Span]:
    """
    Return the units of a text, in order.

    Raises
    ------
    ValueError
        A user's callable gave spans that are none.
    """
    if unit == "word":
        return split_words(text, dictionary=dictionary)
    if unit == "char":
        return _graphemes(text)
    if unit == "sentence":
        return split_sentences(text)
    if unit.startswith("regex="):
        return _matches(unit.removeprefix("regex="), text)
    return _called(unit, text)
