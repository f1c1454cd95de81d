"""The house stays as DESIGN and STYLE describe it: sizes, doors, and a map that is true."""

import ast
import re
import subprocess
from pathlib import Path
from typing import get_args

import pytest

import xplain_cli
from xplain_cli import datasets, methods, models, output
from xplain_cli.features import Traits
from xplain_cli.models.stored import read_stored
from xplain_cli.options.runs import OutputFormat
from xplain_cli.options.tables import InputFormat
from xplain_cli.specs import build

ROOT = Path(__file__).parents[1]
HOUSE = ROOT / "xplain_cli"
TOP = {
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "requirements.lock",
    "xplain_cli",
    "tests",
    "sample_data",
}
VAGUE = {"util", "utils", "helper", "helpers", "common", "misc", "base", "core", "manager"}
MODELS = {".pkl", ".joblib", ".onnx"}
CLASS_QUESTIONS = {"isinstance", "issubclass"}
HEAVY = {"sklearn", "onnxruntime", "pyarrow", "skimage", "scipy.stats", "matplotlib", "torch"}

SOURCES = {
    path.relative_to(HOUSE).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted(HOUSE.rglob("*.py"))
}
TREES = {name: ast.parse(text) for name, text in SOURCES.items()}
FUNCTIONS = [
    (name, node)
    for name, tree in TREES.items()
    for node in ast.walk(tree)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
]


def imported(tree):
    """Return the modules and ``module.name`` pairs that the nodes of *tree* import."""
    found = set()
    for node in tree:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def under(modules, packages):
    """Return the *modules* that are one of the *packages* or live in one."""
    return {m for m in modules for p in packages if m == p or m.startswith(f"{p}.")}


def length(name, node):
    """Return the lines of a function without its docstring; of a command, those of its body."""
    body = node.body[ast.get_docstring(node) is not None :]
    if name.startswith("commands/"):  # a command's signature is its option list
        return body[-1].end_lineno - body[0].lineno + 1 if body else 0
    says = node.body[0].end_lineno - node.body[0].lineno + 1 if body != node.body else 0
    return node.end_lineno - node.lineno + 1 - says


def rooms():
    """Return the ground-floor files and the shelves, as the map writes them."""
    files = {path.stem for path in HOUSE.glob("*.py") if not path.stem.startswith("__")}
    return files | {f"{path.parent.name}/" for path in HOUSE.glob("*/*.py")}


def test_files_have_at_most_500_lines():
    lines = {name: len(text.splitlines()) for name, text in SOURCES.items()}
    assert {name: count for name, count in lines.items() if count > 500} == {}


def test_functions_have_at_most_50_lines_without_docstring():
    long = {f"{name}:{node.name}": length(name, node) for name, node in FUNCTIONS}
    assert {name: count for name, count in long.items() if count > 50} == {}


def test_signatures_take_no_double_star():
    assert [f"{name}:{node.name}" for name, node in FUNCTIONS if node.args.kwarg] == []


def test_only_the_console_prints():
    printing = {
        name
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "print"
    }
    assert printing <= {"console.py"}


def test_click_is_reached_through_typer_only():
    found = {
        name: under(imported(ast.walk(t)), {"click", "typer._click"}) for name, t in TREES.items()
    }
    assert {name: modules for name, modules in found.items() if modules} == {}


def test_heavy_packages_are_imported_late():
    found = {name: under(imported(tree.body), HEAVY) for name, tree in TREES.items()}
    assert {name: modules for name, modules in found.items() if modules} == {}


def test_every_file_opens_with_a_sentence():
    assert [
        name for name, tree in TREES.items() if SOURCES[name] and not ast.get_docstring(tree)
    ] == []


def test_nothing_outside_models_asks_a_model_for_its_class():
    found = {}
    for name, tree in TREES.items():
        nodes = list(ast.walk(tree))
        theirs = {
            (alias.asname or alias.name)
            for node in nodes
            if isinstance(node, ast.ImportFrom) and under({node.module}, {"xplain_cli.models"})
            for alias in node.names
        }
        asked = {
            part.id
            for node in nodes
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in CLASS_QUESTIONS
            for argument in node.args[1:]
            for part in ast.walk(argument)
            if isinstance(part, ast.Name)
        }
        if not name.startswith("models/"):
            found[name] = theirs & asked
    assert {name: classes for name, classes in found.items() if classes} == {}


def test_files_are_named_by_nouns_of_the_field():
    assert {name for name in SOURCES if Path(name).stem in VAGUE} == set()


def test_the_house_has_two_levels():
    assert [name for name in SOURCES if name.count("/") > 2] == []


def test_the_map_names_every_room_and_no_other():
    named = set(re.findall(r"^    ([a-z_]+/?) +\S", xplain_cli.__doc__, flags=re.MULTILINE))
    assert named == rooms()


def test_the_settings_allow_what_the_shelves_hold():
    assert set(get_args(InputFormat)) == set(datasets.FORMATS)
    assert set(get_args(OutputFormat)) == set(output.FORMATS)


class Masking:
    """A law of masks as far as budgets go."""

    inclusion = "bernoulli"
    traits = Traits()


@pytest.mark.parametrize(
    ("gives", "name"), [(gives, name) for gives, shelf in methods.METHODS.items() for name in shelf]
)
def test_a_method_is_built_from_its_name_alone(gives, name):
    method = build(name, methods.METHODS[gives])
    samples, repeats = method.default_budget(Masking())
    assert min(samples, repeats) >= 1
    with pytest.raises(AttributeError):  # frozen
        method.exact = True


def test_every_stored_form_of_a_model_has_a_sample():
    paths = [path for path in (ROOT / "sample_data").iterdir() if path.suffix in MODELS]
    kinds = {read_stored(str(path)).kind for path in paths}
    assert kinds == set(models.KINDS)


@pytest.mark.parametrize(
    ("contract", "shelf"),
    [
        ("datasets/test_datasets.py", datasets.FORMATS),
        ("methods/test_lime.py", methods.METHODS["draws"]),
        ("methods/test_masked.py", methods.METHODS["masks"]),
        ("output/test_output.py", output.FORMATS),
    ],
)
def test_the_contract_of_a_shelf_names_every_entry(contract, shelf):
    text = (ROOT / "tests" / contract).read_text(encoding="utf-8")
    assert [name for name in shelf if f'"{name}"' not in text] == []


def test_the_top_level_holds_nothing_else():
    try:
        listing = subprocess.run(
            ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        listing = [path.name for path in ROOT.iterdir()]
    tops = {Path(name.strip('"')).parts[0] for name in listing}
    assert {name for name in tops if not name.startswith(".")} - TOP == set()


def test_the_lock_names_no_index():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert re.findall(r"\S+://\S+|^-\S*(?:index|find-links)\S*", lock, flags=re.MULTILINE) == []


def test_readme_checks_and_contributing_give_one_test_command():
    pages = [ROOT / "README.md", ROOT / ".ci" / "run", ROOT / ".github" / "CONTRIBUTING.md"]
    without = [page.name for page in pages if "pytest -n 2" not in page.read_text(encoding="utf-8")]
    assert without == []
