"""Values as they lie in model files: every estimator fitted, in many settings, and their parts."""

# ruff: noqa: INP001  # a folder of scripts

import contextlib
import inspect
import itertools
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
import sklearn
import sklearn._loss.loss
from sklearn import (
    calibration,
    cluster,
    compose,
    ensemble,
    feature_selection,
    frozen,
    gaussian_process,
    impute,
    kernel_ridge,
    linear_model,
    metrics,
    model_selection,
    multiclass,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    semi_supervised,
    svm,
    tree,
)
from sklearn.experimental import (  # noqa: F401  # importing them is what enables
    enable_halving_search_cv,
    enable_iterative_imputer,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils import all_estimators

_STREAM = np.random.RandomState(0)
_ROWS = np.abs(_STREAM.normal(size=(60, 4))) + 0.1
_LABELS = np.arange(60) % 3
_NUMBERS = _ROWS @ [1.0, 2.0, 0.0, 1.0] + 0.1
_TEXTS = [f"some words number{i % 7} here" for i in range(60)]

_ITERATIONS = {"HistGradientBoostingClassifier": 3, "HistGradientBoostingRegressor": 3, "TSNE": 250}


def _classifier() -> Any:
    return linear_model.LogisticRegression()


def _required(name: str) -> dict[str, Callable[[], Any]]:
    """Return makers of the arguments that estimators cannot do without, by parameter."""
    number = name.endswith("Regressor") or name == "RegressorChain"
    one = linear_model.Ridge if number else _classifier
    return {
        "base_estimator": one,
        "dictionary": lambda: np.eye(4),
        "estimator": one,
        "estimators": lambda: [
            ("a", one()),
            ("b", tree.DecisionTreeRegressor() if number else tree.DecisionTreeClassifier()),
        ],
        "param_distributions": lambda: {"C": [0.5, 1.0]},
        "param_grid": lambda: {"C": [0.5, 1.0]},
        "steps": lambda: [("scale", preprocessing.StandardScaler()), ("model", one())],
        "transformer_list": lambda: [("scale", preprocessing.StandardScaler())],
        "transformers": lambda: [("scale", preprocessing.StandardScaler(), [0, 1])],
    }


def _made(name: str, kind: Any) -> Any:
    """Return an unfitted estimator with small settings."""
    makers = _required(name)
    signature = inspect.signature(kind.__init__).parameters
    needed = {
        key: makers[key]()
        for key, parameter in signature.items()
        if key in makers and parameter.default is inspect.Parameter.empty
    }
    few = {"n_estimators": 3, "max_iter": _ITERATIONS.get(name)}
    needed |= {key: few[key] for key in signature if few.get(key)}
    if name == "RandomizedSearchCV":
        needed["n_iter"] = 2
    if name.endswith("RandomProjection"):
        needed["n_components"] = 2
    if name == "FrozenEstimator":
        needed["estimator"] = needed["estimator"].fit(_ROWS, _LABELS)
    if name == "SelfTrainingClassifier":  # its parameter changed its name in 1.6
        needed["estimator" if "estimator" in signature else "base_estimator"] = _classifier()
    if name == "LocalOutlierFactor":
        needed["novelty"] = True
    return kind(**needed)


def _fitted(made: Any) -> Any | None:
    """Fit on the first data that an estimator takes; None: on none of them."""
    several = np.column_stack([_LABELS % 2, _LABELS])
    numbers = np.column_stack([_NUMBERS, _NUMBERS])
    candidates: list[tuple[Any, ...]] = [
        (_ROWS, _LABELS),
        (_ROWS, _NUMBERS),
        (_ROWS, _LABELS % 2),
        (_ROWS, _LABELS - 1),
        (_ROWS @ _ROWS.T,),
        (_ROWS, several),
        (_ROWS, several > 0),
        (_ROWS, numbers),
        (_ROWS[:, 0], _NUMBERS),
        (_TEXTS,),
        ([{"a": 1, "b": "x"}] * 5,),
        (several > 0,),
        (_LABELS,),
        ([["a", "b"], ["a"]],),
    ]
    for candidate in candidates:
        try:
            return made.fit(*candidate)
        except Exception:  # noqa: BLE001, S112  # each refuses in its own way; the next is tried
            continue
    return None


def fitted_estimators() -> Iterator[tuple[str, Any]]:
    """Yield (name, fitted estimator) for every estimator of scikit-learn that can be fitted."""
    for name, kind in all_estimators():
        try:
            made = _made(name, kind)
        except TypeError:
            continue
        fitted = _fitted(made)
        if fitted is not None:
            yield name, fitted


def _losses() -> Iterator[Any]:
    for loss in ("absolute_error", "gamma", "poisson", "quantile", "squared_error"):
        yield ensemble.HistGradientBoostingRegressor(loss=loss, quantile=0.5, max_iter=2)
    for loss in ("absolute_error", "huber", "quantile", "squared_error"):
        yield ensemble.GradientBoostingRegressor(loss=loss, n_estimators=2)
    for loss in ("exponential", "log_loss"):
        yield ensemble.GradientBoostingClassifier(loss=loss, n_estimators=2)
    for loss in (
        *("hinge", "huber", "log_loss", "modified_huber", "perceptron", "squared_error"),
        *("squared_hinge", "epsilon_insensitive", "squared_epsilon_insensitive"),
    ):
        yield linear_model.SGDClassifier(loss=loss)
    for loss in ("huber", "epsilon_insensitive", "squared_epsilon_insensitive"):
        yield linear_model.SGDRegressor(loss=loss)
    for solver in ("adam", "lbfgs", "sgd"):
        yield neural_network.MLPClassifier((3,), solver=solver, max_iter=5)
        yield neural_network.MLPRegressor((3,), solver=solver, max_iter=5)
    for criterion in ("absolute_error", "friedman_mse", "poisson", "squared_error"):
        yield tree.DecisionTreeRegressor(criterion=criterion)


def _kernels() -> Iterator[Any]:
    for algorithm, metric in itertools.product(
        ("auto", "ball_tree", "brute", "kd_tree"),
        ("chebyshev", "euclidean", "manhattan", "minkowski"),
    ):
        yield neighbors.KNeighborsClassifier(algorithm=algorithm, metric=metric, p=3)
    for kernel in (
        gaussian_process.kernels.RBF() + gaussian_process.kernels.WhiteKernel(),
        gaussian_process.kernels.ConstantKernel() * gaussian_process.kernels.Matern(),
        gaussian_process.kernels.RationalQuadratic() ** 2,
        # the noise keeps the matrix of the fit positive definite
        gaussian_process.kernels.DotProduct() + gaussian_process.kernels.WhiteKernel(),
        gaussian_process.kernels.ExpSineSquared() + gaussian_process.kernels.WhiteKernel(),
    ):
        yield gaussian_process.GaussianProcessRegressor(kernel)
    for one in (svm.SVC(), svm.SVC(probability=True), svm.SVR(kernel="poly"), svm.LinearSVC()):
        yield pipeline.make_pipeline(preprocessing.StandardScaler(), one)


def _searches() -> Iterator[Any]:
    for splitter in (
        model_selection.KFold(2),
        model_selection.RepeatedKFold(n_splits=2, n_repeats=1),
        model_selection.RepeatedStratifiedKFold(n_splits=2, n_repeats=1),
        model_selection.ShuffleSplit(2),
        model_selection.StratifiedKFold(2),
        model_selection.StratifiedShuffleSplit(2),
        model_selection.TimeSeriesSplit(2),
    ):
        grid = {"C": np.logspace(-1, 1, 2)}
        yield model_selection.GridSearchCV(_classifier(), grid, cv=splitter)
    for scoring in ("accuracy", "f1_macro", "neg_log_loss", "roc_auc_ovr"):
        yield model_selection.GridSearchCV(_classifier(), {"C": [1.0]}, cv=2, scoring=scoring)


def _grids() -> Iterator[Any]:
    """Yield searches over words, models and functions, which lie in their results."""
    two = [linear_model.LogisticRegression(), tree.DecisionTreeClassifier(max_depth=2)]
    steps = pipeline.Pipeline([
        ("scale", preprocessing.FunctionTransformer(np.log1p)),
        ("model", linear_model.LogisticRegression()),
    ])
    yield model_selection.GridSearchCV(steps, {"model": two}, cv=2)
    yield model_selection.GridSearchCV(steps, {"scale__func": [np.sqrt, np.log1p]}, cv=2)
    yield model_selection.GridSearchCV(steps, {"scale": ["passthrough", steps["scale"]]}, cv=2)
    yield model_selection.GridSearchCV(
        svm.SVC(), [{"kernel": ["rbf", "linear"]}, {"C": [1, 2], "shrinking": [True]}], cv=2
    )
    yield model_selection.GridSearchCV(
        _classifier(), {"C": [1.0]}, cv=2, scoring=["accuracy", "f1_macro"], refit="accuracy"
    )
    yield model_selection.GridSearchCV(
        gaussian_process.GaussianProcessClassifier(),
        {"kernel": [gaussian_process.kernels.RBF(), gaussian_process.kernels.Matern()]},
        cv=2,
    )


def _sparse() -> Iterator[Any]:
    """Yield fitted models that hold sparse matrices."""
    rows = scipy.sparse.csr_matrix(_ROWS)
    for one in (svm.SVC(), svm.SVR(), svm.NuSVC(), svm.OneClassSVM(), svm.SVC(kernel="linear")):
        yield one.fit(rows, _LABELS)
    for one in (_classifier(), linear_model.SGDClassifier(), svm.LinearSVC()):
        yield one.fit(_ROWS, _LABELS).sparsify()
    for one in (
        neighbors.KNeighborsRegressor(),
        neighbors.RadiusNeighborsClassifier(5.0),
        kernel_ridge.KernelRidge(),
        semi_supervised.LabelSpreading(kernel="knn"),
    ):
        yield one.fit(rows, _LABELS)


def _selectors() -> Iterator[Any]:
    """Yield pipelines that choose columns, by scores and by models."""
    scores = [getattr(feature_selection, name) for name in feature_selection.__all__]
    for score in scores:
        if inspect.isfunction(score):
            yield feature_selection.SelectKBest(score, k=2)
    forest = ensemble.RandomForestClassifier(2)
    yield feature_selection.SelectFromModel(forest)
    yield feature_selection.RFE(forest, n_features_to_select=2)
    yield feature_selection.SequentialFeatureSelector(_classifier(), n_features_to_select=2, cv=2)


def _ensembles() -> Iterator[Any]:
    """Yield ensembles of models of one's own choice."""
    one, two = _classifier(), pipeline.make_pipeline(preprocessing.StandardScaler(), svm.SVC())
    yield ensemble.AdaBoostClassifier(one, n_estimators=2)
    yield ensemble.BaggingClassifier(two, n_estimators=2, max_features=2)
    yield ensemble.StackingClassifier(
        [("a", one), ("b", two), ("c", "drop")], ensemble.RandomForestClassifier(2), cv=2
    )
    yield ensemble.VotingClassifier([("a", one), ("b", "drop"), ("c", forest_of_two())])
    for method in ("isotonic", "temperature"):
        yield calibration.CalibratedClassifierCV(two, method=method, cv=2)
    yield calibration.CalibratedClassifierCV(frozen.FrozenEstimator(one.fit(_ROWS, _LABELS)))
    yield ensemble.GradientBoostingClassifier(n_estimators=2, init="zero")
    yield ensemble.GradientBoostingClassifier(n_estimators=2, init=_classifier())
    yield multiclass.OneVsOneClassifier(two)
    yield multiclass.OneVsRestClassifier(two)
    yield multiclass.OneVsRestClassifier(svm.LinearSVC())
    yield compose.TransformedTargetRegressor(
        linear_model.Ridge(), transformer=preprocessing.StandardScaler()
    )
    yield impute.IterativeImputer(ensemble.RandomForestRegressor(2), max_iter=2)


def forest_of_two() -> Any:
    """Return a small forest, not fitted."""
    return ensemble.RandomForestClassifier(2)


def _constant() -> Iterator[Any]:
    """Yield models of several labels one of which never changes."""
    never = np.column_stack([_LABELS > 0, np.zeros(60, dtype=bool)])
    yield multiclass.OneVsRestClassifier(_classifier()).fit(_ROWS, never)


def _settings() -> Iterator[Any]:
    for function in (np.log1p, np.sqrt, np.exp, None):
        yield preprocessing.FunctionTransformer(function)
    for source in (np.random.RandomState(0), 0):
        yield ensemble.RandomForestClassifier(n_estimators=2, random_state=source)
    for columns in (["a"], slice(0, 2), [True, False, True, False], lambda_free_selector()):
        yield compose.make_column_transformer((preprocessing.StandardScaler(), columns))
    yield preprocessing.KBinsDiscretizer(3, encode="onehot")
    yield preprocessing.OneHotEncoder(drop="first", dtype=np.float32)
    yield preprocessing.OneHotEncoder(min_frequency=5, handle_unknown="infrequent_if_exist")
    yield impute.SimpleImputer(strategy="constant", fill_value=0, add_indicator=True)
    yield impute.KNNImputer(add_indicator=True)
    yield pipeline.make_pipeline(cluster.BisectingKMeans(2, algorithm="elkan"), _classifier())
    yield preprocessing.SplineTransformer(degree=2, extrapolation="periodic")
    yield preprocessing.SplineTransformer(sparse_output=True)
    yield preprocessing.FunctionTransformer(np.log1p, inverse_func=np.expm1)
    yield compose.TransformedTargetRegressor(linear_model.Ridge(), func=np.log, inverse_func=np.exp)
    yield preprocessing.StandardScaler().set_output(transform="pandas")
    with sklearn.config_context(enable_metadata_routing=True):
        yield linear_model.LogisticRegression().set_fit_request(sample_weight=True)


def lambda_free_selector() -> Any:
    """Return a selector of columns by type."""
    return compose.make_column_selector(dtype_include="number")


def _tables() -> Iterator[Any]:
    """Yield fitted pipelines on a mixed table, selected in the usual ways."""
    table = pd.DataFrame(_ROWS, columns=["a", "b", "c", "d"])
    table["text"] = np.where(_LABELS > 0, "x", "y")
    table["yes"] = _LABELS > 1
    table["level"] = table["text"].astype("category")
    numbers = table.select_dtypes("number").columns
    encoders = (
        preprocessing.OneHotEncoder(handle_unknown="ignore", sparse_output=False),
        preprocessing.OneHotEncoder(),
        preprocessing.OrdinalEncoder(),
        preprocessing.TargetEncoder(cv=2),
    )
    selections: tuple[Any, ...] = (
        ["text", "yes"],
        compose.make_column_selector(dtype_include=["category", "bool"]),
        table.columns[4:6],
        slice(4, 6),
    )
    for encoder, selection in zip(encoders, selections, strict=True):
        columns = compose.ColumnTransformer(
            [("number", preprocessing.StandardScaler(), numbers), ("text", encoder, selection)],
            remainder="passthrough" if selection is selections[0] else "drop",
        )
        kept = table.drop(columns=["level"]) if selection is selections[0] else table
        model = ensemble.RandomForestClassifier(n_estimators=2)
        yield pipeline.make_pipeline(columns, model).fit(kept, _LABELS)
    scaled = pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler())
    for rest in (preprocessing.StandardScaler(), scaled):
        columns = compose.ColumnTransformer([("text", encoders[0], ["text"])], remainder=rest)
        yield columns.fit(table[["text", "a"]])
    boosting = ensemble.HistGradientBoostingClassifier(categorical_features=[0], max_iter=2)
    yield boosting.fit(np.column_stack([_LABELS, _ROWS]), _LABELS)
    yield ensemble.HistGradientBoostingClassifier(
        categorical_features="from_dtype", max_iter=2
    ).fit(table[["a", "level"]], _LABELS)
    words = pipeline.make_pipeline(TfidfVectorizer(), linear_model.LogisticRegression())
    yield words.fit(_TEXTS, np.arange(60) % 2)
    sparse = scipy.sparse.csr_matrix(_ROWS)
    yield neighbors.KNeighborsClassifier().fit(sparse, _LABELS)
    yield neighbors.KNeighborsClassifier().fit(_ROWS.astype(np.float32), _LABELS)
    yield neighbors.NearestNeighbors(algorithm="kd_tree").fit(_ROWS)


