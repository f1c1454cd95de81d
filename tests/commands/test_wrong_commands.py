"""Wrong command lines: each says what is wrong and what to type instead, and none is a bug."""

import os
import pickle
import re
import shlex

import numpy as np
import pandas as pd
import pytest
from picture_models import mean_colours
from PIL import Image

SCRIPTS = {
    "calls.py": """
import sys
import numpy as np
def short(x): return np.full((min(len(x), 16), 2), 0.5)
def many(x): return np.full((len(x) + 1, 2), 0.5)
def none(x): return None
def boom(x): raise RuntimeError("x" * 5000)
def cube(x): return np.zeros((len(x), 2, 3))
def echo(x): raise ValueError(f"cannot do {list(x)!r}")
def leaves(x): sys.exit(7)
number = 3
""",
    "script.py": "import sys\nsys.exit(2)\n",
    "broken.py": "raise ValueError('no')\n",
    "wrong.toml": "samples = 'x'\n",
    "typo.toml": "sampels = 3\n",
    "cut.toml": "[[[",
    "t.txt": "good film\nbad play\nawful and long\n",
    "empty.csv": "",
    "header.csv": "a,b,c\n",
    "one.csv": "a,b,c\n1,2,3\n",
    "labels.txt": "x\n",
    "junk.pkl": "hello",
    "empty.pkl": "",
}


def _models():
    from sklearn.cluster import KMeans
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    table = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3)), columns=list("abc"))
    classes = np.array(["no", "yes"])[(table["a"] > 0).astype(int)]
    fitted = LogisticRegression().fit(table, classes)
    texts = make_pipeline(CountVectorizer(), LogisticRegression())
    return table, {
        "m.pkl": fitted,
        "unfitted.pkl": LogisticRegression(),
        "steps.pkl": make_pipeline(StandardScaler(), Ridge()),
        "dict.pkl": {"model": fitted, "columns": ["a"]},
        "bare.pkl": {"columns": ["a"], "threshold": 0.5},
        "list.pkl": [fitted, fitted],
        "scaler.pkl": StandardScaler().fit(table),
        "class.pkl": SVC,
        "clusters.pkl": KMeans(2, n_init=1).fit(table),
        "text.pkl": texts.fit(["good film", "bad film", "fine play", "awful play"], [1, 0, 1, 0]),
        "folder/m.pkl": fitted,
    }


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """Return a folder with everything that the command lines name."""
    folder = tmp_path_factory.mktemp("desk")
    for name in ("folder", "nothing", "pics"):
        (folder / name).mkdir()
    table, models = _models()
    for name, model in models.items():
        (folder / name).write_bytes(pickle.dumps(model))
    (folder / "cut.pkl").write_bytes((folder / "m.pkl").read_bytes()[:200])
    for name, text in SCRIPTS.items():
        (folder / name).write_text(text)
    table.insert(0, "id", [f"p{i}" for i in range(len(table))])
    table.to_csv(folder / "d.csv", index=False)
    table.drop(columns="b").to_csv(folder / "without_b.csv", index=False)
    (folder / "latin.csv").write_bytes("a,b,c\n1,2,caf\u00e9\n".encode("latin-1"))
    for i, size in enumerate([(32, 32), (48, 40), (20, 64)]):
        Image.new("RGB", size, (i, 90, 200)).save(folder / "pics" / f"{i}.png")
    mean_colours(folder / "net.onnx", shape=["rows", 3, "high", "wide"])
    return folder


@pytest.fixture
def at_desk(run, desk, monkeypatch):
    """Run a command line in the folder, in this process."""
    monkeypatch.chdir(desk)

    def typed(line):
        return run(*shlex.split(line))

    return typed


