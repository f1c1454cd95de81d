"""Options of every run: which rows."""

import pytest

from xplain_cli.errors import UsageError
from xplain_cli.options.runs import row_slice


def test_a_slice_has_a_first_row_and_an_end():
    assert [row_slice(text) for text in ("2:5", ":5", "2:", ":")] == [
        (2, 5),
        (0, 5),
        (2, None),
        (0, None),
    ]


@pytest.mark.parametrize("text", ["5:5", "6:5", "", "-1:", "a:b"])
def test_a_slice_without_rows_is_refused(text):
    with pytest.raises(UsageError, match="--rows is"):
        row_slice(text)
