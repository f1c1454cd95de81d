"""FILE.npz:NAME is one array of a NumPy archive."""

import pickle

import numpy as np
import pytest

from xplain_cli import datasets
from xplain_cli.datasets import ReadOptions
from xplain_cli.errors import RefusedError


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "d.npz"
    np.savez(path, X_train=np.zeros((4, 2)), X_test=np.ones((3, 2)), y=np.arange(3))
    return path


def opened(*paths):
    return datasets.open_table([str(path) for path in paths], ReadOptions())


def test_the_named_array_is_the_table(archive):
    table = opened(f"{archive}:X_test")
    found = datasets.read_columns(table, dict.fromkeys(table.columns, "number")).table
    assert found.to_numpy().tolist() == np.ones((3, 2)).tolist()
    assert table.paths == (f"{archive}:X_test",)


def test_two_arrays_of_a_file_are_two_tables_and_have_two_digests(archive):
    assert datasets.n_rows(opened(f"{archive}:X_train", f"{archive}:X_test")) == 7
    assert opened(f"{archive}:X_train").sha256 != opened(f"{archive}:X_test").sha256


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("X_tset", "holds X_train, X_test, y, and no 'X_tset'; did you mean 'X_test'?"),
        ("y", r"is an array of shape \(3,\)"),
    ],
)
def test_another_name_or_shape_is_refused(archive, name, message):
    with pytest.raises(RefusedError, match=message):
        opened(f"{archive}:{name}")


def test_an_archive_of_several_tables_says_how_to_name_one(archive):
    with pytest.raises(RefusedError, match=r"X_test \(3, 2\).*:NAME"):
        opened(archive)


def test_a_file_whose_own_name_has_a_colon_is_that_file(tmp_path):
    path = tmp_path / "d.npz:X"
    with path.open("wb") as handle:
        np.savez(handle, X=np.ones((3, 2)))
    table = datasets.open_table([str(path)], ReadOptions(input_format="npz"))
    assert (datasets.n_rows(table), table.paths) == (3, (str(path),))


def test_data_background_and_baselines_may_be_members(run, tmp_path):
    from sklearn.linear_model import LinearRegression

    stream = np.random.default_rng(0)
    train, test = stream.normal(size=(40, 3)), stream.normal(size=(5, 3))
    np.savez(tmp_path / "d.npz", X_train=train, X_test=test, one=np.zeros((1, 3)))
    model = LinearRegression().fit(train, train @ [1.0, 2.0, 3.0])
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(model))
    named = ("d.npz:X_test", "--background", "d.npz:X_train", "-b", "file=d.npz:one")
    done = run("tabular", "m.pkl", *named, "-m", "kernel-shap", "-o", "o", "-q")
    assert done.code == 0, done.err
    lines = (tmp_path / "o" / "weights.csv").read_text().splitlines()[1:]
    found = sorted(float(line.split(",")[7]) for line in lines)
    assert np.allclose(found, np.sort((test * [1.0, 2.0, 3.0]).ravel()))


def test_pictures_may_be_a_member(tmp_path):
    from xplain_cli.datasets.pictures import find_pictures
    from xplain_cli.datasets.pixels import Reading

    first = np.zeros((2, 4, 5, 3), np.uint8)
    np.savez(tmp_path / "d.npz", first=first, second=np.full((3, 4, 5, 3), 7, np.uint8))
    found = find_pictures([f"{tmp_path}/d.npz:second"])
    assert (found.ids, len(found.take(0, 3, Reading()))) == (["0", "1", "2"], 3)
    assert found.sha256 != find_pictures([f"{tmp_path}/d.npz:first"]).sha256
    with pytest.raises(RefusedError, match="has no array 'secnd'; did you mean 'second'"):
        find_pictures([f"{tmp_path}/d.npz:secnd"])
    with pytest.raises(RefusedError, match=r"It has first, second; say it with .*:NAME"):
        find_pictures([str(tmp_path / "d.npz")])
