"""Flags, XPLAIN_* and the project file become one set of options: who wins, what is refused."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xplain_cli.errors import UsageError, nearest
from xplain_cli.options.kinds import check, parse, split, typed
from xplain_cli.options.settings import COMMANDS, SETTINGS
from xplain_cli.remote import is_remote

PREFIX = "XPLAIN_"
_TRUST = ("trust_model", "trusted")
_CODE = {"model": "MODEL on the command line", "unit": "--unit"}
_TYPED_ONLY = {"debug"}  # errors in the project file itself must show a trace too
_CALLABLE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True)
class Resolved:
    """
    The options of one command after flags, environment, project file and defaults.

    Attributes
    ----------
    values : dict
        Every option of the command, by its long name with ``_`` for ``-``.
    named : frozenset of str
        The options that a flag, the environment or the project file names.
    project_file : str or None
        The project file that was read, relative to the working directory.
    notes : tuple of str
        Lines to print: the file that was read, variables that mean nothing.
    """

    values: dict[str, Any]
    named: frozenset[str]
    project_file: str | None = None
    notes: tuple[str, ...] = ()


def names_code(model: str) -> bool:
    """Return whether a model is named as ``package.module:callable``."""
    return _CALLABLE.fullmatch(model) is not None


def _read(path: Path, shown: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{shown}: the project file cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{shown}: not valid TOML: {error}") from error


def _own_table(shown: str, document: dict[str, Any]) -> dict[str, Any] | None:
    """Return what a TOML document says of xplain; None for a pyproject.toml that is silent."""
    is_pyproject = Path(shown).name == "pyproject.toml"
    tool = document.get("tool")
    table = tool.get("xplain") if isinstance(tool, dict) else None
    if table is None:
        return None if is_pyproject else document
    if not isinstance(table, dict):
        raise UsageError(f"{shown}: tool.xplain is {table!r}; it must be a table")
    beside = sorted(set(document) - {"tool"})
    if beside and not is_pyproject:
        raise UsageError(
            f"{shown}: {beside[0]!r} stands outside [tool.xplain]; move it into that table"
        )
    return table


def _find(config: str | None, cwd: Path) -> tuple[str, dict[str, Any]] | None:
    """Return the project file, as the working directory sees it, and what it says of xplain."""
    if config:
        table = _own_table(config, _read(cwd / config, config))
        if table is None:
            raise UsageError(f"{config}: no [tool.xplain] table; --config needs a file with one")
        return config, table
    for name in ("xplain.toml", "pyproject.toml"):
        if (cwd / name).is_file():
            table = _own_table(name, _read(cwd / name, name))
            if table is not None:
                return name, table
    return None


def _names(shown: str, table: Mapping[str, Any], allowed: Iterable[str]) -> dict[str, Any]:
    """Return a table's keys as option names, each known and none twice."""
    known = set(allowed)
    named: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name in _TRUST:
            raise UsageError(
                f"{shown}: {key}: a project file can never grant trust: pass --trust-model "
                "or --trusted on the command line, or set XPLAIN_TRUST_MODEL or XPLAIN_TRUSTED"
            )
        if name not in known:
            hint = nearest(name, known) or "; its keys are the long names of the options"
            raise UsageError(f"{shown}: unknown key {key!r}{hint}")
        if name in named:
            raise UsageError(f"{shown}: {key!r} stands there twice, with '-' and with '_'")
        named[name] = value
    return named


def _beside(shown: str, value: Any) -> Any:
    """Return the path, or paths, that a project file names, as the working directory sees them."""
    if isinstance(value, tuple):
        return tuple(_beside(shown, item) for item in value)
    return value if value == "-" or is_remote(value) else str(Path(shown).parent / value)


