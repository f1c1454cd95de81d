"""What messages quote of other people's code: cut, or left out, for each thread by itself."""

import threading
import warnings

import pytest

from xplain_cli.errors import LEFT_OUT, MOST_QUOTED, RefusedError, quoting


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
