"""The pool of draws that all rows share."""


def test_a_shared_pool_is_predicted_once(run, cancer, tmp_path):
    """Model inputs are the pool, the rows, the probe and one batch of padding."""
    (tmp_path / "counted.py").write_text(
        "import pickle, pathlib\n"
        f"model = pickle.loads(pathlib.Path({str(cancer.model)!r}).read_bytes())\n"
        "count = pathlib.Path('count.txt')\n"
        "def predict(table):\n"
        "    before = int(count.read_text()) if count.exists() else 0\n"
        "    count.write_text(str(before + len(table)))\n"
        "    return model.predict_proba(table)\n"
    )
    options = ("--drop-columns", "id", "--python-path", ".", "-n", "1024", "-r", "8")
    done = run("tabular", "counted:predict", cancer.data, *options)
    assert done.code == 0, done.err
    assert (
        int((tmp_path / "count.txt").read_text()) <= 8192 + 60 + 16 + 512 + 64
    )  # the probe also asks whether the model is steady
