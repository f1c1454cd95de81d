"""Parameters of old files that the installed classes no longer know, and so ignore.

A pickle brings its attributes along, whatever the installed class reads of them. Where a parameter
was removed between two releases the file loads without a word and may answer otherwise:
``LogisticRegression(multi_class="ovr")`` of scikit-learn 1.6 answers by softmax from 1.8 on.
"""

import ast
import contextlib
import dis
import functools
import importlib.util
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import CodeType
from typing import Any

from xplain_cli.errors import RefusedError, with_article
from xplain_cli.models.contract import LEFTOVERS, ModelRecipe
from xplain_cli.models.pickles.dry_run import DryRun
from xplain_cli.models.pickles.object_graph import held_by
from xplain_cli.models.pickles.skew import bracketed, skew, way_out
from xplain_cli.models.pickles.stand_ins import Global, array_values, attributes, walk

_SHOWN = 5
_LONGEST = 40
_DEEPEST = 4  # decorators and functions within functions
_LIBRARIES = frozenset({"sklearn", "xgboost", "lightgbm", "catboost"})
_NO_NUMBERS = frozenset({"n_jobs", "verbose"})  # what they say decides no answer, in any release
_UNSET = "deprecated"  # scikit-learn's default of a parameter on its way out: nobody set it
_BY_NAME = frozenset({"setattr", "vars", "__dict__", "__setattr__"})
_VARIABLES = ("LOAD_FAST", "STORE_FAST", "LOAD_DEREF")
_WRAPPED = ("__func__", "__wrapped__", "fget", "fset", "func", "fn")


def _codes(value: Any, depth: int = 0) -> Iterator[CodeType]:
    """Yield the code of a function, of what it wraps, and of the functions within it."""
    if depth > _DEEPEST:
        return
    code = value if isinstance(value, CodeType) else getattr(value, "__code__", None)
    if isinstance(code, CodeType):
        yield code
        for const in code.co_consts:
            if isinstance(const, CodeType):
                yield from _codes(const, depth + 1)
    for name in _WRAPPED:
        part = getattr(value, name, None)
        if part is not None:
            yield from _codes(part, depth + 1)


def _set_on_self(code: CodeType) -> Iterator[str]:
    """Yield the attributes that code sets on ``self``: not those of other objects, such as tags."""
    mine, last = {"self", *code.co_varnames[:1]}, None
    for step in dis.get_instructions(code):
        if step.opname == "EXTENDED_ARG":
            continue
        if step.opname == "STORE_ATTR" and last in mine:
            yield step.argval
        last = step.argval if step.opname.startswith(_VARIABLES) else None
        if isinstance(last, tuple):  # newer interpreters load two at once: the second is set
            last = last[-1]


def _sets_by_name(kind: type, codes: list[CodeType]) -> bool:
    """Return whether code outside the libraries sets attributes that cannot be read off it."""
    if kind.__module__.partition(".")[0] in _LIBRARIES:
        return False
    return any(_BY_NAME & set(code.co_names) for code in codes)


@functools.cache
def _own_attributes(kind: type) -> frozenset[str] | None:
    """Return the attributes that the methods of a class set; None where that cannot be known."""
    names: set[str] = set()
    for one in kind.__mro__:
        if one is object:
            continue
        codes = [code for value in vars(one).values() for code in _codes(value)]
        compiled = any("cyfunction" in repr(value) for value in vars(one).values())
        if compiled or _sets_by_name(one, codes):
            return None
        names |= {name for code in codes for name in _set_on_self(code)}
    return frozenset(names)


@functools.cache  # a forest holds a hundred trees of one class
def _parameters(kind: type) -> frozenset[str]:
    """Return the parameters that an installed class takes, its parents' among them."""
    names: set[str] = set()
    for one in kind.__mro__:
        with contextlib.suppress(KeyError, TypeError, ValueError):  # no signature of its own
            names |= set(inspect.signature(vars(one)["__init__"]).parameters)
    return frozenset(names)


def _said_parameters(value: Any) -> set[str]:
    """Return the parameters that an estimator says it has; of a class that says nothing none."""
    # an old file may lack a newer parameter, on which get_params fails in its own way
    with contextlib.suppress(Exception):
        return set(value.get_params(deep=False))
    return set()


def _is_default(owner: Mapping[Any, Any], name: str, value: Any) -> bool:
    """Return whether a leftover is a default under which the installed class answers alike."""
    if name in _NO_NUMBERS:
        return True
    if name == "multi_class":
        # by default liblinear meant one class against the rest, which softmax is not
        several = len(owner.get("classes_", ())) > 2
        alike = not several or owner.get("solver", "") != "liblinear"
        return isinstance(value, str) and value in {_UNSET, "auto"} and alike
    return isinstance(value, str) and value == _UNSET


