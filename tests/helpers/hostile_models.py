"""Model files made of listed classes alone, which would call, read, write, hang or fill memory.

What would run leaves a marker file. Each family is a list of (name, bytes).
"""

import io
import pickle
from collections import OrderedDict, deque
from collections.abc import Iterator

import evil_pickles
import joblib
import numpy as np
import pandas as pd
import scipy.sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import FeatureAgglomeration, KMeans
from sklearn.ensemble import (
    BaggingRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingRegressor,
)
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process.kernels import ConstantKernel
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multioutput import ClassifierChain
from sklearn.neighbors import BallTree, KDTree, KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, SplineTransformer
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils import Bunch

ROWS = np.random.default_rng(0).normal(size=(40, 3))
LABELS = np.arange(40) % 2
NUMBERS = ROWS @ [1.0, 2.0, 3.0]
TABLE = pd.DataFrame(ROWS, columns=["a", "b", "c"])

Attacks = Iterator[tuple[str, bytes]]


def bare(kind, **attributes):
    """Return an instance with attributes as a file may set them."""
    made = kind.__new__(kind)
    vars(made).update(attributes)
    return made


def spoiled(model, **attributes):
    """Return a model whose attributes are replaced."""
    vars(model).update(attributes)
    return model


def code(marker):
    """Return an expression that leaves a marker."""
    return f"__import__('pathlib').Path({str(marker)!r}).touch()"


def stacked(kind, method, member, words):
    """Return a pipeline whose stack is asked for a method of a held object."""
    stack = bare(
        kind,
        estimators=[("a", member)],
        estimators_=[member],
        named_estimators_=Bunch(a=member),
        final_estimator_=LinearRegression().fit(ROWS, NUMBERS),
        stack_method_=[method],
        passthrough=False,
        cv=None,
    )
    source = FunctionTransformer(ConstantKernel(words), validate=False)
    return Pipeline([("words", source), ("stack", stack)])


def methods_by_name(marker) -> Attacks:
    """(a) The file names a method, and holds the object that has it."""
    words = f"@np.{'f2py'}.os.system('touch {marker}')"
    frozen = FrozenEstimator(TABLE)
    model = LogisticRegression().fit(ROWS, LABELS)
    found = {
        "eval by a stack": stacked(StackingRegressor, "eval", frozen, words),
        "a file by a stack": stacked(StackingClassifier, "to_pickle", TABLE, str(marker)),
        "fit_transform by a stack": stacked(
            StackingRegressor, "fit_transform", Pipeline([("a", model)]), words
        ),
        "a dunder by a stack": stacked(StackingRegressor, "__setattr__", model, words),
        "response_method": bare(
            FixedThresholdClassifier, estimator_=frozen, response_method="eval", threshold=0.5
        ),
        "chain_method": bare(
            ClassifierChain, estimators_=[frozen], chain_method_="eval", order_=[0], classes_=[[0]]
        ),
        "a scorer": bare(
            GridSearchCV,
            best_estimator_=model,
            scorer_=spoiled(get_scorer("accuracy"), _response_method=("eval",)),
        ),
        "importance_getter": bare(
            SelectFromModel, estimator_=model, importance_getter="fit.__func__.__globals__"
        ),
        "importance_getter of RFE": bare(RFE, estimator_=model, importance_getter="densify"),
        "an output config": spoiled(
            LogisticRegression().fit(ROWS, LABELS), _sklearn_output_config={"transform": "os"}
        ),
    }
    yield from ((name, pickle.dumps(value)) for name, value in found.items())


