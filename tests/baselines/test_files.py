"""A row of DATA or of another file as a baseline."""


def test_a_row_and_a_file_that_are_not_there_are_refused(run, cancer, tmp_path):
    base = ("tabular", cancer.model, cancer.data, "--id-column", "id", "-m", "occlusion")
    (tmp_path / "some.csv").write_text("a,b\n1,2\n")
    for baseline, code, said in (("row=nobody", 2, "nobody"), ("file=some.csv", 3, "no column")):
        done = run(*base, "-b", baseline)
        assert (done.code, said in done.err) == (code, True), done.err
