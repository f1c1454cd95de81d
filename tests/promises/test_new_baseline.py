"""One shelf of baselines for all modalities: its contract, and kinds that a file brings."""

import json
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from drawn_pictures import given, noise
from PIL import Image

from xplain_cli.baselines import BASELINES, DEFAULTS, label_of, open_baseline
from xplain_cli.baselines.assignment import NO_CLASS, SHORT, Assigned, assign_one
from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.modalities.image.compose import InputForm
from xplain_cli.modalities.image.masks import PictureMasker
from xplain_cli.modalities.image.superpixels import open_superpixels
from xplain_cli.modalities.text.masks import TextMasker

EVERY = [(modality, name) for modality, shelf in BASELINES.items() for name in shelf]
NAMED = {
    "colour": "colour=7",
    "file": "file=a.png",
    "token": "token=_",
    "ganmex": "ganmex=G.xplain",
}


def written(modality, name):
    """Return how a user writes a kind."""
    bare = modality != "tabular" and name == "nearest"
    return "nearest:class=a" if bare else NAMED.get(name, name)


@pytest.mark.parametrize(("modality", "name"), EVERY)
def test_every_kind_has_a_label_and_a_sentence(modality, name):
    text = written(modality, name)
    baseline = open_baseline(modality, text)
    assert label_of(modality, baseline, text)
    assert len(baseline.sentence) > len(name)


@pytest.mark.parametrize("modality", BASELINES)
def test_the_default_stands_on_the_shelf(modality):
    default = type(open_baseline(modality, None))
    assert default is BASELINES[modality][DEFAULTS[modality]]


@pytest.mark.parametrize(
    ("modality", "text", "says"),
    [
        ("tabular", "meen", "did you mean 'mean'"),
        ("tabular", "fille=a.csv", "did you mean 'file'"),
        ("tabular", "mean=3", "no 'mean=3' here"),
        ("text", "nearst:class=a", "did you mean 'nearest'"),
        ("text", "nearest:clas=a", "did you mean 'class'"),
        ("image", "gray", "did you mean 'grey'"),
        ("image", "colour", "neither #rrggbb nor a number"),
        ("image", "file", "file=empty.png"),
    ],
)
def test_what_is_wrong_is_said_in_one_way(modality, text, says):
    with pytest.raises(UsageError, match=says):
        open_baseline(modality, text)


def test_commas_belong_to_the_only_setting():
    assert open_baseline("tabular", "file=a,b=c:d.csv").path == "a,b=c:d.csv"


@pytest.mark.parametrize("text", ["deletion", "token=[MASK]"])
def test_the_baseline_of_a_text_is_the_text_without_its_units(text):
    fitted = open_baseline("text", text).fit(None)
    rows = TextMasker(mask_token=fitted.token).split(["a bad film, a very bad end!"])
    nothing = rows.masked(0, np.zeros((1, rows.counts[0]), dtype=bool))
    assert assign_one(fitted, rows).values == nothing


@pytest.mark.parametrize("text", ["mean", "black", "blur", "colour=#102030"])
def test_the_baseline_of_a_picture_is_the_picture_with_everything_hidden(text):
    fitted = open_baseline("image", text).fit(None)
    rows = PictureMasker(open_superpixels("grid", 6), fitted, InputForm()).split([given(noise())])
    nothing = rows.masked(0, np.zeros((1, 6), dtype=bool))[0]
    np.testing.assert_array_equal(assign_one(fitted, [rows.rows[0]]).values[0], nothing)


@pytest.mark.parametrize(("baseline", "option"), [("deletion", ()), ("token=_", ("_",))])
def test_a_token_is_a_baseline_by_its_own_name(run, comments, baseline, option):
    base = ("text", comments / "model.pkl", comments / "comments.csv", "--text-column", "CONTENT")
    words = (*base, "--rows", "0:2", "-q")
    assert run(*words, "-b", baseline, "-o", "one").code == 0
    assert run(*words, *(("--mask-token", *option) if option else ()), "-o", "two").code == 0
    ids = {json.loads(Path(o, "manifest.json").read_text())["run_id"] for o in ("one", "two")}
    assert len(ids) == 1


# ---- a kind that a file brings: this class, and one line of the table


@dataclass(frozen=True)
class Stub:
    """What a generator's file gives for each class."""

    path: str = field(default="", metadata=SHORT)

    label: ClassVar[None] = None
    sentence: ClassVar[str] = "made: absent features take their values in what a generator made"
    many: ClassVar[bool] = False

    def numbers(self, files):
        return {"generator": files.sha256(self.path)}

    def fit(self, reference):
        try:
            made = json.loads(Path(self.path).read_text(encoding="utf-8"))
        except ValueError as error:
            raise RefusedError(f"{self.path}: no generator: {error}") from error
        return MadeForEach(made, getattr(reference, "outputs", ()))


