"""What objects of a pickle may be built from."""

import evil_pickles

from xplain_cli.models.pickles.dry_run import dry_run


def test_a_reconstructor_builds_on_plain_types_alone():
    booster = evil_pickles.named("xgboost.core", "Booster")
    parts = (booster, booster, b"}")
    call = evil_pickles.called(evil_pickles.named("copyreg", "_reconstructor"), *parts)
    run = dry_run(evil_pickles.stream(call))
    assert run.refusals[0].startswith("calls copyreg._reconstructor on xgboost.core.Booster")


def test_deeply_nested_keys_and_endless_arrays_end_early():
    nested = b"\x80\x04}" + b")" + b"\x85" * 200_000 + b"Ns."
    assert dry_run(nested).refusals == ("uses a deeply nested key at byte 200006",)
    assert dry_run(b"\x80\x05\x96" + b"\xff" * 7 + b"\x0f.").refusals
