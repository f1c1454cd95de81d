"""Which vectorisers find the same terms in a text as in its pieces between blanks.

A bag of words can be counted piece by piece only where no term reaches over a blank, and where none
depends on what stands behind one. That is read off the vectoriser, not tried.
"""

import importlib
import re
import sys
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

_BORDERS = frozenset({"AT_BOUNDARY", "AT_NON_BOUNDARY"})
# a category of characters -> whether it takes blanks
_CATEGORIES = {
    "CATEGORY_DIGIT": False,
    "CATEGORY_NOT_DIGIT": True,
    "CATEGORY_SPACE": True,
    "CATEGORY_NOT_SPACE": False,
    "CATEGORY_WORD": False,
    "CATEGORY_NOT_WORD": True,
}


@cache
def _blanks() -> tuple[str, ...]:
    """Return all blanks there are, looked for once and only where a pattern is read."""
    return tuple(chr(code) for code in range(sys.maxunicode + 1) if chr(code).isspace())


def _takes(blank: str, items: Iterable[tuple[Any, Any]]) -> bool:
    """Tell whether a set of characters in a pattern takes a blank."""
    negated = False
    for kind, value in items:
        match str(kind):
            case "NEGATE":
                negated = True
            case "LITERAL" if value == ord(blank):
                return not negated
            case "RANGE" if value[0] <= ord(blank) <= value[1]:
                return not negated
            case "CATEGORY" if _CATEGORIES.get(str(value), True):
                return not negated
    return negated


def _inside(kind: str, value: Any) -> list[Any] | None:
    """Return the patterns inside one part of a pattern; None: a part that is not known."""
    match kind:
        case "BRANCH":
            return list(value[1])
        case "SUBPATTERN":
            _, added, _, inner = value
            return None if added & re.ASCII else [inner]
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            return [value[2]]
        case "ASSERT" | "ASSERT_NOT":
            return [value[1]]
        case "ATOMIC_GROUP":
            return [value]
    return None


def _stays_between_blanks(parsed: Any) -> bool:
    """Tell whether no part of a pattern takes a blank or knows the ends of a text."""
    for op, value in parsed:
        kind = str(op)
        if kind == "LITERAL":
            ok = not chr(value).isspace()
        elif kind == "IN":
            ok = not any(_takes(blank, value) for blank in _blanks())
        elif kind == "AT":
            ok = str(value) in _BORDERS
        else:
            parts = _inside(kind, value)
            ok = parts is not None and all(map(_stays_between_blanks, parts))
        if not ok:
            return False
    return True


def finds_pieces(pattern: str) -> bool:
    """
    Tell whether a pattern finds the same in a text as in its pieces between blanks.

    It does where it takes no blank, matches nothing empty, and asks at most whether a word begins
    or ends: a blank is then to it what the end of a text is.
    """
    try:  # Python's own reading of a pattern; where it is not to be had, nothing is claimed
        parser: Any = importlib.import_module("re._parser")
        parsed = parser.parse(pattern)
        flags = re.compile(pattern).flags
    except (ImportError, re.error, RecursionError, TypeError):
        return False
    if flags & re.ASCII:  # to \S, blanks beyond ASCII are none; (?a:...) is an unknown part
        return False
    return parsed.getwidth()[0] > 0 and _stays_between_blanks(parsed)


def _is_own(vectoriser: Any) -> bool:
    """Tell whether a vectoriser is scikit-learn's, with no function of the user's in it."""
    from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer

    if type(vectoriser) not in {CountVectorizer, HashingVectorizer, TfidfVectorizer}:
        return False
    own = (vectoriser.preprocessor, vectoriser.tokenizer, vectoriser.analyzer)
    return (
        not any(map(callable, (*own, vectoriser.strip_accents)))
        and vectoriser.input == "content"
        and not vars(vectoriser).keys() & set(dir(type(vectoriser)))
    )


def counts_pieces(vectoriser: Any) -> bool:
    """Tell whether a fitted vectoriser counts in a text what it counts in its pieces."""
    if not _is_own(vectoriser):
        return False
    if vectoriser.analyzer == "word":
        # terms of no word stand between all words: one more in a text than in its two halves
        return vectoriser.ngram_range[0] > 0 and finds_pieces(vectoriser.token_pattern)
    return bool(vectoriser.analyzer == "char_wb")


def keeps_blanks(prepare: Callable[[str], str], text: str) -> bool:
    """Tell whether every blank of a text is still one when case and accents are taken away."""
    return all(prepare(blank).isspace() for blank in set(text) if blank.isspace())