def strange_members(marker) -> Attacks:
    """(a) A member of an ensemble or a pipeline is no estimator, or hides a method."""
    model = LogisticRegression().fit(ROWS, LABELS)
    words = code(marker)
    found = {
        "a table in a vote": bare(VotingRegressor, estimators_=[TABLE], estimators=[("a", TABLE)]),
        "a series in a bag": bare(
            BaggingRegressor, estimators_=[TABLE["a"]], estimators_features_=[np.arange(3)]
        ),
        "a table in a pipeline": Pipeline([("a", TABLE), ("b", model)]),
        "a kernel in a pipeline": Pipeline([("a", ConstantKernel(words)), ("b", model)]),
        "a bunch in a calibration": bare(
            CalibratedClassifierCV, calibrated_classifiers_=[Bunch(predict_proba=np.exp)]
        ),
        "a table in a search": bare(GridSearchCV, best_estimator_=TABLE, estimator=model),
        "a frozen table": FrozenEstimator(TABLE),
        "a hidden predict": spoiled(LogisticRegression().fit(ROWS, LABELS), predict=np.exp),
        "a hidden predict of data": spoiled(LogisticRegression().fit(ROWS, LABELS), predict=[1]),
        "a hidden get_params": spoiled(
            LogisticRegression().fit(ROWS, LABELS), get_params=ConstantKernel(words)
        ),
        "a hidden private method": spoiled(
            make_pipeline(model), _validate_params=FunctionTransformer(np.log)
        ),
    }
    yield from ((name, pickle.dumps(value)) for name, value in found.items())


def strange_functions(marker) -> Attacks:
    """(a) An attribute is called, and holds an object or a class of the file's own choice."""
    words = code(marker)
    model = LogisticRegression().fit(ROWS, LABELS)
    texts = CountVectorizer().fit(["good words", "bad words"])
    found = {
        "a kernel as func": FunctionTransformer(ConstantKernel(words)),
        "a class as func": FunctionTransformer(GridSearchCV),
        "a metric as func": FunctionTransformer(get_scorer("r2")._score_func),
        "a scorer as func": FunctionTransformer(get_scorer("r2")),
        "a tokenizer": spoiled(pickle.loads(pickle.dumps(texts)), tokenizer=LogisticRegression),
        "an analyzer": spoiled(pickle.loads(pickle.dumps(texts)), analyzer=np.exp),
        "a preprocessor": spoiled(pickle.loads(pickle.dumps(texts)), preprocessor=model),
        "a metric": spoiled(
            KNeighborsRegressor(algorithm="brute").fit(ROWS, NUMBERS), effective_metric_=np.exp
        ),
        "a weight": spoiled(KNeighborsRegressor().fit(ROWS, NUMBERS), weights=np.exp),
        "names of features": FunctionTransformer(np.log, feature_names_out=np.exp),
    }
    yield from ((name, pickle.dumps(value)) for name, value in found.items())


def caches(marker) -> Attacks:
    """(b) A cache on the disk, which is written anywhere, and whose content is run."""
    model = LogisticRegression().fit(ROWS, LABELS)
    inner = Pipeline([("a", FunctionTransformer(np.exp)), ("b", model)], memory=str(marker))
    found = {
        "a pipeline": inner,
        "a pipeline in a vote": bare(VotingRegressor, estimators_=[inner]),
        "a pipeline in a search": bare(GridSearchCV, best_estimator_=inner, estimator=inner),
        "an agglomeration": make_pipeline(
            spoiled(FeatureAgglomeration().fit(ROWS), memory=str(marker)), LogisticRegression()
        ),
        "an object": Pipeline([("a", model)], memory=FrozenEstimator(model)),
        "an empty path": Pipeline([("a", model)], memory=""),
    }
    yield from ((name, pickle.dumps(value)) for name, value in found.items())


def _named(dotted):
    module, _, name = dotted.rpartition(".")
    return evil_pickles.named(module, name)


def _instance(dotted, *arguments):
    return _named(dotted) + b"(" + b"".join(arguments) + b"t\x81"


def _words(**pairs):
    text = evil_pickles.text
    return b"}(" + b"".join(text(key) + value for key, value in pairs.items()) + b"u"


