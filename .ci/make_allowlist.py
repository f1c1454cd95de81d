"""Make xplain_cli/models/pickles/allowed.json and the page about it from real files.

Every value of ``fitted_values`` is stored in every form, and what its files name, how they make
each part and what each attribute holds is noted. Run it under each supported scikit-learn: what it
finds is added to what is listed already, because a file of an older version is written otherwise.
``--fresh`` starts from nothing. What it adds is to be read before it is committed: the page
``.github/ALLOWED.md`` says it in words.
"""

# ruff: noqa: INP001  # a folder of scripts

import argparse
import contextlib
import importlib
import inspect
import io
import json
import pickle
import sys
import warnings
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from fitted_values import all_values

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from allowed_page import page

from xplain_cli.models.pickles.dry_run import dry_run
from xplain_cli.models.pickles.kinds import (
    CONTAINERS,
    WITHIN,
    PartBudget,
    array_dtype,
    is_data,
    kinds_of,
)
from xplain_cli.models.pickles.stand_ins import Stub, attributes, walk

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "xplain_cli" / "models" / "pickles" / "allowed.json"
PAGE = ROOT / ".github" / "ALLOWED.md"

DENIED_MODULES = (
    "__main__",
    "_frozen_importlib",
    "_io",
    "_pickle",
    "builtins",  # but for ALWAYS
    "cloudpickle",
    "ctypes",
    "functools",  # partial calls what it is given
    "importlib",
    "io",
    "joblib",  # but for the array wrapper: load, Memory, and a wrapper that reads other files
    "nt",
    "numpy.ctypeslib",
    "numpy.f2py",
    "numpy.lib",
    "numpy.testing",
    "operator",
    "os",
    "pandas.io",
    "pickle",
    "posix",
    "pydoc",
    "re",
    "runpy",
    "scipy.stats",  # frozen distributions exec a template that lies in their state
    "shutil",
    "sklearn.datasets",
    "sklearn.externals",
    "sklearn.utils._testing",
    "subprocess",
    "sys",
    "types",
)
DENIED_NAMES = frozenset({
    "__import__",
    "_ufunc_reconstruct",  # imports any module and gets any attribute
    "attrgetter",
    "eval",
    "exec",
    "fromfile",
    "getattr",
    "load",
    "loads",
    "memmap",
    "open",
    "partial",
    "vectorize",
})
_PLAIN = ("bytearray", "bytes", "complex", "frozenset", "range", "set", "slice")
_HELD = ("bool", "dict", "float", "int", "list", "object", "str", "tuple")
_NUMBER = ["int", "none", "scalar:n"]
ALWAYS: dict[str, dict[str, Any]] = {
    "_codecs:encode": {"role": "bytes", "call": [[["str"], ["str"]]]},
    "builtins:bytearray": {"role": "bytearray", "call": [[], [["bytes"]], [["str"], ["str"]]]},
    "builtins:bytes": {"role": "bytes", "call": [[]]},
    "builtins:complex": {"role": "complex", "call": [[["float", "int"], ["float", "int"]]]},
    "builtins:range": {"role": "slice", "call": [[["int"], ["int"], ["int"]]]},
    "builtins:slice": {"role": "slice", "call": [[_NUMBER, _NUMBER, _NUMBER]]},
    **{f"builtins:{name}": {"role": "type"} for name in _HELD},
    "copyreg:_reconstructor": {"role": "maker"},
    "joblib.numpy_pickle:NumpyArrayWrapper": {"role": "array"},
    "numpy:dtype": {"role": "dtype"},
    "numpy:ndarray": {"role": "ndarray"},
    "pandas:NA": {"role": "index"},
    **{
        f"{core}.{name}": {"role": "array"}
        for core in ("numpy._core", "numpy.core")
        for name in ("multiarray:_reconstruct", "multiarray:scalar", "numeric:_frombuffer")
    },
}
"""Names that the dry run itself follows or holds to one form, and plain values."""

OLDER = {
    "pandas._libs.missing:NA": "pandas:NA",
    "pandas.core.arrays.categorical:Categorical": "pandas:Categorical",
    "pandas.core.arrays.string_arrow:ArrowStringArray": "pandas.arrays:ArrowStringArray",
    "pandas.core.dtypes.dtypes:CategoricalDtype": "pandas:CategoricalDtype",
    "pandas.core.frame:DataFrame": "pandas:DataFrame",
    "pandas.core.indexes.base:Index": "pandas:Index",
    "pandas.core.indexes.range:RangeIndex": "pandas:RangeIndex",
    "pandas.core.series:Series": "pandas:Series",
    "numpy.ma.core:MaskedArray": "numpy.ma:MaskedArray",
    "scipy.interpolate._bsplines:_BSpline": "scipy.interpolate._bsplines:BSpline",
    "sklearn.linear_model._sgd_fast:Huber": "sklearn.linear_model._sgd_fast:Hinge",
    "sklearn.linear_model._sgd_fast:Log": "sklearn.linear_model._sgd_fast:ModifiedHuber",
    "sklearn.linear_model._sgd_fast:SquaredLoss": "sklearn.linear_model._sgd_fast:ModifiedHuber",
    "sklearn.model_selection._classification_threshold:_CurveScorer": (
        "sklearn.metrics._scorer:_CurveScorer"
    ),
}
"""Names that files of older versions use for what is listed under a newer one."""

