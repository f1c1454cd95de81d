"""Tree SHAP against Shapley values by their definition."""

import numpy as np
import pytest
from oracles import shapley


def trees_of(kind, X, y):
    from sklearn import ensemble, tree

    return {
        "tree": tree.DecisionTreeClassifier(max_depth=4, random_state=0),
        "forest": ensemble.RandomForestClassifier(7, random_state=0),
        "regression": ensemble.RandomForestRegressor(7, random_state=0),
        "extra": ensemble.ExtraTreesClassifier(7, random_state=0),
    }[kind].fit(X, y)


@pytest.mark.parametrize("k", [1, 6])
@pytest.mark.parametrize("kind", ["tree", "forest", "regression", "extra"])
def test_tree_shap_is_the_shapley_value_of_the_trees(kind, k, rng):
    from xplain_cli.methods.tree_shap import shapley_of_leaves, sort_leaves
    from xplain_cli.models.contract import Signature
    from xplain_cli.models.estimators.trees import leaf_boxes

    X = rng.normal(size=(120, 6))
    model = trees_of(kind, X, (X[:, 0] * X[:, 1] + X[:, 2] > 0).astype(int))
    classes = kind != "regression"
    signature = Signature(
        response="predict_proba" if classes else "predict",
        task="classification" if classes else "regression",
        scale="probability" if classes else "raw",
        outputs=("a", "b") if classes else ("value",),
        positive=None,
        margin=False,
        note="",
    )
    answer = model.predict_proba if classes else lambda z: model.predict(z)[:, None]
    leaves = sort_leaves(leaf_boxes(model, signature), np.arange(len(signature.outputs)))
    x, baselines = X[0], X[1 : 1 + k]
    owners = np.array([0, 1, 1, 2, 3, -1])  # two columns are one feature, the last one is equal
    baselines[:, 5] = x[5]
    phi, base = shapley_of_leaves(leaves, x, baselines, owners)
    for u in range(len(signature.outputs)):

        def value(masks, u=u):
            kept = np.column_stack([masks[:, owners[:5]], np.ones(len(masks), dtype=bool)])
            inputs = np.where(kept[:, None], x, baselines[None])
            return answer(inputs.reshape(-1, 6))[:, u].reshape(len(masks), k).mean(axis=1)

        assert phi[:, u] == pytest.approx(shapley(4, value), abs=1e-9)
        assert base[u] == pytest.approx(value(np.zeros((1, 4), dtype=bool))[0], abs=1e-9)
