"""Boosters' own files (XGBoost .json and .ubj, LightGBM .txt, CatBoost .cbm): data, no code."""

from collections.abc import Callable
from typing import Any

from xplain_cli.errors import RefusedError, require
from xplain_cli.models.contract import LoadedModel, ModelRecipe
from xplain_cli.models.estimators.booster_trees import check_lightgbm, check_xgboost
from xplain_cli.models.estimators.boosters import catboost_model, lightgbm_model, xgboost_model
from xplain_cli.models.estimators.catboost_trees import check_catboost
from xplain_cli.models.estimators.model import Estimator
from xplain_cli.models.soundness import OddPartError
from xplain_cli.models.stored import ModelContent


def _lightgbm_from(data: bytes) -> Any:
    import lightgbm

    return lightgbm_model(lightgbm.Booster(model_str=data.decode("utf-8")))


_CHECKS: dict[str, Callable[[bytes], None]] = {
    "catboost": check_catboost,
    "lightgbm": lambda data: check_lightgbm(data.decode("utf-8")),
    "xgboost": check_xgboost,
}

_READERS: dict[str, Callable[[bytes], Any]] = {
    "catboost": catboost_model,
    "lightgbm": _lightgbm_from,
    "xgboost": xgboost_model,
}


def _notes(model: Any) -> tuple[str, ...]:
    """Return a note where fewer trees answer than the file holds."""
    booster = getattr(model, "get_booster", lambda: None)()
    best = None if booster is None else booster.attributes().get("best_iteration")
    if best is None:
        return ()
    return (f"training stopped early: the trees up to iteration {best} answer",)


def _judge(path: str, package: str, data: bytes) -> None:
    """Refuse a file whose trees lead outside of it: the packages follow them without a look."""
    try:
        _CHECKS[package](data)
    except (OddPartError, UnicodeDecodeError) as odd:
        raise RefusedError(
            f"{path}: refused, nothing of it was run: as a model of {package} it {odd}; save it"
            " again with the installed version; if you made this file yourself: --trust-model"
        ) from odd


def open_native(recipe: ModelRecipe, stored: ModelContent) -> LoadedModel:
    """
    Open a booster's own file.

    Raises
    ------
    RefusedError
        Its trees lead outside of it, or its package cannot read the file, or knows no such
        objective.
    UsageError
        Its package is not installed.
    """
    package = stored.kind
    library = require(package, package)
    if not recipe.trust_all:
        _judge(recipe.source, package, stored.plain)
    try:
        model = _READERS[package](stored.plain)
    except Exception as error:  # the packages' own exceptions share no other base
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RefusedError(
            f"{recipe.source}: {package} {library.__version__} cannot read it: {reason};"
            f" save the model again with that version"
        ) from error
    return Estimator(
        model,
        source=recipe.source,
        sha256=stored.sha256,
        recipe=recipe,
        notes=_notes(model),
        way_out="save the model again with the installed versions",
        kind=package,
    )
