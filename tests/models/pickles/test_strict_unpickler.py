"""The engine that loads."""

import functools
import pickle

import evil_pickles
import numpy as np
import pytest

from xplain_cli.errors import RefusedError
from xplain_cli.models import ModelRecipe, load_model
from xplain_cli.models.pickles.allowlist import unknown_names
from xplain_cli.models.pickles.dry_run import dry_run
from xplain_cli.models.pickles.strict_unpickler import strict_load


def test_the_only_partial_that_loads_holds_a_listed_function():
    data = pickle.dumps(functools.partial(np.mean, [1.0]))
    assert dry_run(data).refusals[0].startswith("calls functools.partial with unusual arguments")
    with pytest.raises(pickle.UnpicklingError, match=r"functools\.partial of a function"):
        strict_load(data, ())


@pytest.mark.parametrize(
    ("callee", "arguments", "says"),
    [
        (("numpy", "expm1"), b"K\x02", r"asks for numpy\.expm1 at a call while it loads"),
        (("sklearn.utils.validation", "check_array"), b"]", "check_array at a call while it loads"),
        (("builtins", "bytearray"), b"J\xff\xff\xff\x7f", "builtins.bytearray with unusual"),
        (("builtins", "bytes"), b"J\xff\xff\xff\x7f", "builtins.bytes with unusual"),
        (("numpy", "void"), b"J\xff\xff\xff\x7f", "numpy.void with unusual"),
        (
            ("builtins", "list"),
            evil_pickles.called(evil_pickles.named("builtins", "range"), b"J\xff\xff\xff\x7f"),
            "builtins.list with unusual",
        ),
    ],
)
def test_listed_functions_are_held_and_not_called(tmp_path, callee, arguments, says):
    path = tmp_path / "model.pkl"
    call = evil_pickles.called(evil_pickles.named(*callee), arguments)
    path.write_bytes(evil_pickles.stream(call))
    with pytest.raises(RefusedError, match=says):
        load_model(ModelRecipe(str(path)))
    path.write_bytes(evil_pickles.stream(evil_pickles.named(*callee)))
    assert unknown_names(dry_run(path.read_bytes())) == ()
