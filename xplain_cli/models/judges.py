"""A judge: an independent model that says to which class a row belongs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xplain_cli.errors import UsageError
from xplain_cli.explanation import IntArray
from xplain_cli.models.contract import LoadedModel, Model, ModelRecipe, Signature
from xplain_cli.models.steadiness import check_steady
from xplain_cli.targets import is_unnamed


@dataclass(frozen=True)
class Judge:
    """
    A judge and how it is asked; picklable, so that a worker opens it again.

    Attributes
    ----------
    recipe, signature
        The model, and what its probe chose.
    columns
        Its inputs, in its own order.
    places : (outputs of the explained model,)
        Which of its outputs each class is.
    notes
        What of it the user accepted.
    """

    recipe: ModelRecipe
    signature: Signature
    columns: tuple[str, ...]
    places: tuple[int, ...]
    notes: tuple[str, ...] = ()

    def opened(self, load: Callable[[ModelRecipe], LoadedModel]) -> "OpenJudge":
        """Open it."""
        return OpenJudge(self, load(self.recipe).bind(self.signature))


@dataclass(frozen=True)
class OpenJudge:
    """An opened judge."""

    judge: Judge
    model: Model

    def classes(self, rows: pd.DataFrame) -> IntArray:
        """Return the class that it gives each row, as the explained model numbers them."""
        answers = self.model.predict(rows[list(self.judge.columns)])
        return np.asarray(answers[:, list(self.judge.places)].argmax(axis=1), dtype=np.int64)


def choose_judge(
    recipe: ModelRecipe, loaded: LoadedModel, rows: pd.DataFrame, outputs: Sequence[str]
) -> Judge:
    """
    Return a loaded model as the judge of another's classes.

    Parameters
    ----------
    rows
        Rows that the explained model takes.
    outputs
        Its classes.

    Raises
    ------
    UsageError
        The judge needs other columns, or knows other classes.
    RefusedError
        It does not answer the same rows alike, and nobody accepts that.
    """
    columns = tuple(loaded.columns or map(str, rows.columns))
    lacking = [column for column in columns if column not in rows.columns]
    if lacking or (loaded.n_columns or len(columns)) != len(columns):
        what = f"column {lacking[0]!r}" if lacking else f"{loaded.n_columns} columns"
        raise UsageError(f"--judge {recipe.source}: needs {what}, which the model does not take")
    signature = loaded.settle(rows[list(columns)])
    unknown = [name for name in outputs if name not in signature.outputs]
    if unknown:
        unnamed = is_unnamed(signature.outputs) and not is_unnamed(outputs)
        why = ", for the file names no classes: take a pickle of it" if unnamed else ""
        raise UsageError(
            f"--judge {recipe.source}: knows no class {unknown[0]!r}; it has"
            f" {', '.join(signature.outputs[:12])}{why}"
        )
    unsteady = check_steady(recipe, loaded.bind(signature), rows[list(columns)])
    notes = [f"accepted leftovers: {one}" for one in loaded.leftovers]
    notes += [f"accepted unsteady: {unsteady}"] if unsteady else []
    return Judge(
        recipe,
        signature,
        columns,
        tuple(signature.outputs.index(name) for name in outputs),
        tuple(f"--judge {recipe.source}: {note}" for note in notes),
    )
