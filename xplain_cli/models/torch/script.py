"""TorchScript: a program in a language of its own, of which only harmless operators pass."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from xplain_cli.errors import RefusedError
from xplain_cli.models.pickles.dry_run import dry_run
from xplain_cli.models.torch.archive import EXPORT, REFUSED, foreign_names

_WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_GETATTR = re.compile(r"\bgetattr\(\w+, \"\w+\"\)|\bgetattr\b", re.ASCII)
_OPS = re.compile(r"\bops\b(\.(?:aten|prims?)\.)?", re.ASCII)
_NAMESPACES = frozenset({"aten", "prim", "prims"})
_LANGUAGE = frozenset({"annotate"})  # also the name of a foreign operator
_PICKLES = ("data.pkl", "constants.pkl")
_HELPERS = re.compile(r"torch\.jit\._pickle\.(build_\w+list|restore_type_tag)", re.ASCII)
_TYPES = re.compile(r"__torch__\.(?!torch\.classes\.).*", re.ASCII)
# an operator that takes a text as anything else could be given the name of a file
_TEXTS = frozenset({
    *("UPLO", "approximate", "driver", "equation", "indexing", "interpolation", "mode", "norm"),
    *("ord", "p", "pad_mode", "padding", "padding_side", "reduce", "rounding_mode", "side"),
    *("a", "b", "assert_msg", "chars", "cls", "dict", "el", "fillchar", "idx", "ind", "input"),
    *("inputs", "item", "key", "l", "message", "msg", "new", "old", "s", "self", "separator"),
    *("string", "substr", "t", "to_add", "type", "values", "api_name", "device_type"),
})


def is_harmless(schema: Any) -> bool:
    """Return whether an operator is torch's own and takes no text but modes and messages."""
    return schema.name.partition("::")[0] in _NAMESPACES and all(
        one.name in _TEXTS for one in schema.arguments if "str" in _WORD.findall(str(one.type))
    )


@cache
def _refused_operators() -> frozenset[str]:
    """Return the bare names of operators that a program must not use."""
    import torch

    own, foreign, bad = set[str](), set[str](), set[str]()
    for schema in torch._C._jit_get_all_schemas():  # noqa: SLF001  # torch offers no other list
        namespace, _, name = schema.name.partition("::")
        (own if namespace in _NAMESPACES else foreign).add(name)
        if namespace in _NAMESPACES and not is_harmless(schema):
            bad.add(name)
    return frozenset(bad | (foreign - own - _LANGUAGE))


def _odd_words(code: str) -> Iterable[str]:
    """Yield what a program must not use: an operator may be reached by its bare name."""
    if any("(" not in found for found in _GETATTR.findall(code)):
        yield "getattr"
    if not all(_OPS.findall(code)):
        yield "operators that are not torch's own"
    refused = _refused_operators()
    yield from (word for word in _WORD.findall(code) if word in refused)


def _odd_names(content: bytes) -> Iterable[str]:
    run = dry_run(content, storages=True)
    yield from (f"({reason})" for reason in run.refusals)
    for name in foreign_names(run):
        if not _HELPERS.fullmatch(name) and not _TYPES.fullmatch(name):
            yield name


def _refuse(path: str, odd: Sequence[str]) -> None:
    if odd:
        raise RefusedError(
            f"{path}: {REFUSED}: its TorchScript uses {', '.join(dict.fromkeys(odd))};"
            f" export it: {EXPORT}; or if you made this file yourself: --trust-model"
        )


def judge_pickles(path: str, members: Mapping[str, bytes]) -> None:
    """
    Judge the pickles of a TorchScript program; torch is not imported.

    Raises
    ------
    RefusedError
        They ask for more than tensors and the program's own classes.
    """
    held = [members[name] for name in _PICKLES if name in members]
    _refuse(path, [name for content in held for name in _odd_names(content)])


def judge_code(path: str, members: Mapping[str, bytes]) -> None:
    """
    Judge the code of a TorchScript program by the operators of the installed torch.

    Raises
    ------
    RefusedError
        It uses more than torch's harmless operators.
    """
    codes = [content for name, content in members.items() if name.endswith(".py")]
    _refuse(path, [odd for code in codes for odd in _odd_words(code.decode("utf-8", "replace"))])
