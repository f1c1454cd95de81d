"""What listed classes must not be made to mean."""

import hostile_models
import pytest

from xplain_cli.errors import RefusedError
from xplain_cli.models import ModelRecipe, load_model
from xplain_cli.models.inspection import inspect_file

REFUSED = "refused, nothing of it was run"
FAMILIES = {
    "methods": lambda folder: hostile_models.methods_by_name(folder / "marker"),
    "members": lambda folder: hostile_models.strange_members(folder / "marker"),
    "functions": lambda folder: hostile_models.strange_functions(folder / "marker"),
    "caches": lambda folder: hostile_models.caches(folder / "marker"),
    "calls": lambda _: hostile_models.calls_at_load(),
    "readers": lambda folder: hostile_models.readers(folder / "text"),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_listed_classes_alone_do_nothing_that_the_file_wants(tmp_path, family):
    (tmp_path / "text").write_text("some words")
    path, passed = tmp_path / "model.pkl", []
    for name, data in FAMILIES[family](tmp_path):
        path.write_bytes(data)
        try:
            load_model(ModelRecipe(str(path)))
            passed.append(name)
        except RefusedError as error:
            if REFUSED not in str(error) or "; " not in str(error):
                passed.append(f"{name}: {error}")
        found = inspect_file(str(path))
        if not (found.refusals or found.unknown):
            passed.append(f"{name}, inspected")
    assert passed == []
    assert sorted(one.name for one in tmp_path.iterdir()) == ["model.pkl", "text"]