_BASES = {
    "estimator": ("sklearn.base:BaseEstimator", "catboost.core:_CatBoostBase"),
    "kernel": ("sklearn.gaussian_process.kernels:Kernel",),
    "splitter": (
        *("sklearn.model_selection:BaseCrossValidator", "sklearn.model_selection:BaseShuffleSplit"),
        "sklearn.model_selection._split:_UnsupportedGroupCVMixin",
    ),
    "loss": ("sklearn._loss.loss:BaseLoss",),
    "compiled loss": (
        *("sklearn._loss._loss:CyLossFunction", "sklearn.linear_model._sgd_fast:Classification"),
        "sklearn.linear_model._sgd_fast:Regression",
    ),
    "link": ("sklearn._loss.link:BaseLink",),
    "distance": ("sklearn.metrics._dist_metrics:DistanceMetric",),
    "optimizer": ("sklearn.neural_network._stochastic_optimizers:BaseOptimizer",),
    "scorer": (
        *("sklearn.metrics._scorer:_BaseScorer", "sklearn.metrics._scorer:_PassthroughScorer"),
        "sklearn.metrics._scorer:_MultimetricScorer",
    ),
    "matrix": ("scipy.sparse:sparray", "scipy.sparse:spmatrix"),
    "index": (
        *("pandas:Index", "pandas.api.extensions:ExtensionArray"),
        "pandas.api.extensions:ExtensionDtype",
    ),
    "frame": ("pandas:DataFrame", "pandas:Series"),
    "type": ("numpy:generic",),
}
_BUILT = {
    "numpy.random._pickle:__generator_ctor": "stream",
    "numpy.random._pickle:__randomstate_ctor": "stream",
    "numpy.ma.core:_mareconstruct": "masked",
    "pandas.core.indexes.base:_new_Index": "index",
    "pandas._libs.arrays:__pyx_unpickle_NDArrayBacked": "index",
    "sklearn.neighbors._ball_tree:newObj": "neighbour tree",
    "sklearn.neighbors._kd_tree:newObj": "neighbour tree",
    "sklearn.metrics._dist_metrics:newObj": "distance",
}
_SEARCHED = frozenset({"estimator", "kernel", "name:ufunc"})
_MORE: dict[str, frozenset[str]] = {
    **dict.fromkeys(
        ("param_grid", "param_distributions", "best_params_", "cv_results_"), _SEARCHED
    ),
    **dict.fromkeys(("func", "inverse_func"), frozenset({"name:ufunc"})),
    **dict.fromkeys(("scoring", "scorer_"), frozenset({"scorer"})),
    **dict.fromkeys(("dtype", "_fit_dtype"), frozenset({"name:type"})),
}
"""What users hand over for parameters of these names, beside what was seen."""

_OPEN = frozenset({"estimator", "splitter"})
"""Roles whose parameters are the user's own: they may hold any data."""

_FROM_ANY = frozenset({"type", "ufunc"})


def stored_forms(value: Any) -> Iterator[bytes]:
    """Yield a value as pickle stores it in every protocol, and as joblib does."""
    for protocol in (0, 2, 3, 4, 5):
        yield pickle.dumps(value, protocol)
    file = io.BytesIO()
    joblib.dump(value, file)
    yield file.getvalue()


def is_denied(key: str) -> bool:
    """Return whether a name must never be on the list."""
    module, name = key.split(":")
    if key in ALWAYS or key in CONTAINERS:
        return False
    inside = any(module == one or module.startswith(f"{one}.") for one in DENIED_MODULES)
    return inside or name in DENIED_NAMES or "tests" in module.split(".")


def _found(key: str) -> Any:
    module, name = key.split(":")
    home = "sklearn._loss._loss" if module == "_loss" else module
    with contextlib.suppress(ImportError, AttributeError):
        return getattr(importlib.import_module(home), name)
    return None