def calls_at_load() -> Attacks:
    """(c) Calls with any arguments, and states that no pickler writes."""
    text, called, stream = evil_pickles.text, evil_pickles.called, evil_pickles.stream
    bunch = _instance("sklearn.utils._bunch.Bunch") + (
        b"(" + text("__array_interface__") + b"}" + b"u"
    )
    logistic = "sklearn.linear_model._logistic.LogisticRegression"
    ordered = called(_named("collections.OrderedDict")) + b"(" + text("__class__") + b"Nu"
    found = {
        "an array out of a bunch": called(_named("numpy.ma.MaskedArray"), bunch),
        "an array out of a bunch by new": _instance("numpy.ma.MaskedArray", bunch),
        "a state of dunders": _instance(logistic) + ordered + b"b",
        "a state that is a bunch": _instance(logistic)
        + _instance("sklearn.utils._bunch.Bunch")
        + b"("
        + text("coef_")
        + b"Nu"
        + b"b",
        "a state of two parts": _instance(logistic) + b"N" + _words(coef_=b"N") + b"\x86b",
        "a table of a file's own": called(_named("pandas.DataFrame"), b"}"),
        "an index of a file's own": called(_named("pandas.Index"), b"]"),
        "a vectorizer with arguments": called(
            _named("sklearn.feature_extraction.text.CountVectorizer"), b"]"
        ),
        "a search by new": _instance("sklearn.model_selection._search.GridSearchCV", b"N", b"}"),
        "a factory of models": called(_named("collections.defaultdict"), _named(logistic)),
        "a ball tree of a list": called(_named("sklearn.neighbors._ball_tree.BallTree"), b"]"),
        "a seed of gigabytes": called(
            _named("numpy.random.bit_generator.SeedSequence"), b"NN)", b"J\xff\xff\xff\x7f"
        ),
        "a dict that is filled after it was copied": (
            _instance(logistic)
            + _words(stack_method_=text("eval"))
            + b"\x94b0"
            + b"h\x00"
            + text("stack_method_")
            + text("predict")
            + b"s0"
            + b"N"
        ),
        "a list that is filled after it was copied": called(_named("builtins.set"), b"]\x94")
        + b"0h\x00K\x01a",
        "an array that is filled anew": _instance(logistic)
        + b"}"
        + text("estimators_")
        + called(
            _named("numpy._core.numeric._frombuffer"),
            b"C\x00",
            called(_named("numpy.dtype"), text("f8"), b"\x89\x88"),
            b"K\x00\x85",
            text("C"),
        )
        + b"(K\x01K\x01\x85"
        + called(_named("numpy.dtype"), text("O8"), b"\x89\x88")
        + b"\x89]"
        + _instance(logistic)
        + b"atb"
        + b"sb",
        "keywords": _named(logistic) + b")" + _words(C=b"K\x01") + b"\x92",
        "items of a model": _instance(logistic) + b"(K\x01K\x02u",
    }
    yield from ((name, stream(value)) for name, value in found.items())


def _sparse(form, **wrong):
    matrix = scipy.sparse.csr_matrix(ROWS).asformat(form)
    for name, at in wrong.items():
        array = np.array(getattr(matrix, name))
        array[-1] = at
        setattr(matrix, name, array)
    return spoiled(KNeighborsClassifier(algorithm="brute").fit(ROWS, LABELS), _fit_X=matrix)


def _tree(**wrong):
    tree = DecisionTreeRegressor(max_depth=3, random_state=0).fit(ROWS, NUMBERS)
    return _with_nodes(tree.tree_, **wrong), tree


class _Made:
    """Pickles as another class, with a state of its own."""

    def __init__(self, *parts):
        self.parts = parts

    def __reduce__(self):
        return self.parts


def _with_nodes(tree, more=0, outputs=None, **wrong):
    kind, arguments, state = tree.__reduce__()
    nodes = state["nodes"].copy()
    for name, value in wrong.items():
        nodes[name][0] = value
    state = {**state, "nodes": nodes, "node_count": state["node_count"] + more}
    if outputs is not None:
        arguments = (arguments[0], arguments[1], outputs)
    return _Made(kind, arguments, state)


