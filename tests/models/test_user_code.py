"""Code of the user is called where the process that asks says."""

from xplain_cli.models.user_code import run_user_code, run_user_code_by


def double(value):
    return 2 * value


def test_it_is_called_here_where_nobody_says_otherwise():
    assert run_user_code(double, 4) == 8


def test_it_is_called_by_the_runner_meanwhile():
    asked = []
    with run_user_code_by(lambda work, *values: asked.append((work, values))):
        assert run_user_code(double, 4) is None
        with run_user_code_by(None):
            assert run_user_code(double, 4) == 8
    assert asked == [(double, (4,))]
    assert run_user_code(double, 4) == 8
