"""The model that a stored object is, or that one member of a stored dict is."""

from typing import Any

from xplain_cli.errors import RefusedError, UsageError, nearest, shortened, with_article
from xplain_cli.models.contract import ModelRecipe
from xplain_cli.models.estimators.answers import final

_SHOWN = 5


def _predicts(value: Any) -> bool:
    return any(callable(getattr(value, name, None)) for name in ("predict", "decision_function"))


def stored_model(recipe: ModelRecipe, loaded: Any) -> Any:
    """
    Return the model that was stored, alone or under the recipe's member of a dict.

    Raises
    ------
    UsageError
        There is no such member.
    RefusedError
        It is no model.
    """
    found = _member(recipe, loaded)
    if isinstance(found, type) or not _predicts(found):
        raise RefusedError(f"{recipe.source}: {_describe(found, recipe.member_option)}")
    return found


def _member(recipe: ModelRecipe, loaded: Any) -> Any:
    """Return what a stored dict holds under a name; without a name, all that was stored."""
    path, name = recipe.source, recipe.member
    if name is None:
        return loaded
    option = f"{recipe.member_option}{name}"
    if not isinstance(loaded, dict):
        kind = with_article(type(loaded).__name__)
        raise UsageError(f"{option}: {path} holds {kind}, not a dict; leave the name out")
    members = {str(key): value for key, value in loaded.items()}
    if name not in members:
        raise UsageError(f"{option}: {path} holds {_listed(list(members))}{nearest(name, members)}")
    return members[name]


def _listed(names: list[str]) -> str:
    return shortened(", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else ""))


def _describe(loaded: Any, option: str) -> str:
    kind = with_article(type(loaded).__name__)
    if isinstance(loaded, dict):
        keys = _listed(list(map(str, loaded)))
        models = [str(key) for key, value in loaded.items() if _predicts(value)]
        ways = " or ".join(f"{option}{shortened(name)}" for name in models[:3])
        way = f"{ways} takes it" if models else "store the fitted model alone"
        return f"holds a dict ({keys}), not a model; {way}"
    if isinstance(loaded, type):
        return f"holds the class {loaded.__name__}, not a fitted model; fit one, and store that"
    if hasattr(last := final(loaded), "fit_predict") and not _predicts(last):
        way = (
            "fit it with novelty=True"
            if hasattr(last, "novelty")
            else "fit a classifier to the labels that it gave them, and store that"
        )
        kind = with_article(type(last).__name__)
        return f"holds {kind}, which judges only the rows it was fitted on; {way}"
    if hasattr(loaded, "score_samples"):
        return (
            f"holds {kind}, which scores rows and predicts none; write a function that returns its"
            " score_samples, and name that for MODEL: MODULE:FUNCTION --python-path FOLDER"
        )
    if hasattr(loaded, "fit"):
        return f"holds {kind}, which does not predict; store the whole pipeline or the model"
    return f"holds {kind}, not a model; store the fitted model alone"
