"""Trains baselines that are learned for a model, and shows them."""

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import xplain_cli
from xplain_cli.baselines.adversaries import TrainingRecipe, TrainingState, recipe_for
from xplain_cli.baselines.generators import Rates, warnings_of
from xplain_cli.baselines.learned_file import (
    LearnedFile,
    learned_bytes,
    packed_arrays,
    read_learned,
    unpacked_arrays,
)
from xplain_cli.baselines.lessons import Examples
from xplain_cli.baselines.pairs import pair_lines, pairs_picture
from xplain_cli.baselines.training import Learned, check_trainable, fit_generator, too_few_to_learn
from xplain_cli.console import Console
from xplain_cli.errors import FewRowsError, RefusedError, UsageError, counted, quoting, staying
from xplain_cli.jobs.schedule import rooms_for
from xplain_cli.modalities import classes_named, model_id
from xplain_cli.models import UnableError
from xplain_cli.models.gradients import Gradient
from xplain_cli.options.request import Request
from xplain_cli.options.training import Training
from xplain_cli.planning.inputs import Inputs, open_inputs
from xplain_cli.runs.conflicts import check_unread
from xplain_cli.runs.paths import check_writable, parents_of, write_atomically

_TRAINING = "xplain training 1"
_SUFFIX = ".training"
"""How the file is called in which an unfinished training stands, beside its result."""


def _aside(path: Path) -> Path:
    """Return where the unfinished training of a file stands."""
    return path.with_name(path.name + _SUFFIX)


def _recipe(training: Training, examples: Examples, *, unseen: bool) -> TrainingRecipe:
    """Return the recipe with what the user asked for."""
    recipe = replace(recipe_for(examples.space.form), unseen=unseen)
    if training.steps is not None:
        every = min(recipe.every, training.steps)
        recipe = replace(recipe, steps=training.steps, every=every)
    return recipe if training.noise is None else replace(recipe, noise=training.noise)


def _gradient(opened: Inputs) -> Gradient:
    """
    Return the gradient of the model.

    Raises
    ------
    UsageError
        It has none, with the reason and a baseline that needs none.
    """
    capabilities = opened.model.capabilities
    try:
        capabilities.check(("gradient",))
        opened_gradient: Any = capabilities.gradient
        found: Gradient = opened_gradient()
    except UnableError as error:
        raise UsageError(
            f"ganmex {error.reason}; take -b nearest, or revert for tables, which ask the model's"
            " outputs alone"
        ) from error
    return found


def _identity(request: Request, opened: Inputs, recipe: TrainingRecipe) -> dict[str, Any]:
    """Return what decides the bytes of a training."""
    import numpy as np
    import torch

    return {
        "model": model_id(request, opened.loaded),
        "response": opened.signature.response,
        "classes_named": list(classes_named(opened.signature)),
        "data": opened.modality.sha256,
        "reading": opened.modality.numbers(),
        "recipe": asdict(recipe),
        "seed": request.sampling.seed,
        "private": request.result.no_values,
        "versions": {
            "xplain": xplain_cli.__version__,
            "torch": str(torch.__version__),
            "numpy": np.__version__,
        },
    }