def broken_trees() -> Attacks:
    """(d) Trees that compiled code follows anywhere, or for ever."""
    ways = {
        "a child far away": {"left_child": 2**40},
        "a child below": {"right_child": -7},
        "a child that is itself": {"left_child": 0},
        "a column far away": {"feature": 2**40},
        "a column below": {"feature": -3},
        "more nodes than there are": {"more": 1000},
        "more outputs than there are": {"outputs": 3},
    }
    for name, wrong in ways.items():
        broken, tree = _tree(**wrong)
        yield name, pickle.dumps(spoiled(tree, tree_=broken))
    for kind in (RandomForestRegressor, GradientBoostingRegressor):
        model = kind(n_estimators=2, max_depth=2).fit(ROWS, NUMBERS)
        members = np.ravel(model.estimators_).tolist()
        members[0].tree_ = (
            DecisionTreeRegressor().fit(np.hstack([ROWS] * 9)[:, ::-1], NUMBERS).tree_
        )
        yield f"a tree of more columns in {kind.__name__}", pickle.dumps(model)
    model = GradientBoostingRegressor(n_estimators=2, max_depth=2).fit(ROWS, NUMBERS)
    model.estimators_ = np.hstack([model.estimators_] * 3)
    yield "more trees than outputs", pickle.dumps(model)
    for name, wrong in {
        "a child far away": {"left": 2**31},
        "a child that is itself": {"right": 0},
        "a column far away": {"feature_idx": 2**30},
        "categories that there are none of": {"is_categorical": 1, "bitset_idx": 2**30},
    }.items():
        model = HistGradientBoostingRegressor(max_iter=2).fit(ROWS, NUMBERS)
        nodes = model._predictors[0][0].nodes
        nodes["is_leaf"][0] = 0
        nodes["left"][0] = nodes["right"][0] = 1
        for field, value in wrong.items():
            nodes[field][0] = value
        yield f"{name}, histogram", pickle.dumps(model)


def _measured(weights):
    """Return a model of neighbours whose distance weights a number of columns."""
    settings = {"metric": "seuclidean", "metric_params": {"V": np.ones(3)}}
    model = KNeighborsRegressor(algorithm="ball_tree", **settings).fit(ROWS, NUMBERS)
    maker, own, parts = model._tree.__reduce__()
    distance = parts[11].__reduce__()
    lying = _Made(distance[0], distance[1], (2.0, weights, distance[2][2]))
    model.effective_metric_params_ = {}
    model._tree = _Made(maker, own, (*parts[:11], lying, parts[12]))
    return model


def broken_tables() -> Attacks:
    """(d) Sparse matrices, neighbours, support vectors, splines and streams that lie."""
    for form in ("csr", "csc", "bsr"):
        yield f"an index far away, {form}", pickle.dumps(_sparse(form, indices=10**9))
        yield f"an index below, {form}", pickle.dumps(_sparse(form, indices=-5))
        yield f"an end far away, {form}", pickle.dumps(_sparse(form, indptr=10**9))
    yield "a place far away, coo", pickle.dumps(_sparse("coo", row=10**9))
    for name, kind in (("kd", KDTree), ("ball", BallTree)):
        for place, spoil in {
            "an index": lambda parts: parts[1].__setitem__(0, 10**9),
            "a node": lambda parts: parts[2]["idx_end"].__setitem__(0, 10**9),
            "a leaf": lambda parts: parts[2]["is_leaf"].__setitem__(slice(None), 0),
        }.items():
            tree = kind(ROWS, leaf_size=5)
            maker, (own,), parts = tree.__reduce__()
            parts = tuple(np.array(one) if isinstance(one, np.ndarray) else one for one in parts)
            spoil(parts)
            model = spoiled(KNeighborsRegressor().fit(ROWS, NUMBERS), _fit_method=f"{name}_tree")
            model._tree = _Made(maker, (own,), parts)
            yield f"{place} far away, {name} tree", pickle.dumps(model)
    vectors = {
        "counts": {"_n_support": np.array([10**6, 10**6], dtype=np.int32)},
        "coefficients": {"_dual_coef_": np.zeros((1, 1))},
        "intercepts": {"_intercept_": np.zeros(0)},
        "vectors": {"support_vectors_": np.zeros((1, 3))},
    }
    for name, wrong in vectors.items():
        yield f"{name} of an SVC", pickle.dumps(spoiled(SVC().fit(ROWS, LABELS), **wrong))
    short = {"support_vectors_": np.zeros((1, 3))}
    yield "vectors of an SVR", pickle.dumps(spoiled(SVR().fit(ROWS, NUMBERS), **short))
    splines = SplineTransformer().fit(ROWS)
    vars(splines.bsplines_[0])["_c"] = np.zeros((1, 1))
    yield "a short spline", pickle.dumps(splines)
    maker, arguments, state = np.random.RandomState(0).__reduce__()
    state = {**state, "state": {**state["state"], "pos": 10**8}}
    forest = RandomForestRegressor(2).fit(ROWS, NUMBERS)
    yield (
        "a stream far away",
        pickle.dumps(spoiled(forest, random_state=_Made(maker, arguments, state))),
    )
    thin = scipy.sparse.csr_matrix(SVC().fit(ROWS, LABELS)._dual_coef_)
    thin.data, thin.indices, thin.indptr = thin.data[:1], thin.indices[:1], thin.indptr.clip(0, 1)
    sparse = SVC().fit(scipy.sparse.csr_matrix(ROWS), LABELS)
    yield "thin coefficients of an SVC", pickle.dumps(spoiled(sparse, _dual_coef_=thin))
    centres = np.zeros((2, 1))
    yield (
        "centres of one column",
        pickle.dumps(spoiled(KMeans(2, n_init=1).fit(ROWS), cluster_centers_=centres)),
    )
    yield "a distance of one column", pickle.dumps(_measured(np.ones(1)))
    words = pickle.dumps(pd.Series(["x", "yy"]))
    yield "words that leave their text", words.replace(b"\x03" + b"\x00" * 7, b"\x7f" * 8)
    encoder = OneHotEncoder().fit(LABELS[:, None])
    encoder._n_features_outs = [1]
    yield "fewer columns than categories", pickle.dumps(encoder)


