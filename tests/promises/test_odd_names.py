"""Names that no table, font or file system likes: rows of such files are explained, or refused."""

import os
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper
from PIL import Image

BREAK, BYTES, LONG = b"a\nb\r.png", b"c\xff\xfe.png", b"d" * 250 + b".png"
CODE = """
import numpy as np


def pictures(batch):
    light = np.asarray(batch, dtype=float)[:, :8].mean(axis=(1, 2, 3)) / 255
    return [{"dark\\nnight": 1 - one, "d\\0y\\udcff": one} for one in light]


def rows(frame):
    x = np.asarray(frame, dtype=float)[:, 0] / 99
    return [{"a\\udcff": 1 - one, "b\\n": one} for one in x]
"""


@pytest.fixture
def odd(tmp_path):
    """Write functions, and a folder of pictures with odd names, as far as the system takes them."""
    (tmp_path / "odd_names.py").write_text(CODE)
    (tmp_path / "p").mkdir()
    rng = np.random.default_rng(0)
    for name in (BREAK, BYTES, LONG):
        path = os.path.join(os.fsencode(tmp_path / "p"), name)  # noqa: PTH118 - bytes
        try:
            with open(path, "wb") as file:  # noqa: PTH123 - bytes
                Image.fromarray(rng.integers(0, 255, (16, 16, 3), np.uint8)).save(file, "png")
        except OSError:
            pytest.skip("this file system takes no such names")
    return tmp_path


def test_pictures_of_any_name_are_explained_and_drawn(run, odd):
    done = run(
        *("image", "odd_names:pictures", "p", "--python-path", odd, "-n", "16", "-r", "1"),
        *("--segmenter", "grid", "--segments", "4", "-t", "all", "--report", "p.html"),
    )
    table = pd.read_csv("xplain-out/stability.csv", lineterminator="\n")
    assert (done.code, set(table["status"])) == (0, {"ok"})
    assert table["row_id"].nunique() == 3
    drawn = list(Path("xplain-out/heatmaps").rglob("*.png"))
    assert len(drawn) == 6
    assert all(path.name.isprintable() for path in drawn)


@pytest.mark.parametrize("fmt", ["csv", "json", "jsonl", "parquet"])
def test_labels_that_no_file_holds_are_spelled_out(run, tmp_path, fmt):
    (tmp_path / "odd_labels.py").write_text(CODE)
    pd.DataFrame({"x": range(30)}).to_csv("o.csv", index=False)
    command = ("tabular", "odd_labels:rows", "o.csv", "--python-path", tmp_path, "-n", "64")
    done = run(*command, "-r", "2", "-t", "all", "--output-format", fmt, "--report", "p.html")
    assert done.code == 0, done.err
    assert "a\\\\udcff" in Path("xplain-out/manifest.json").read_text()


def test_a_baseline_of_a_file_of_any_name_is_read(run, odd):
    pd.DataFrame({"x": range(30)}).to_csv("o.csv", index=False)
    name = os.fsdecode(b"b\xff.csv")
    Path(name).write_text("x\n3\n")
    command = ("tabular", "odd_names:rows", "o.csv", "--python-path", odd, "-m", "kernel-shap")
    assert run(*command, "-b", f"file={name}").code == 0
    assert "b\\udcff.csv" in Path("xplain-out/stability.csv").read_text()


def stored(path, *, name="x", nodes=None):
    x = helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 2])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 2])
    made = helper.make_graph(nodes or [helper.make_node("Softmax", [name], ["y"])], "g", [x], [y])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString().replace(b"QQ", b"\xff\n"))


def test_an_onnx_file_with_names_in_other_bytes_is_refused_with_the_reason(run, tmp_path):
    stored(tmp_path / "m.onnx", name="xQQ")
    pd.DataFrame({"a": range(30), "b": range(30)}).to_csv("o.csv", index=False)
    done = run("tabular", "m.onnx", "o.csv")
    assert done.code == 3
    assert "no UTF-8" in done.err


def test_an_onnx_file_with_names_that_break_lines_is_explained(run, tmp_path):
    stored(tmp_path / "m.onnx", name="x\n\0")
    pd.DataFrame({"a": range(30), "b": range(30)}).to_csv("o.csv", index=False)
    assert run("tabular", "m.onnx", "o.csv", "-n", "64", "-r", "2").code == 0


def test_a_locale_that_the_system_lacks_is_named_with_the_way_to_make_it(run, tmp_path):
    node = helper.make_node(
        "StringNormalizer", ["t"], ["u"], case_change_action="LOWER", locale="xx_XX.UTF-8"
    )
    text = [helper.make_tensor_value_info(name, TensorProto.STRING, [None]) for name in "tu"]
    graph = helper.make_graph([node], "g", text[:1], text[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "t.onnx")
    Path("t.txt").write_text("a b\nc d\n")
    done = run("text", "t.onnx", "t.txt")
    assert done.code == 3
    assert "locale xx_XX.UTF-8" in done.err
    assert "localedef -i xx_XX -f UTF-8 xx_XX.UTF-8" in done.err