WRONG = [
    # the model
    (3, "tabular nowhere.pkl d.csv", ["nowhere.pkl", "no such file", "check the name"]),
    (3, "tabular folder d.csv", ["a folder", "name a file of it", "m.pkl"]),
    (3, "tabular pics d.csv", ["a folder", "name the model's file"]),
    (3, "tabular junk.pkl d.csv", ["neither a pickle nor an ONNX", "export the model"]),
    (3, "tabular cut.pkl d.csv", ["no readable pickle", "export the model to ONNX"]),
    (3, "tabular empty.pkl d.csv", ["the file is empty", "store the model again"]),
    (3, "tabular unfitted.pkl d.csv", ["LogisticRegression", "not fitted", "call its fit"]),
    (3, "tabular steps.pkl d.csv", ["Pipeline", "not fitted", "call its fit"]),
    (3, "tabular class.pkl d.csv", ["the class SVC", "fit one"]),
    (3, "tabular dict.pkl d.csv", ["a dict (model, columns)", "--member model"]),
    (3, "tabular bare.pkl d.csv", ["a dict (columns, threshold)", "store the fitted model"]),
    (2, "tabular dict.pkl d.csv --member modle", ["model, columns", "did you mean 'model'"]),
    (2, "tabular m.pkl d.csv --member model", ["not a dict", "leave the name out"]),
    (3, "tabular dict.pkl d.csv --member columns", ["holds a list", "store the fitted model"]),
    (3, "tabular list.pkl d.csv", ["holds a list", "store the fitted model"]),
    (3, "tabular scaler.pkl d.csv", ["StandardScaler", "store the whole pipeline"]),
    (3, "tabular clusters.pkl d.csv", ["KMeans finds clusters", "fit a classifier"]),
    (2, "tabular d.csv m.pkl", ["m.pkl looks like the model", "xplain tabular m.pkl d.csv"]),
    (2, "text t.txt text.pkl", ["looks like the model", "xplain text text.pkl t.txt"]),
    (2, "image pics net.onnx", ["looks like the model", "xplain image net.onnx pics"]),
    (3, "tabular net.onnx d.csv", ["xplain image"]),
    (3, "text net.onnx t.txt", ["texts need one input of strings"]),
    (3, f"tabular m.pkl d.csv --model-sha256 {'0' * 64}", ["its SHA-256 is", "not the pinned"]),
    (2, "tabular m.pkl d.csv --model-sha256 abc", ["64 hexadecimal digits"]),
    (2, "tabular m.pkl d.csv --model-output x", ["an ONNX model", "--target"]),
    (3, "tabular https://localhost:1/m.pkl d.csv", ["pin it with --model-sha256", "copy it"]),
    # callables
    (3, "tabular calls:shrt d.csv --python-path .", ["no callable", "did you mean 'short'"]),
    (3, "tabular calls:number d.csv --python-path .", ["no callable", "name a function"]),
    (3, "tabular nomodule:f d.csv --python-path .", ["no module", "--python-path"]),
    (3, "tabular script:f d.csv --python-path .", ["sys.exit", "if __name__ =="]),
    (3, "tabular calls:leaves d.csv --python-path .", ["sys.exit", "raise an error"]),
    (3, "tabular broken:f d.csv --python-path .", ["importing broken failed", "no"]),
    (3, "tabular calls:none d.csv --python-path .", ["calls:none", "()"]),
    (3, "tabular calls:cube d.csv --python-path .", ["(16, 2, 3)", "(rows, outputs)"]),
    (3, "tabular calls:boom d.csv --python-path .", ["RuntimeError", "xxx..."]),
    (3, "tabular calls:many d.csv --python-path .", ["answered 17 rows", "must answer each"]),
    # the rows
    (2, "tabular", ["no MODEL", "--model"]),
    (2, "tabular m.pkl", ["no DATA", "--data"]),
    (3, "tabular m.pkl nowhere.csv", ["no such file", "check the name"]),
    (3, "tabular m.pkl nothing", ["a folder without files", "name its files"]),
    (3, "tabular m.pkl empty.csv", ["is empty", "name a file with a header"]),
    (3, "tabular m.pkl header.csv", ["a header without rows", "--no-header"]),
    (3, "tabular m.pkl without_b.csv", ["'b'", "rename them"]),
    (3, "tabular m.pkl latin.csv", ["not utf-8", "--encoding"]),
    (3, "tabular m.pkl one.csv", ["too few rows for a background: 1;", "--background", "-b zero"]),
    (3, "tabular m.pkl d.csv without_b.csv", ["no column 'b'", "have the same columns"]),
    (3, "image net.onnx nothing", ["holds no pictures"]),
    (3, "image net.onnx d.csv", ["d.csv", "not a picture"]),
    (2, "tabular m.pkl d.csv --rows 100:200", ["has 40 rows", "START must be below 40"]),
    (2, "tabular m.pkl d.csv --rows 5", ["0:100"]),
    (2, "tabular m.pkl d.csv --rows 5:2", ["holds no row", "STOP must be above START"]),
    (2, "tabular m.pkl d.csv --shard 3/2", ["one of 1 to N"]),
    (2, "tabular m.pkl d.csv --id-column nope", ["no such column", "it has 'id'"]),
    (2, "tabular m.pkl d.csv --features nope", ["matches no column", "it has 'id'"]),
    (2, "tabular m.pkl d.csv --dtype a=float", ["'float'", "number, text, bool"]),
    (2, "tabular m.pkl d.csv --encoding klingon", ["unknown", "utf-8"]),
    (2, "tabular m.pkl d.csv --sep ';;'", ["one ASCII character"]),
    (3, "tabular m.pkl d.csv --background nowhere.csv", ["no such file", "check the name"]),
    # what is wanted of them
    (2, "tabular m.pkl d.csv -m shap", ["'shap'", "lime", "rise", "did you mean 'kernel-shap'"]),
    (2, "tabular m.pkl d.csv -m kernelshap", ["there is grad-cam", "lime", "mean 'kernel-shap'"]),
    (2, "tabular m.pkl d.csv -m tree_shap", ["there is grad-cam", "lime", "mean 'tree-shap'"]),
    (2, "tabular m.pkl d.csv -m KernelSHAP", ["did you mean 'kernel-shap'"]),
    (2, "text text.pkl t.txt -m lmie", ["occlusion", "did you mean 'lime'"]),
    (2, "inspect m.pkl d.csv -m shap", ["did you mean 'kernel-shap'"]),
    (2, "tabular m.pkl d.csv -m tree-shap", ["needs trees", "take kernel-shap"]),
    (2, "tabular m.pkl d.csv -m lime:width=3", ["no setting 'width'", "kernel_width"]),
    (2, "tabular m.pkl d.csv -m lime:kernel_width=big", ["is not a number"]),
    (2, "tabular m.pkl d.csv -m occlusion -n 5", ["samples nothing", "leave them out"]),
    (2, "tabular m.pkl d.csv -t yes:no", ["did you mean 'yes:vs:no'"]),
    (2, "text text.pkl t.txt -t 1:0", ["did you mean '1:vs:0'"]),
    (2, "tabular m.pkl d.csv -t maybe", ["not an output", "it has no, yes"]),
    (2, "tabular m.pkl d.csv -t top:9", ["2 classes", "top:1 to top:2"]),
    (2, "tabular m.pkl d.csv -t yes:vs:yes", ["the same output"]),
    (2, "tabular m.pkl d.csv --output-scale odds", ["log-odds", "did you mean"]),
    (2, "tabular m.pkl d.csv --class-names labels.txt", ["1 names (x)", "2 outputs"]),
    (2, "tabular m.pkl d.csv -b zero", ["lime draws absent features", "kernel-shap"]),
    (2, "tabular m.pkl d.csv -m kernel-shap -b zeros", ["there is file", "mean 'zero'"]),
    (2, "tabular m.pkl d.csv -m kernel-shap -b row=nope", ["no row with number 'nope'"]),
    (2, "tabular m.pkl d.csv -m kernel-shap -b row", ["row=17"]),
    (2, "tabular m.pkl d.csv --fail-on 'p95(max_rel)>1'", ["did you mean 'max_rel_se'"]),
    (2, "tabular m.pkl d.csv --fail-on 'p95(max_rel_se>1'", ["expected ')'"]),
    (2, "tabular m.pkl d.csv --budget soon", ["20m", "2e6"]),
    (2, "tabular m.pkl d.csv --budget 10", ["at least", "--rows"]),
    (2, "tabular m.pkl d.csv -n 0", ["at least 1"]),
    (2, "tabular m.pkl d.csv --config typo.toml", ["'sampels'", "did you mean 'samples'"]),
    (2, "tabular m.pkl d.csv --config wrong.toml", ["samples is 'x'", "a whole number"]),
    (2, "tabular m.pkl d.csv --config cut.toml", ["not valid TOML", "line 1"]),
    (2, "tabular m.pkl d.csv --methd lime", ["No such option", "--method"]),
    (2, "tabular m.pkl d.csv --report page.txt", ["page.html"]),
    (2, "tabular m.pkl d.csv -o d.csv", ["what this command reads", "name another place"]),
    (3, "tabular m.pkl d.csv -o pics", ["not a run", "--output"]),
    (2, "merge a -o whole", ["at least two runs", "xplain merge a b -o whole"]),
    (3, "report nowhere", ["no such run", "name a run folder"]),
    (3, "gate nowhere --fail-on 'count(failed)>0'", ["no such run", "name a run folder"]),
    (2, "explain m.pkl d.csv", ["is no term", "xplain explain lists all"]),
    (2, "tabulate m.pkl d.csv", ["No such command 'tabulate'", "xplain -h"]),
]


