"""What compiled code trusts, and must not find."""

import hostile_models
import pytest

from xplain_cli.models.pickles.allowlist import odd_parts, unknown_names
from xplain_cli.models.pickles.dry_run import dry_run

FAMILIES = {
    "trees": hostile_models.broken_trees,
    "tables": hostile_models.broken_tables,
    "sizes": hostile_models.sizes,
}


@pytest.mark.parametrize("family", FAMILIES)
def test_numbers_that_compiled_code_would_follow_are_refused(family):
    passed = []
    for name, data in FAMILIES[family]():
        run = dry_run(data)
        if not (run.refusals or unknown_names(run) or [*odd_parts(run)]):
            passed.append(name)
    assert passed == []
