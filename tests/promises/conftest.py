"""What the promises share."""

import numpy as np
import pytest


@pytest.fixture(params=[0], ids="seed{}".format)
def rng(request):
    """One random generator where others have three: each of these runs the whole program."""
    return np.random.default_rng(request.param)