def test_there_are_eighty():
    assert len({line for _, line, _ in WRONG}) >= 80


@pytest.mark.parametrize(("code", "line", "words"), WRONG, ids=[line for _, line, _ in WRONG])
def test_a_wrong_command_line_says_what_is_wrong_and_what_to_do(at_desk, code, line, words):
    done = at_desk(line)
    assert done.code == code, done.err
    said = done.err.splitlines()[-1] if "rror: " in done.err.splitlines()[-1] else done.err
    assert [word for word in words if word not in done.err] == []
    assert "bug" not in done.err
    assert max(map(len, re.findall(r"x+", said)), default=0) <= 200


ADVISED = [
    ("tabular d.csv m.pkl", "tabular m.pkl d.csv"),
    ("text t.txt text.pkl", "text text.pkl t.txt"),
    ("image pics net.onnx", "image net.onnx pics"),
    ("tabular dict.pkl d.csv", "tabular dict.pkl d.csv --member model"),
    ("tabular folder d.csv", "tabular folder/m.pkl d.csv"),
    ("tabular m.pkl d.csv -m kernelshap", "tabular m.pkl d.csv -m kernel-shap"),
    ("tabular m.pkl d.csv -t yes:no", "tabular m.pkl d.csv -t yes:vs:no"),
    ("tabular m.pkl d.csv -t top:9", "tabular m.pkl d.csv -t top:2"),
    ("tabular m.pkl d.csv -m tree-shap", "tabular m.pkl d.csv -m kernel-shap"),
    ("tabular m.pkl one.csv", "tabular m.pkl one.csv -m kernel-shap -b zero"),
    ("tabular m.pkl one.csv", "tabular m.pkl one.csv --background d.csv"),
    ("tabular m.pkl d.csv -b zero", "tabular m.pkl d.csv -b zero -m lime:space=baseline"),
]


