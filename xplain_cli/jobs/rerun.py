"""What a finished run was asked, asked again: model and data named anew, trust given anew."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

from xplain_cli.errors import RefusedError
from xplain_cli.explanation import Records
from xplain_cli.jobs.manifest import Course
from xplain_cli.jobs.schedule import explain_rows, share_pool
from xplain_cli.options.request import Request, from_stored
from xplain_cli.options.runs import Sandbox
from xplain_cli.planning.prepare import Job
from xplain_cli.runs.finished import FinishedRun
from xplain_cli.runs.folder import RunPlace, open_run
from xplain_cli.workers.rooms import Rooms


def asked_again(
    found: FinishedRun, named: str, model: str | None, data: tuple[str, ...]
) -> Request:
    """
    Return what the run was asked, with the model and the data named anew.

    Raises
    ------
    RefusedError
        The run does not say what it was asked.
    """
    held = found.results().get("request")
    if held is None:
        raise RefusedError(
            f"{named}: does not say what it was asked; explain again with this version"
        )
    # trust and consent are given anew, or not at all; nothing is judged by its gates
    again = {"trusted": (), "trust_model": False, "accept": (), "fail_on": None, "dry_run": False}
    again |= {"named_gates": (), "junit": None, "github": None}
    request = replace(from_stored(held | again), sandbox=Sandbox())
    named_anew = replace(
        request.sources, model=model or request.sources.model, data=data or request.sources.data
    )
    return replace(request, sources=named_anew)


def differing_numbers(found: FinishedRun, job: Job) -> list[str]:
    """Return what decides the numbers, by name, and is another now than in the run."""
    then = found.marker.plan.get("numbers", {})
    now = json.loads(json.dumps(job.plan.numbers))
    # how parts are laid out (the schema) explains nothing
    return [
        name
        for name in dict.fromkeys((*now, *then))
        if then.get(name) != now.get(name) and name != "schema"
    ]


def check_same(found: FinishedRun, job: Job, named: str) -> None:
    """
    Check that a job is what the run was.

    Raises
    ------
    RefusedError
        It has another model or other data.
    """
    parts = differing_numbers(found, job)
    if not parts:
        return
    raise RefusedError(
        f"{named}: these are not the model and the data that it explained: {', '.join(parts)}"
        " differ; name them by --model and --data"
    )


def explain_some(job: Job, rooms: Rooms, rows: Sequence[int]) -> Iterator[Records]:
    """
    Explain some rows of a job in the one way in which runs are explained, and keep nothing.

    Parameters
    ----------
    rooms
        Where the model is asked.
    rows
        Their numbers in DATA.
    """
    run = open_run(RunPlace(None, "csv"), job.plan, explicit=True, force=False, chunk_rows=1)
    try:
        _, crew = share_pool(job, run, rooms)
        for found in explain_rows(job, run, crew, Course(0.0), rows):
            yield found.records(job.plan.identity)
    finally:
        run.close()