@dataclass(frozen=True)
class MadeForEach:
    """Assigns each row what was made for its class."""

    made: dict
    outputs: tuple

    k: ClassVar[int] = 1
    most_asked: ClassVar[int] = 0
    has_origins: ClassVar[bool] = True
    notes: ClassVar[tuple] = ("baseline: made",)

    @property
    def wanted(self):
        return None if self.outputs else NO_CLASS

    def assign(self, rows, classes, ask):  # noqa: ARG002 - the protocol's
        names = [self.outputs[c] if self.outputs else "any" for c in classes.tolist()]
        made = [self.made[name] for name in names]
        made = [np.array(one, dtype=np.float32) if isinstance(one, list) else one for one in made]
        values = pd.DataFrame(made)[list(rows.columns)] if self.outputs else made
        return Assigned(values, [f"made for {n}" for n in names], np.zeros(len(made), dtype=int))


@pytest.fixture
def made(monkeypatch):
    for shelf in BASELINES.values():
        monkeypatch.setitem(shelf, "made", Stub)


def put(name, values):
    Path(name).write_text(json.dumps(values), encoding="utf-8")


def numbers(folder="xplain-out"):
    plan = json.loads(Path(folder, "manifest.json").read_text(encoding="utf-8"))["plan"]
    return plan["numbers"]


@pytest.mark.usefixtures("made")
def test_a_table_is_explained_against_what_was_made_for_its_foil(run, cancer):
    table = pd.read_csv(cancer.data).drop(columns="id")
    names = pickle.loads(cancer.model.read_bytes()).classes_.astype(str)
    rows = dict(zip(names, table.iloc[[0, 19]].to_dict("records"), strict=True))
    put("g.json", rows)
    base = ("tabular", cancer.model, cancer.data, "--drop-columns", "id", "-m", "kernel-shap")
    words = (*base, "--rows", "0:2", "-q", "-t", names[0])
    done = run(*words, "-b", "made=g.json", "--fail-on", "max(attribution_error)>1e-9")
    assert done.code == 0, done.err
    found = pd.read_csv("xplain-out/stability.csv")
    assert set(found["baseline_origin"]) == {f"made for {name}" for name in found["baseline_class"]}
    model = pickle.loads(cancer.model.read_bytes())
    answers = model.predict_proba(
        pd.DataFrame([rows[n] for n in found["baseline_class"].astype(str)])
    )
    assert found["base_value"].to_numpy() == pytest.approx(answers[:, 0])
    before = numbers()
    assert before["baseline"] == "made=g.json"
    put("g.json", {**rows, "more": 1})
    assert run(*words, "-b", "made=g.json", "--force").code == 0
    assert numbers()["generator"] != before["generator"]


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(("held", "says"), [(None, "o such file"), ("{", "no generator")])
def test_a_file_that_is_refused_ends_the_run_before_it_begins(run, cancer, tmp_path, held, says):
    if held is not None:
        (tmp_path / "g.json").write_text(held)
    base = ("tabular", cancer.model, cancer.data, "--drop-columns", "id", "-m", "kernel-shap")
    done = run(*base, "-b", "made=g.json")
    assert (done.code, says in done.err) == (3, True), done.err
    assert not (tmp_path / "xplain-out").exists()


@pytest.mark.usefixtures("made")
def test_a_text_is_explained_against_what_was_made(run, comments):
    put("g.json", {"any": "thank you, band"})
    base = ("text", comments / "model.pkl", comments / "comments.csv", "--text-column", "CONTENT")
    done = run(*base, "-m", "kernel-shap", "-b", "made=g.json", "--rows", "0:2", "-q")
    assert done.code == 0, done.err
    found = pd.read_csv("xplain-out/stability.csv")
    model = pickle.loads((comments / "model.pkl").read_bytes())
    assert found["base_value"].tolist() == pytest.approx(
        [model.predict_proba(["thank you, band"])[0, 1]] * 2
    )
    assert set(found["baseline_origin"]) == {"made for any"}
    assert numbers()["generator"]


@pytest.mark.usefixtures("made")
def test_a_picture_is_explained_against_what_was_made(run, tmp_path):
    from picture_models import mean_colours

    model = mean_colours(tmp_path / "m.onnx", shape=["rows", 3, 12, 16], scale=0.05)
    Image.fromarray(noise()).save(tmp_path / "a.png")
    put("g.json", {"any": np.full((12, 16, 3), 7.0).tolist()})
    words = ("image", model, tmp_path / "a.png", "--segments", "4", "--no-maps", "-q")
    monochrome = run(*words, "-b", "colour=7", "-o", "one")
    assert monochrome.code == 0, monochrome.err
    done = run(*words, "-b", "made=g.json", "-o", "two")
    assert done.code == 0, done.err
    one, two = (pd.read_csv(Path(name, "weights.csv"))["weight"] for name in ("one", "two"))
    assert one.tolist() == two.tolist()
    assert pd.read_csv("two/stability.csv")["baseline_origin"].tolist() == ["made for any"]
    assert numbers("two")["generator"]
