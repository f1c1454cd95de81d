"""Pickle and joblib files: dry run, verdict, then a strict load of the same bytes."""

import io
from typing import Any

from xplain_cli.errors import RefusedError, install_line
from xplain_cli.models.callables import extend_path
from xplain_cli.models.contract import LoadedModel, ModelRecipe
from xplain_cli.models.estimators.boosters import BOOSTERS
from xplain_cli.models.estimators.model import Estimator
from xplain_cli.models.members import stored_model
from xplain_cli.models.pickles.allowlist import judge, stated_version
from xplain_cli.models.pickles.dry_run import dry_run
from xplain_cli.models.pickles.leftovers import check_leftovers, leftover_notes
from xplain_cli.models.pickles.object_graph import refuse_readers
from xplain_cli.models.pickles.skew import bracketed, skew, way_out, without_skew_warnings
from xplain_cli.models.pickles.strict_unpickler import strict_load
from xplain_cli.models.pickles.unpickler import Content
from xplain_cli.models.stored import ModelContent


def _plain_load(data: Content) -> Any:
    import joblib

    return joblib.load(io.BytesIO(data))


def _load(data: Content, recipe: ModelRecipe) -> Any:
    return _plain_load(data) if recipe.trust_all else strict_load(data, recipe.trusted)


def open_pickled(recipe: ModelRecipe, stored: ModelContent) -> LoadedModel:
    """
    Judge and load a pickle.

    Raises
    ------
    RefusedError
        The file asks for more than the list grants, cannot be loaded with the installed versions,
        or holds something that is no model, or parameters that the installed classes ignore.
    """
    path = recipe.source
    run = dry_run(stored.data)
    version = stated_version(run)
    if not recipe.trust_all:
        try:
            judge(path, run, recipe.trusted)
        except RefusedError as error:
            raise RefusedError(f"{error}{bracketed(version)}") from error
    extend_path(recipe.python_path)
    try:
        loaded = without_skew_warnings(lambda: _load(stored.data, recipe))
    except Exception as error:  # a class of any version may raise anything from its own state
        reason = " ".join(str(error).split()) or type(error).__name__
        module = error.name if isinstance(error, ModuleNotFoundError) else None
        absent = (module or "").partition(".")[0]
        way = install_line(absent) if absent in BOOSTERS else way_out(version)
        raise RefusedError(
            f"{path}: cannot be loaded: {reason}{bracketed(version)}; {way}"
        ) from error
    loaded = stored_model(recipe, loaded)
    if not recipe.trust_all:
        refuse_readers(path, loaded)
    leftovers = check_leftovers(recipe, loaded, version)
    notes = [note for note in (skew(version), *leftover_notes(leftovers)) if note]
    if recipe.trust_all:
        notes.append("loaded unjudged: --trust-model runs whatever the file asks for")
    return Estimator(
        loaded,
        source=path,
        sha256=stored.sha256,
        recipe=recipe,
        notes=tuple(notes),
        versions={} if version is None else {"scikit-learn": version},
        way_out=way_out(version),
        leftovers=leftovers,
    )
