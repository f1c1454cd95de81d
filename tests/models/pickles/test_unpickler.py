"""Frames of a pickle."""

import pickle

import pytest

from xplain_cli.models.pickles.dry_run import dry_run
from xplain_cli.models.pickles.strict_unpickler import strict_load


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00N.",
        b"\x80\x04\x95\x0c\x00\x00\x00\x00\x00\x00\x00N0\x95\x02\x00\x00\x00\x00\x00\x00\x00N.",
    ],
)
def test_frames_that_do_not_fit_are_refused_by_both_engines(data):
    assert "frame that does not fit" in dry_run(data).refusals[0]
    with pytest.raises(pickle.UnpicklingError, match="frame that does not fit"):
        strict_load(data, ())
