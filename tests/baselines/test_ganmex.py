"""``-b ganmex=G.xplain`` from end to end, with generators that nobody trained."""

import hashlib
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from learned import random_learned
from running import rows_of

from xplain_cli.baselines.ganmex import MadePictures
from xplain_cli.baselines.generators import Rates
from xplain_cli.baselines.learned_file import learned_bytes
from xplain_cli.baselines.vectors import PictureSpace, measured_space
from xplain_cli.modalities.image.compose import InputForm

FORM = InputForm(dtype="float64").numbers()


@pytest.fixture(scope="module")
def digits():
    """A network on digits of three classes, pickled, with ten of them and their space."""
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier

    X, y = load_digits(n_class=3, return_X_y=True)
    model = MLPClassifier((16,), max_iter=150, random_state=0).fit(X, y)
    return pickle.dumps(model), model, X[:6]


@pytest.fixture
def written(tmp_path, digits):
    data, model, X = digits
    (tmp_path / "d.pkl").write_bytes(data)
    np.save(tmp_path / "d.npy", X.reshape(-1, 8, 8, 1))
    table = pd.DataFrame(X, columns=[f"p{i}" for i in range(64)])
    table.to_csv(tmp_path / "d.csv", index=False)

    def write(space, name="G.xplain", **more):
        sha = more.pop("model", hashlib.sha256(data).hexdigest())
        learned = random_learned(space, ("0", "1", "2"), sha, **more)
        (tmp_path / name).write_bytes(learned_bytes(learned))
        return learned

    return write, model, table


PICTURES = ("image", "d.pkl", "d.npy", "--segmenter", "grid", "--segments", "9", "-q", "-j", "1")


@pytest.mark.parametrize("method", ["kernel-shap", "occlusion", "lime", "ig"])
def test_pictures_are_explained_against_what_is_made_of_them(run, tmp_path, written, method):
    write, model, table = written
    space = PictureSpace((8, 8, 1), 0.0, 16.0, FORM)
    learned = write(space)
    target = "predicted:vs:runner-up"
    done = run(*PICTURES, "-m", method, "-b", "ganmex=G.xplain", "-t", target)
    assert done.code == 0, done.err
    X = table.to_numpy()
    outputs = model.predict_proba(X)
    order = outputs.argsort(axis=1)
    pictures = list(X.reshape(-1, 8, 8, 1))
    made = learned.generator.made(*space.vectors(pictures), order[:, -2])
    base = np.stack(space.rows(made, pictures)).reshape(-1, 64)
    there, rows = model.predict_proba(base), np.arange(len(X))
    gap = there[rows, order[:, -1]] - there[rows, order[:, -2]]
    if method == "ig":
        gap = np.log(there[rows, order[:, -1]]) - np.log(there[rows, order[:, -2]])
    for i, line in enumerate(rows_of(tmp_path / "xplain-out" / "stability.csv")):
        assert line["baseline_class"] == str(order[i, -2])
        assert float(line["baseline_in_class"]) == (there[i].argmax() == order[i, -2])
        judged = learned.generator.judge.classes(made[[i]])[0] == order[i, -2]
        assert float(line["judge_in_class"]) == judged
        assert float(line["baseline_distance"]) == pytest.approx(np.linalg.norm(base[i] - X[i]))
        assert 0 < int(line["n_changed"]) <= 9
        if method != "lime":
            assert float(line["base_value"]) == pytest.approx(gap[i], abs=1e-9)
        if method in {"kernel-shap", "ig"}:
            assert float(line["attribution_error"]) <= 1e-12


