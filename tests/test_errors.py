"""What messages quote of other people's code: cut, or left out, for each thread by itself."""

import threading
import warnings

import pytest

from xplain_cli.errors import (
    LEFT_OUT,
    MOST_QUOTED,
    RefusedError,
    UsageError,
    counted,
    kind_of,
    quoting,
    with_article,
)


def refuse(said):
    raise RefusedError(f"model: {said}") from ValueError(said)


@pytest.mark.parametrize(
    ("shown", "expected"), [(True, f"model: {'v' * (MOST_QUOTED - 3)}..."), (False, LEFT_OUT)]
)
def test_what_an_error_quotes_is_cut_or_left_out(shown, expected):
    with pytest.raises(RefusedError) as caught, quoting(shown=shown):
        refuse("v" * 1000)
    assert str(caught.value).endswith(expected)


def test_threads_that_overlap_quote_each_as_it_may(monkeypatch):
    said = []
    monkeypatch.setattr(warnings, "showwarning", lambda message, *_: said.append(str(message)))
    begun, ended = threading.Event(), threading.Event()

    def hidden():
        with quoting(shown=False):
            begun.set()
            ended.wait(10)
            warnings.showwarning(UserWarning("secret 7"), UserWarning, "", 1)

    thread = threading.Thread(target=hidden)
    with quoting(shown=True):
        thread.start()
        begun.wait(10)
        warnings.showwarning(UserWarning("open 3"), UserWarning, "", 1)
    ended.set()
    thread.join()
    warnings.showwarning(UserWarning("after"), UserWarning, "", 1)
    assert said == ["open 3", LEFT_OUT, "after"]


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1000, "1,000 rows")]
)
def test_things_are_counted_in_words(number, said):
    assert counted(number) == said


def test_a_kind_of_error_that_others_named_is_told_by_the_nearest_that_is_not_theirs():
    class SmithError(KeyError):
        """An error whose name quotes a row."""

    assert kind_of(SmithError("x")) == "SmithError"
    assert kind_of(SmithError("x"), quotes=False) == "KeyError"
    assert kind_of(UsageError("x"), quotes=False) == "UsageError"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("AdditiveChi2Sampler", "an AdditiveChi2Sampler"),
        ("Pipeline", "a Pipeline"),
        ("SVC", "an SVC"),
        ("KNeighborsClassifier", "a KNeighborsClassifier"),
        ("LGBMClassifier", "an LGBMClassifier"),
        ("OneClassSVM", "a OneClassSVM"),
        ("int", "an int"),
        ("Unsqueeze", "an Unsqueeze"),
        ("UniformLayer", "a UniformLayer"),
    ],
)
def test_a_name_has_its_article(name, said):
    assert with_article(name) == said