def boosted() -> Iterator[tuple[str, Any]]:
    """Yield (name, fitted model) of XGBoost, LightGBM and CatBoost, wrapped and bare."""
    import catboost
    import lightgbm
    import xgboost

    table = pd.DataFrame(_ROWS, columns=["a", "b", "c", "d"])
    table["level"] = pd.Categorical(np.where(_LABELS > 0, "x", "y"))
    table["whole"] = pd.Categorical(_LABELS)
    small: dict[str, Any] = {"n_estimators": 3, "n_jobs": 1}
    quiet: dict[str, Any] = {"verbose": 0, "allow_writing_files": False, "thread_count": 1}
    groups = np.repeat([0, 1], 30)
    cats = ["level", "whole"]
    words = _LABELS.astype(str)
    ours = catboost.CatBoostClassifier(n_estimators=3, cat_features=cats, **quiet)
    made = [
        xgboost.XGBClassifier(**small, enable_categorical=True).fit(table, _LABELS),
        xgboost.XGBRegressor(**small, enable_categorical=True).fit(table, _NUMBERS),
        xgboost.XGBClassifier(**small).fit(_ROWS, _LABELS % 2),
        xgboost.XGBRFClassifier(**small).fit(_ROWS, _LABELS % 2),
        xgboost.XGBRFRegressor(**small).fit(_ROWS, _NUMBERS),
        xgboost.XGBRanker(**small).fit(_ROWS, _LABELS, qid=groups),
        xgboost.XGBRegressor(**small, booster="gblinear").fit(_ROWS, _NUMBERS),
        xgboost.XGBRegressor(**small, booster="dart").fit(_ROWS, _NUMBERS),
        lightgbm.LGBMClassifier(**small, verbose=-1).fit(table, words),
        lightgbm.LGBMClassifier(**small, verbose=-1).fit(_ROWS, _LABELS % 2),
        lightgbm.LGBMRegressor(**small, verbose=-1).fit(table, _NUMBERS),
        lightgbm.LGBMRanker(**small, verbose=-1).fit(_ROWS, _LABELS, group=[30, 30]),
        ours.fit(table, words),
        catboost.CatBoostClassifier(n_estimators=3, **quiet).fit(_ROWS, _LABELS % 2),
        catboost.CatBoostRegressor(n_estimators=3, **quiet).fit(_ROWS, _NUMBERS),
        catboost.CatBoostRanker(n_estimators=3, **quiet).fit(_ROWS, _LABELS, group_id=groups),
        catboost.CatBoost({"iterations": 3, **quiet}).fit(_ROWS, _NUMBERS),
    ]
    bare = [made[0].get_booster(), made[8].booster_, made[10].booster_]
    yield from ((type(one).__name__, one) for one in [*made, *bare])


