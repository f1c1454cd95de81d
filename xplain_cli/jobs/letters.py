"""Letters of a template, one a row: what stands in the data is text in them, and nothing more."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xplain_cli.errors import RefusedError, UsageError, summed_up
from xplain_cli.output.cells import cleaned
from xplain_cli.runs.paths import unwritable, write_atomically, write_json

_INDEX = "letters.json"
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")
_MARKUP = {".html", ".htm", ".xml", ".xhtml", ".svg"}
_MOST = 2_000  # letters of a text that a letter quotes


def _inert(value: Any) -> Any:
    """Return values whose texts are one line without control characters."""
    if isinstance(value, str):
        return cleaned(value, _MOST)
    if isinstance(value, Mapping):
        return {name: _inert(item) for name, item in value.items()}
    return [_inert(item) for item in value] if isinstance(value, list) else value


@dataclass
class Letters:
    """A template, and the folder of the letters that were made of it."""

    named: str
    template: Any
    suffix: str
    folder: Path
    made: dict[str, str] = field(default_factory=dict)

    def write(self, number: int, values: Mapping[str, Any]) -> None:
        """
        Make a letter; its name holds its number and what of the row's id a file can be called.

        Raises
        ------
        UsageError
            The template asks for what there is not, or fails in another way.
        """
        try:
            text = self.template.render(_inert(values))
        except Exception as error:  # a template is a program of the user: it may fail in any way
            raise UsageError(
                f"{self.named}: the letter cannot be made: {summed_up(error)}; mend the template"
            ) from error
        row_id = str(values["row_id"])
        slug = _NOT_IN_NAMES.sub("-", row_id).strip("-")[:60]
        name = f"{number:06d}{'-' if slug else ''}{slug}{self.suffix}"
        write_atomically(self.folder / name, text.encode("utf-8", "backslashreplace"))
        self.made[name] = row_id

    def close(self) -> None:
        """Write down which letter is of which row."""
        write_json(self.folder / _INDEX, {"letters": self.made})


def _opened_folder(folder: Path) -> None:
    """
    Make the folder of the letters; what an earlier command left there is removed.

    Raises
    ------
    RefusedError
        It holds other things.
    """
    if folder.is_file():
        raise RefusedError(f"{folder}: is a file; name a folder with --letters")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = list(folder.iterdir())
    except OSError as error:
        raise unwritable(error, folder) from error
    ours = re.compile(r"\d{6,}(-[A-Za-z0-9_-]+)?\.\w+")
    if held and not (folder / _INDEX).is_file():
        raise RefusedError(f"{folder}: holds other things than letters; name another --letters")
    for path in held:
        if path.is_file() and ours.fullmatch(path.name):
            path.unlink()


def open_letters(template: str | None, folder: str | None) -> Letters | None:
    """
    Open a template, in a sandbox, and the folder of its letters; None where none are asked for.

    Raises
    ------
    RefusedError
        The template or the folder cannot be used.
    UsageError
        The template is none.
    """
    if template is None or folder is None:
        return None
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    path = Path(template)
    suffix = path.suffix.lower() or ".txt"
    suffix = Path(path.stem).suffix or ".txt" if suffix in {".j2", ".jinja", ".jinja2"} else suffix
    environment = ImmutableSandboxedEnvironment(
        autoescape=suffix in _MARKUP,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.DictLoader({}),  # so that {% include %} says that nothing can be included
    )
    try:
        opened = environment.from_string(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RefusedError(f"{template}: the template cannot be read: {error.strerror}") from error
    except (jinja2.TemplateError, UnicodeDecodeError) as error:
        raise UsageError(f"{template}: is no template: {error}") from error
    _opened_folder(Path(folder))
    return Letters(template, opened, suffix, Path(folder))