def sizes() -> Attacks:
    """(e) A hundred bytes that take gigabytes."""
    text, called, stream = evil_pickles.text, evil_pickles.called, evil_pickles.stream
    dtype = called(_named("numpy.dtype"), text("V999999999"), b"\x89\x88")
    many = b"J\xff\xff\xff\x7f"
    numbers = called(_named("builtins.range"), b"K\x00", many, b"K\x01")
    index = called(
        _named("pandas.core.indexes.base._new_Index"),
        _named("pandas.RangeIndex"),
        _words(name=b"N", start=b"K\x00", stop=many, step=b"K\x01"),
    )
    whole = called(_named("numpy.dtype"), text("f8"), b"\x89\x88")
    array = called(
        _named("numpy._core.multiarray._reconstruct"), _named("numpy.ndarray"), b"K\x00\x85C\x01b"
    )
    found = {
        "a scalar": called(_named("numpy._core.multiarray.scalar"), dtype, b"C\x00"),
        "a scalar of a short text": called(
            _named("numpy._core.multiarray.scalar"), whole, b"C\x01a"
        ),
        "a counter": called(_named("collections.Counter"), numbers),
        "a series": called(_named("pandas.Series"), index),
        "an index": index,
        "a range": b"]" + numbers + b"a",
        "a frozenset": called(_named("builtins.frozenset"), numbers),
        "an array of a few bytes": array
        + b"(K\x01"
        + many
        + b"\x85"
        + whole
        + b"\x89C\x08"
        + b"\x00" * 8
        + b"tb",
        "a void of its own": called(_named("numpy.void"), many),
    }
    yield from ((name, stream(value)) for name, value in found.items())


def readers(path) -> Attacks:
    """(f) What reads files, hidden where a walk over attributes does not look."""
    vector = CountVectorizer(input="filename").fit([str(path)])
    others = [HashingVectorizer(input="file"), TfidfVectorizer(input="filename").fit([str(path)])]
    model = LogisticRegression().fit(ROWS, LABELS)
    found = {
        "in a set": {vector},
        "in a frozenset": frozenset({vector}),
        "as a key": {vector: 1},
        "in a series": pd.Series([vector]),
        "in a table": pd.DataFrame({"a": [others[0]]}),
        "in a tuple in a list": [(others[1],)],
        "in an ordered dict": OrderedDict(a=vector),
        "in a bunch": Bunch(a=vector),
        "in an array": np.array([vector, None], dtype=object),
        "in a masked array": np.ma.masked_array([vector, None], [0, 1], dtype=object),
        "in a deque": deque([vector]),
    }
    for name, value in found.items():
        yield name, pickle.dumps(spoiled(pickle.loads(pickle.dumps(model)), held_=value))
        file = io.BytesIO()
        joblib.dump({"model": model, "extra": value}, file)
        yield f"{name}, beside a model", file.getvalue()
