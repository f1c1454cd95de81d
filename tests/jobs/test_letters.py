"""Letters quote what stands in the data, and do nothing that it says."""

import pytest

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.jobs.letters import open_letters

HOSTILE = (
    "{{ 7 * 7 }}{% for x in ().__class__.__mro__ %}<script>alert(1)</script>\nDear\x1b[2J../../x"
)
VALUES = {"row_id": HOSTILE, "reasons": [{"code": "1", "text": HOSTILE}]}


def written(tmp_path, template, name="t.txt", values=VALUES):
    (tmp_path / name).write_text(template)
    letters = open_letters(str(tmp_path / name), str(tmp_path / "out"))
    letters.write(1, values)
    letters.close()
    (path,) = [one for one in (tmp_path / "out").iterdir() if one.name != "letters.json"]
    return path


def test_a_hostile_string_is_text_in_one_line(tmp_path):
    path = written(tmp_path, "Row {{ row_id }}\n{{ reasons[0].text }}")
    first, second = path.read_text().splitlines()
    assert first == f"Row {second}"
    assert "{{ 7 * 7 }}" in first
    assert "\x1b" not in first


def test_a_hostile_string_is_no_markup(tmp_path):
    text = written(tmp_path, "<p>{{ row_id }}</p>", "t.html").read_text()
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_a_letter_stays_in_its_folder(tmp_path):
    path = written(tmp_path, "x", values={"row_id": "../../../etc/passwd"})
    assert path.name == "000001-etc-passwd.txt"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["out", "t.txt"]


@pytest.mark.parametrize(
    "template",
    [
        *("{{ ().__class__.__subclasses__() }}", "{{ reasons.append(1) }}", "{{ nothing }}"),
        *("{% include '/etc/passwd' %}", "{% for i in range(10 ** 9) %}{% endfor %}"),
        *("{{ 'x' * 10 ** 15 }}", "{{ row_id + 1 }}", "{{ 1 / 0 }}"),
    ],
)
def test_a_template_that_reaches_further_is_refused(tmp_path, template):
    with pytest.raises(UsageError, match="the letter cannot be made"):
        written(tmp_path, template)


def test_a_folder_of_other_things_is_not_touched(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "000001.txt").write_text("mine")
    with pytest.raises(RefusedError, match="other things"):
        written(tmp_path, "x")
    assert (tmp_path / "out" / "000001.txt").read_text() == "mine"
