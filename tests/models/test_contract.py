"""What only some models can do: offered, passed on by every wrapper, needed by methods."""

import ast
import csv
import json
import pickle
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from paths import plain
from PIL import Image
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from xplain_cli import methods, models
from xplain_cli.errors import UsageError
from xplain_cli.methods.occlusion import Occlusion
from xplain_cli.models import Capabilities, LeafBoxes, MaskedText, Signature
from xplain_cli.models.contract import LoadedModel, PictureInput, UnableError
from xplain_cli.models.estimators.bag_of_words import BagOfWords, sparse_texts
from xplain_cli.models.estimators.chains import Affine, Chain
from xplain_cli.models.links import LinkedModel, LoadedLinkedModel, squash
from xplain_cli.models.pictures import FlatModel, LoadedFlatModel
from xplain_cli.planning.needs import check_needs, refusals_named
from xplain_cli.scales import Scale

NAMES = {one.name for one in fields(Capabilities)} - {"why_not"}
SCORES = Signature("f", "classification", "raw", ("a", "b"), None, margin=False, note="")
SHARES = replace(SCORES, scale="probability", positive=1)
LINK = ("--output-scale", "probability:of=softmax")


def lines_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def store_scores(folder, longest):
    """Write an ONNX model of token ids that ends in two scores, and a tokenizer that stops."""
    onnx = pytest.importorskip("onnx")
    tokenizers = pytest.importorskip("tokenizers")
    words = {"[PAD]": 0, "[UNK]": 1, "kind": 2, "cruel": 3}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.enable_truncation(longest)
    tokenizer.save(str(folder / "tokenizer.json"))
    node, kinds = onnx.helper.make_node, onnx.TensorProto
    nodes = [
        node("Gather", ["table", "input_ids"], ["each"]),
        node("Cast", ["attention_mask"], ["mask"], to=kinds.FLOAT),
        node("Unsqueeze", ["mask", "last"], ["column"]),
        node("Mul", ["each", "column"], ["read"]),
        node("ReduceSum", ["read", "middle"], ["scores"], keepdims=0),
    ]
    inputs = [
        onnx.helper.make_tensor_value_info(name, kinds.INT64, ["rows", "length"])
        for name in ("input_ids", "attention_mask")
    ]
    outputs = [onnx.helper.make_tensor_value_info("scores", kinds.FLOAT, ["rows", 2])]
    table = np.array([[0, 0], [0, 0], [-0.5, 1], [2, -1]], dtype=np.float32)
    held = {"table": table, "last": np.array([2]), "middle": np.array([1])}
    constants = [onnx.numpy_helper.from_array(array, name) for name, array in held.items()]
    graph = onnx.helper.make_graph(nodes, "tokens", inputs, outputs, constants)
    opsets = [onnx.helper.make_opsetid("", 17)]
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), str(folder / "s.onnx")
    )


@pytest.fixture
def scores(tmp_path):
    """Token scores that read five words, and two texts of which the first goes on."""
    store_scores(tmp_path, 5)
    (tmp_path / "texts.txt").write_text("kind cruel kind and so on they went\ncruel or not\n")
    return tmp_path


def test_words_that_are_not_read_weigh_nothing_behind_a_link_either(run, scores):
    assert run("text", "s.onnx", "texts.txt", "-o", "raw", "-q").code == 0
    assert run("text", "s.onnx", "texts.txt", *LINK, "-o", "linked", "-q").code == 0
    raw, linked = (
        {(w["row_id"], w["feature"]) for w in lines_of(scores / name / "weights.csv")}
        for name in ("raw", "linked")
    )
    assert linked == raw
    assert {word for row, word in linked if row == "0"} == {"kind", "cruel", "and", "so"}
    for name in ("raw", "linked"):
        stability = lines_of(scores / name / "stability.csv")
        assert {(s["row_id"], s["n_truncated"]) for s in stability} == {("0", "3"), ("1", "0")}


def test_another_tokenizer_makes_another_run_behind_a_link_either(run, scores):
    assert run("text", "s.onnx", "texts.txt", *LINK, "-o", "out", "-q").code == 0
    store_scores(scores, 4)
    done = run("text", "s.onnx", "texts.txt", *LINK, "-o", "out")
    assert (done.code, "differs in tokenizer" in done.err) == (2, True), done.err