@pytest.mark.parametrize(("wrong", "right"), ADVISED, ids=[right for _, right in ADVISED])
def test_what_is_advised_works_when_typed(at_desk, wrong, right):
    refused = at_desk(wrong)
    assert refused.code in {2, 3}
    given = set(shlex.split(wrong)) | set(os.environ)
    new = [word for word in shlex.split(right) if word not in given and word != "d.csv"]
    assert [word for word in new if word not in refused.err] == []
    assert at_desk(f"{right} --dry-run -n 64 -r 2").code == 0


@pytest.mark.parametrize("option", ["--no-values", "--hash-units"])
def test_no_message_quotes_a_text_that_must_not_be_shown(at_desk, option):
    done = at_desk(f"text calls:echo t.txt --python-path . {option}")
    assert done.code == 3
    assert "ValueError" in done.err
    assert "film" not in done.err


@pytest.mark.parametrize("code", ["raise ValueError('mute')", "sys.exit(0)", "1 + 1"])
def test_an_error_that_cannot_say_itself_is_an_error_of_the_model(at_desk, tmp_path, code):
    (tmp_path / "mute.py").write_text(
        "import sys\n"
        "class Mute(Exception):\n"
        f"    def __str__(self): {code}\n"
        "    reason = property(lambda self: 1 / 0)\n"
        "def never(rows): raise Mute\n"
    )
    folder = shlex.quote(str(tmp_path))
    done = at_desk(f"tabular mute:never d.csv --python-path {folder} --debug")
    assert (done.code, "error: mute:never: failed on the first" in done.err) == (3, True), done.err


@pytest.mark.parametrize("option", ["no-values", "hash-units"])
def test_a_trace_quotes_no_text_that_a_project_file_hides(at_desk, tmp_path, option):
    (tmp_path / "mine.toml").write_text(f"{option} = true\n")
    config = shlex.quote(str(tmp_path / "mine.toml"))
    done = at_desk(f"text calls:echo t.txt --python-path . --config {config} --debug")
    assert done.code == 3
    assert "Traceback" not in done.err
    assert "  File " in done.err
    assert "film" not in done.err


def test_a_model_that_answers_fewer_rows_later_is_found_out(at_desk, tmp_path):
    out = shlex.quote(str(tmp_path / "out.csv"))
    done = at_desk(f"tabular calls:short d.csv --python-path . -m kernel-shap -b zero -o {out}")
    assert done.code == 3, done.err
    assert "answered 16 rows for 512" in done.err
