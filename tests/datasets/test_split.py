"""Tables in the form "split" of pandas."""

import json

import pandas as pd
import pytest
from small_tables import values, whole

from xplain_cli.datasets import ReadOptions, open_table
from xplain_cli.errors import RefusedError


def opened(path, document):
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return whole(open_table([str(path)], ReadOptions()))


def test_a_table_that_pandas_wrote_comes_back(tmp_path):
    frame = pd.DataFrame({"t": ["007", None, "x"], "f": [0.5, None, 2.0], "b": [True, False, True]})
    read = opened(tmp_path / "d.json", frame.to_json(orient="split"))
    assert [values(read, name) for name in "tfb"] == [
        ["007", None, "x"],
        [0.5, None, 2.0],
        [True, False, True],
    ]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("[", "cannot be read as JSON"),
        ([{"a": 1}], "is no table of the form"),
        ({"columns": ["a", "a"], "data": [[1, 2]]}, "stands more than once"),
        ({"columns": ["a", "b"], "data": [[1]]}, "is no list of 2 cells"),
        ({"columns": [], "data": []}, "without a key"),
    ],
)
def test_what_is_no_such_table_is_refused(tmp_path, document, said):
    with pytest.raises(RefusedError, match=said):
        opened(tmp_path / "d.json", document)


def test_json_beside_the_files_of_a_folder_is_none_of_them(tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n2\n")
    (tmp_path / "meta.json").write_text("{}")
    table = open_table([str(tmp_path)], ReadOptions())
    assert any("left out" in note and "meta.json" in note for note in table.notes)