CORPUS = ["free phone now", "see you at home", "win a free phone", "home late again", "win now"]


@pytest.mark.parametrize("link", ["sigmoid", "softmax"])
def test_masked_texts_take_the_sparse_road_behind_a_link(run, tmp_path, link):
    labels = [1, 0, 2, 0, 1] if link == "softmax" else [1, 0, 1, 0, 1]
    fitted = make_pipeline(TfidfVectorizer(), LinearSVC()).fit(CORPUS, labels)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(fitted))
    (tmp_path / "texts.txt").write_text("\n".join(CORPUS) + "\n")
    (tmp_path / f"own_{link}.py").write_text(
        "import pickle\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "import pandas as pd\n"
        "fitted = pickle.loads(Path('m.pkl').read_bytes())\n"
        "def scores(texts):\n"
        "    found = fitted.decision_function(texts)\n"
        "    found = np.c_[-found, found] if found.ndim == 1 else found\n"
        "    return pd.DataFrame(found, columns=list(range(found.shape[1])))\n"
    )
    scale = ("--output-scale", f"probability:of={link}", "-q", "--python-path", ".")
    found = []
    for model in ("m.pkl", f"own_{link}:scores"):
        done = run("text", model, "texts.txt", *scale, "--target", "1", "-o", model[:3])
        assert done.code == 0, done.err
        weights = lines_of(tmp_path / model[:3] / "weights.csv")
        found.append({(w["row_id"], w["feature"]): float(w["weight"]) for w in weights})
    assert found[0] == pytest.approx(found[1], abs=1e-9)
    plan = json.loads((tmp_path / "m.p" / "manifest.json").read_text(encoding="utf-8"))
    assert '"sparse": true' in json.dumps(plan)


ALL = Capabilities(
    leaves=lambda: LeafBoxes(*[np.zeros(0)] * 7),
    masked_text=MaskedText(lambda *asked: asked[-1][:, :2] * 1.0, lambda matrix: matrix),
    read_length=len,
    gradient=lambda _="": plain(Chain((Affine(np.arange(24.0).reshape(12, 2), np.zeros(2)),))),
    redrawable=lambda: ("hidden_1",),
    row_by_row=True,
)


@dataclass(frozen=True)
class Able:
    """A model of tables that can do everything, or what is said."""

    capabilities: Capabilities = ALL
    signature: Signature = SCORES

    def predict(self, batch):
        return np.ascontiguousarray(batch.to_numpy(dtype=float)[:, :2])


WRAPPERS = {
    "BagOfWords": lambda model: BagOfWords(
        model, sparse_texts(make_pipeline(TfidfVectorizer(), LinearSVC()).fit(CORPUS[:2], [0, 1]))
    ),
    "FlatModel": lambda model: FlatModel(model, None, None),
    "LinkedModel": lambda model: LinkedModel(model, SHARES, "softmax"),
}
ANSWERS_ALONE = {"ScoredModel"}  # it stands in for answers: nobody asks what else it can do
LOST = {("FlatModel", "leaves"), ("LinkedModel", "leaves")}


def wrapping(method, held):
    """Return the classes of models/ that have a method and hold another one of its kind."""
    found = set()
    for path in Path(models.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ClassDef):
                continue
            inside = list(ast.walk(node))
            defined = {one.name for one in inside if isinstance(one, ast.FunctionDef)}
            notes = [one.annotation for one in inside if isinstance(one, ast.AnnAssign | ast.arg)]
            named = {getattr(note, "id", None) for note in notes}
            if method in defined and held in named:
                found.add(node.name)
    return found


def test_every_wrapper_is_walked_over():
    assert wrapping("predict", "Model") == set(WRAPPERS) | ANSWERS_ALONE
    assert wrapping("bind", "LoadedModel") == {"LoadedLinkedModel", "LoadedFlatModel"}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_wrapper_passes_every_capability_on_or_says_why_not(wrapper, name):
    offered = WRAPPERS[wrapper](Able()).capabilities
    assert bool(getattr(offered, name)) is ((wrapper, name) not in LOST)
    assert (name in offered.why_not) is ((wrapper, name) in LOST)


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_what_the_model_lacks_no_wrapper_gives_a_reason_of_its_own(wrapper):
    lacking = Able(Capabilities(why_not={"leaves": "needs trees, not this"}))
    offered = WRAPPERS[wrapper](lacking).capabilities
    assert offered.why_not == {"leaves": "needs trees, not this"}


