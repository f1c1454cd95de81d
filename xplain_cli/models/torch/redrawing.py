"""Draws layers of torch modules anew, in place."""

from typing import Any

from xplain_cli.models.redrawing import Redraw, redrawn_shifts, redrawn_weights


def _used(module: Any) -> list[str]:
    """Return the names of a module's parameters in the order in which they are first used."""
    known = dict(module.named_parameters())
    graph: Any = getattr(module, "graph", None)
    if not hasattr(graph, "nodes") or not hasattr(graph, "find_nodes"):  # TorchScript
        return list(known)
    asked = [str(node.target) for node in graph.nodes if node.op == "get_attr"]
    return list(dict.fromkeys(name for name in asked if name in known))


def _by_layer(module: Any) -> dict[str, list[str]]:
    """Return the parameters of each layer, the topmost first; a layer is what holds them."""
    found: dict[str, list[str]] = {}
    for name in _used(module):
        found.setdefault(name.rpartition(".")[0] or name, []).append(name)
    return dict(reversed(found.items()))


def module_layers(module: Any) -> tuple[str, ...]:
    """Return the names of a module's layers from the top down; empty: it has no weights."""
    return tuple(_by_layer(module))


def redraw_module(module: Any, redraw: Redraw) -> None:
    """Draw the layers of a module anew, so many from the top."""
    import torch

    held = dict(module.named_parameters())
    for layer, names in enumerate(list(_by_layer(module).values())[: redraw.layers]):
        source = redraw.source(layer)
        for name in names:
            learned = held[name].detach()
            drawn = redrawn_weights if learned.ndim > 1 else redrawn_shifts
            values = torch.from_numpy(drawn(source, learned.double().numpy()))
            with torch.no_grad():
                held[name].copy_(values.to(learned.dtype))
