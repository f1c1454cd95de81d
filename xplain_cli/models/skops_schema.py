"""Judges the schema of a skops file: each part is loaded as the class that its loader is for.

skops calls what a schema names: types of keys, classes of lists, arguments of losses. What it then
builds is judged as a pickle of the same would be.
"""

import io
import json
import math
import tokenize
import zipfile
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from xplain_cli.errors import with_article
from xplain_cli.models.estimators.booster_trees import check_lightgbm, check_xgboost
from xplain_cli.models.pickles.records import role_of
from xplain_cli.models.soundness import OddPartError, need

Node = Mapping[str, Any]

_KEYS = frozenset({"builtins:bool", "builtins:float", "builtins:int", "builtins:str"})
_FACTORIES = frozenset({"builtins:dict", "builtins:float", "builtins:int", "builtins:list"})
_CHECKED = "sklearn.utils.validation:check_array"
_POOL = 64
_LARGEST = 2**32


def _key(node: Any) -> str:
    return f"{node.get('__module__')}:{node.get('__class__')}" if isinstance(node, dict) else ""


def _loader(node: Any) -> str:
    return str(node.get("__loader__")) if isinstance(node, dict) else ""


def _plain(*keys: str) -> Callable[[Node], None]:
    def check(node: Node) -> None:
        need(
            _key(node) in keys,
            f"makes {with_article(_key(node)[:80])} as {with_article(keys[0].partition(':')[2])}",
        )

    return check


def _is_type(node: Any, allowed: Collection[str]) -> bool:
    return _loader(node) == "TypeNode" and (_key(node) in allowed or role_of(_key(node)) == "type")


def _check_dict(node: Node) -> None:
    _plain("builtins:dict", "collections:OrderedDict", "sklearn.utils._bunch:Bunch")(node)
    types = node["key_types"]
    parts = types.get("content") if _loader(types) == "ListNode" else None
    need(isinstance(parts, list), "has keys of a type of its own")
    need(all(_is_type(one, _KEYS) for one in parts or ()), "has keys of a type of its own")
    strange = [key for key in node["content"] if key.startswith("__") and key.endswith("__")]
    need(not strange, f"sets the special name {strange[0][:60] if strange else ''}")


def _check_default(node: Node) -> None:
    factory = node["content"]["default_factory"]
    known = _is_type(factory, _FACTORIES) or _key(factory) == "collections:OrderedDict"
    need(known, "has a dict that calls what is missing")
    need(_loader(node["content"]["main"]) in {"DictNode", "CachedNode"}, "has no sound dict")


def _check_array(node: Node) -> None:
    array = _key(node) == "numpy:ndarray" or role_of(_key(node)) == "type"
    need(array, f"makes {with_article(_key(node)[:80])} as an array")


def _check_masked(node: Node) -> None:
    held = (node["content"]["data"], node["content"]["mask"])
    need(_loader(held[0]) == "NdArrayNode", "masks what is no array")
    need(_loader(held[1]) in {"NdArrayNode", "JsonNode"}, "masks with what is no array")


def _check_stream(node: Node) -> None:
    for one in node["content"].values():
        parts = one.get("content", {}) if isinstance(one, dict) else {}
        size = parts.get("pool_size", {}) if isinstance(parts, dict) else {}
        stated = json.loads(size.get("content", "4"))
        need(isinstance(stated, int) and stated <= _POOL, "has a random stream of many numbers")


_LOSS_OF_CLASSES = "sklearn._loss._loss:CyHalfMultinomialLoss"  # it has no base


def _check_reduced(node: Node) -> None:
    """Refuse a loss that is called with more than numbers; a tree is judged when it is built."""
    loss = role_of(_key(node)) == "compiled loss" or _key(node) == _LOSS_OF_CLASSES
    need(loss, f"calls {_key(node)[:80]}")
    arguments = node["__reduce__"]["args"]
    sound = _loader(arguments) == "TupleNode" and len(arguments["content"]) <= 3
    need(sound, "calls a loss with arguments of its own")
    for one in arguments["content"]:
        need(
            _loader(one) in {"JsonNode", "TypeNode", "NdArrayNode"},
            "calls a loss with more than numbers",
        )


def _check_tree(node: Node) -> None:
    """Refuse a tree that allocates for more outputs than a file holds."""
    _plain("sklearn.tree._tree:Tree")(node)
    arguments = node["__reduce__"]["args"]["content"]
    counts = [json.loads(one["content"]) for one in arguments if _loader(one) == "JsonNode"]
    few = len(arguments) == 3 and all(isinstance(one, int) and one < 2**24 for one in counts)
    need(few, "has a tree of more columns or outputs than any")