def _shown(value: Any) -> str:
    plain = value is None or isinstance(value, (str, bool, int, float))
    text = repr(value) if plain else ""
    return text if plain and len(text) <= _LONGEST else with_article(type(value).__name__)


def _leftovers_of(kind: type, held: Mapping[Any, Any], value: Any = None) -> Iterator[str]:
    """Yield the leftovers among the attributes of an estimator, *value* if it is loaded."""
    own = {name for name in held if isinstance(name, str)}
    odd = {name for name in own if not name.startswith("_") and not name.endswith("_")}
    odd -= _parameters(kind)
    odd -= _said_parameters(value) if odd else set()
    known = _own_attributes(kind) if odd else None
    if known is None:
        return
    for name in sorted(odd - known):
        if not _is_default(held, name, held[name]):
            yield f"{kind.__name__}.{name}={_shown(held[name])}"


def find_leftovers(root: Any) -> tuple[str, ...]:
    """
    Return the parameters in a model that its installed classes do not know, as CLASS.NAME=VALUE.

    These are the attributes of estimators that are no parameter, not made by fitting (names that
    begin or end with ``_``), and set by no method of the class.
    """
    found = [
        one
        for value in held_by(root)
        if not isinstance(value, type) and hasattr(value, "get_params")
        if hasattr(value, "__dict__")
        for one in _leftovers_of(type(value), vars(value), value)
    ]
    return tuple(sorted(set(found)))


@functools.cache
def _written_parameters(module: str, name: str) -> frozenset[str]:
    """Return the parameters of a class by the source of its package, which is not imported."""
    package, *path = module.split(".")
    spec = importlib.util.find_spec(package)
    for folder in spec.submodule_search_locations or () if spec else ():
        base = Path(folder, *path)
        for file in (base.with_suffix(".py"), base / "__init__.py"):
            if file.is_file():
                return frozenset(_init_arguments(ast.parse(file.read_bytes()), name))
    return frozenset()


def _init_arguments(tree: ast.Module, name: str) -> Iterator[str]:
    kinds = (one for one in tree.body if isinstance(one, ast.ClassDef) and one.name == name)
    for part in (part for kind in kinds for part in kind.body):
        if isinstance(part, ast.FunctionDef) and part.name == "__init__":
            yield from (one.arg for one in (*part.args.args, *part.args.kwonlyargs))


def _looks_odd(callee: Global, held: Mapping[Any, Any]) -> bool:
    """Say whether an estimator states what may be no parameter of the installed class."""
    own = {name for name in held if isinstance(name, str)}
    public = {name for name in own if not name.startswith("_") and not name.endswith("_")}
    return not public <= _written_parameters(callee.module, callee.name)


def stated_leftovers(run: DryRun) -> tuple[str, ...]:
    """
    Return the leftovers that a pickle states of scikit-learn's classes, which nothing has loaded.

    Only installed classes of scikit-learn are looked at; they are imported where a file states
    more of them than the parameters in their source.
    """
    found: set[str] = set()
    for value, _ in walk(run.root):
        held = attributes(value)
        if "_sklearn_version" not in held or not value.callee.module.startswith("sklearn."):
            continue
        if not _looks_odd(value.callee, held):
            continue
        with contextlib.suppress(ImportError, AttributeError):  # loading it will say that
            kind = getattr(importlib.import_module(value.callee.module), value.callee.name)
            classes = array_values(held.get("classes_")) or ()
            if isinstance(kind, type):
                found |= set(_leftovers_of(kind, {**held, "classes_": classes}))
    return tuple(sorted(found))


def check_leftovers(recipe: ModelRecipe, root: Any, version: str | None) -> tuple[str, ...]:
    """
    Return the leftovers of a model that the user accepts.

    Parameters
    ----------
    version
        The scikit-learn that the file states; None: none.

    Raises
    ------
    RefusedError
        There are some, and the recipe does not accept them.
    """
    found = find_leftovers(root)
    if not found or LEFTOVERS in recipe.accept:
        return found
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    older = f"{way_out(version)}; or, " if skew(version) else ""
    raise RefusedError(
        f"{recipe.source}: holds {', '.join(found[:_SHOWN])}{more}, which the installed version"
        f" does not know: it may answer otherwise than the one that fitted it{bracketed(version)};"
        f" {older}if its answers without {'it' if len(found) == 1 else 'them'} are the ones to"
        " explain: --accept leftovers"
    )


def leftover_notes(found: tuple[str, ...]) -> tuple[str, ...]:
    """Return what the user should read of accepted leftovers."""
    if not found:
        return ()
    listed = ", ".join(found)
    return (f"accepted leftovers: {listed}; the installed version does not know them",)
