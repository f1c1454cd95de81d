"""Lines of a file as texts."""

from comments import explained


def test_lines_are_the_same_texts_as_the_column(run, comments, tmp_path):
    table = explained(run, comments, tmp_path, "--text-column", "CONTENT")
    lines = explained(run, comments, tmp_path, "--force", data="comments.txt")
    assert table["weight"].tolist() == lines["weight"].tolist()
