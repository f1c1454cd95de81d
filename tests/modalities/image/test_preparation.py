"""How pictures are made what the model takes."""

import pytest
from broken_pictures import rgb
from picture_models import mean_colours
from picture_runs import SIDE, weights


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("--resize", "40"), 2, "the model takes pictures of 32 x 32"),
        (("--resize", "48", "--crop", "32"), 2, "--resize short=48"),
        (("--resize", "big"), 2, "WIDTHxHEIGHT"),
        (("--rescale", "1/0"), 2, "a fraction: 1/255"),
        (("--mean", ".5,.5"), 2, "2 numbers for 3 channels"),
        (("--std", "0"), 2, "0 is no scale"),
        (("--channels", "grey"), 2, "the model takes 3 channels"),
        (("--channels", "brg"), 2, "channels"),
        (("--segmenter", "slik"), 2, "did you mean 'slic'"),
        (("--baseline", "gray"), 2, "did you mean 'grey'"),
        (("--layout", "NHWC"), 3, "has 32 channels"),
        (("--layout", "CHWN"), 2, "layout"),
    ],
)
def test_options_that_cannot_be_are_refused(run, watching, photos, options, code, says):
    done = run("image", watching, photos, *options)
    assert done.code == code, done.err
    assert says in done.err


def test_resizing_by_the_shorter_side_and_cropping(run, watching, tmp_path):
    rgb(60, 90).save(tmp_path / "a.png")
    done = run(
        *("image", watching, "a.png", "--resize", "short=40", "--crop", "32", "--segments", "4"),
        *("--rescale", "1/255"),
    )
    assert done.code == 0, done.err
    table = weights()
    assert table["area"].sum() == pytest.approx(48 * 48, abs=4)
    assert table["bbox_x"].min() >= 20


def test_a_float_model_without_rescaling_is_warned_of(run, watching, photos):
    assert "needs --rescale 1/255" in run("image", watching, photos, "--dry-run").err


def test_a_model_of_bytes_takes_no_rescaling(run, tmp_path, photos):
    model = mean_colours(tmp_path / "m.onnx", shape=["rows", 3, SIDE, SIDE], dtype="uint8")
    assert run("image", model, photos, "--segments", "4").code == 0
    done = run("image", model, photos, "--rescale", "1/255", "--force")
    assert (done.code, "takes uint8 pixels as they are" in done.err) == (2, True)
