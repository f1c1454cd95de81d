"""What a loaded model must not hold."""

import pickle

import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from xplain_cli.errors import RefusedError
from xplain_cli.models import ModelRecipe, load_model


@pytest.mark.parametrize("compose", [lambda step: step, lambda step: FeatureUnion([("a", step)])])
def test_models_that_read_files_while_predicting_are_refused(tmp_path, compose):
    path = tmp_path / "model.pkl"
    (tmp_path / "text").write_text("good")
    texts = [str(tmp_path / "text")] * 2
    reading = make_pipeline(compose(CountVectorizer(input="filename")), LogisticRegression())
    path.write_bytes(pickle.dumps(reading.fit(texts, [0, 1])))
    with pytest.raises(RefusedError, match="input: takes texts for names of files"):
        load_model(ModelRecipe(str(path), modality="text"))
    trusted = ModelRecipe(str(path), trust_all=True, modality="text")
    assert load_model(trusted).kind == "scikit-learn"


def test_a_model_that_holds_a_class_which_reads_models_is_refused(tmp_path):
    xgboost = pytest.importorskip("xgboost")
    path = tmp_path / "model.pkl"
    calling = FunctionTransformer(xgboost.Booster, kw_args={"model_file": "/etc/passwd"})
    path.write_bytes(pickle.dumps(make_pipeline(calling, LogisticRegression())))
    with pytest.raises(
        RefusedError,
        match=r"func: holds xgboost\.core\.Booster, which no stored FunctionTransformer",
    ):
        load_model(ModelRecipe(str(path)))
