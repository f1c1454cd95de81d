"""Programs of torch.export (.pt2): read as data, judged part by part, before torch sees them.

torch's reader evaluates shapes with sympy, compiles names into source code, unpickles whatever is
marked as a pickle and loads machine code that lies beside the program. So only plain names,
arithmetic on sizes, tensors as raw bytes and the operators of torch itself pass.
"""

import ast
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from xplain_cli.errors import RefusedError
from xplain_cli.models.torch.archive import EXPORT, REFUSED
from xplain_cli.models.torch.layer_names import StoredLayer, stored_layers

_NAME = re.compile(r"[\w.]*", re.ASCII)
_PLAIN = re.compile(r"[\w.,:+\-> ]*", re.ASCII)
_FREE = frozenset({"as_string", "as_strings", "torch_version"})
_SPECIAL = re.compile(r"(^|\.)__\w*__($|\.)")
_OPERATOR = re.compile(
    r"torch\.ops\.(aten|prims)\.[a-z_0-9]+\.\w+|torch\.sym_(int|float|max|min|not|ite|sqrt)"
    r"|_operator\.(add|sub|mul|truediv|floordiv|mod|pow|neg|eq|ne|lt|le|gt|ge|and_|or_|getitem)"
    r"|math\.(ceil|floor|trunc|sqrt)",
    re.ASCII,
)
_FILES = re.compile(
    r"archive_format|archive_version|byteorder|\.data/\w+|models/(?P<model>\w+)\.json"
    r"|data/(weights|constants)/((weight|tensor)_\d+|\w+_(weights|constants)_config\.json)"
    r"|data/sample_inputs/\w+\.pt|extra/.*",
    re.ASCII,
)
_RECORD = re.compile(r"(weight|tensor)_\d+", re.ASCII)
_SAMPLES = re.compile(r"data/sample_inputs/\w+\.pt|extra/.*", re.ASCII)
_NODES = (
    *(ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Load, ast.Call, ast.Add),
    *(ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.USub),
    *(ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE),
)
_FUNCTIONS = frozenset({
    *("Integer", "Float", "Add", "Mul", "Max", "Min", "Mod", "FloorDiv", "CeilDiv"),
    *("CleanDiv", "PythonMod", "ModularIndexing", "FloatTrueDiv", "IntTrueDiv", "CeilToInt"),
    *("FloorToInt", "TruncToInt", "ToFloat"),
})
_SIZE = re.compile(r"[a-z]{1,4}\d{1,4}|oo|int_oo", re.ASCII)
_SYMBOL_CALL = re.compile(r"Symbol\('([a-z]{1,4}\d{1,4})'(?:, \w+=True)*\)", re.ASCII)
_LONGEST = 1000
_TREES = frozenset({None, "builtins.tuple", "builtins.list", "builtins.dict"})
_DTYPES = {1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32"}
_DTYPES |= {8: "float64"}
_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 2, 7: 4, 8: 8, 9: 4, 10: 8, 11: 16, 12: 1, 13: 2}


@dataclass(frozen=True)
class Program:
    """
    A program that passed.

    Attributes
    ----------
    members
        The archive, with nothing but what was judged.
    operators
        ``torch.ops.aten.relu.default`` and the like, sorted.
    input
        The name of its one input.
    dtype
        The input's numpy type.
    shape
        The input's lengths; None: any.
    outputs
        How many values it returns.
    layers
        What it calls its layers, in their order.
    """

    members: Mapping[str, bytes]
    operators: tuple[str, ...]
    input: str
    dtype: str
    shape: tuple[int | None, ...]
    outputs: int
    layers: Mapping[str, StoredLayer]


class _OddError(Exception):
    """What no exporter writes; the message goes on from 'it'."""