@cache
def role_of(key: str) -> str:
    """Return the role of a name: that of its bases, or its own."""
    if key in ALWAYS:
        return str(ALWAYS[key]["role"])
    if key in CONTAINERS:
        return "collection"
    if key.split(":")[1].startswith("__pyx_unpickle_Cy"):
        return "compiled loss"
    return _BUILT.get(key) or _based(key)


def _based(key: str) -> str:
    found = _found(key)
    if isinstance(found, np.ufunc):
        return "ufunc" if (found.nin, found.nout) == (1, 1) else key
    for role, bases in _BASES.items():
        known = tuple(base for base in map(_found, bases) if isinstance(base, type))
        if isinstance(found, type) and issubclass(found, known):
            return role
    return key


def _merged(into: dict[int, list[set[str]]], parts: list[frozenset[str]]) -> None:
    kinds = into.setdefault(len(parts), [set() for _ in parts])
    for known, found in zip(kinds, parts, strict=True):
        known.update(found)


class Notes:
    """What was seen of each name."""

    def __init__(self) -> None:
        self.call: dict[str, dict[int, list[set[str]]]] = defaultdict(dict)
        self.new: dict[str, dict[int, list[set[str]]]] = defaultdict(dict)
        self.states: dict[str, dict[int, list[set[str]]]] = defaultdict(dict)
        self.holds: dict[str, dict[str, set[str]]] = defaultdict(dict)
        self.named: set[str] = set()

    def add_file(self, data: bytes) -> list[str]:
        """Note what a file holds; return what the dry run refuses of it."""
        run = dry_run(data)
        self.named |= {one.key for one in run.globals}
        for part, _ in walk(run.root):
            if isinstance(part, Stub):
                self._add_part(part)
        return list(run.refusals)

    def _kinds(self, value: Any) -> frozenset[str]:
        return kinds_of(value, role_of, PartBudget(10**9))

    def _add_part(self, made: Stub) -> None:
        key = made.callee.key
        self.named.add(key)
        if key in ALWAYS or key in CONTAINERS or array_dtype(made) is not None:
            if not made.built or type(made.state) is not dict or array_dtype(made) is not None:
                return
        else:
            arguments = [self._kinds(one) for one in made.arguments]
            _merged((self.call if made.called else self.new)[key], arguments)
        if made.built and type(made.state) is dict:
            for name, value in attributes(made).items():
                held = {kind.removeprefix(WITHIN) for kind in self._kinds(value)}
                self.holds[key].setdefault(str(name), set()).update(held)
        elif made.built:
            parts = made.state if isinstance(made.state, tuple) else (made.state,)
            _merged(self.states[key], [self._kinds(one) for one in parts])


def _constrained(key: str) -> dict[str, set[str]]:
    """Return what the parameters of an estimator may hold, as scikit-learn itself says."""
    kind = _found(key)
    more: dict[str, set[str]] = {}
    if not isinstance(kind, type):
        return more
    stated = getattr(kind, "_parameter_constraints", {})
    for name, allowed in stated.items():
        methods = {m for one in allowed if allowed != "no_validation" for m in _methods_of(one)}
        if methods & {"fit", "predict", "transform"}:
            more.setdefault(name, set()).add("estimator")
    with contextlib.suppress(ValueError, TypeError):
        for name in inspect.signature(kind.__init__).parameters:
            more.setdefault(name, set()).update(_MORE.get(name, ()))
    return more


def _methods_of(constraint: Any) -> list[str]:
    return list(getattr(constraint, "methods", ()))


def _record(key: str, notes: Notes) -> dict[str, Any]:
    role = role_of(key)
    record: dict[str, Any] = {} if role == key else {"role": role}
    for name in ("call", "new", "states"):
        found = getattr(notes, name).get(key)
        if found:
            record[name] = [[sorted(kinds) for kinds in one] for _, one in sorted(found.items())]
    if key in notes.holds:
        is_open = role in _OPEN
        held = notes.holds[key].items()
        holds = {name: {kind for kind in kinds if not is_data(kind)} for name, kinds in held}
        if is_open:
            for name, kinds in _constrained(key).items():
                holds.setdefault(name, set()).update(kinds)
            for name, kinds in holds.items():
                kinds.update(_MORE.get(name, ()))
        else:
            record["closed"] = True
        record["attributes"] = {name: sorted(kinds) for name, kinds in sorted(holds.items())}
    return record


