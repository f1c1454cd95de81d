"""Refuses a place for a run that holds something else: another run, foreign files, an input."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from xplain_cli.errors import UsageError
from xplain_cli.plan import Plan
from xplain_cli.runs.paths import RunPlace, RunState


def differences(held: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """Return the names of the settings in which two plans differ; "" where they do not."""
    held, asked = json.loads(json.dumps(held)), json.loads(json.dumps(asked))
    names = sorted(name for name in {*asked, *held} if asked.get(name) != held.get(name))
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def check_free(place: RunPlace) -> None:
    """
    Refuse to overwrite files that no run at this place wrote.

    Raises
    ------
    UsageError
        One is there.
    """
    for path in (place.weights, place.stability, place.manifest) if place.file else ():
        if os.path.lexists(path):
            raise UsageError(
                f"{path}: exists and was not written by a run that can be continued;"
                " add --force to overwrite it, or name another file"
            )


def check_inputs(place: RunPlace, inputs: Iterable[str | None]) -> None:
    """
    Refuse, forced or not, to write over what the command itself reads.

    Raises
    ------
    UsageError
        An output is one of the *inputs* (files; None and ``-`` are passed over).
    """
    if place.folder is None:
        return
    check_unread(place.name, (place.weights, place.stability, place.manifest, place.folder), inputs)


def check_unread(named: str, outputs: Iterable[Path], inputs: Iterable[str | None]) -> None:
    """
    Refuse to write over what the command itself reads.

    Parameters
    ----------
    named
        What the user called the place.
    outputs
        The files that will be written.
    inputs
        The files that are read; None and ``-`` are passed over.

    Raises
    ------
    UsageError
        An output is one of the *inputs*.
    """
    written = [output for output in outputs if output.exists()]
    for name in inputs:
        path = Path(name or "-")
        for output in written:
            if path.exists() and path.samefile(output):
                raise UsageError(
                    f"--output {named}: {output} is what this command reads; name another place"
                )


def clash(place: RunPlace, found: RunState, plan: Plan) -> UsageError:
    """Return what to tell of another run at the place."""
    held = {**found.plan.get("numbers", {}), **found.plan.get("selection", {})}
    apart = differences(held, {**plan.numbers, **plan.selection}) or "settings"
    return UsageError(
        f"{place.name}: holds the {'finished' if found.state == 'finished' else 'unfinished'}"
        f" run {found.run_id}, which differs in {apart};"
        " add --force to replace it, or name another place with --output"
    )