def _is_arithmetic(text: str) -> bool:
    """Return whether a shape is arithmetic on numbers and sizes: sympy would evaluate anything."""
    if len(text) > _LONGEST:
        return False
    try:
        nodes = list(ast.walk(ast.parse(_SYMBOL_CALL.sub(r"\1", text), mode="eval")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    callees = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    return all(_is_size(node, called=id(node) in callees) for node in nodes)


def _is_size(node: ast.AST, *, called: bool) -> bool:
    if isinstance(node, ast.Name):
        return node.id in _FUNCTIONS if called else bool(_SIZE.fullmatch(node.id))
    if isinstance(node, ast.Constant):
        return type(node.value) in {int, float, bool}
    return isinstance(node, _NODES) and not called


def _check_tree(text: str) -> None:
    """Refuse a description of nested inputs that names more than tuples, lists and dicts."""
    parts = [json.loads(text)[1]]
    while parts:
        part = parts.pop()
        context = None if part["context"] is None else json.loads(part["context"])
        keys = context if isinstance(context, list) else [context]
        plain = all(key is None or _is_plain(key) for key in keys)
        if part["type"] not in _TREES or not plain:
            raise _OddError(f"nests its inputs in {str(part['type'])[:80]!r}")
        parts.extend(part["children_spec"])


def _is_plain(value: Any, pattern: re.Pattern[str] = _NAME) -> bool:
    """Return whether a name can stand in source code and in a chain of attributes."""
    fits = isinstance(value, str) and len(value) <= _LONGEST and pattern.fullmatch(value)
    return bool(fits) and not _SPECIAL.search(value)


def _check_text(key: str, value: str) -> None:
    if key in {"in_spec", "out_spec"}:
        _check_tree(value)
    elif key == "expr_str":
        if not _is_arithmetic(value):
            raise _OddError(f"computes a size as {value[:80]!r}")
    elif key in {"target", "as_operator"}:
        if not _OPERATOR.fullmatch(value):
            raise _OddError(f"calls {value[:80]!r}, which is no operator of torch")
    elif not _is_plain(value, _PLAIN if key in _FREE else _NAME):
        raise _OddError(f"has the name {value[:80]!r}")


def _texts(program: Any) -> Iterator[tuple[str, str]]:
    """Yield every text of a program with the key that holds it; keys are names themselves."""
    parts = [("", program)]
    while parts:
        key, part = parts.pop()
        if isinstance(part, str):
            yield key, part
        elif isinstance(part, dict):
            yield from (("key", name) for name in part)
            parts.extend(part.items())
        elif isinstance(part, list):
            parts.extend((key, one) for one in part)


def _cleared(part: Any) -> Any:
    """Return a program without its remarks, which torch resolves too, and its compiled guards."""
    if isinstance(part, dict):
        bare: dict[str, Any] = {"metadata": {}, "guards_code": []}
        return {key: bare[key] if key in bare else _cleared(one) for key, one in part.items()}
    return [_cleared(one) for one in part] if isinstance(part, list) else part


def _check_records(members: Mapping[str, bytes], folder: str, config: Any) -> None:
    """Refuse weights that are pickles, and those of which the file holds less than they claim."""
    for entry in config["config"].values():
        name, meta = entry["path_name"], entry["tensor_meta"]
        if entry["use_pickle"] is not False or not _RECORD.fullmatch(name):
            raise _OddError(f"holds {str(name)[:80]!r} as a pickle")
        sizes = [size["as_int"] for size in meta["sizes"]]
        if not all(type(size) is int and size >= 0 for size in sizes):
            raise _OddError(f"holds {name!r} with odd sizes")
        if not members[f"{folder}/{name}"] and math.prod(sizes):
            raise _OddError(f"claims {math.prod(sizes)} numbers for {name!r} and holds none")
        if meta["dtype"] not in _WIDTHS:
            raise _OddError(f"holds {name!r} in a type that is not known")


def _in_training(node: Mapping[str, Any]) -> bool:
    flags = {one.get("name"): one["arg"].get("as_bool") for one in node["inputs"]}
    return bool(flags.get("train") or flags.get("training"))


def _length(size: Mapping[str, Any]) -> int | None:
    return size.get("as_int")


def _one_input(graph: Mapping[str, Any], signature: Mapping[str, Any]) -> tuple[str, Any]:
    asked = [one["user_input"]["arg"] for one in signature["input_specs"] if "user_input" in one]
    names = [one["as_tensor"]["name"] for one in asked if "as_tensor" in one]
    if len(names) != 1 or len(asked) != 1:
        raise _OddError(f"takes {len(asked)} inputs, not one tensor")
    return names[0], graph["tensor_values"][names[0]]


def _judged(members: dict[str, bytes]) -> Program:
    strange = [name for name in members if not _FILES.fullmatch(name)]
    models = [
        found["model"] for name in members if (found := _FILES.fullmatch(name)) and found["model"]
    ]
    if strange:
        raise _OddError(f"holds {strange[0][:80]!r}, which is no part of a plain program")
    if len(models) != 1:
        raise _OddError(f"holds {len(models)} programs, not one")
    (model,) = models
    program = _cleared(json.loads(members[f"models/{model}.json"]))
    for key, value in _texts(program):
        _check_text(key, value)
    kept = {name: content for name, content in members.items() if not _SAMPLES.fullmatch(name)}
    for kind in ("weights", "constants"):
        config = json.loads(members[f"data/{kind}/{model}_{kind}_config.json"])
        _check_records(members, f"data/{kind}", config)
        for _, value in _texts(config):
            _check_text("", value)
    graph, signature = (program["graph_module"][part] for part in ("graph", "signature"))
    if any(_in_training(node) for node in graph["nodes"]):
        raise _OddError("was exported while training: call model.eval() before the export")
    name, meta = _one_input(graph, signature)
    if meta["dtype"] not in _DTYPES:
        raise _OddError("takes an input that is neither of whole numbers nor of floats")
    kept[f"models/{model}.json"] = json.dumps(program).encode()
    kept[f"data/sample_inputs/{model}.pt"] = b""
    operators = {value for key, value in _texts(program) if key in {"target", "as_operator"}}
    return Program(
        kept,
        tuple(sorted(operators)),
        name,
        _DTYPES[meta["dtype"]],
        tuple(_length(size) for size in meta["sizes"]),
        len(signature["output_specs"]),
        stored_layers(members),
    )


def judge_export(path: str, members: Mapping[str, bytes]) -> Program:
    """
    Read a program of torch.export as data, and judge it; torch is not imported.

    Raises
    ------
    RefusedError
        It holds more than a program of torch's own operators and its weights, or is damaged.
    """
    try:
        return _judged(dict(members))
    except _OddError as odd:
        raise RefusedError(
            f"{path}: {REFUSED}: it {odd}; export it again: {EXPORT};"
            " or if you made this file yourself: --trust-model"
        ) from odd
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        raise RefusedError(
            f"{path}: {REFUSED}: not a readable torch.export program ({type(error).__name__}:"
            f" {error}); export it again with the installed torch: {EXPORT}"
        ) from error
