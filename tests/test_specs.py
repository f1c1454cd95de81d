"""specs: NAME[:KEY=VALUE,...]."""

import pytest

from xplain_cli.errors import UsageError
from xplain_cli.methods import METHODS
from xplain_cli.methods.lime import Lime
from xplain_cli.specs import build, split_spec


def test_a_bare_name_has_no_settings():
    assert split_spec("lime") == ("lime", {})


def test_settings_are_split_at_commas():
    assert split_spec("lime:a=1,b=x y") == ("lime", {"a": "1", "b": "x y"})


def test_quotes_hold_commas():
    assert split_spec("""f:path="a,b",q='c=d'""") == ("f", {"path": "a,b", "q": "c=d"})


@pytest.mark.parametrize("text", ["lime:kernel_width", "lime:=3", "lime:a=1,a=2", "lime:a=1,,b=2"])
def test_broken_settings_are_refused(text):
    with pytest.raises(UsageError):
        split_spec(text)


def test_values_take_the_type_of_their_field():
    assert build("lime:kernel_width=3,features=4,exact=no", METHODS["draws"]) == Lime(
        kernel_width=3.0, features=4, exact=False
    )


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'lime'"):
        build("lmie", METHODS["draws"])


def test_an_unknown_setting_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'kernel_width'"):
        build("lime:kernel_widht=3", METHODS["draws"])


@pytest.mark.parametrize(
    "text",
    [
        "lime:kernel_width=wide",
        "lime:features=2.5",
        "lime:exact=perhaps",
        "lime:discretizer=tercile",
        "lime:kernel_width=0",
        "lime:ridge=-1",
        "lime:features=0",
        "lime:select=forward",
        "lime:sample=around,discretizer=quartile",
        "lime:exact=yes,discretizer=none",
    ],
)
def test_impossible_values_are_refused(text):
    with pytest.raises(UsageError):
        build(text, METHODS["draws"])