def _from_file(command: str, shown: str, table: dict[str, Any]) -> dict[str, Any]:
    """Return what a project file sets for a command; every table is checked, whoever asks."""
    tables = {key: value for key, value in table.items() if key in COMMANDS}
    for key, value in tables.items():
        if not isinstance(value, dict):
            raise UsageError(f"{shown}: {key} is {value!r}; it must be a table of options")
    shared = {key: value for key, value in table.items() if key not in COMMANDS}
    found = {"": _names(shown, shared, set(SETTINGS) - _TYPED_ONLY)}
    for key, value in tables.items():
        found[key] = _names(f"{shown}: [{key}]", value, set(COMMANDS[key]) - _TYPED_ONLY)
    values: dict[str, Any] = {}
    for section in ("", command):
        place = f"{shown}: [{section}]" if section else shown
        for name, value in found.get(section, {}).items():
            setting, where = SETTINGS[name], f"{place}: {name}"
            values[name] = typed(setting, value, where)
            check(setting, values[name], where)
            if name in _CODE and names_code(values[name]):
                raise UsageError(
                    f"{where} is {values[name]!r}, which is code: a project file can never grant "
                    f"trust: give it as {_CODE[name]} or as {PREFIX}{name.upper()}"
                )
            if setting.kind in {"path", "paths"}:
                values[name] = _beside(shown, values[name])
    return {name: value for name, value in values.items() if name in COMMANDS[command]}


def _from_environment(command: str, environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in COMMANDS[command]:
        variable = PREFIX + name.upper()
        if environ.get(variable):  # an empty variable is an unset one, as shells have it
            values[name] = parse(SETTINGS[name], environ[variable], variable)
            check(SETTINGS[name], values[name], variable)
    return values


def _from_flags(command: str, given: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in COMMANDS[command]:
        value = given.get(name)
        if value is None or value in ([], ()):
            continue
        setting = SETTINGS[name]
        values[name] = split(setting, tuple(value)) if isinstance(value, list | tuple) else value
        check(setting, values[name], "--" + name.replace("_", "-"))
    return values


def _place(words: tuple[str, ...], flags: Mapping[str, Any], *, configured: bool) -> dict[str, Any]:
    """Return the positional words as model and data: a single one beside a known model is DATA."""
    if not words:
        return {}
    data_only = "model" in flags or (configured and len(words) == 1 and "data" not in flags)
    data = words if data_only else words[1:]
    if data and "data" in flags:
        raise UsageError(f"DATA is given twice: as {data[0]!r} and as --data {flags['data'][0]!r}")
    placed: dict[str, Any] = {} if data_only else {"model": words[0]}
    return placed | ({"data": data} if data else {})


def _grants_trust(values: Mapping[str, Any]) -> bool:
    model = values.get("model")
    return any(values.get(name) for name in _TRUST) or (model is not None and names_code(model))


def _strays(environ: Mapping[str, str]) -> list[str]:
    known = {PREFIX + name.upper(): name.upper() for name in (*SETTINGS, "config", "hash_salt")}
    return [
        f"{variable} sets nothing{nearest(variable.removeprefix(PREFIX), known.values())}"
        for variable in sorted(environ)
        if variable.startswith(PREFIX) and variable not in known
    ]


def resolve(
    command: str, given: Mapping[str, Any], environ: Mapping[str, str], cwd: Path
) -> Resolved:
    """
    Return a command's options: flag, else environment, else project file, else default.

    Parameters
    ----------
    command : str
        A key of ``COMMANDS``.
    given : mapping
        The flags by option name, None or an empty list where not given; also "config", and
        "words", the positional arguments of an explaining command.
    environ, cwd
        Where ``XPLAIN_*`` and the project file are looked for.

    Raises
    ------
    UsageError
        A value or key that is unknown, mistyped or out of range; trust in a project file.
    """
    found = _find(given.get("config") or environ.get(PREFIX + "CONFIG"), cwd)
    from_file = _from_file(command, *found) if found else {}
    from_environment = _from_environment(command, environ)
    flags = _from_flags(command, given)
    configured = from_file | from_environment
    words = tuple(given.get("words") or ())
    named = configured | flags | _place(words, flags, configured="model" in configured)
    notes = [f"using {found[0]}"] if found else []
    by_file_alone = "python_path" in from_file.keys() - from_environment.keys() - flags.keys()
    if by_file_alone and not _grants_trust(named):
        # a folder before sys.path replaces any module: that is trust as well
        named["python_path"] = ()
        notes.append("python_path of the project file is left out: the model needs no trust")
    defaults = {name: SETTINGS[name].default for name in COMMANDS[command]}
    return Resolved(
        values=defaults | named,
        named=frozenset(named),
        project_file=found[0] if found else None,
        notes=(*notes, *_strays(environ)),
    )
