"""Tells the forms of torch's zip files apart, and carries on only the parts that are judged.

What was judged is packed anew, so that torch's own reader of zips cannot see other bytes.
"""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass

from xplain_cli.errors import RefusedError
from xplain_cli.models.pickles.dry_run import DryRun, dry_run

REFUSED = "refused, nothing of it was run"
EXPORT = (
    "torch.export.save(torch.export.export(model.eval(), (rows,),"
    " dynamic_shapes=({0: torch.export.Dim.AUTO},)), 'model.pt2')"
)
"""The line that makes a file which holds operators and weights, and nothing that runs unasked."""

_SHOWN = 5
_MARKS = ("data.pkl", "archive_format", "serialized_exported_program.json", "constants.pkl")
_REBUILT = frozenset({
    "collections:OrderedDict",
    "torch._utils:_rebuild_parameter",
    "torch._utils:_rebuild_tensor",
    "torch._utils:_rebuild_tensor_v2",
})


@dataclass(frozen=True)
class Archive:
    """
    A zip that torch wrote.

    Attributes
    ----------
    form
        ``export`` (torch.export), ``script`` (TorchScript) or ``pickle`` (torch.save).
    members
        Contents by name, without the folder that holds them all.
    """

    form: str
    members: Mapping[str, bytes]


def is_torch(names: list[str]) -> bool:
    """Return whether a zip with such members is one of torch's."""
    return any(name.rpartition("/")[2] in _MARKS for name in names)


def read_archive(path: str, data: bytes, cap: int) -> Archive:
    """
    Read the members of a torch zip.

    Raises
    ------
    RefusedError
        It is damaged, too large, or of a form that is not known.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(member.file_size for member in archive.infolist()) > cap:
                raise RefusedError(f"{path}: unpacks to more than {cap} bytes")
            found = {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, EOFError) as error:
        raise RefusedError(f"{path}: a damaged torch file ({error})") from error
    folders = {name.partition("/")[0] for name in found}
    if len(folders) == 1 and all("/" in name for name in found):
        found = {name.partition("/")[2]: content for name, content in found.items()}
    if "archive_format" in found:
        return Archive("export", found)
    if "data.pkl" in found:
        script = "constants.pkl" in found or any(name.startswith("code/") for name in found)
        return Archive("script" if script else "pickle", found)
    raise RefusedError(
        f"{path}: {REFUSED}: a torch file of an unknown form; export again: {EXPORT}"
    )


def packed(members: Mapping[str, bytes]) -> io.BytesIO:
    """Return a new zip of some members, as torch reads it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(f"model/{name}"), content)
    file.seek(0)
    return file


def _is_rebuilt(key: str) -> bool:
    return key in _REBUILT or (key.startswith(("torch:", "torch.storage:")) and "Storage" in key)


def foreign_names(run: DryRun) -> list[str]:
    """Return the dotted names that a pickle of torch.save asks for beside tensors."""
    return [one.dotted for one in run.globals if not _is_rebuilt(one.key)]


def refuse_pickle(path: str, archive: Archive) -> None:
    """
    Refuse a file of torch.save: it holds weights alone, or code.

    Raises
    ------
    RefusedError
        Always: it says which, and the way out.
    """
    run = dry_run(archive.members["data.pkl"], storages=True)
    foreign = foreign_names(run)
    if not foreign and not run.refusals:
        raise RefusedError(
            f"{path}: holds weights without their architecture (a state_dict or a tensor);"
            f" load them into their module and export it: {EXPORT}"
        )
    asked = ", ".join(foreign[:_SHOWN])
    more = f" and {len(foreign) - _SHOWN} more" if len(foreign) > _SHOWN else ""
    why = f"it asks for {asked}{more}" if foreign else f"it {run.refusals[0]}"
    raise RefusedError(
        f"{path}: {REFUSED}: a pickled module, whose classes run code when they are loaded:"
        f" {why}; export it: {EXPORT}; or if you made this file yourself: --trust-model"
    )
