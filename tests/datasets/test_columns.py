import pytest

from xplain_cli.datasets import ColumnMatch, duplicate_ids, match_columns
from xplain_cli.errors import RefusedError, UsageError


def match(available, wanted=None, n_wanted=None, id_column=None, features=(), drop=()):
    return match_columns(
        available,
        wanted,
        n_wanted,
        id_column=id_column,
        features=features,
        drop=drop,
        where="data.csv",
    )


def test_known_names_come_in_the_models_order_and_extra_ones_are_noted():
    found = match(["id", "b", "a", "y"], ["a", "b"])
    assert (found.columns, found.extra) == (("a", "b"), ("id", "y"))
    (note,) = found.notes
    assert note.startswith("not used: id, y (kept out of the explanation; --keep carries them,")


def test_the_id_and_dropped_columns_are_not_noted():
    assert match(["id", "a", "y"], ["a"], id_column="id", drop=["y"]) == ColumnMatch(
        ("a",), ("y",), ()
    )


def test_missing_names_are_refused_with_the_nearest():
    with pytest.raises(RefusedError) as caught:
        match(["ages", "b"], ["age", "zzz", "b"])
    assert str(caught.value) == (
        "data.csv: the model needs columns that are not there: 'age' - did you mean 'ages', "
        "'zzz'; it has 'ages', 'b'; rename them in the table"
    )


def test_an_array_cannot_be_told_to_rename_its_columns():
    with pytest.raises(RefusedError, match="columns have no names: write them into a first line"):
        match(["0", "1"], ["a", "b"])


def test_names_that_differ_in_case_and_blanks_are_the_nearest():
    with pytest.raises(RefusedError, match="'Age' - did you mean ' AGE'; it has"):
        match([" AGE", "ago"], ["Age"])


def test_long_lists_of_names_are_cut():
    with pytest.raises(
        RefusedError, match=r"'c11', \.\.\. \(30 in all\); rename them in the table$"
    ):
        match([f"c{i}" for i in range(30)], ["q"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"drop": ["a"]}, "--drop-columns takes 'a' away"),
        ({"features": ["a"]}, "--features leaves 'b' out"),
        ({"features": ["a", "b", "y"]}, "--features names 'y', which the model does not know"),
        ({"features": ["q*"]}, "--features 'q\\*': matches no column"),
        ({"drop": ["yy"]}, "did you mean 'y'"),
        ({"id_column": "idd"}, "did you mean 'id'"),
    ],
)
def test_options_that_contradict_known_names_are_usage_errors(options, message):
    with pytest.raises(UsageError, match=message):
        match(["id", "a", "b", "y"], ["a", "b"], **options)


def test_features_may_repeat_the_models_names():
    assert match(["b", "a"], ["a", "b"], features=["?"]).columns == ("a", "b")


def test_unknown_names_take_the_table_when_the_number_fits():
    assert match(["a", "id"], n_wanted=2).columns == ("a", "id")
    assert match(["a", "b"]).columns == ("a", "b")


@pytest.mark.parametrize("name", ["id", "ID", "Unnamed: 0", "", "row_id", "uuid", "Index", "key"])
def test_an_obvious_id_is_left_out_where_that_makes_the_number_fit(name):
    found = match([name, "a", "b"], n_wanted=2)
    note = f"left out as an id: {name!r} (the model takes 2 columns)"
    assert (found.columns, found.extra, found.notes[0]) == (("a", "b"), (name,), note)


def test_the_id_column_is_no_input_of_a_model_without_names():
    assert match(["code", "a", "b"], n_wanted=2, id_column="code").columns == ("a", "b")


def test_features_and_drop_take_names_and_globs():
    columns = ["id", "x_1", "x_2", "[y]", "t"]
    assert match(columns, n_wanted=2, features=["x_*"]).columns == ("x_1", "x_2")
    assert match(columns, n_wanted=3, drop=["t", "id"]).columns == ("x_1", "x_2", "[y]")
    assert match(columns, n_wanted=1, features=["[y]"]).columns == ("[y]",)


def test_another_number_of_columns_is_refused():
    with pytest.raises(RefusedError) as caught:
        match(["id", "a", "b", "y"], n_wanted=2)
    assert str(caught.value) == (
        "data.csv: the model takes 2 columns and knows no names, the table offers 4: "
        "'id', 'a', 'b', 'y'; choose with --features or --drop-columns"
    )


def test_chosen_features_are_never_reduced():
    with pytest.raises(RefusedError, match="takes 1 columns"):
        match(["id", "a"], n_wanted=1, features=["*"])


def test_no_column_left_is_refused():
    with pytest.raises(RefusedError, match="no column is left"):
        match(["id"], id_column="id")


def test_duplicate_ids_are_the_first_few_in_order():
    assert duplicate_ids(["a", "b", "b", "a", "b", "c"]) == ["b", "a"]
    assert duplicate_ids("abc") == []
    assert duplicate_ids(list("abcdefgh") * 2) == list("abcde")


def test_a_model_without_names_takes_columns_by_position_and_says_so():
    said = "the model knows no names, so columns go by position: 'b', 'a'"
    assert match(["b", "a"], n_wanted=2) == ColumnMatch(("b", "a"), (), (said,))
    assert match(["b", "a"], wanted=["a", "b"]).notes == ()
