"""Tree models as leaf boxes: the sum of the leaves hit is the prediction."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeRegressor

from xplain_cli.models import UnableError
from xplain_cli.models.leaves import sum_of_leaves

STREAM = np.random.default_rng(0)


TABLE = pd.DataFrame(STREAM.normal(size=(80, 3)), columns=["a", "b", "c"])


TWO = np.where(TABLE["a"] + TABLE["b"] > 0, "yes", "no")


THREE = np.digitize(TABLE["a"], [-0.5, 0.5])


NUMBER = (TABLE["a"] * 2 - TABLE["c"]).to_numpy()


TREES = [
    DecisionTreeClassifier(random_state=0),
    DecisionTreeRegressor(max_depth=4, random_state=0),
    ExtraTreeRegressor(random_state=0),
    RandomForestClassifier(8, random_state=0),
    RandomForestRegressor(8, random_state=0),
    ExtraTreesClassifier(8, random_state=0),
    GradientBoostingRegressor(n_estimators=10, loss="huber", random_state=0),
    GradientBoostingClassifier(n_estimators=10, random_state=0),
    HistGradientBoostingRegressor(max_iter=10, min_samples_leaf=3),
    HistGradientBoostingClassifier(max_iter=10, min_samples_leaf=3),
    make_pipeline("passthrough", DecisionTreeRegressor(max_depth=3)),
]


CASES = [
    (model, target)
    for model in TREES
    for target in ((TWO, THREE) if hasattr(model, "predict_proba") else (NUMBER,))
]


@pytest.mark.parametrize(
    ("model", "target"), CASES, ids=lambda one: type(one).__name__ if hasattr(one, "fit") else ""
)
def test_leaf_boxes_sum_to_the_prediction(opened, model, target):
    classifier = target is not NUMBER
    boosting = "Boosting" in type(model).__name__
    rows = pd.DataFrame(STREAM.normal(size=(300, 3)), columns=list("abc"))
    gaps = not boosting or "Hist" in type(model).__name__
    model.fit(TABLE.where(TABLE > -1.5) if gaps else TABLE, target)
    rows = rows.where(rows > -1.5) if gaps else rows
    wishes = {"response": "decision_function"} if boosting and classifier else {}
    loaded = opened(model, **wishes)
    bound = loaded.bind(loaded.settle(TABLE))
    boxes = bound.capabilities.leaves()
    assert np.abs(sum_of_leaves(boxes, rows.to_numpy()) - bound.predict(rows)).max() < 1e-9
    assert len(set(zip(boxes.leaf.tolist(), boxes.column.tolist(), strict=True))) == len(boxes.leaf)


@pytest.mark.parametrize(
    ("model", "target", "says"),
    [
        (LogisticRegression(), TWO, "^needs trees, not LogisticRegression$"),
        (
            make_pipeline(StandardScaler(), DecisionTreeClassifier()),
            TWO,
            "StandardScaler transforms",
        ),
        (GradientBoostingClassifier(n_estimators=2), TWO, "take --response decision_function"),
        (
            HistGradientBoostingRegressor(max_iter=2, loss="gamma"),
            np.exp(NUMBER),
            "answers through an exponential",
        ),
        (
            HistGradientBoostingRegressor(
                max_iter=2, categorical_features=["a"], min_samples_leaf=2
            ),
            NUMBER,
            "cannot follow categorical splits",
        ),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "fit") else "",
)
def test_what_is_no_sum_of_leaves_is_refused_with_the_way_out(opened, model, target, says):
    rows = TABLE.assign(a=np.arange(80) % 5)
    loaded = opened(model.fit(rows, target))
    offered = loaded.bind(loaded.settle(rows)).capabilities
    with pytest.raises(UnableError, match=says):
        offered.check({"leaves"}) or offered.leaves()
