"""Scores that are squashed to probabilities."""

from pathlib import Path

import numpy as np
import pytest
from picture_models import mean_colours
from picture_runs import SIDE, stability, weights


@pytest.mark.parametrize(("end", "link"), [("Softmax", "softmax"), ("Sigmoid", "sigmoid")])
def test_scores_become_probabilities_when_the_user_says_how(run, tmp_path, photos, end, link):
    shape = ["rows", 3, SIDE, SIDE]
    scores = mean_colours(tmp_path / "scores.onnx", shape=shape, end="Identity")
    answers = mean_colours(tmp_path / "answers.onnx", shape=shape, end=end)
    common = ("--segments", "6", "--class-names", "names.txt", "-t", "green", "--no-maps")
    Path("names.txt").write_text("red\ngreen\nblue\n")
    own = ("--output-scale", "probability", "--force") if end == "Softmax" else ()
    assert run("image", answers, photos, *common, *own, "-o", "own").code == 0
    scale = f"probability:of={link}"
    assert run("image", scores, photos, *common, "-o", "made", "--output-scale", scale).code == 0
    assert stability("made")["output_scale"].unique().tolist() == [scale]
    both = [weights(name)["weight"] for name in ("own", "made")]
    np.testing.assert_allclose(*both, atol=1e-5)


def test_a_link_is_for_scores_alone(run, tmp_path, photos):
    shares = mean_colours(tmp_path / "shares.onnx", shape=["rows", 3, SIDE, SIDE])
    done = run("image", shares, photos, "--output-scale", "probability:of=softmax")
    assert (done.code, "gives no scores" in done.err) == (2, True)


def test_scores_asked_as_probabilities_are_told_how(run, tmp_path, photos):
    scores = mean_colours(tmp_path / "s.onnx", shape=["rows", 3, SIDE, SIDE], end="Identity")
    done = run("image", scores, photos, "--output-scale", "log-odds")
    assert (done.code, "say --output-scale log-odds:of=softmax" in done.err) == (2, True)
