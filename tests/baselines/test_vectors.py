"""Rows as vectors, and how the points of a model move with them."""

import numpy as np
import pandas as pd
import pytest

from xplain_cli.baselines.vectors import (
    PictureSpace,
    measured_space,
    picture_pull,
    space_of,
    table_pull,
)
from xplain_cli.errors import UsageError
from xplain_cli.modalities.image.compose import InputForm


@pytest.fixture
def rows(rng):
    return pd.DataFrame({
        "age": rng.integers(18, 80, 60).astype(float),
        "income": np.where(rng.random(60) < 0.2, np.nan, rng.normal(3, 1, 60)),
        "city": rng.choice(["Rome", "Oslo", "Bonn"], 60).astype(object),
        "same": 4.0,
    })


def test_vectors_and_rows_become_each_other(rows):
    space = measured_space(rows, frozenset({"city"}))
    vectors, fixed = space.vectors(rows)
    assert (np.abs(vectors) <= 1).all()
    assert space.form.groups == ((2, 5),)
    assert (vectors[:, 2:5].sum(axis=1) == 1).all()
    assert fixed.tolist() == [[False, n, False, False, False, True] for n in rows["income"].isna()]
    pd.testing.assert_frame_equal(space.rows(vectors, rows), rows)
    assert space_of(space.facts()) == space


def test_whatever_a_vector_says_its_row_lies_in_the_domain(rows, rng):
    space = measured_space(rows, frozenset({"city"}))
    _, fixed = space.vectors(rows)
    wild = space.form.settled(rng.normal(0, 3, fixed.shape))
    made = space.rows(np.where(fixed, space.vectors(rows)[0], wild), rows)
    assert made["age"].between(rows["age"].min(), rows["age"].max()).all()
    assert (made["age"] == made["age"].round()).all()
    assert set(made["city"]) <= set(rows["city"])
    assert (made["income"].isna() == rows["income"].isna()).all()
    assert made.dtypes.tolist() == rows.dtypes.tolist()


def test_what_a_vector_cannot_hold_stays(rows):
    space = measured_space(rows, frozenset({"city"}))
    odd = rows.head(1).assign(city="Lima", income=np.nan)
    vectors, fixed = space.vectors(odd)
    assert fixed[0].tolist() == [False, True, True, True, True, True]
    moved = np.where(fixed, vectors, 1.0)
    assert space.rows(moved, odd).iloc[0].tolist()[2] == "Lima"


def test_points_of_a_table_move_as_the_model_enters_them(rows, rng):
    from sklearn.compose import make_column_transformer
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    from xplain_cli.models.estimators.networks import estimator_gradient

    rows = rows.fillna(3.0)
    columns = make_column_transformer(
        (OneHotEncoder(), ["city"]), (StandardScaler(), ["same", "income", "age"])
    )
    net = make_pipeline(columns, MLPClassifier((4,), max_iter=20, random_state=0))
    with pytest.warns(UserWarning, match="converge"):
        net.fit(rows, rng.integers(0, 2, 60))
    gradient = estimator_gradient(net, Answers(), lambda batch: batch)
    space = measured_space(rows, frozenset({"city"}))
    pull = table_pull(space, rows, gradient.enter)
    vectors, _ = space.vectors(rows)
    order = rng.permutation(60)
    moved = gradient.enter(rows) + pull.along(vectors[order] - vectors)
    np.testing.assert_allclose(moved, gradient.enter(rows.iloc[order]), atol=1e-9)
    slopes, step = rng.normal(size=moved.shape), rng.normal(size=vectors.shape)
    along = (pull.along(step) * slopes).sum()
    assert (pull.back(slopes) * step).sum() == pytest.approx(along)


class Answers:
    outputs = ("no", "yes")
    response = "predict_proba"


def test_columns_that_act_on_each_other_are_refused(rows):
    rows = rows.fillna(3.0)
    space = measured_space(rows, frozenset({"city"}))
    with pytest.raises(UsageError, match="act on each other"):
        table_pull(
            space, rows, lambda table: (table[["age"]] * table[["income"]].to_numpy()).to_numpy()
        )


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_points_of_pictures_move_as_the_model_enters_them(layout, dtype, rng):
    plain = dtype == "uint8"
    form = InputForm(
        layout, dtype, *((1.0,) if plain else (1 / 255, (0.1, 0.2, 0.3), (0.5, 1, 2))), bgr=True
    )
    space = PictureSpace((20, 19, 3), 0.0, 255.0, form.numbers())
    assert space_of(space.facts()).shape == space.shape

    def enter(pictures):
        return np.stack([form.apply(one) for one in pictures]).astype(float)

    pull = picture_pull(space, enter)
    pictures = rng.integers(0, 256, (4, 20, 19, 3)).astype(float)
    vectors, fixed = space.vectors(list(pictures))
    assert not fixed.any()
    moved = enter(pictures) + pull.along(vectors[::-1] - vectors)
    np.testing.assert_allclose(moved, enter(pictures[::-1]), atol=1e-4)
    np.testing.assert_array_equal(np.stack(space.rows(vectors, list(pictures))), pictures)
    slopes, step = rng.normal(size=moved.shape), rng.normal(size=vectors.shape)
    assert (pull.back(slopes) * step).sum() == pytest.approx((pull.along(step) * slopes).sum())
