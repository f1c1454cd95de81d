"""``xplain inspect``: what a model is, without loading it."""


def test_inspect_tells_a_model_that_would_load(xplain, cancer):
    done = xplain("inspect", cancer.model)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("kind      pickle\nsha256    ")
    assert "columns   30: mean radius, " in done.out
    assert done.out.endswith("verdict   would load\n")


def test_inspect_refuses_what_would_be_refused_and_runs_nothing(xplain, tmp_path):
    (tmp_path / "evil.pkl").write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
    done = xplain("inspect", "evil.pkl")
    assert (done.code, done.err) == (3, "")
    assert "os.system" in done.out
    assert done.out.endswith("verdict   would be refused\n")
    assert not (tmp_path / "ran").exists()


def test_inspect_of_a_missing_file_ends_with_3(xplain):
    done = xplain("inspect", "no.pkl")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("error: no.pkl")