def _check_called(node: Node) -> None:
    arguments = node["content"]
    need(_loader(arguments) == "TupleNode", "calls a class with arguments of its own")
    numbers = all(_loader(one) in {"JsonNode", "NdArrayNode"} for one in arguments["content"])
    need(numbers, "calls a class with more than numbers")


def _check_partial(node: Node) -> None:
    need(_key(node["content"]["func"]) == _CHECKED, "holds a call that is begun")


def _refused(node: Node) -> None:
    raise OddPartError(f"holds {with_article(_loader(node)[:40].removesuffix('Node').lower())}")


def _anything(_: Node) -> None:
    """Allow what is judged by name, or holds no more than data."""


_CHECKS: dict[str, Callable[[Node], None]] = {
    "BytearrayNode": _plain("builtins:bytearray"),
    "BytesNode": _plain("builtins:bytes"),
    "CachedNode": _anything,
    "ConstructorFromReduceNode": _check_called,
    "DTypeNode": _plain("numpy:dtype"),
    "DefaultDictNode": _check_default,
    "DictNode": _check_dict,
    "FunctionNode": _anything,
    "JsonNode": _anything,
    "ListNode": _plain("builtins:list"),
    "LossNode": _check_reduced,
    "MaskedArrayNode": _check_masked,
    "NdArrayNode": _check_array,
    "ObjectNode": _anything,
    "PartialNode": _check_partial,
    "RandomGeneratorNode": _check_stream,
    "RandomStateNode": _plain("numpy.random.mtrand:RandomState"),
    "SetNode": _plain("builtins:set", "builtins:frozenset"),
    "SliceNode": _plain("builtins:slice"),
    "SparseMatrixNode": _anything,
    "TreeNode": _check_tree,
    "TupleNode": _plain("builtins:tuple", "sklearn.impute._iterative:_ImputerTriplet"),
    "TypeNode": _anything,
}


def _check_text(node: Node) -> None:
    """Refuse a text that is a model of LightGBM, and leads outside."""
    content = node.get("content")
    if _loader(node) == "JsonNode" and isinstance(content, str) and content.startswith('"tree'):
        check_lightgbm(json.loads(content))


def _check_npy(content: bytes, name: str) -> None:
    """Refuse an array that states more numbers than it holds: they would be allocated first."""
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    need(version in readers, f"holds {name[:60]!r}, an array of another form")
    try:
        shape, _, dtype = readers[version](file)
    except (tokenize.TokenError, SyntaxError) as error:  # NumPy reads the header as Python's text
        raise OddPartError(f"holds {name[:60]!r}, an array of another form") from error
    asked = math.prod(shape) * dtype.itemsize
    sound = not dtype.hasobject and asked <= len(content) and math.prod(shape) <= _LARGEST
    need(sound and (dtype.itemsize or not math.prod(shape)), f"holds {name[:60]!r}, a lying array")


def _check_member(archive: zipfile.ZipFile, name: str, *, nested: bool = False) -> None:
    if name.endswith(".npy"):
        _check_npy(archive.read(name), name)
    elif name.endswith(".npz") and not nested:
        with zipfile.ZipFile(io.BytesIO(archive.read(name))) as inner:
            need(sum(one.file_size for one in inner.infolist()) <= _LARGEST, "unpacks without end")
            for one in inner.namelist():
                _check_member(inner, one, nested=True)
    elif name.endswith(".bin"):
        content = archive.read(name)
        if content.startswith(b"{L"):
            check_xgboost(content)


def check_schema(data: bytes, nodes: Collection[Node]) -> None:
    """
    Ask that every part of a skops file is loaded as what its loader is for.

    Raises
    ------
    OddPartError
        One is not, or holds more than it states.
    """
    try:
        for node in nodes:
            _CHECKS.get(_loader(node), _refused)(node)
            _check_text(node)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            need(len(names) == len(set(names)), "holds two parts of one name")
            for name in names:
                _check_member(archive, name)
    except (KeyError, TypeError, ValueError, AttributeError, LookupError) as error:
        raise OddPartError(
            f"has a part that skops does not write ({type(error).__name__})"
        ) from error
    except (zipfile.BadZipFile, NotImplementedError, OSError, EOFError, RecursionError) as error:
        raise OddPartError("holds a damaged part") from error
