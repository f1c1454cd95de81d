"""The contract of the output formats: any chunks give the same bytes."""

import io
import weakref

import pytest
from written import cells, files, records

from xplain_cli.errors import UsageError
from xplain_cli.output import (
    FORMATS,
    Rendering,
    check_rendering,
    join_pieces,
    render_piece,
)


@pytest.mark.parametrize("fmt", ["csv", "json", "jsonl"])
@pytest.mark.parametrize("top_k", [None, 2])
def test_chunks_do_not_change_the_bytes(fmt, top_k):
    rendering = Rendering(top_k=top_k)
    whole = records(ok=(True, False, True))
    parts = [records(0, (True,)), records(1, (False,)), records(2, (True,))]
    assert files(parts, fmt, rendering) == files([whole], fmt, rendering)
    assert whole.weights["weight"].nunique() > 3


def test_whole_numbers_stay_whole_beside_failed_rows():
    _, stability = files([records(ok=(True, False))], "csv")
    assert [line["n_repeats"] for line in cells(stability)] == ["0", ""]
    assert [line["error"] for line in cells(stability)] == ["", 'no, "number"']


@pytest.mark.parametrize("fmt", ["csv", "jsonl", "json"])
def test_text_without_utf8_does_not_end_the_run(fmt):
    weights, _ = files([records(values=("\ud800", "ü", "x"))], fmt)
    assert "\\ud800" in weights.decode()


@pytest.mark.parametrize("fmt", FORMATS)
def test_pieces_are_let_go_as_they_are_joined(fmt):
    seen, alive = [], []

    def pieces():
        for start in range(0, 10, 2):
            piece = render_piece(records(start), Rendering(), fmt)
            seen.append(weakref.ref(piece))
            alive.append(sum(ref() is not None for ref in seen))
            yield piece

    join_pieces(pieces(), fmt, io.BytesIO())
    assert (len(seen), max(alive)) == (5, 2)


@pytest.mark.parametrize(
    ("rendering", "fmt", "words"),
    [
        (Rendering(), "jsno", "did you mean 'json'"),
        (Rendering(wide=True), "jsonl", "csv and parquet only"),
        (Rendering(top_k=0), "csv", "give 1 or more"),
    ],
)
def test_impossible_renderings_are_refused(rendering, fmt, words):
    with pytest.raises(UsageError, match=words):
        check_rendering(rendering, fmt)
