"""The self-test has a case for every method, passes here, and finds what is wrong."""

from dataclasses import replace

import pytest

from xplain_cli.jobs.selftest import _ground, all_cases, check_case
from xplain_cli.methods import METHODS


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    return _ground(tmp_path_factory.mktemp("known"))


def case(ground, name):
    return next(one for one in all_cases(ground) if one.name == name)


def test_every_method_that_needs_no_gradient_has_a_case(ground):
    named = {one.options["method"].partition(":")[0] for one in all_cases(ground)}
    shelf = {
        name
        for methods in METHODS.values()
        for name, kind in methods.items()
        if "gradient" not in kind().needs
    }
    assert shelf <= named
    assert {one.modality for one in all_cases(ground)} == {"tabular", "text", "image"}


def test_all_quick_cases_are_right_here(run, tmp_path):
    done = run("selftest", "--quick", "--junit", "s.xml")
    assert done.code == 0, done.out
    assert done.out.count("ok      ") == done.out.count("\n") >= 17
    assert 'failures="0"' in (tmp_path / "s.xml").read_text()


@pytest.mark.parametrize("name", ["table occlusion", "image rise", "table lime on draws"])
def test_a_weight_that_is_off_is_found(ground, name):
    right = case(ground, name)
    wrong = replace(right, truth=lambda at: right.truth(at) * 1.3)
    assert check_case(wrong, ground.folder).failed


def test_an_installation_that_cannot_explain_is_found(ground):
    broken = replace(case(ground, "table occlusion"), model="nothing.here:at_all")
    found = check_case(broken, ground.folder)
    assert found.failed
    assert found.message.startswith("cannot be explained: RefusedError")