def test_masked_texts_of_a_link_end_in_probabilities():
    masked = LinkedModel(Able(), SHARES, "softmax").capabilities.masked_text
    rows = masked.masked_rows("a b", (), np.array([[True, False], [True, True]]))
    assert masked.predict_rows(rows) == pytest.approx(squash(rows, "softmax"))


def test_derivatives_by_pixels_are_those_by_columns_in_the_same_order():
    pictures = np.arange(24.0).reshape(2, 2, 3, 2)
    by_pixel = FlatModel(Able(), None, None).capabilities.gradient()
    points = by_pixel.enter(pictures)
    np.testing.assert_array_equal(points, pictures.reshape(2, 12))
    slopes, _ = by_pixel.derive(points, lambda scores: np.tile([0.0, 1.0], (len(scores), 1)))
    np.testing.assert_array_equal(by_pixel.leave(slopes), np.tile(np.arange(1.0, 24, 2), (2, 1)))


@pytest.mark.parametrize("link", ["softmax", "sigmoid"])
def test_derivatives_behind_a_link_are_those_of_the_same_scores(link):
    linked = LinkedModel(Able(), SHARES, link).capabilities.gradient()
    assert linked.link == link
    points = np.ones((3, 12))
    np.testing.assert_array_equal(linked.scores(points), ALL.gradient().scores(points))


@pytest.mark.parametrize("link", ["softmax", "sigmoid"])
@pytest.mark.parametrize("outputs", [2, 3, 9, 33])
def test_a_link_answers_row_by_row(link, outputs):
    scores = np.random.default_rng(0).normal(size=(101, outputs)) * 5
    together = squash(scores, link)
    alone = np.vstack([squash(scores[i : i + 1], link) for i in range(len(scores))])
    assert together.tobytes() == alone.tobytes()


class LoadedAble:
    """A loaded model that knows everything of itself."""

    kind = "stub"
    sha256 = "aa"
    tokenizer_sha256 = "bb"
    takes = PictureInput("NCHW", "uint8")
    columns = ("p", "q")
    n_columns = 2
    discrete = frozenset({"p"})
    levels: ClassVar = {"p": "levels"}
    numeric = frozenset({"q"})
    all_numeric = True
    notes = ("note",)
    versions: ClassVar = {"stub": "1"}
    leftovers = ("Old.one=1",)

    def settle(self, _batch):
        return SCORES

    def bind(self, _settled):
        return Able()


KNOWN = {name for name in vars(LoadedModel) if not name.startswith("_")} - {"settle", "bind"}


def test_a_link_knows_what_its_model_knows():
    loaded, linked = LoadedAble(), LoadedLinkedModel(LoadedAble(), "softmax")
    assert {name: getattr(linked, name) for name in KNOWN} == {
        name: getattr(loaded, name) for name in KNOWN
    }


def test_a_flattened_model_knows_all_but_the_columns_of_its_table():
    loaded, flat = LoadedAble(), LoadedFlatModel(LoadedAble())
    about_columns = {"columns", "n_columns", "discrete", "levels", "numeric", "all_numeric"}
    for name in KNOWN - about_columns - {"takes", "notes"}:
        assert getattr(flat, name) == getattr(loaded, name)
    assert (flat.columns, flat.n_columns, set(flat.levels)) == (None, None, set())
    assert flat.takes.flat == 2
    assert set(loaded.notes) < set(flat.notes)


@dataclass(frozen=True)
class Slope:
    """A stub method that needs derivatives."""

    steps: int = 8

    needs: ClassVar[frozenset[str]] = frozenset({"gradient"})
    instead: ClassVar[str] = "permutation"
    exact: ClassVar[bool] = False
    pooled: ClassVar[bool] = False
    sampled: ClassVar[bool] = False
    default_budget = Occlusion.default_budget
    row_inputs = Occlusion.row_inputs
    facts = Occlusion.facts
    explain = Occlusion.explain


def test_a_method_may_need_gradients_of_a_model_that_offers_them():
    check_needs(Slope(), Able().capabilities, Scale("raw"))
    with pytest.raises(UnableError, match="needs a model that gives gradients"):
        check_needs(Slope(), Capabilities(), Scale("raw"))


