"""Which columns a fitted model takes, and of what kind."""

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from stored_cases import CITIES, people

from xplain_cli.errors import RefusedError
from xplain_cli.models import Levels
from xplain_cli.models.estimators.columns import check_term_columns, column_kinds


@pytest.mark.parametrize("place", [2, -1, 2.0, 10**12])
def test_words_in_columns_that_are_not_there_are_refused(place):
    words = CountVectorizer().fit(["good bad"])
    words.vocabulary_["bad"] = place
    with pytest.raises(RefusedError, match=rf"column {int(place)} of 2 \(0 to 1\)"):
        check_term_columns(make_pipeline(make_pipeline(words), LogisticRegression()))


def test_words_may_share_a_column_and_number_it_in_any_type():
    words = CountVectorizer().fit(["good bad"])
    words.vocabulary_ = {"good": np.int8(1), "bad": 1.0}
    check_term_columns(make_pipeline(words, HashingVectorizer()))


def test_hashing_into_no_column_is_refused():
    with pytest.raises(RefusedError, match="n_features=0; store it with 1 or more"):
        check_term_columns(make_pipeline(HashingVectorizer(n_features=0), LogisticRegression()))


def test_levels_stand_only_where_an_encoder_sees_the_column_as_it_is():
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    table = people()[["city"]]
    table.loc[0, "city"] = np.nan
    known = Levels(tuple(CITIES), strict=True)
    plain = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()).fit(table)
    assert column_kinds(plain, ["city"]).levels == {"city": known}
    marked = SimpleImputer(strategy="most_frequent", missing_values="Oslo")
    changed = make_pipeline(marked, OneHotEncoder()).fit(table.dropna())
    assert column_kinds(changed, ["city"]).levels == {}


STREAM = np.random.default_rng(0)


TABLE = pd.DataFrame(STREAM.normal(size=(80, 3)), columns=["a", "b", "c"])


TWO = np.where(TABLE["a"] + TABLE["b"] > 0, "yes", "no")


THREE = pd.cut(TABLE["a"], [-9, -0.5, 0.5, 9], labels=["low", "mid", "top"]).astype(str).to_numpy()


def mixed():
    """Return a table of numbers and categories, and a pipeline fitted on it."""
    table = TABLE.assign(word=np.where(TWO == "no", "x", "y"), flag=TABLE["b"] > 0)
    fill = SimpleImputer(strategy="most_frequent")
    columns = ColumnTransformer(
        [
            ("number", make_pipeline(SimpleImputer(), StandardScaler()), TABLE.columns[:2]),
            ("word", make_pipeline(fill, OneHotEncoder()), ["word"]),
            ("flag", OrdinalEncoder(), ["flag"]),
        ],
        remainder="passthrough",
    )
    return table, make_pipeline(columns, LogisticRegression()).fit(table, TWO)


def test_column_kinds_are_read_off_the_pipeline(opened):
    table, model = mixed()
    for wrapped in (model, CalibratedClassifierCV(model, cv=2).fit(table, TWO)):
        loaded = opened(wrapped)
        assert loaded.columns == ("a", "b", "c", "word", "flag")
        assert loaded.discrete == {"word", "flag"}
        assert loaded.numeric == {"a", "b", "c"}
        assert loaded.all_numeric is False
    assert opened(LogisticRegression().fit(TABLE, TWO)).numeric == {"a", "b", "c"}


def test_bare_arrays_have_no_names_but_are_known_to_be_numbers(opened):
    loaded = opened(
        make_pipeline(StandardScaler(), LogisticRegression()).fit(TABLE.to_numpy(), TWO)
    )
    assert (loaded.columns, loaded.n_columns, loaded.numeric) == (None, 3, frozenset("012"))
    assert (loaded.all_numeric, loaded.discrete) == (True, frozenset())


def test_boosting_names_its_own_categories(opened):
    table = TABLE.assign(level=pd.Series(THREE, dtype="category"))
    model = HistGradientBoostingClassifier(max_iter=3, categorical_features="from_dtype")
    loaded = opened(model.fit(table, TWO))
    assert (loaded.discrete, loaded.numeric) == ({"level"}, {"a", "b", "c"})
    signature = loaded.settle(table.head())
    assert np.array_equal(loaded.bind(signature).predict(table), model.predict_proba(table))