def _arrays() -> Iterator[Any]:
    """Yield NumPy and SciPy values as they lie in fitted models."""
    for code in "?bBhHiIlLqQefdFDSU":
        yield from (np.dtype(code).type, np.zeros(2, code), np.zeros(2, code)[0])
    for code in "mM":
        yield from (np.dtype(code).type, np.zeros(2, f"{code}8[ns]"), np.zeros(2, f"{code}8[D]")[0])
    yield from (np.object_, np.longdouble, np.clongdouble, np.void, np.ndarray, np.dtype("f8"))
    yield from (np.array(["a", None], dtype=object), np.ma.masked_array([1.0, 2.0], [0, 1]))
    yield np.ma.masked_array(["a", None], [0, 1], dtype=object)
    yield np.ma.masked_array(["a", "b"], [0, 1])
    yield np.zeros(2, [("a", "f8"), ("b", "i4")])
    yield from (np.random.RandomState(0), np.random.default_rng(0), np.random.SeedSequence(0))
    yield from (np.random.Generator(kind(0)) for kind in (np.random.MT19937, np.random.Philox))
    for form, kind in itertools.product(
        ("bsr", "coo", "csc", "csr", "dia", "dok", "lil"), (float, bool, int)
    ):
        for one in (scipy.sparse.csr_matrix, scipy.sparse.csr_array):
            yield one(np.eye(3, dtype=kind)).asformat(form)
            used = one(np.eye(3, dtype=kind)).asformat(form)
            if form in {"csc", "csr", "bsr"}:
                used.sort_indices()
                used.sum_duplicates()
            yield used