def test_an_impossible_pair_is_refused_under_the_name_that_was_typed(run, monkeypatch, diabetes):
    monkeypatch.setitem(methods.METHODS["masks"], "slope", Slope)
    monkeypatch.setattr(Slope, "needs", frozenset({"masked_text"}))
    done = run("tabular", diabetes.model, diabetes.data, "-m", "slope:steps=4")
    assert done.code == 2
    assert "slope:steps=4 needs a model with masked_text; take permutation" in done.err


def test_methods_need_what_capabilities_are_called():
    every = [
        methods.METHODS["draws"]["lime"](exact=True),
        *(kind() for shelf in methods.METHODS.values() for kind in shelf.values()),
    ]
    assert {name for method in every for name in method.needs} == {"gradient", "leaves"}
    assert all(bool(method.instead) for method in every if method.needs)


def refused(error):
    """Return what the user is told of a stub method that comes up against an error."""
    with pytest.raises(UsageError) as told, refusals_named(Slope(), "slope:steps=2"):
        raise error
    return str(told.value)


def test_what_mends_a_pair_is_told_before_another_method():
    mended = refused(UnableError("needs scores", "--output-scale raw"))
    assert mended == "slope:steps=2 needs scores: take --output-scale raw, or permutation"
    assert refused(UnableError("needs scores")) == "slope:steps=2 needs scores; take permutation"
    assert refused(UsageError("other")) == "other"


IMPOSSIBLE = {
    "own name": (("-m", "lime:ridge=2,exact=yes"), "lime:ridge=2,exact=yes needs trees, not Ridge"),
    "way out": (("-m", "lime:exact=yes"), "; take lime:exact=no"),
    "other method": (("-m", "tree-shap"), "tree-shap needs trees, not Ridge; take kernel-shap"),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_a_model_without_trees_is_refused(run, diabetes, name):
    options, says = IMPOSSIBLE[name]
    done = run("tabular", diabetes.model, diabetes.data, *options)
    assert (done.code, says in done.err) == (2, True), done.err


def test_trees_behind_a_link_are_refused_with_the_link(run, tmp_path, cancer):
    table = pd.read_csv(cancer.data).drop(columns="id")
    boosted = GradientBoostingClassifier(n_estimators=3).fit(table, [0, 1] * 30)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(boosted))
    data = ("tabular", "m.pkl", cancer.data, "--id-column", "id", "-m", "tree-shap")
    done = run(*data, "--response", "decision_function", "--output-scale", "probability:of=sigmoid")
    says = "tree-shap follows scores, and of=sigmoid makes them probabilities (leave it out)"
    assert (done.code, says in done.err) == (2, True), done.err


def test_log_odds_of_leaves_and_groups_in_bins_are_refused(run, cancer):
    data = ("tabular", cancer.model, cancer.data, "--id-column", "id", "-m", "lime:exact=yes")
    done = run(*data, "--output-scale", "log-odds")
    assert (done.code, "log-odds of a sum are none: take the model's own scale" in done.err) == (
        2,
        True,
    )
    done = run(*data, "--group", "size=mean*")
    says = "lime:exact=yes has no closed form for --group; take lime:exact=no"
    assert (done.code, says in done.err) == (2, True), done.err


@pytest.mark.parametrize("command", ["text", "image"])
def test_closed_forms_of_trees_are_for_tables(run, tmp_path, command):
    if command == "text":
        forest = make_pipeline(TfidfVectorizer(), DecisionTreeClassifier())
        data = tmp_path / "texts.txt"
        data.write_text("\n".join(CORPUS) + "\n")
        forest.fit(CORPUS, [1, 0, 1, 0, 1])
        says = "TfidfVectorizer transforms the columns before; take kernel-shap"
    else:
        pixels = np.random.default_rng(0).random((20, 64))
        forest = DecisionTreeClassifier().fit(pixels, [0, 1] * 10)
        data = tmp_path / "a.png"
        Image.fromarray(np.eye(8, dtype=np.uint8) * 255).save(data)
        says = "tree-shap is for tables, and pixels are no columns; take kernel-shap"
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(forest))
    done = run(command, "m.pkl", data, "-m", "tree-shap")
    assert (done.code, says in done.err) == (2, True), done.err
