"""``xplain inspect``: what a model file holds, looked at in a room."""

from xplain_cli.errors import ModelDiedError
from xplain_cli.jobs.schedule import walls_of
from xplain_cli.models.inspection import Inspection
from xplain_cli.options.runs import Sandbox, Trust
from xplain_cli.workers.rooms import open_rooms


def inspected(path: str, sandbox: Sandbox, trust: Trust, member: str | None = None) -> Inspection:
    """
    Say what a model, or a *member* of it, holds; a pickle is only followed, a callable located.

    Raises
    ------
    RefusedError
        The file is missing, damaged or of another kind; or looking at it crashes, or never ends.
    """
    with open_rooms(walls_of(sandbox, trust, path)) as rooms:
        limit = sandbox.open_timeout
        try:
            found: Inspection = rooms.first.ask(
                "inspect", path, trust.python_path, member, limit=limit
            )
        except ModelDiedError as error:
            raise ModelDiedError(f"{path}: the process that looks at it {error.reason}") from error
    return found
