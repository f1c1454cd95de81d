"""Write the page that says what a model file may hold, from the list that the door reads."""

# ruff: noqa: INP001  # a folder of scripts

from collections import defaultdict
from typing import Any

_HEAD = """# What a model file may hold

Made by `.ci/make_allowlist.py` from the list that the door reads,
`xplain_cli/models/pickles/allowed.json`. Do not edit it by hand.

A pickle, joblib or skops file is followed before anything in it is imported. Every part of it is
held to what the writer of that part writes, as it was seen in real files of fitted models:

- **Names.** A class or function that is not below is refused, with the place where the file holds
  it.
- **How a part is made.** Each class may be made with the arguments that its own pickler writes
  (number and kinds), and with no others; functions below are held by models, and called only
  where "made by" says so.
- **What a part holds.** An attribute may hold data (numbers, texts, arrays, and lists, tuples,
  sets and dicts of them) and, beyond that, what stands beside it below. An attribute that was
  never seen may hold data and estimators. None may hide a method.
- **Words that name methods** come from short lists: `stack_method`, `response_method`,
  `chain_method` and what is made of them name a prediction; `importance_getter` names
  importances; `input` is `content`; `memory` is None.
- **Arrays that compiled code indexes** are checked: nodes of trees lie behind their parents,
  indices of sparse matrices lie within their shape, splits name columns that exist.
- **Sizes** are known before anything is allocated: an array holds as many bytes as its shape asks
  for.

A role stands for several classes: `estimator` is any estimator below. `name:` marks a function or
class that is held, not called. Kinds of arrays: `n` numbers, `s` texts, `t` times, `O` objects,
`V` records.
"""
_WHY = {
    "estimator": "models and transformers: asked to predict and to transform, nothing else",
    "collection": "collections: what they hold counts as held by whatever holds them",
    "compiled loss": "losses in compiled code: numbers in, numbers out",
    "distance": "distances of neighbours, in compiled code",
    "frame": "tables and columns of pandas: only as values of their own, never in an estimator",
    "index": "names of columns and levels of categories",
    "kernel": "kernels of Gaussian processes",
    "link": "links between scores and answers",
    "loss": "losses of boosted trees and linear models",
    "masked": "arrays with a mask, in the results of searches",
    "matrix": "sparse matrices, checked before they are used",
    "neighbour tree": "trees of neighbours, checked before they are used",
    "optimizer": "what a neural network was fitted by: not used by predictions",
    "scorer": "scores of searches: not used by predictions",
    "splitter": "how a search cut its rows: not used by predictions",
    "stream": "random streams",
    "type": "types of numbers, as values of `dtype`",
    "ufunc": "functions of one array that NumPy and SciPy compile: numbers in, numbers out",
    "array": "arrays and numbers of NumPy, followed byte by byte",
    "slice": "ranges of columns",
}


def _kinds(kinds: list[str]) -> str:
    return " or ".join(f"`{kind}`" for kind in kinds) or "anything empty"


def _patterns(patterns: list[list[list[str]]]) -> str:
    shown = ["(" + ", ".join(_kinds(place) for place in one) + ")" for one in patterns]
    return "; ".join(one for one in shown)


def _line(key: str, record: dict[str, Any]) -> str:
    parts = []
    if record.get("call"):
        parts.append(f"made by a call with {_patterns(record['call'])}")
    if any(record.get("new", [])):
        parts.append(f"made with {_patterns(record['new'])}")
    if record.get("states"):
        parts.append(f"state {_patterns(record['states'])}")
    held = {name: kinds for name, kinds in record.get("attributes", {}).items() if kinds}
    if held:
        parts.append(
            "holds " + ", ".join(f"{name}: {_kinds(kinds)}" for name, kinds in held.items())
        )
    return f"- `{key.replace(':', '.')}`" + (f": {'; '.join(parts)}" if parts else "")


def page(names: dict[str, dict[str, Any]]) -> str:
    """Return the page."""
    groups: dict[str, list[str]] = defaultdict(list)
    for key, record in sorted(names.items()):
        if "as" in record:
            groups["older names"].append(
                f"- `{key.replace(':', '.')}`: as `{record['as'].replace(':', '.')}`"
            )
        else:
            role = record.get("role", "")
            groups[role if role in _WHY else "others"].append(_line(key, record))
    lines = [_HEAD]
    for role in (*_WHY, "others", "older names"):
        if groups.get(role):
            why = f": {_WHY[role]}" if role in _WHY else ""
            lines += [f"\n## {role.capitalize()} ({len(groups[role])}){why}\n", *groups[role]]
    return "\n".join(lines) + "\n"
