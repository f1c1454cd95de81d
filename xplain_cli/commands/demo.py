"""``xplain demo``: sample data of the package, and the main job on it."""

from pathlib import Path

from xplain_cli.commands.tabular import tabular
from xplain_cli.console import Console, open_console
from xplain_cli.errors import RefusedError
from xplain_cli.options import looking, runs
from xplain_cli.options.command import Options, takes

MODEL, DATA = "loans.onnx", "loans.csv"
"""ONNX, which no version of scikit-learn breaks; in the wheel they lie beside the code."""
_FOLDER = "xplain-demo"


def _samples() -> Path:
    """Return where the samples lie: in the installed package, or in a clone."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "sample_data", package.parent / "sample_data"):
        if (folder / MODEL).is_file():
            return folder
    raise RefusedError(f"{package}: this installation has no sample data; install the wheel")


def _copy(folder: Path) -> None:
    """Write the samples; what stands there under their names must be the same."""
    source = _samples()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (MODEL, DATA):
            content, target = (source / name).read_bytes(), folder / name
            if target.exists() and target.read_bytes() != content:
                raise RefusedError(f"{target}: exists and is no sample; name another folder")
            target.write_bytes(content)
    except OSError as error:
        raise RefusedError(
            f"{folder}: the samples cannot be written: {error.strerror}; name another folder"
        ) from error


def _explain(folder: Path, console: Console) -> int:
    """Run the command that is told, as if it were typed."""
    given = {
        "model": str(folder / MODEL),
        "data": (str(folder / DATA),),
        "id_column": "application",
        "output": str(folder / "run"),
        "report": str(folder / "page.html"),
    }
    typed = [f"--id-column {given['id_column']}", f"-o {given['output']}"]
    console.line(
        f"$ xplain tabular {given['model']} {folder / DATA} {' '.join(typed)}"
        f" --report {given['report']}"
    )
    values = {one.name: one.default for one in tabular.options} | given
    return tabular.run(Options(values, frozenset(given), frozenset(given)))


@takes(looking.DemoFolder, runs.BRIEF)
def demo(options: Options) -> int:
    """
    Write a small model and table, and explain them: 1,000 made-up loans, approved or declined.

    Without DIR they go to xplain-demo.

    Example: xplain demo
    Example: xplain demo /tmp/loans
    Example: xplain demo loans --quiet
    """
    folder = Path((*options.group(looking.DemoFolder).folder, _FOLDER)[0])
    console = open_console(options.values, options.notes)
    _copy(folder)
    code = _explain(folder, console)
    if code == 0:
        page, run = folder / "page.html", folder / "run"
        console.note(
            f"open {page} in a browser; one row: xplain show {run}; a word: xplain explain"
        )
    return code
