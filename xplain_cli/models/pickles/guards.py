"""Refuses opcodes and states that the writers of pickles never write."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from xplain_cli.models.pickles.raw_arrays import DTYPE, WRAPPER, RefusalError, begin_dtype
from xplain_cli.models.pickles.stand_ins import RECONSTRUCTORS, SCALARS, Global, OmittedBytes, Stub

_RANDOM = "numpy.random._pickle"
_MAKER = "__bit_generator_ctor"
_STREAMS = (_MAKER, "__generator_ctor", "__randomstate_ctor")
_KEY_DEPTH = 8
_KEY_PARTS = 1000

NDARRAY = Global("numpy", "ndarray")
"""The one stand-in of numpy.ndarray in all dry runs."""

PARTIALS = frozenset({"sklearn.utils.validation:check_array"})
"""What a stored functools.partial may hold: histogram boosting keeps one for its categories."""


def check_key(key: Any) -> None:
    """
    Refuse keys whose hash could run deep or be made to collide.

    Hashing nested tuples has no recursion limit, and whole numbers hash to their remainder.
    """
    if isinstance(key, str):
        return
    parts, depth, count = [key], 0, 0
    while parts:
        if any(isinstance(part, int) and part.bit_length() > 64 for part in parts):
            raise RefusalError("uses a number of more than 64 bits as a key")
        count += len(parts)
        if depth > _KEY_DEPTH or count > _KEY_PARTS:
            raise RefusalError("uses a deeply nested key")
        depth += 1
        parts = [
            one
            for part in parts
            if isinstance(part, (tuple, frozenset))
            for one in part
            if isinstance(one, int) or not isinstance(one, SCALARS)
        ]


def reconstructed(arguments: tuple[Any, ...]) -> tuple[Global, tuple[Any, ...], bool]:
    """Return the class that ``copyreg._reconstructor(class, base, state)`` allocates."""
    if len(arguments) != 3 or not all(isinstance(one, Global) for one in arguments[:2]):
        raise RefusalError("calls copyreg._reconstructor on a computed value")
    made, base, state = arguments
    if base.module != "builtins":
        raise RefusalError(f"calls copyreg._reconstructor on {base.dotted}")
    plain = base.key == "builtins:object" and state is None
    return made, () if plain else (base, state), False


def _is_empty_array(arguments: tuple[Any, ...]) -> bool:
    return arguments in (((0,), b"b"), ((0,), "b"))


def _is_checker(arguments: tuple[Any, ...]) -> bool:
    """Return whether these are the arguments of the one partial that scikit-learn stores."""
    return len(arguments) == 1 and isinstance(arguments[0], Global) and arguments[0].key in PARTIALS


def _is_index(arguments: tuple[Any, ...]) -> bool:
    """Return whether these make a pandas index; any other class would be called with keywords."""
    if len(arguments) != 2 or not isinstance(arguments[0], Global):
        return False
    made, parts = arguments
    ours = made.module.partition(".")[0] == "pandas" and made.name.endswith("Index")
    return ours and type(parts) is dict


def _is_stream(arguments: tuple[Any, ...]) -> bool:
    """Return whether these make a bit generator by NumPy's own maker; any other would be called."""
    source = arguments[0] if arguments else "MT19937"
    module = getattr(getattr(source, "callee", source), "module", "")
    named = isinstance(source, str) or module.startswith("numpy.random.")
    maker = arguments[1] if len(arguments) == 2 else None
    own = maker is None or (isinstance(maker, Global) and maker.key == f"{_RANDOM}:{_MAKER}")
    return len(arguments) <= 2 and named and own


def check_parts(parts: Collection[Any]) -> None:
    """
    Refuse numpy.ndarray where it is no part of an empty array that waits for its state.

    Given a buffer and the dtype of objects it takes any bytes for pointers, so nothing that calls
    what it holds (a FunctionTransformer, say) may hold it.
    """
    if NDARRAY in parts:
        raise RefusalError("holds numpy.ndarray as a value")


def check_tuple(parts: tuple[Any, ...]) -> None:
    """Refuse numpy.ndarray in a tuple that is not the arguments of an empty array."""
    if NDARRAY in parts and not (len(parts) in {3, 4} and _is_empty_array(parts[-2:])):
        check_parts(parts)