@pytest.mark.parametrize("method", ["kernel-shap", "ig"])
def test_rows_of_tables_are_too_and_what_is_put_back_stays(run, tmp_path, written, method):
    write, model, table = written
    space = measured_space(table, frozenset())
    learned = write(space)
    changed = {}
    for more in ("", ",revert=yes"):
        done = run(
            *("tabular", "d.pkl", "d.csv", "-m", method, "-t", "0:vs:1", "-q", "-j", "1"),
            *("-b", f"ganmex=G.xplain{more}", "-o", f"out{more}"),
            *(("-n", "256", "-r", "1") if method == "kernel-shap" else ()),
        )
        assert done.code == 0, done.err
        lines = rows_of(tmp_path / f"out{more}" / "stability.csv")
        changed[more] = [int(line["n_changed"]) for line in lines]
        assert {line["baseline_origin"] for line in lines} == {"made of the row"}
        for line in lines:
            assert float(line["attribution_error"]) <= 1e-12
    own = model.predict(table.to_numpy())
    wanted = np.where(own == 1, 0, 1)
    made = space.rows(learned.generator.made(*space.vectors(table), wanted), table)
    there = model.predict_proba(made.to_numpy())
    for i, line in enumerate(rows_of(tmp_path / "out" / "stability.csv")):
        assert line["baseline_class"] == str(wanted[i])
        assert float(line["baseline_in_class"]) == (there[i].argmax() == wanted[i])
        if method == "kernel-shap":
            assert float(line["base_value"]) == pytest.approx(there[i, 0] - there[i, 1], abs=1e-12)
    assert all(b <= a for a, b in zip(changed[""], changed[",revert=yes"], strict=True))
    assert sum(changed[",revert=yes"]) < sum(changed[""])


def test_held_columns_stay_the_rows_own(run, tmp_path, written):
    write, _, table = written
    write(measured_space(table, frozenset()))
    for more in ("", ",revert=yes"):
        done = run(
            *("tabular", "d.pkl", "d.csv", "-m", "occlusion", "-t", "0:vs:1", "-q", "-j", "1"),
            *("-b", f"ganmex=G.xplain{more}", "--hold", "p2?", "-o", f"out{more}"),
        )
        assert done.code == 0, done.err
        weights = rows_of(tmp_path / f"out{more}" / "weights.csv")
        assert {line["feature"] for line in weights}.isdisjoint(f"p2{i}" for i in range(10))
        for line in rows_of(tmp_path / f"out{more}" / "stability.csv"):
            assert 0 <= int(line["n_changed"]) <= 54


def test_a_generator_that_counts_on_moving_what_is_held_is_noted(run, written):
    write, _, table = written
    learned = write(measured_space(table, frozenset()))
    words = ("tabular", "d.pkl", "d.csv", "-m", "occlusion", "-t", "0:vs:1", "-j", "1")
    words = (*words, "-b", "ganmex=G.xplain", "--force", "--rows", "0:1")
    assert "was trained to move" not in run(*words).err
    assert "was trained to move p20, p21 too" in run(*words, "--hold", "p2[01]").err
    held = replace(learned, facts={**learned.facts, "reading": {"hold": ["p20"]}})
    Path("G.xplain").write_bytes(learned_bytes(held))
    assert "was trained to move p21 too" in run(*words, "--hold", "p2[01]").err


def test_small_changes_of_a_picture_are_put_back_while_the_class_holds(rng):
    space = PictureSpace((4, 4, 1), 0.0, 1.0, FORM)
    learned = random_learned(space, ("a", "b"))

    class Shown:
        values = rng.random((4, 4, 1))
        precision = np.float64
        handed = staticmethod(np.asarray)

    def ask(inputs):  # of class b unless almost all is as it was
        apart = (np.abs(inputs - Shown.values) > 0).reshape(len(inputs), -1).sum(axis=1)
        return np.column_stack([apart < 5, apart >= 5]).astype(float)

    giver = MadePictures(learned.generator, space, ("a", "b"), 1, (), revert=True)
    whole = MadePictures(learned.generator, space, ("a", "b"), 1, ())
    classes = np.array([1])
    back, plain = giver.assign([Shown()], classes, ask), whole.assign([Shown()], classes, ask)
    assert ask(back.values[0][None]).argmax() == 1
    apart = np.abs(plain.values[0] - Shown.values)
    kept = back.values[0] != Shown.values
    assert 5 <= kept.sum() < (apart > 0).sum()
    assert apart[kept].min() >= apart[~kept].max()
    assert back.asked.tolist() == [giver.most_asked]


