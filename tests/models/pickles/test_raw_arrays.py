"""Arrays beside a pickle, as joblib stores them."""

import io

import joblib
import numpy as np
import pytest

from xplain_cli.models.pickles.strict_unpickler import strict_load


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["<f8", ">f8", "M8[s]", "U3", "?"])
def test_arrays_of_joblib_files_are_read_as_joblib_reads_them(order, kind):
    array = np.asarray(np.arange(2 * 3 * 4000).reshape(2, 3, 4000), kind, order=order)
    file = io.BytesIO()
    joblib.dump([array, array[:0], np.array(None), np.array(["x", 1], object)], file)
    plain, ours = joblib.load(file), strict_load(file.getvalue(), ())
    assert [one.tolist() for one in plain] == [one.tolist() for one in ours]
    assert [one.dtype for one in plain] == [one.dtype for one in ours]
    assert plain[0].strides == ours[0].strides
    assert all(one.flags.writeable and one.flags.aligned for one in ours)
