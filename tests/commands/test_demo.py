"""One command shows the main job without a clone."""

import tomllib
from pathlib import Path

from xplain_cli.commands.demo import DATA, MODEL

ROOT = Path(__file__).parents[2]


def test_the_demo_writes_samples_explains_them_and_says_how_to_go_on(run, tmp_path):
    done = run("demo", "a/b")
    assert done.code == 0, done.err
    folder = tmp_path / "a" / "b"
    assert {path.name for path in folder.iterdir()} == {DATA, MODEL, "run", "page.html"}
    typed = next(line for line in done.out.splitlines() if line.startswith("$ xplain "))
    before = (folder / "run" / "weights.csv").read_bytes()
    again = run(*typed.split()[2:])
    assert again.code == 0
    assert "nothing to do: this run is finished" in again.err
    assert (folder / "run" / "weights.csv").read_bytes() == before


def test_what_stands_there_is_not_written_over(run, tmp_path):
    (tmp_path / DATA).write_text("mine")
    done = run("demo", ".")
    assert done.code == 3
    assert "exists and is no sample" in done.err
    assert (tmp_path / DATA).read_text() == "mine"


def test_the_wheel_holds_the_samples_of_the_clone():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    held = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert held == {
        f"sample_data/{name}": f"xplain_cli/sample_data/{name}" for name in (DATA, MODEL)
    }
    assert all((ROOT / name).is_file() for name in held)
