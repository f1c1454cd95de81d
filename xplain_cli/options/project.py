"""Flags, XPLAIN_* and the project file become one set of options: who wins, what is refused."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from xplain_cli.errors import UsageError, nearest
from xplain_cli.options.command import Command, Options
from xplain_cli.options.declare import Option
from xplain_cli.options.model_folders import in_folder
from xplain_cli.options.values import check, parse, split, typed
from xplain_cli.remote import is_remote

PREFIX = "XPLAIN_"
_TRUST = ("trust_model", "trusted")
_CONSENT = ("accept",)
_WALLS = ("confine", "allow_read", "allow_write", "allow_net", "allow_env", "open_timeout")
# a folder before sys.path decides whose code a named callable is, and replaces any library
_WHOSE_CODE = ("python_path",)
_CODE = {"model": "MODEL on the command line", "unit": "--unit"}
# which file it is, and whether errors in it show a trace, is known before it is read
_NOT_IN_FILES = {"config", "debug"}
_CALLABLE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


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
        if name in _WALLS:
            raise UsageError(
                f"{shown}: {key}: a project file never says what a model may reach: pass"
                f" --{name.replace('_', '-')} on the command line, or set {PREFIX}{name.upper()}"
            )
        if name in _CONSENT:
            raise UsageError(
                f"{shown}: {key}: a project file can never consent to numbers: pass"
                f" --{name.replace('_', '-')} on the command line, or set {PREFIX}{name.upper()}"
            )
        if name in _WHOSE_CODE:
            raise UsageError(
                f"{shown}: {key}: a project file can never say whose code a model is: pass"
                f" --{name.replace('_', '-')} on the command line, or set {PREFIX}{name.upper()}"
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


def _configurable(options: Iterable[Option]) -> dict[str, Option]:
    """Return the options by name that need not be typed: all but positional words."""
    return {option.name: option for option in options if option.kind != "words"}


def _gates_as_pairs(place: str, table: dict[str, Any]) -> dict[str, Any]:
    """Return a table whose ``[[gate]]``, each with name and condition, are NAME=CONDITION texts."""
    gates = table.get("gate")
    if isinstance(gates, dict) and {"name", "condition"} & set(gates):
        raise UsageError(
            f"{place}: [gate] is the table of the command xplain gate; a gate with a name and a"
            " condition is written under [[gate]], in double brackets"
        )
    if not isinstance(gates, list):
        return table
    pairs = []
    for gate in gates:
        whole = isinstance(gate, dict) and set(gate) == {"name", "condition"}
        if not whole or not all(isinstance(value, str) for value in gate.values()):
            raise UsageError(f"{place}: [[gate]] is {gate!r}; it must have a name and a condition")
        if not gate["name"].strip() or set("=<>!") & set(gate["name"]):
            raise UsageError(
                f"{place}: [[gate]] name is {gate['name']!r}; use a word, without = < > !"
            )
        pairs.append(f"{gate['name']}={gate['condition']}")
    twice = {
        name
        for name in (gate["name"] for gate in gates)
        if sum(g["name"] == name for g in gates) > 1
    }
    if twice:
        raise UsageError(f"{place}: [[gate]] {min(twice)!r} stands there twice; names are unique")
    return {**table, "gate": pairs}


def _from_file(
    command: str, commands: Mapping[str, Command], shown: str, table: dict[str, Any]
) -> dict[str, Any]:
    """Return what a project file sets for a command; every table is checked, whoever asks."""
    # [gate] is the table of the command, [[gate]] are gates of all commands
    table = _gates_as_pairs(shown, table)
    tables = {
        key: value
        for key, value in table.items()
        if key in commands and not (key == "gate" and isinstance(value, list))
    }
    for key, value in tables.items():
        if not isinstance(value, dict):
            raise UsageError(f"{shown}: {key} is {value!r}; it must be a table of options")
        tables[key] = _gates_as_pairs(f"{shown}: [{key}]", value)
    every = _configurable(option for each in commands.values() for option in each.options)
    shared = {key: value for key, value in table.items() if key not in tables}
    found = {"": _names(shown, shared, every.keys() - _NOT_IN_FILES)}
    for key, value in tables.items():
        allowed = _configurable(commands[key].options).keys() - _NOT_IN_FILES
        found[key] = _names(f"{shown}: [{key}]", value, allowed)
    values: dict[str, Any] = {}
    for section in ("", command):
        place = f"{shown}: [{section}]" if section else shown
        for name, value in found.get(section, {}).items():
            values[name] = _checked(every[name], value, shown, f"{place}: {name}")
    return {
        name: values[name] for name in _configurable(commands[command].options) if name in values
    }


def _checked(option: Option, value: object, shown: str, where: str) -> Any:
    """Return the value of a key of a project file, in the option's own type."""
    found: Any = typed(option, value, where)
    check(option, found, where)
    if option.name in _CODE and names_code(found):
        raise UsageError(
            f"{where} is {found!r}, which is code: a project file can never grant trust:"
            f" give it as {_CODE[option.name]} or as {PREFIX}{option.name.upper()}"
        )
    return _beside(shown, found) if option.kind in {"path", "paths"} else found


def _from_environment(options: Iterable[Option], environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, option in _configurable(options).items():
        variable = PREFIX + name.upper()
        if environ.get(variable):  # an empty variable is an unset one, as shells have it
            values[name] = parse(option, environ[variable], variable)
            check(option, values[name], variable)
    return values


def _from_flags(options: Iterable[Option], given: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for option in options:
        value = given.get(option.name)
        if value is None or value in ([], ()):
            continue
        found = split(option, tuple(value)) if isinstance(value, list | tuple) else value
        check(option, found, "--" + option.name.replace("_", "-"))
        values[option.name] = found
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


def _strays(commands: Mapping[str, Command], environ: Mapping[str, str]) -> list[str]:
    every = _configurable(option for command in commands.values() for option in command.options)
    known = {PREFIX + name.upper(): name.upper() for name in (*every, "hash_salt")}
    return [
        f"{variable} sets nothing{nearest(variable.removeprefix(PREFIX), known.values())}"
        for variable in sorted(environ)
        if variable.startswith(PREFIX) and variable not in known
    ]


def resolve(
    command: str,
    given: Mapping[str, Any],
    environ: Mapping[str, str],
    cwd: Path,
    commands: Mapping[str, Command],
) -> Options:
    """
    Return a command's options: flag, else environment, else project file, else default.

    Parameters
    ----------
    command : str
        A key of *commands*.
    given : mapping
        What was typed, by option name; None or an empty list where it was not.
    environ, cwd
        Where ``XPLAIN_*`` and the project file are looked for.
    commands
        All commands, for a project file may speak of any.

    Raises
    ------
    UsageError
        A value or key that is unknown, mistyped or out of range; trust in a project file.
    """
    own = commands[command]
    found = _find(given.get("config") or environ.get(PREFIX + "CONFIG"), cwd)
    from_file = _from_file(command, commands, *found) if found else {}
    from_environment = _from_environment(own.options, environ)
    flags = _from_flags(own.options, given)
    configured = from_file | from_environment
    words = flags.pop("words", ())
    lone_is_data = own.lone_word == "data" and "model" in configured
    flags |= _place(words, flags, configured=lone_is_data)
    named = configured | flags
    notes = [f"using {found[0]}"] if found else []
    options = Options(
        values={option.name: option.default for option in own.options} | named,
        named=frozenset(named),
        typed=frozenset(flags),
        project_file=found[0] if found else None,
        notes=(*notes, *_strays(commands, environ)),
    )
    return in_folder(options, command)
