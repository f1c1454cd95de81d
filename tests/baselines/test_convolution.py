"""Pictures convolved in NumPy, and work in blocks of one size."""

import numpy as np
import pytest
from scipy.signal import correlate2d

from xplain_cli.baselines.convolution import convolved, in_blocks


@pytest.mark.parametrize("stride", [1, 2])
def test_convolutions_are_those_of_scipy(stride, rng):
    planes, kernel = rng.normal(size=(2, 3, 7, 6)), rng.normal(size=(4, 3, 3, 3))
    found = convolved(planes, kernel, stride)
    for i in range(2):
        for j in range(4):
            parts = [correlate2d(planes[i, c], kernel[j, c], mode="same") for c in range(3)]
            np.testing.assert_allclose(found[i, j], sum(parts)[::stride, ::stride], atol=1e-12)


@pytest.mark.parametrize("rows", [0, 1, 4, 5])
def test_every_block_has_one_size(rows):
    sizes = []

    def work(block, other):
        sizes.append(len(block))
        return block + other

    first = np.arange(rows * 2.0).reshape(rows, 2)
    np.testing.assert_array_equal(in_blocks(work, first, first, 4), 2 * first)
    assert set(sizes) <= {4}
