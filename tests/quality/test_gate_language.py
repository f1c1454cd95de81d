"""The language of --fail-on."""

import pytest

from xplain_cli.errors import UsageError
from xplain_cli.quality.gates import parse_gates


def test_the_texts_of_a_list_are_kept_as_written():
    text = " p95(max_rel_se) > 0.15 ,min(sign_probability)<0.95, count(failed)>0 "
    assert [gate.text for gate in parse_gates(text)] == [
        "p95(max_rel_se) > 0.15",
        "min(sign_probability)<0.95",
        "count(failed)>0",
    ]


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("max(max_rel_sse)>1", 5, "did you mean 'max_rel_se'?"),
        ("maxx(residual)>1", 1, "did you mean 'max'?"),
        ("residual=1", 9, "write == for equality"),
        ("residual>x", 10, "a number, found 'x'"),
        ("max(residual>1", 13, "expected ')', found '>'"),
        ("max(residual)", 14, "found the end"),
        ("max(residual)>1,", 17, "found the end"),
        ("residual>1 residual<0", 12, "expected ','"),
        ("count(precision==instable)>0", 18, "did you mean 'unstable'"),
        ("max(precision)>1", 5, "text, not a number; count lines with it"),
        ("count(fidelity>good)>0", 15, "compare it by == or !="),
        ("failed>0", 1, "write count(failed)>0"),
        ("p101(residual)>1", 1, "expected one of min, max"),
        ("__import__('os')", 1, "expected one of min, max"),
        ("residual>nan", 10, "a number"),
        ("", 1, "found the end"),
    ],
)
def test_a_mistake_is_named_with_its_place(text, place, words):
    with pytest.raises(UsageError) as caught:
        parse_gates(text)
    message = str(caught.value)
    assert f"at character {place}: " in message
    assert words in message
