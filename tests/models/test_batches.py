"""Model batches: one size for all, and many at a time where that cannot change an answer."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import ExtraTreesRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from xplain_cli.models import Capabilities
from xplain_cli.models.batches import gaps, predict_fixed, predict_stream, takes_many
from xplain_cli.models.estimators.boosters import CategoryColumns
from xplain_cli.models.estimators.model import EstimatorModel

STREAM = np.random.default_rng(0)
TABLE = pd.DataFrame(STREAM.normal(size=(40_000, 3)), columns=["a", "b", "c"])
LABELS = np.digitize(TABLE["a"] * TABLE["b"], [-0.5, 0.5])


class Counting:
    """A model that notes how many rows it is handed at a time."""

    def __init__(self, *, row_by_row):
        self.capabilities = Capabilities(row_by_row=row_by_row)
        self.asked = []

    def predict(self, batch):
        self.asked.append(len(batch))
        return batch[["a"]].to_numpy()


def bound(model, settle=LABELS):
    from xplain_cli.models.contract import Signature

    fitted = model.fit(TABLE.head(500), settle[:500])
    classes = hasattr(model, "predict_proba")
    names = tuple(map(str, model.classes_)) if classes else ("value",)
    response, task = ("predict_proba", "classification") if classes else ("predict", "regression")
    signature = Signature(response, task, "raw", names, None, margin=False, note="")
    return EstimatorModel(fitted, signature, named=True, categories=CategoryColumns({}, (), (), ()))


def test_batches_have_one_size():
    model = Counting(row_by_row=False)
    predict_fixed(model, TABLE.head(1200))
    assert model.asked == [512, 512, 512]


def test_many_batches_go_to_a_model_that_answers_row_by_row():
    model = Counting(row_by_row=True)
    found = predict_fixed(model, TABLE)
    assert model.asked == [32_768, 7680]  # of the second, 448 rows are padding
    np.testing.assert_array_equal(found[:, 0], TABLE["a"])


def test_many_batches_of_a_wide_table_are_fewer():
    wide = pd.DataFrame(np.zeros((3000, 2048)))
    sizes = []
    answer = lambda batch: sizes.append(len(batch)) or np.zeros((len(batch), 1))  # noqa: E731 - one line
    predict_stream(answer, [wide], 512, many=True)
    assert sizes == [1024, 1024, 1024]


@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(20, random_state=0),
        DecisionTreeClassifier(random_state=0),
        ExtraTreesRegressor(20, random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_forests_give_the_same_bytes_however_many_rows_they_are_handed(model):
    opened = bound(model)
    assert takes_many(opened)
    rows = TABLE.head(2000)
    alone = np.concatenate([opened.predict(rows.iloc[i : i + 7]) for i in range(0, 2000, 7)])
    assert predict_fixed(opened, rows).tobytes() == alone.tobytes()


def test_a_matrix_product_is_asked_in_batches_of_one_size():
    assert not takes_many(bound(LogisticRegression()))


def test_the_columns_without_a_value_are_named():
    table = pd.DataFrame({"a": [1.0, np.nan], 7: ["x", None], "b": [True, False]})
    assert [gaps(table, row) for row in (0, 1)] == [(), ("a", "7")]
    assert gaps(np.array([[np.nan]]), 0) == gaps(["text"], 0) == ()
