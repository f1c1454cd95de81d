"""Other pictures in place of hidden superpixels."""

import pickle

import numpy as np
import pytest
from broken_pictures import rgb, stored
from drawn_pictures import fitted, given, noise, perturbation

from xplain_cli.baselines.assignment import assign_one
from xplain_cli.baselines.candidates import NearestMember
from xplain_cli.baselines.pictures import PictureMembers, hold
from xplain_cli.errors import RefusedError
from xplain_cli.modalities.image.compose import InputForm
from xplain_cli.modalities.image.masks import PictureMasker
from xplain_cli.modalities.image.superpixels import open_superpixels


def test_another_picture_stands_in_at_the_same_place(tmp_path):
    (tmp_path / "other.png").write_bytes(stored(rgb(24, 32), "PNG"))
    rows = perturbation(baseline=f"file={tmp_path / 'other.png'}").split([
        given(noise((24, 32, 3)))
    ])
    hidden = rows.masked(0, np.zeros((1, 6), dtype=bool))[0]
    np.testing.assert_array_equal(hidden, np.asarray(rgb(24, 32)))


def test_another_picture_that_cannot_be_read_is_refused_at_once(tmp_path):
    (tmp_path / "other.png").write_bytes(b"")
    with pytest.raises(RefusedError, match="empty"):
        fitted(f"file={tmp_path / 'other.png'}")


FIRST = "nearest:class=0"


def near(pictures, form=None, eights=None):
    eights = eights or [True] * len(pictures)
    names = [f"p{i}" for i in range(len(pictures))]
    form = form or InputForm()
    factors = tuple(form.rescale / np.array(form.std))
    held = hold(list(zip(names, pictures, eights, strict=True)))
    whole = np.dtype(form.dtype).kind in "iu"
    return NearestMember(PictureMembers(FIRST, held, factors, whole), 0)


def near_law(pictures, form=None):
    form = form or InputForm()
    return PictureMasker(open_superpixels("grid", 6), near(pictures, form), form)


def nothing(rows):
    """Return the first picture with everything hidden."""
    return rows.masked(0, np.zeros((1, rows.counts[0]), dtype=bool))[0]


def test_hidden_superpixels_show_the_same_place_of_the_candidate():
    pictures = [noise(seed=1), noise(seed=2)]
    rows = near_law(pictures).split([given(noise())])
    at = int(rows.shown().row_columns["baseline_origin"][0][1:])
    mask = np.array([[True, False, True, False, False, True]])
    inside = np.isin(rows.labels[0], [0, 2, 5])[..., None]
    np.testing.assert_array_equal(
        rows.masked(0, mask)[0], np.where(inside, noise(), pictures[at]).astype(np.float32)
    )


@pytest.mark.parametrize("std", [(0.2,), (0.01, 1.0, 100.0)])
def test_the_nearest_is_nearest_as_the_model_takes_pictures(std):
    form = InputForm("NCHW", "float64", 1 / 255, (0.5,), std)
    pictures = [noise(seed=i + 1) for i in range(20)]
    apart = [np.linalg.norm(form.apply(noise()) - form.apply(one)) for one in pictures]
    facts = near_law(pictures, form).split([given(noise())]).shown().row_columns
    assert facts["baseline_origin"].tolist() == [f"p{np.argmin(apart)}"]
    assert facts["baseline_distance"][0] == pytest.approx(min(apart))


def test_a_picture_never_stands_in_for_itself():
    rows = near_law([noise(), noise(seed=1)]).split([given(noise())])
    assert rows.shown().row_columns["baseline_origin"].tolist() == ["p1"]


def test_a_picture_that_is_alone_in_its_class_fails_with_the_way_out():
    rows = near_law([noise()]).split([given(noise()), given(noise(seed=1))])
    assert list(rows.reasons) == [0]
    assert "from=FOLDER" in rows.reasons[0]


def test_a_candidate_of_another_size_is_brought_to_the_picture():
    large = np.full((40, 50, 3), 7, dtype=np.uint8)
    assert (nothing(near_law([large]).split([given(noise())])) == 7).all()


def test_a_grey_candidate_stands_in_for_a_coloured_picture():
    grey = np.full((12, 16, 1), 7, dtype=np.uint8)
    assert (nothing(near_law([grey]).split([given(noise())])) == 7).all()


def test_candidates_of_another_range_are_no_candidates():
    shares = (noise(seed=1) / 255).astype(np.float32)
    with pytest.raises(RefusedError, match="range of values"):
        assign_one(near([shares], eights=[False]), [near_law([noise()]).read(given(noise()))])


def test_candidates_travel_to_a_worker_whole():
    pictures = [noise((3, 5, 1)), noise((12, 16, 3), seed=1).astype(np.float32), noise(seed=2)]
    sent = pickle.loads(pickle.dumps(hold([(str(i), one, True) for i, one in enumerate(pictures)])))
    for at, picture in enumerate(pictures):
        np.testing.assert_array_equal(sent.values(at), picture)
        assert sent.values(at).dtype == picture.dtype
