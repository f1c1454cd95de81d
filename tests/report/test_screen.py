"""What a terminal shows of an explanation: bars on one scale, texts, pictures."""

import sys

import pytest
from PIL import Image
from rich.cells import cell_len

from xplain_cli.console import Canvas, Console, Span
from xplain_cli.report import screen
from xplain_cli.report.items import Fragment
from xplain_cli.report.waterfall import Step

WIDE = Canvas(columns=100, colour=True, blocks=True)
PLAIN = Canvas(columns=80, colour=False, blocks=False)
STEPS = [
    Step("base value", "0", 0, 0, 0, 0),
    Step("\u6f22\u5b57" * 30, "+1 \u00b1 0.2", 0, 1, 0.6, 1.4),
    Step("b", "\u22120.5", 1, 0.5, 0.5, 0.5),
    Step("prediction", "0.5", 0.5, 0.5, 0.5, 0.5),
]


def text(line):
    return "".join(one.text for one in line)


NARROW = Canvas(columns=60, colour=False, blocks=True)
LEAST = Canvas(columns=40, colour=False, blocks=True)


@pytest.mark.parametrize("canvas", [WIDE, PLAIN, NARROW, LEAST])
def test_bars_stand_under_each_other_whatever_the_names(canvas):
    lines = screen.bars(STEPS, canvas)
    assert len({cell_len(line[0].text) for line in lines}) == 1
    assert max(cell_len(text(line)) for line in lines) <= canvas.columns
    assert [line[1].style for line in lines[1:3]] == ["up", "down"]


def test_a_bar_is_light_within_its_interval():
    first = screen.bars(STEPS, PLAIN)[1][1].text
    assert first.rstrip("~").rstrip("#") == ""
    assert 0.5 < first.count("#") / len(first) < 0.7


def test_units_are_marked_by_their_direction():
    pieces = (Fragment("good", 3, "t"), Fragment(" "), Fragment("bad", -2, "t"), Fragment(" so"))
    (line,) = screen.text_lines(pieces, WIDE)
    assert [(one.text, one.style) for one in line] == [
        ("good", "raises"),
        (" ", ""),
        ("bad", "lowers"),
        (" so", ""),
    ]


def test_a_text_keeps_every_character_and_no_line_is_too_wide():
    told = "Free  cash,\u00a0\u6f22\u5b57 now!\n\nand " + "\u6f22" * 90 + " end"
    pieces = (
        Fragment(told[:4], 2),
        Fragment(told[4:9]),
        Fragment(told[9:14], 4),
        Fragment(told[14:]),
    )
    lines = [text(line) for line in screen.text_lines(pieces, PLAIN)]
    assert max(map(cell_len, lines)) <= 80
    assert "".join("".join(lines).split()) == "".join(told.split())
    assert lines[:2] == [told.split("\n", maxsplit=1)[0].replace("\u00a0", " "), ""]


def test_a_picture_is_two_pixels_a_cell(tmp_path):
    path = tmp_path / "p.png"
    image = Image.new("RGB", (4, 4), (255, 0, 0))
    image.putpixel((0, 1), (0, 0, 255))
    image.save(path)
    lines = screen.picture(path, WIDE)
    assert [len(line) for line in lines] == [4, 4]
    assert lines[0][0] == Span("\u2580", "#ff0000#0000ff")
    assert screen.picture(path, PLAIN) == []


def test_what_is_drawn_cannot_steer_the_terminal(capsys):
    Console().draw([(Span("a\x1b[2J", "up"),)])
    assert capsys.readouterr().out == "a\\x1b[2J\n"


@pytest.mark.parametrize("watched", [True, False])
def test_an_arabic_name_turns_no_figure_on_a_terminal_and_a_file_has_no_mark(
    capsys, monkeypatch, watched
):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: watched)
    Console().draw([(Span("\u2068\u062c\u062f\u2069 +0.5"),)])
    name = "\u2068\u062c\u062f\u2069" if watched else "\u062c\u062f"
    assert capsys.readouterr().out == f"{name} +0.5\n"


def test_what_joins_letters_of_a_script_or_an_emoji_stays(capsys):
    told = "\u0915\u094d\u200d\u0937 \U0001f468\u200d\U0001f469\u200d\U0001f467"
    Console().draw([(Span(told),)])
    assert capsys.readouterr().out == f"{told}\n"