def _pandas() -> Iterator[Any]:
    table = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"], "c": [True, False]})
    yield from (table, table["a"], table["b"], table.columns, table.index)
    yield from (table["b"].astype("category"), pd.Index([1, 2]), pd.Index([1.5]), pd.NA)
    yield from (table["b"].astype(object), pd.Index(["x"], dtype=object), pd.RangeIndex(3))
    yield from (OrderedDict(a=1), defaultdict(list), Counter("a"), {1, 2}, frozenset({1}))


def _functions() -> Iterator[Any]:
    """Yield losses and scorers."""
    for loss in vars(sklearn._loss.loss).values():  # noqa: SLF001  # no public door to them
        if isinstance(loss, type) and loss.__module__ == "sklearn._loss.loss":
            with contextlib.suppress(TypeError):
                yield loss()
    yield from (metrics.get_scorer(name) for name in metrics.get_scorer_names())


def _distances() -> Iterator[Any]:
    names = (
        *("braycurtis", "canberra", "chebyshev", "cityblock", "dice", "euclidean", "hamming"),
        *("haversine", "infinity", "jaccard", "manhattan", "matching", "rogerstanimoto"),
        *("russellrao", "sokalmichener", "sokalsneath"),
    )
    for name, dtype in itertools.product(names, (np.float32, np.float64)):
        with contextlib.suppress(ValueError):  # not in every version
            yield metrics.DistanceMetric.get_metric(name, dtype)
    yield metrics.DistanceMetric.get_metric("minkowski", p=3)
    yield metrics.DistanceMetric.get_metric("seuclidean", V=np.ones(2))
    yield metrics.DistanceMetric.get_metric("mahalanobis", VI=np.eye(2))


def all_values() -> Iterator[Any]:
    """Yield every value whose stored form the allowlist must know."""
    yield from (fitted for _, fitted in fitted_estimators())
    variants = itertools.chain(*(
        _losses(),
        _kernels(),
        _searches(),
        _grids(),
        _selectors(),
        _ensembles(),
        _settings(),
    ))
    yield from (fitted for fitted in map(_fitted, variants) if fitted is not None)
    yield from itertools.chain(_tables(), _sparse(), _constant())
    with contextlib.suppress(ImportError):  # the list keeps what an earlier run has found
        yield from (fitted for _, fitted in boosted())
    yield from itertools.chain(_arrays(), _pandas(), _functions(), _distances())
