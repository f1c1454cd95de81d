"""Opens the model that is explained: judged, loaded, probed, then asked in batches.

A pickle passes the door (dry run, exact allowlist, strict load) before anything in it is imported.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from xplain_cli.errors import RefusedError, UsageError, with_article
from xplain_cli.models import callables
from xplain_cli.models.contract import (
    Batch,
    Capabilities,
    Levels,
    LoadedModel,
    MaskedText,
    Model,
    ModelRecipe,
    OtherModalityError,
    PictureInput,
    Signature,
    UnableError,
)
from xplain_cli.models.leaves import LeafBoxes
from xplain_cli.models.links import LoadedLinkedModel
from xplain_cli.models.pictures import LoadedFlatModel
from xplain_cli.models.stored import ModelContent, read_stored
from xplain_cli.specs import Shelf

__all__ = [
    "KINDS",
    "OPTIONAL_KINDS",
    "Batch",
    "Capabilities",
    "LeafBoxes",
    "Levels",
    "LoadedModel",
    "MaskedText",
    "Model",
    "ModelRecipe",
    "Opener",
    "OtherModalityError",
    "PictureInput",
    "Signature",
    "UnableError",
    "load_model",
    "open_models_by",
]

Loader: TypeAlias = Callable[[ModelRecipe, ModelContent], LoadedModel]


# a job imports what it uses: of the forms below, one
KINDS: Shelf[Loader] = Shelf(
    __name__,
    {
        "onnx": "onnx.model:open_onnx",
        "pickle": "pickles.load:open_pickled",
    },
)
"""Stored forms, told apart by content; a ``package.module:callable`` is none of them."""

OPTIONAL_KINDS: Shelf[Loader] = Shelf(
    __name__,
    {
        "catboost": "estimators.native:open_native",
        "lightgbm": "estimators.native:open_native",
        "skops": "skops:open_skops",
        "torch": "torch.model:open_torch",
        "xgboost": "estimators.native:open_native",
    },
)
"""Stored forms whose package is an extra."""

MEMBER_KINDS = frozenset({"pickle", "skops"})
"""Stored forms that may hold a dict, of which one member is the model."""

REDRAWN_KINDS = frozenset({"onnx", "scikit-learn", "torch"})
"""Kinds of models whose layers can be drawn anew."""

PICTURE_KINDS: Shelf[Loader] = Shelf(
    __name__,
    {
        "onnx": "onnx.pictures:open_onnx_pictures",
        "torch": "torch.model:open_torch_pictures",
    },
)
"""Stored forms that take pictures as such; all others take them as rows of pixels."""

TEXT_KINDS: Shelf[Loader] = Shelf(__name__, {"onnx": "onnx.texts:open_onnx_texts"})
"""Stored forms that take texts in a way of their own; all others take a list of strings."""


def _check_member(recipe: ModelRecipe, kind: str) -> None:
    """Refuse the name of a member where what is stored has none."""
    if recipe.member is not None and kind not in MEMBER_KINDS:
        raise UsageError(
            f"{recipe.member_option}{recipe.member}: takes one of several objects of a pickle or"
            f" a skops file; {recipe.source} is of kind {kind}: leave the name out"
        )


def _load(recipe: ModelRecipe) -> LoadedModel:
    callables.extend_path(recipe.python_path)  # --unit may name code there, whatever the model is
    if callables.names_callable(recipe.source):
        _check_member(recipe, "callable")
        return callables.open_callable(recipe)
    stored = read_stored(recipe.source, recipe.sha256)
    _check_member(recipe, stored.kind)
    if recipe.modality == "image" and stored.kind in PICTURE_KINDS:
        return PICTURE_KINDS[stored.kind](recipe, stored)
    if recipe.modality == "text" and stored.kind in TEXT_KINDS:
        return TEXT_KINDS[stored.kind](recipe, stored)
    shelf = KINDS if stored.kind in KINDS else OPTIONAL_KINDS
    loaded = shelf[stored.kind](recipe, stored)
    return LoadedFlatModel(loaded) if recipe.modality == "image" else loaded


Opener: TypeAlias = Callable[[ModelRecipe], LoadedModel]
"""Judges and loads a model, in this process or in another one."""

_OPENERS: list[Opener] = []


@contextlib.contextmanager
def open_models_by(opener: Opener | None) -> Iterator[None]:
    """
    Let ``load_model`` open every model by *opener* meanwhile; None: in this process itself.

    A process that must hold no model says so once, and no caller of ``load_model`` can forget it.
    """
    before = _OPENERS[:]
    _OPENERS[:] = [] if opener is None else [opener]
    try:
        yield
    finally:
        _OPENERS[:] = before


def load_model(recipe: ModelRecipe) -> LoadedModel:
    """
    Judge and load a model, here or where ``open_models_by`` says.

    Raises
    ------
    RefusedError
        The file is missing, damaged, of another kind, not the pinned one, or asks for more than
        the allowlist grants; or the callable cannot be imported.
    """
    for opener in _OPENERS:
        return opener(recipe)
    loaded = _load(recipe)
    if recipe.redraw is not None and loaded.kind not in REDRAWN_KINDS:
        raise RefusedError(
            f"{recipe.source}: {with_article(loaded.kind)} model has no layers to draw anew"
        )
    if recipe.link is None:
        return loaded
    linked: Any = LoadedLinkedModel(loaded, recipe.link)  # whatever the model has, it has
    return linked  # type: ignore[no-any-return]  # delegation is nothing that types see