def _digest(identity: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def _kept_bytes(state: TrainingState, digest: str) -> bytes:
    """Return an unfinished training as the bytes of a file."""
    best = {f"best{i}": array for i, array in enumerate(state.best)}
    header = {
        "format": _TRAINING,
        "identity": digest,
        "step": state.step,
        "history": [dict(one) for one in state.history],
        "shapes": {name: list(array.shape) for name, array in state.arrays.items()},
    }
    return packed_arrays(header, {**state.arrays, **best})


def _begun(path: Path, digest: str) -> TrainingState | None:
    """Return where an earlier process stopped; None where there is none, or another training."""
    if not path.is_file():
        return None
    try:
        header, arrays = unpacked_arrays(str(path), _TRAINING)
        if header["identity"] != digest:
            return None
    except (RefusedError, KeyError):
        return None
    single = {name: array.astype("float32") for name, array in arrays.items()}
    best = [name for name in single if name.startswith("best")]
    held = {name: array for name, array in single.items() if name not in best}
    weights = tuple(single[f"best{i}"] for i in range(len(best)))
    return TrainingState(int(header["step"]), held, weights, tuple(header["history"]))


def _said(rates: Mapping[str, float]) -> str:
    return (
        f"target rate {rates['target_rate']:.3f}, judge rate {rates['judge_rate']:.3f}, distance"
        f" {rates['distance']:.3f}"
    )


def _learned(
    path: Path,
    examples: Examples,
    gradient: Gradient,
    recipe: TrainingRecipe,
    identity: Mapping[str, Any],
    console: Console,
) -> Learned:
    """Train, from where an earlier process stopped; every snapshot is kept beside the result."""
    aside, digest = _aside(path), _digest(identity)
    begun = _begun(aside, digest)
    done = begun.step if begun is not None else 0
    if done:
        console.note(f"going on after step {done}, where an earlier process stopped")

    def keep(state: TrainingState) -> None:
        write_atomically(aside, _kept_bytes(state, digest))
        last = state.history[-1]
        star = ", the best so far" if state.best_step == state.step else ""
        text = f"snapshot at step {state.step}: {_said(last)}{star}"
        console.event("snapshot", text, last)

    lesson = examples.lesson(gradient)
    with console.measures("steps", recipe.steps, done) as told:
        return fit_generator(
            lesson, gradient, recipe, int(identity["seed"]), begun=begun, keep=keep, told=told
        )


def learn(
    request: Request, training: Training, path: Path, console: Console, *, unseen: bool = False
) -> LearnedFile:
    """
    Train a generator, write its file, and return what it holds; within the rooms of a request.

    Parameters
    ----------
    unseen
        Whether rows are moved to classes too in which the model puts none.

    Raises
    ------
    XplainError
        What the request names is refused, or nothing can be learned of it.
    """
    try:
        opened = open_inputs(request)
        check_trainable(len(classes_named(opened.signature)), len(opened.signature.outputs))
        examples = opened.modality.examples(opened.model)
    except FewRowsError as error:  # what it advises are options of other commands
        raise RefusedError(f"{error.path}: {too_few_to_learn(error.rows)}") from error
    gradient = _gradient(opened)
    # DATA are what is learned from: what stands for a background is no choice here
    notes = [note for note in opened.notes if not note.startswith("background:")]
    for note in (*notes, *examples.notes):
        console.note(note)
    recipe = _recipe(training, examples, unseen=unseen)
    identity = _identity(request, opened, recipe)
    learned = _learned(path, examples, gradient, recipe, identity, console)
    held = LearnedFile(
        learned.generator,
        examples.space,
        classes_named(opened.signature),
        learned.rates,
        {
            **identity,
            "noun": examples.noun,
            "rows": len(examples.rows),
            "step": learned.step,
            "history": [dict(one) for one in learned.history],
        },
        None if request.result.no_values else learned.samples,
    )
    write_atomically(path, learned_bytes(held))
    _aside(path).unlink(missing_ok=True)
    return held


def train_baseline(request: Request, training: Training, console: Console) -> int:
    """
    Train a generator and write its file.

    Raises
    ------
    XplainError
        What the request names is refused, or nothing can be learned of it.
    """
    path = Path(request.result.output)
    if path.exists() and not request.safety.force:
        raise UsageError(f"{path}: is there already; --force replaces it, or name another with -o")
    named = (request.explanation.class_names, request.project_file)
    check_unread(
        str(path), (path, _aside(path)), (request.sources.model, *request.sources.data, *named)
    )
    with (
        rooms_for(request),
        staying(request.sources.model),
        quoting(shown=request.shows_values),
        parents_of(path),
    ):
        check_writable(path, _aside(path))
        held = learn(request, training, path, console)
    for line in _rate_lines(held.rates):
        console.line(line)
    console.line(f"written   {path}: use it as -b ganmex={path}")
    return 0


def _rate_lines(rates: Rates) -> Iterator[str]:
    yield f"rows      {rates.rows} made of rows that training has not seen"
    yield f"target    {rates.target:.3f} the model puts in the wanted class (1 is best)"
    yield (
        f"judge     {rates.judge:.3f} an independent judge puts there (1 is best); of real rows it"
        f" says what the model says on {rates.judge_real:.3f}"
    )
    yield f"distance  {rates.distance:.3f} mean change of a number, of a range of 2 (0 is nearest)"
    for warning in warnings_of(rates):
        yield f"warning   {warning}"


def _fact_lines(learned: LearnedFile) -> Iterator[str]:
    """Yield the lines that say what a file holds."""
    facts, form = learned.facts, learned.space.form
    recipe = facts["recipe"]
    shape = f"{form.width} numbers" if form.shape is None else " x ".join(map(str, form.shape))
    kind = "convolutional" if learned.generator.is_convolutional else "three hidden layers"
    known = zip(learned.outputs, learned.generator.known, strict=True)
    yield "kind      ganmex: a generator that moves a row to another class"
    yield f"model     SHA-256 {learned.model_sha256}"
    yield f"data      SHA-256 {facts['data']}, {facts['rows']} {facts['noun']}s of {shape}"
    yield f"classes   {', '.join(f'{name} ({counted(count)})' for name, count in known)}"
    yield (
        f"training  {kind}, snapshot of step {facts['step']} of {recipe['steps']}, seed"
        f" {facts['seed']}, noise {recipe['noise']}, torch {facts['versions']['torch']}"
    )
    for one in facts["history"]:
        yield f"  step {one['step']:.0f}: {_said(one)}, class loss {one['class']:.3g}"


def show_baseline(file: str, plot: str | None, console: Console) -> int:
    """
    Print what a learned baseline is, and ten pairs; it needs neither the model nor torch.

    Raises
    ------
    RefusedError, UsageError
        It is no such file; or rows of tables are to be drawn as a picture.
    """
    learned = read_learned(file)
    if plot is not None and (learned.space.form.shape is None or learned.samples is None):
        raise UsageError("--plot draws pairs of pictures, and this file holds none; leave it out")
    for line in (*_fact_lines(learned), *_rate_lines(learned.rates)):
        console.line(line)
    if learned.samples is None:
        console.line("pairs     none: it was trained with --no-values")
        return 0
    for line in pair_lines(learned, learned.samples):
        console.line(line)
    if plot is not None:
        drawn = io.BytesIO()
        pairs_picture(learned, learned.samples).save(drawn, "PNG")
        write_atomically(Path(plot), drawn.getvalue())
        console.note(f"wrote {plot}")
    return 0
