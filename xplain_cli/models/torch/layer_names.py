"""What a file of torch.export calls its layers, and how long their values are.

Names are those of the modules that an operator stands in, read as text from the file. Torch would
import the classes that stand beside them, so it is never handed these remarks. An operator outside
of all modules goes by its own name.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_NAME = re.compile(r"\w+([.@]\w+)*", re.ASCII)
_OF_SELF = re.compile(r"L\['self'\]\.?")
_FLOATS = frozenset({6, 7, 8})
_LONGEST, _MOST = 200, 100_000


@dataclass(frozen=True)
class StoredLayer:
    """The node whose value a layer gives, and its lengths for one row; None: any."""

    node: str
    shape: tuple[int | None, ...]

    @property
    def lengths(self) -> str:
        """The lengths as they are shown: ``8 x 14 x 14``."""
        return " x ".join("any" if length is None else str(length) for length in self.shape)


def _path(node: Mapping[str, Any]) -> str:
    """Return the innermost module that an operator stands in; empty outside of all."""
    stack = node["metadata"].get("nn_module_stack") or ""
    parts = [part.split(",") for part in stack.split(";")]
    inner = _OF_SELF.sub("", parts[-1][1]) if len(parts[-1]) > 2 else ""
    return inner.replace("['", ".").replace("']", "").lstrip(".")


def _modules(node: Mapping[str, Any]) -> list[str]:
    """Return the modules that an operator stands in, the outermost first."""
    path = _path(node)
    parts = path.split(".")
    return [".".join(parts[: at + 1]) for at in range(len(parts))] if path else []


def _layers(program: Mapping[str, Any]) -> dict[str, StoredLayer]:
    module = program["graph_module"]
    graph, inputs = module["graph"], module["signature"]["input_specs"]
    (asked,) = (one["user_input"]["arg"]["as_tensor"] for one in inputs if "user_input" in one)
    values = graph["tensor_values"]
    rows = values[asked["name"]]["sizes"][0]
    found: dict[str, StoredLayer] = {}
    for node in graph["nodes"][:_MOST]:
        made = [one["as_tensor"]["name"] for one in node["outputs"] if "as_tensor" in one]
        meta = values.get(made[0], {}) if len(made) == 1 else {}
        sizes = meta.get("sizes", ())
        if len(sizes) < 2 or sizes[0] != rows or meta.get("dtype") not in _FLOATS:
            continue
        shape = tuple(size.get("as_int") for size in sizes[1:])
        for name in _modules(node) or made:
            if _NAME.fullmatch(name) and len(name) <= _LONGEST:
                found.pop(name, None)  # the last operator of a module gives what it answers
                found[name] = StoredLayer(made[0], shape)
    return found


def stored_layers(members: Mapping[str, bytes]) -> dict[str, StoredLayer]:
    """Return the layers that a program of torch.export names, in their order; {} if it is odd."""
    try:
        (model,) = (name for name in members if re.fullmatch(r"models/\w+\.json", name))
        return _layers(json.loads(members[model]))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError):
        return {}
