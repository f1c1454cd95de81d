"""Between tabs quotes enclose cells only where they are balanced; --quoting says it otherwise."""

import pytest

from xplain_cli import datasets
from xplain_cli.datasets import ReadOptions
from xplain_cli.errors import RefusedError

NOTE = "its quotes are not balanced"


def read(tmp_path, text, name="t.tsv", **options):
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    options = {"header": False, **options}
    table = datasets.open_table([str(tmp_path / name)], ReadOptions(**options))
    piece = datasets.read_columns(table, dict.fromkeys(table.columns, "text"))
    return piece.table.to_numpy().tolist(), dict(piece.reasons), table.notes


def test_quotes_that_would_swallow_lines_are_characters(tmp_path):
    rows, reasons, notes = read(tmp_path, 'ham\thi\nham\t"the train\nspam\tfree\nham\tsee you"\n')
    assert rows == [["ham", "hi"], ["ham", '"the train'], ["spam", "free"], ["ham", 'see you"']]
    assert (reasons, len(notes)) == ({}, 1)
    assert NOTE in notes[0]
    assert "--quoting double" in notes[0]


@pytest.mark.parametrize(
    "text",
    [
        'a\t"b\nc\td\n',  # never closed
        'a\t"b" said\nc\td\n',  # closed inside a cell
        '"a\tb"\nc\td\n',  # closed in the next cell of the same line
        'a\t"b\n\nc\td"\n',  # over a blank line
        "a\tb\nc\t\"d'\n",
    ],
)
def test_unbalanced_quotes_are_characters(tmp_path, text):
    rows, reasons, notes = read(tmp_path, text)
    assert rows == [line.split("\t") for line in text.splitlines() if line]
    assert (reasons, len(notes)) == ({}, 1)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('a\t"b c"\nd\te\n', [["a", "b c"], ["d", "e"]]),
        ('a\t"b ""c"""\nd\te\n', [["a", 'b "c"'], ["d", "e"]]),
        ('a\t"two\nlines"\nd\te\n', [["a", "two\nlines"], ["d", "e"]]),
        ('"two\nlines"\ta\nd\te\n', [["two\nlines", "a"], ["d", "e"]]),
        ('"a\tb"\tc\nd\te\n', [["a\tb", "c"], ["d", "e"]]),
        ('a\tsaid "b"\nd\t12"\n', [["a", 'said "b"'], ["d", '12"']]),
        ("a\tb\nd\te\n", [["a", "b"], ["d", "e"]]),
    ],
)
def test_balanced_quotes_enclose_cells(tmp_path, text, rows):
    assert read(tmp_path, text) == (rows, {}, ())


def test_a_line_with_too_few_cells_decides_nothing_about_quotes(tmp_path):
    rows, reasons, notes = read(tmp_path, 'a\t"b c"\nd\ne\tf\ng\th\n')
    assert (rows[0], list(reasons), notes) == (["a", "b c"], [1], ())


def test_a_flawed_line_among_quotes_that_are_characters_costs_its_row(tmp_path):
    rows, reasons, _ = read(tmp_path, 'a\t"b\nd\ne\tf\ng\t"h" i\n')
    assert (rows[0], rows[3], list(reasons)) == (["a", '"b'], ["g", '"h" i'], [1])


@pytest.mark.parametrize(
    ("quoting", "rows"),
    [("none", [["a", '"b c"'], ["d", "e"]]), ("double", [["a", "b c"], ["d", "e"]])],
)
def test_the_user_says_what_quotes_are(tmp_path, quoting, rows):
    assert read(tmp_path, 'a\t"b c"\nd\te\n', quoting=quoting) == (rows, {}, ())
    text = 'a,"b c"\nd,e\n'
    assert read(tmp_path, text, "t.csv", quoting=quoting) == (rows, {}, ())


def test_any_file_parted_by_tabs_is_judged(tmp_path):
    rows, _, notes = read(tmp_path, 'a\t"b\nc\td\n', "t.csv", sep="\\t")
    assert (rows[0], len(notes)) == (["a", '"b'], 1)


def test_commas_part_cells_in_quotes_and_the_way_out_is_told(tmp_path):
    with pytest.raises(RefusedError, match="--quoting none"):
        read(tmp_path, 'a,"b\nc,d\n', "t.csv")


def test_quotes_of_another_encoding_are_seen(tmp_path):
    (tmp_path / "t.tsv").write_bytes('a\t"b\nc\td\n'.encode("utf-16"))
    options = ReadOptions(encoding="utf-16", header=False)
    table = datasets.open_table([str(tmp_path / "t.tsv")], options)
    assert (datasets.n_rows(table), len(table.notes)) == (2, 1)
