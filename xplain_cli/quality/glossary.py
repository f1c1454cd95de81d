"""What every word of the output means: the one source of ``xplain explain``, page and docs.

The words themselves stand in ``glossary.toml``.
"""

import re
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from xplain_cli.errors import UsageError, nearest

_SOURCE = "glossary.toml"
_ALSO = "also"


@cache
def sections() -> dict[str, dict[str, str]]:
    """Return the terms with their meanings, by section, in the order in which they are read."""
    text = (files("xplain_cli.quality") / _SOURCE).read_text(encoding="utf-8")
    document: dict[str, dict[str, str]] = tomllib.loads(text)
    return document


@cache
def terms() -> dict[str, str]:
    """Return every term with its meaning."""
    found: dict[str, str] = {}
    for title, held in sections().items():
        found |= {} if title == _ALSO else held
    return found


def _key(text: str) -> str:
    """Return a spelling in which signs, blanks, capitals and the K of "in top K" do not count."""
    words = re.sub(r"[\s_\u2212+-]+", " ", text).strip().casefold()
    return re.sub(r"^in top \d+$", "in top k", words)


@cache
def _names() -> dict[str, str]:
    """Return the term of each spelling; what is a term itself is no other spelling of one."""
    also = {_key(spelling): name for spelling, name in sections()[_ALSO].items()}
    return also | {_key(name): name for name in terms()}


def find_term(text: str) -> str:
    """
    Return the term that a spelling stands for.

    Raises
    ------
    UsageError
        There is none.
    """
    key = _key(text)
    found = _names().get(f"exit code {key}" if key.isdecimal() else key)
    if found is None:
        hint = nearest(key, _names()) or "; xplain explain lists all of them"
        raise UsageError(f"{text!r} is no term of the output{hint}")
    return found


def meanings(names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return some terms with their meanings, each once, in the order of their names."""
    found = dict.fromkeys(find_term(name) for name in names)
    return tuple((name, terms()[name]) for name in found)


def as_markdown() -> str:
    """Return the whole glossary as a page of the docs."""
    lines = ["# Glossary", "", "Every word that an output prints; `xplain explain TERM` tells one."]
    for title, held in sections().items():
        if title != _ALSO:
            lines += ["", f"## {title}", ""]
            lines += [f"- `{name}`: {meaning}" for name, meaning in held.items()]
    return "\n".join(lines) + "\n"