def test_a_class_that_training_never_saw_loses_its_rows_alone(run, tmp_path, written):
    """Each row is made of the other class; one that is named for all is refused before."""
    write, _, table = written
    write(measured_space(table, frozenset()), known=(5, 0, 5))
    words = ("tabular", "d.pkl", "d.csv", "-m", "occlusion", "-t", "0:vs:1", "-q")
    assert run(*words, "-b", "ganmex=G.xplain", "--max-failed", "5").code == 0
    lines = rows_of(tmp_path / "xplain-out" / "stability.csv")
    assert {line["status"] for line in lines} == {"ok", "failed"}
    for line in lines:
        lost = line["status"] == "failed"
        assert ("in class '1'; name another class" in line["error"]) == lost
    assert run(*words, "-b", "ganmex=G.xplain,class=1", "-o", "no").code == 3


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"model": "0" * 64}, "was trained for another model"),
        ({"known": (5, 0, 5)}, "no row that the generator was trained on in class '1'"),
    ],
)
def test_what_was_trained_for_another_is_refused(run, written, more, said):
    write, _, table = written
    write(measured_space(table, frozenset()), **more)
    done = run(
        "tabular", "d.pkl", "d.csv", "-m", "occlusion", "-b", "ganmex=G.xplain", "-t", "0:vs:1"
    )
    assert done.code in {3, 4}
    assert said in done.err


def test_what_does_not_fit_is_refused_with_the_way_out(run, tmp_path, written):
    write, _, table = written
    write(measured_space(table[table.columns[::-1]], frozenset()))
    words = ("tabular", "d.pkl", "d.csv", "-m", "occlusion", "-t", "0:vs:1")
    assert "was trained on other columns" in run(*words, "-b", "ganmex=G.xplain").err
    write(PictureSpace((8, 8, 1), 0.0, 16.0, FORM | {"rescale": 0.5}))
    assert "give the same --rescale" in run(*PICTURES, "-b", "ganmex=G.xplain").err
    write(PictureSpace((4, 4, 1), 0.0, 16.0, FORM))
    assert "makes pictures of 4 x 4" in run(*PICTURES, "-b", "ganmex=G.xplain", "-m", "ig").err
    (tmp_path / "G.xplain").write_bytes(b"PK")
    assert "is no learned baseline" in run(*words, "-b", "ganmex=G.xplain").err
    assert "xplain baselines train ganmex" in run(*words, "-b", "ganmex").err
    several = run(*words[:-1], "top:2", "-b", "ganmex=G.xplain")
    assert several.code != 0


def test_low_rates_are_noted(run, written):
    write, _, table = written
    write(measured_space(table, frozenset()), rates=Rates(0.93, 0.46, 0.4, 90, 0.97))
    words = (
        "tabular",
        "d.pkl",
        "d.csv",
        "-m",
        "occlusion",
        "-b",
        "ganmex=G.xplain",
        "-t",
        "0:vs:1",
    )
    said = run(*words, "--dry-run").err
    assert "judge rate below 0.8" in said
    assert "target rate below" not in said


def test_a_file_is_shown_without_its_model(run, tmp_path, written):
    from PIL import Image

    write, _, table = written
    write(PictureSpace((8, 8, 1), 0.0, 16.0, FORM))
    shown = run("baselines", "show", "G.xplain", "--plot", "pairs.png")
    assert shown.code == 0, shown.err
    assert "judge     0.970" in shown.out
    assert "pair 10: 0 -> 1" in shown.out
    with Image.open(tmp_path / "pairs.png") as drawn:
        assert drawn.size == (10 * 64 + 36, 2 * 64 + 4)
    write(measured_space(table, frozenset()))
    shown = run("baselines", "show", "G.xplain")
    assert "columns stay" in shown.out
    assert (
        "--plot draws pairs of pictures"
        in run(*("baselines", "show", "G.xplain", "--plot", "pairs.png")).err
    )
