"""Operators of ONNX as operators of torch: a file for each kind, and one table of all."""

from xplain_cli.models.operators.convolving import CONVOLVING
from xplain_cli.models.operators.elementwise import ELEMENTWISE
from xplain_cli.models.operators.estimating import ESTIMATING
from xplain_cli.models.operators.normalising import NORMALISING
from xplain_cli.models.operators.recurring import RECURRING
from xplain_cli.models.operators.reducing import REDUCING
from xplain_cli.models.operators.shaping import SHAPING
from xplain_cli.models.operators.tracing import Handler

__all__ = ["OPERATORS"]

_OWN = ELEMENTWISE | REDUCING | SHAPING | CONVOLVING | NORMALISING | RECURRING

OPERATORS: dict[tuple[str, str], Handler] = {
    **{("", name): handler for name, handler in _OWN.items()},
    **{("ai.onnx.ml", name): handler for name, handler in ESTIMATING.items()},
}
"""By domain and name; adding one is one line here, and a small graph in the tests."""