def _union(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return what either record says."""
    made = {**old, **new}
    for name in ("call", "new", "states"):
        both: dict[int, list[set[str]]] = {}
        for pattern in (*old.get(name, []), *new.get(name, [])):
            _merged(both, [frozenset(kinds) for kinds in pattern])
        if both:
            made[name] = [[sorted(kinds) for kinds in one] for _, one in sorted(both.items())]
    if "attributes" in old or "attributes" in new:
        sides = (old.get("attributes", {}), new.get("attributes", {}))
        names = sorted({name for side in sides for name in side})
        made["attributes"] = {
            name: sorted({kind for side in sides for kind in side.get(name, ())}) for name in names
        }
    return made


def _methods(names: Iterator[str]) -> set[str]:
    found: set[str] = set()
    for key in names:
        kind = _found(key)
        if isinstance(kind, type) and role_of(key) in {*_OPEN, "kernel", "loss", "scorer"}:
            found |= {name for name in dir(kind) if inspect.isroutine(getattr(kind, name, None))}
    return {name for name in found if not name.startswith("__")}


def _compiled(notes: Notes) -> None:
    """List the ways in which older versions store the losses that newer ones store otherwise."""
    pattern = [{"name:compiled loss"}, {"int"}, {"none", "tuple"}]
    for key in [one for one in notes.named if role_of(one) == "compiled loss"]:
        module, name = key.split(":")
        plain = name.removeprefix("__pyx_unpickle_")
        if not plain.startswith("Cy"):
            continue
        for home in ("_loss", module):
            notes.named |= {f"{home}:{plain}", f"{home}:__pyx_unpickle_{plain}"}
            notes.call[f"{home}:__pyx_unpickle_{plain}"].setdefault(
                3, [set(one) for one in pattern]
            )
            for old, new in ((f"{home}:{plain}", f"{module}:{plain}"),):
                notes.call[old] = notes.call.get(new, {})
    for key in [one for one in notes.named if role_of(one) == "compiled loss"]:
        notes.states[key].setdefault(1, [{"none"}])
        notes.states[key][1][0] |= {"float", "none", ">float"}


def _share_by_module(names: dict[str, dict[str, Any]]) -> None:
    """Let an attribute hold what it holds in the estimator's twins, regressors of classifiers."""
    held: dict[tuple[str, str], set[str]] = defaultdict(set)
    twins = [(key.split(":")[0], one) for key, one in names.items() if one.get("role") in _OPEN]
    for module, record in twins:
        for name, kinds in record.get("attributes", {}).items():
            held[module, name] |= set(kinds)
    for module, record in twins:
        record["attributes"] = {
            name: sorted(held[module, name]) for name in record.get("attributes", {})
        }


def _name_functions(notes: Notes) -> None:
    """List the functions of one array, under the names of old and new versions."""
    for home in ("numpy", "scipy.special"):
        for value in vars(importlib.import_module(home)).values():
            if not isinstance(value, np.ufunc) or (value.nin, value.nout) != (1, 1):
                continue
            for data in stored_forms(value):
                notes.named |= {one.key for one in dry_run(data).globals}
            if home == "numpy":
                notes.named.add(f"numpy.core._multiarray_umath:{value.__name__}")


def _listed(notes: Notes) -> dict[str, dict[str, Any]]:
    _name_functions(notes)
    _compiled(notes)
    names = {key: _record(key, notes) for key in notes.named if not is_denied(key)}
    _share_by_module(names)
    return {**names, **{key: dict(record) for key, record in ALWAYS.items()}}


def main() -> None:
    """Write the list and its page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fresh", action="store_true", help="forget what is listed already")
    fresh = parser.parse_args().fresh
    before = json.loads(LIST.read_text()) if LIST.exists() else []
    known = before["names"] if isinstance(before, dict) else {key: {} for key in before}
    notes = Notes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for value in all_values():
            refused = {one for data in stored_forms(value) for one in notes.add_file(data)}
            for one in refused:
                sys.stderr.write(f"{type(value).__name__}: {one}\n")
    for key in sorted(key for key in notes.named if is_denied(key)):
        sys.stderr.write(f"denied {key}\n")
    names = _listed(notes)
    if not fresh and isinstance(before, dict):
        names = {key: _union(known.get(key, {}), names.get(key, {})) for key in {*known, *names}}
    for old, new in OLDER.items():
        names[old] = {"as": new}
    methods = sorted({*_methods(iter(names)), *(() if fresh else _kept_methods(before))})
    LIST.write_text(
        json.dumps({"methods": methods, "names": dict(sorted(names.items()))}, indent=0) + "\n"
    )
    PAGE.write_text(page(names))
    lost, new = set(known) - set(names), set(names) - set(known)
    sys.stderr.write(f"{len(names)} names: {len(new)} new, {len(lost)} of {len(known)} lost\n")
    for key in sorted(new):
        sys.stderr.write(f"new {key}\n")


def _kept_methods(before: Any) -> list[str]:
    return list(before["methods"]) if isinstance(before, dict) else []


if __name__ == "__main__":
    main()