def check_items(items: Sequence[Any]) -> None:
    """Refuse keys that run deep, and numpy.ndarray but for the class of joblib's arrays."""
    for key in items[::2]:
        if type(key) is not str:
            check_key(key)
    if NDARRAY in items:
        pairs = zip(items[::2], items[1::2], strict=True)
        check_parts([part for pair in pairs if pair[0] != "subclass" for part in pair])


def _is_empty(arguments: tuple[Any, ...]) -> bool:
    return arguments == ()


def _is_plain(arguments: tuple[Any, ...]) -> bool:
    """Return whether these are one list, tuple or dict of the file's own, or nothing."""
    return len(arguments) <= 1 and all(type(one) in {list, tuple, dict, set} for one in arguments)


def _is_text(arguments: tuple[Any, ...]) -> bool:
    """Return whether these are bytes, or text as protocol 2 writes them: a number is a size."""
    text, *encoding = arguments or (b"",)
    packed = isinstance(text, (bytes, bytearray, OmittedBytes)) and not encoding
    return packed or (isinstance(text, str) and encoding in (["latin-1"], ["latin1"]))


def _is_numbers(arguments: tuple[Any, ...]) -> bool:
    return len(arguments) <= 3 and all(
        one is None or isinstance(one, (int, float, Stub)) for one in arguments
    )


_BUILTINS: dict[str, Callable[[tuple[Any, ...]], bool]] = {
    **dict.fromkeys(("dict", "frozenset", "list", "set", "tuple"), _is_plain),
    **dict.fromkeys(("bytearray", "bytes"), _is_text),
    **dict.fromkeys(("complex", "range", "slice"), _is_numbers),
    **dict.fromkeys(("bool", "float", "int", "object", "str"), _is_empty),
}

# given arguments, these read files: model_file="/etc/passwd"
_BOOSTERS = (
    "catboost.core:CatBoost",
    "catboost.core:CatBoostClassifier",
    "catboost.core:CatBoostRanker",
    "catboost.core:CatBoostRegressor",
    "lightgbm.basic:Booster",
    "xgboost.core:Booster",
)

_AS_WRITTEN: dict[str, Callable[[tuple[Any, ...]], bool]] = {
    **{f"builtins:{name}": written for name, written in _BUILTINS.items()},
    "numpy:void": lambda _: False,  # given a number it is as large
    "_codecs:encode": lambda found: (
        len(found) == 2 and found[1] == "latin1" and isinstance(found[0], str)
    ),
    "functools:partial": _is_checker,
    "numpy.ma.core:_mareconstruct": lambda found: len(found) == 4 and _is_empty_array(found[2:]),
    "numpy:ndarray": lambda _: False,
    "pandas.core.indexes.base:_new_Index": _is_index,
    **dict.fromkeys((f"{_RANDOM}:{name}" for name in _STREAMS), _is_stream),
    **dict.fromkeys(_BOOSTERS, _is_empty),
    **dict.fromkeys(RECONSTRUCTORS, lambda found: len(found) == 3 and _is_empty_array(found[1:])),
}


def check_call(made: Stub, *, called: bool) -> None:
    """Refuse arguments that the writers of these few functions never write."""
    key, arguments = made.callee.key, made.arguments
    if key == DTYPE and called:
        begin_dtype(made)
        return
    written = key in _AS_WRITTEN
    sound = key != DTYPE and (not written or (_AS_WRITTEN[key](arguments) and not made.keywords))
    if key == WRAPPER:
        sound = not called and not made.keywords and arguments == ()
    if not sound:
        raise RefusalError(f"calls {made.callee.dotted} with unusual arguments")


def plain_bytes(made: Stub) -> Stub | bytes:
    """Return the bytes that protocols below 3 write as a call, else the stand-in itself."""
    if made.callee.key == "_codecs:encode":
        text: str = made.arguments[0]
        return text.encode("latin1")
    if made.callee.key == "builtins:bytes" and made.arguments == ():
        return b""
    return made


def check_state(state: Any) -> None:
    """Refuse a state that sets special attributes."""
    parts = state if isinstance(state, tuple) else (state,)
    check_parts(parts)
    for part in parts:
        for key in part if isinstance(part, dict) else ():
            if isinstance(key, str) and key.startswith("__") and key.endswith("__"):
                raise RefusalError(f"sets the special attribute {key}")


def unbuilt(target: Any) -> Stub:
    """Return a stand-in that may still take items; anything else is refused."""
    if not isinstance(target, Stub) or target.built:
        raise RefusalError("adds items to a finished value")
    return target
