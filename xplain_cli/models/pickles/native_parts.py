"""Checks the parts of a model that compiled code trusts, and the sizes of arrays."""

from collections.abc import Callable
from typing import Any

import numpy as np

from xplain_cli.models.estimators.booster_trees import check_lightgbm, check_xgboost
from xplain_cli.models.pickles.kinds import SCALAR, array_dtype
from xplain_cli.models.pickles.native_tables import (
    check_centres,
    check_encoder,
    check_matrix,
    check_neighbours,
    check_spline,
    check_stream,
    check_support,
    check_words,
)
from xplain_cli.models.pickles.native_trees import (
    PREDICTOR,
    TREE,
    check_ensemble,
    check_predictor,
    check_tree,
)
from xplain_cli.models.pickles.records import role_of
from xplain_cli.models.pickles.stand_ins import (
    OmittedBytes,
    Stub,
    attributes,
    raw_bytes,
    read_array,
)
from xplain_cli.models.soundness import OddPartError, need

_RANGE = 10**6
_STRANGE = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError)


def _check_scalar(made: Stub) -> None:
    dtype, data = (*made.arguments, None, None)[:2]
    held = dtype.value if isinstance(dtype, Stub) else None
    plain = isinstance(held, np.dtype) and held.kind not in "VO"
    need(plain, "is no number, text or time")
    size = data.size if isinstance(data, OmittedBytes) else len(data or b"")
    need(held is not None and size == held.itemsize, "holds another number of bytes than its type")


def _check_range(made: Stub) -> None:
    numbers: Any = made.arguments
    if made.callee.name == "_new_Index":
        if len(numbers) != 2 or getattr(numbers[0], "name", "") != "RangeIndex":
            return
        numbers = numbers[1].values() if isinstance(numbers[1], dict) else ()
    short = all(abs(one) <= _RANGE for one in numbers if isinstance(one, int))
    need(short, f"is a range of more than {_RANGE} numbers")


def _check_xgboost(made: Stub) -> None:
    stored = attributes(made).get("handle")
    if stored is not None:
        check_xgboost(bytes(raw_bytes(stored)))


def _check_lightgbm(made: Stub) -> None:
    state = attributes(made)
    stored = state.get("_handle", state.get("handle"))
    if stored is not None:
        need(isinstance(stored, str), "holds no text of trees")
        check_lightgbm(stored)


def _check_estimator(made: Stub) -> None:
    check_ensemble(made)
    check_centres(made)


_ROLES: dict[str, Callable[[Stub], None]] = {
    "estimator": _check_estimator,
    "matrix": check_matrix,
}
_NAMED: dict[str, Callable[[Stub], None]] = {
    TREE: check_tree,
    PREDICTOR: check_predictor,
    "builtins:range": _check_range,
    "lightgbm.basic:Booster": _check_lightgbm,
    "pyarrow.lib:_restore_array": check_words,
    "xgboost.core:Booster": _check_xgboost,
    "pandas.core.indexes.base:_new_Index": _check_range,
    "sklearn.neighbors._ball_tree:newObj": check_neighbours,
    "sklearn.neighbors._kd_tree:newObj": check_neighbours,
    "numpy.random._pickle:__bit_generator_ctor": check_stream,
    "numpy.random._pickle:__randomstate_ctor": check_stream,
    "scipy.interpolate._bsplines:BSpline": check_spline,
    "scipy.interpolate._bsplines:_BSpline": check_spline,
    "sklearn.preprocessing._encoders:OneHotEncoder": check_encoder,
    **{f"sklearn.svm._classes:{name}": check_support for name in ("NuSVC", "NuSVR", "SVC", "SVR")},
    "sklearn.svm._classes:OneClassSVM": check_support,
}


def _check(made: Stub) -> None:
    key, role = made.callee.key, role_of(made.callee.key)
    if key in SCALAR:
        _check_scalar(made)
    elif array_dtype(made) is not None:
        need(read_array(made) is not None, "holds no array of the shape that it states")
    elif key in _NAMED:
        _NAMED[key](made)
    elif role in _ROLES:
        _ROLES[role](made)


def odd_native(made: Any) -> str | None:
    """Return what of a stand-in compiled code would trust and must not, or None."""
    if isinstance(made, Stub):
        try:
            _check(made)
        except OddPartError as odd:
            return str(odd)
        except _STRANGE:
            return "is not what its own pickler writes"
    return None
