"""XGBoost keeps as many bytes of its category names as these have characters."""

import itertools

import numpy as np
import pandas as pd
import pytest

from xplain_cli.errors import RefusedError
from xplain_cli.models.contract import ModelRecipe
from xplain_cli.models.estimators.model import Estimator
from xplain_cli.models.estimators.xgboost_levels import decode, find


def encoded(*names):
    """Return names as XGBoost 3.2 stores them."""
    offsets = [0, *itertools.accumulate(map(len, names))]
    data = "".join(names).encode()[: offsets[-1]]
    return {"offsets": offsets, "values": np.frombuffer(data, np.int8).tolist()}


@pytest.mark.parametrize(
    ("names", "known"),
    [
        (("abc", "de"), ()),
        (("Bodø", "Oslo"), (4, 3)),
        (("Oslo", "Tromsø"), (4, 5)),
        (("Oslo", "Ålesund"), (4, 6)),
        (("Alta", "\u65e5\u672c", "\u65e5\u672c\u8a9e"), (4, 1, 0)),
    ],
)
def test_names_are_read_as_far_as_they_were_kept(names, known):
    found = decode(encoded(*names))
    assert found.known == known
    for name, level, kept in zip(names, found.levels, known or map(len, names), strict=False):
        assert (len(level), level[:kept]) == (len(name), name[:kept])
    assert "".join(found.levels).encode()[: sum(map(len, names))] == bytes(
        value % 256 for value in encoded(*names)["values"]
    )


def test_a_cell_is_the_only_name_that_it_may_be():
    names = ("Oslo", "Troms\u00f8", "\u00c5lesund")
    found = decode(encoded(*names))
    assert [find(name, found.levels, found.known) for name in (*names, "Rome!", 3)] == [
        *range(3),
        -1,
        -1,
    ]


def test_too_little_is_refused():
    with pytest.raises(RefusedError, match="ASCII"):
        decode(encoded("a", "\u65e5\u672c", "\u6771\u4eac", "\u5927\u962a"))


def test_codes_are_codes():
    assert decode({"values": [3, 1]}).levels == (3, 1)


def test_a_model_of_such_names_answers_as_xgboost_does():
    xgboost = pytest.importorskip("xgboost")
    cities = ["Bergen", "Oslo", "Troms\u00f8", "\u00c5lesund"]
    table = pd.DataFrame({"city": np.resize(cities, 80), "x": np.arange(80.0) % 7})
    frame = table.astype({"city": "category"})
    target = pd.factorize(table["city"])[0] * 2.0 + table["x"]
    model = xgboost.XGBRegressor(n_estimators=5, enable_categorical=True, n_jobs=1)
    own = model.fit(frame, target).predict(frame)
    loaded = Estimator(model, source="m", sha256="", recipe=ModelRecipe("m"))
    rows = table.astype({"city": object})
    found = loaded.bind(loaded.settle(rows)).predict(rows)[:, 0]
    assert np.array_equal(found, own)
    alone = loaded.bind(loaded.settle(rows)).predict(rows.iloc[[3]])[:, 0]
    assert np.array_equal(alone, own[[3]])
