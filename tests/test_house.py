"""The house stays as DESIGN and STYLE describe it: sizes, doors, and a map that is true."""

import ast
import graphlib
import re
import subprocess
import tomllib
from collections import Counter
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
    "requirements-torch.lock",
    "xplain_cli",
    "tests",
    "sample_data",
}
VAGUE = {"util", "utils", "helper", "helpers", "common", "misc", "base", "core", "manager"}
MODELS = {".pkl", ".joblib", ".onnx"}
CLASS_QUESTIONS = {"isinstance", "issubclass"}
# rooms that work for any modality; the modality itself comes to them as a value
BLIND = ("engine", "planning", "jobs", "methods", "report")
# modules without a test file of their name, and the file whose facts need them
TESTED_BY = {
    "__init__.py": "runs/test_loaded.py",
    "baselines/adversaries.py": "baselines/test_training.py",
    "baselines/lessons.py": "baselines/test_training.py",
    "baselines/pairs.py": "baselines/test_ganmex.py",
    "baselines/candidates.py": "modalities/image/test_candidates.py",
    "baselines/kept.py": "baselines/test_held_cells.py",
    "baselines/members.py": "baselines/test_classes.py",
    "baselines/texts.py": "promises/test_new_baseline.py",
    "commands/__init__.py": "test_main.py",
    "commands/baselines.py": "jobs/test_baselines.py",
    "commands/explain.py": "quality/test_glossary.py",
    "commands/diff.py": "jobs/test_diff.py",
    "commands/gate.py": "jobs/test_gate.py",
    "commands/merge.py": "promises/test_merging.py",
    "commands/reasons.py": "jobs/test_reasons.py",
    "commands/selftest.py": "jobs/test_selftest.py",
    "commands/verify.py": "jobs/test_verify.py",
    "datasets/grid.py": "datasets/test_delimited.py",
    "engine/baseline_rows.py": "commands/test_tabular_baselines.py",
    "engine/chunk.py": "promises/test_same_numbers.py",
    "engine/explainer.py": "promises/test_same_numbers.py",
    "engine/records.py": "commands/test_tabular.py",
    "engine/row_predictions.py": "promises/test_same_numbers.py",
    "engine/tasks.py": "commands/test_evaluate.py",
    "explanation.py": "runs/test_parts.py",
    "jobs/causes.py": "jobs/test_diff.py",
    "jobs/chosen_rows.py": "commands/test_sanity_checks.py",
    "jobs/curves.py": "commands/test_sanity_checks.py",
    "jobs/deliver.py": "promises/test_delivering.py",
    "jobs/difference.py": "jobs/test_diff.py",
    "jobs/evaluate.py": "commands/test_evaluate.py",
    "jobs/explain.py": "commands/test_tabular.py",
    "jobs/inspect.py": "commands/test_inspect.py",
    "jobs/measuring.py": "commands/test_sanity_checks.py",
    "jobs/merge.py": "promises/test_merging.py",
    "jobs/pairing.py": "jobs/test_diff.py",
    "jobs/randomize.py": "commands/test_sanity_checks.py",
    "jobs/report.py": "promises/test_finishing.py",
    "jobs/sanity.py": "commands/test_sanity_checks.py",
    "jobs/show.py": "commands/test_show.py",
    "jobs/summary.py": "commands/test_summary.py",
    "jobs/rerun.py": "commands/test_evaluate.py",
    "methods/__init__.py": "test_house.py",
    "methods/binned_moments.py": "methods/test_binned_surrogate.py",
    "methods/cache.py": "methods/test_masked.py",
    "methods/closed_form.py": "models/estimators/test_boosted_trees.py",
    "methods/defaults.py": "test_house.py",
    "methods/permutation.py": "methods/test_shapley.py",
    "methods/requests.py": "methods/test_lime.py",
    "modalities/__init__.py": "test_house.py",
    "modalities/image/data.py": "commands/test_image.py",
    "modalities/image/foils.py": "baselines/test_ganmex.py",
    "modalities/image/map_folders.py": "modalities/image/test_drawing.py",
    "modalities/image/story.py": "promises/test_finishing.py",
    "modalities/row_ids.py": "commands/test_tabular.py",
    "modalities/tabular/data.py": "commands/test_tabular.py",
    "modalities/tabular/leaf_sums.py": "models/estimators/test_boosted_trees.py",
    "modalities/tabular/story.py": "promises/test_finishing.py",
    "modalities/text/originals.py": "commands/test_report.py",
    "modalities/text/story.py": "promises/test_finishing.py",
    "models/onnx/lookups.py": "models/onnx/test_token_gradients.py",
    "models/token_paths.py": "models/onnx/test_token_gradients.py",
    "models/__init__.py": "test_house.py",
    "models/estimators/composed.py": "models/estimators/test_networks.py",
    "models/estimators/coordinates.py": "models/estimators/test_networks.py",
    "models/estimators/flatbuffer.py": "models/estimators/test_catboost_trees.py",
    "models/estimators/masked_terms.py": "models/estimators/test_bag_of_words.py",
    "models/estimators/scores.py": "models/estimators/test_networks.py",
    "models/estimators/smooth_steps.py": "models/estimators/test_chains.py",
    "models/mlflow.py": "options/test_model_folders.py",
    "models/onnx/conversion.py": "models/onnx/test_gradients.py",
    "models/onnx/entries.py": "models/onnx/test_gradients.py",
    "models/onnx/layers.py": "models/onnx/test_gradients.py",
    "models/one_by_one.py": "engine/test_model_calls.py",
    "models/skops_schema.py": "models/test_skops.py",
    "models/soundness.py": "models/estimators/test_booster_trees.py",
    "models/operators/convolving.py": "models/operators/test_operators.py",
    "models/operators/elementwise.py": "models/operators/test_operators.py",
    "models/operators/estimating.py": "models/operators/test_operators.py",
    "models/operators/normalising.py": "models/operators/test_operators.py",
    "models/operators/recurring.py": "models/operators/test_operators.py",
    "models/operators/reducing.py": "models/operators/test_operators.py",
    "models/operators/resizing.py": "models/operators/test_operators.py",
    "models/operators/shaping.py": "models/operators/test_operators.py",
    "models/operators/tracing.py": "models/operators/test_operators.py",
    "models/pickles/kinds.py": "models/pickles/test_meaning.py",
    "models/pickles/native_tables.py": "models/pickles/test_native_parts.py",
    "models/pickles/native_trees.py": "models/pickles/test_native_parts.py",
    "models/pickles/records.py": "models/pickles/test_allowlist.py",
    "models/pickles/recording_unpickler.py": "models/pickles/test_load.py",
    "models/pickles/stand_ins.py": "models/pickles/test_load.py",
    "models/torch/archive.py": "models/torch/test_model.py",
    "models/torch/export.py": "models/torch/test_model.py",
    "models/torch/graphs.py": "models/torch/test_gradients.py",
    "models/torch/layer_names.py": "models/torch/test_layers.py",
    "models/torch/script.py": "models/torch/test_model.py",
    "options/audits.py": "options/test_values.py",
    "options/looking.py": "options/test_values.py",
    "options/pictures.py": "options/test_values.py",
    "options/tables.py": "options/test_values.py",
    "options/training.py": "options/test_values.py",
    "options/texts.py": "options/test_values.py",
    "plan.py": "promises/test_second_run.py",
    "planning/cost_model.py": "planning/test_budget.py",
    "planning/needs.py": "planning/test_choices.py",
    "quality/checks.py": "jobs/test_announce.py",
    "quality/known_functions.py": "jobs/test_selftest.py",
    "quality/known_slopes.py": "jobs/test_selftest.py",
    "report/__init__.py": "commands/test_report.py",
    "report/cards.py": "commands/test_report.py",
    "report/ranking.py": "report/test_page.py",
    "report/running_texts.py": "commands/test_report.py",
    "report/source.py": "report/test_selection.py",
    "quality/closing_table.py": "test_console.py",
    "report/sanity.py": "commands/test_sanity_checks.py",
    "report/difference.py": "jobs/test_diff.py",
    "runs/delivery.py": "promises/test_delivering.py",
    "runs/seal.py": "jobs/test_verify.py",
    "seeds.py": "promises/test_same_numbers.py",
    "workers/relay.py": "workers/test_rooms.py",
    "workers/room.py": "workers/test_rooms.py",
    "workers/room_models.py": "workers/test_rooms.py",
    "workers/template.py": "workers/test_rooms.py",
    "workers/worker_pool.py": "promises/test_faults.py",
}
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


def file_of(module):
    """Return the file of a module of ours, or None."""
    path = module.removeprefix("xplain_cli").strip(".").replace(".", "/")
    return next((f for f in (f"{path}.py", f"{path}/__init__.py") if f in SOURCES), None)


def ours(name):
    """Return the files of ours that a file imports anywhere, with packages that it names."""
    found = set()
    for module in imported(ast.walk(TREES[name])):
        if module.startswith("xplain_cli."):
            found.add(file_of(module) or file_of(module.rpartition(".")[0]))
    return found - {None, name, "__init__.py"}


def home_of(name, word):
    """Return the file that defines what a file calls *word*, through imports of imports."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if word == (alias.asname or alias.name) and file_of(node.module or ""):
                    whole = file_of(f"{node.module}.{alias.name}")
                    return whole or home_of(file_of(node.module), alias.name)
    return name


def asked_kinds(tree):
    """Return the classes that ``isinstance``, ``issubclass`` and ``match`` ask for, as written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.MatchClass):
            yield from ast.walk(node.cls)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", None) in {
            "isinstance",
            "issubclass",
        }:
            yield from ast.walk(node.args[1])


def in_a_modality(name):
    """Tell whether a file is of one modality, and not of all."""
    return name.startswith("modalities/") and name.count("/") > 1


def says_modality(node):
    """Tell whether an expression is the name of a modality."""
    if isinstance(node, ast.Subscript):
        return getattr(node.slice, "value", None) == "modality"
    if isinstance(node, ast.Call) and getattr(node.func, "attr", None) == "get":
        return getattr(node.args[0], "value", None) == "modality"
    return "modality" in {getattr(node, "id", None), getattr(node, "attr", None)}


def asks_modality(node):
    """Tell whether an expression holds the name of a modality against words."""
    if isinstance(node, ast.Match):
        return says_modality(node.subject)
    sides = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
    words = [side for side in sides if not says_modality(side)]
    return words != sides and any(
        isinstance(part, ast.Constant) and isinstance(part.value, str)
        for side in words
        for part in ast.walk(side)
    )


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


def test_the_ground_floor_is_small():
    assert len(list(HOUSE.glob("*.py"))) <= 14


def test_a_file_of_the_ground_floor_serves_several():
    importers = Counter(file for name in SOURCES for file in ours(name) if "/" not in file)
    once = {file for file in SOURCES if "/" not in file and importers[file] == 1}
    assert once - {"main.py"} == set()  # what starts the program: the script and __main__


def test_no_folder_leads_back_to_itself():
    rooms_of = {name: name.partition("/")[0] for name in SOURCES}
    graph = {room: set() for room in rooms_of.values()}
    for name, room in rooms_of.items():
        graph[room] |= {rooms_of[file] for file in ours(name)} - {room}
    graphlib.TopologicalSorter(graph).prepare()  # raises for a circle, and names it


def test_the_layers_are_few():
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = document["tool"]["importlinter"]["contracts"]
    assert [len(one["layers"]) <= 10 for one in contracts if one["type"] == "layers"] == [True]


@pytest.mark.parametrize("room", BLIND)
def test_a_room_for_all_modalities_knows_none(room):
    names = [name for name in SOURCES if name.startswith(f"{room}/")]
    imports = {(name, file) for name in names for file in ours(name) if in_a_modality(file)}
    kinds = {
        (name, node.id)
        for name in names
        for node in asked_kinds(TREES[name])
        if isinstance(node, ast.Name) and in_a_modality(home_of(name, node.id))
    }
    assert imports | kinds == set()


@pytest.mark.parametrize("room", [room for room in BLIND if room != "methods"])
def test_no_room_asks_which_modality_it_is(room):
    asked = [
        f"{name}:{node.lineno}"
        for name, tree in TREES.items()
        if name.startswith(f"{room}/")
        for node in ast.walk(tree)
        if asks_modality(node)
    ]
    assert asked == []


def test_no_two_classes_have_one_name():
    classes = Counter(
        node.name
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    )
    assert {name for name, count in classes.items() if count > 1} == set()


def own_test(name):
    """Return the path of the test file of a module; that of a folder's own file has its name."""
    path = Path(name)
    word = path.parent.name if path.stem == "__init__" else path.stem
    return (path.parent / f"test_{word}.py").as_posix()


def test_every_module_has_a_test_file_of_its_name_or_is_tested_by_another():
    acting = {
        name
        for name, tree in TREES.items()
        if any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in tree.body)
    }
    without = {name for name in acting if not (ROOT / "tests" / own_test(name)).exists()}
    assert without == set(TESTED_BY)
    assert [test for test in TESTED_BY.values() if not (ROOT / "tests" / test).exists()] == []


def test_every_test_file_in_a_folder_of_ours_is_named_after_a_module():
    folders = {Path(name).parent for name in SOURCES} - {Path(), Path("commands")}
    tests = {
        path.relative_to(ROOT / "tests").as_posix()
        for folder in folders
        for path in (ROOT / "tests" / folder).glob("test_*.py")
    }
    assert tests - {own_test(name) for name in SOURCES} == set()


def test_the_map_names_every_room_and_no_other():
    named = set(re.findall(r"^    ([a-z_]+/?) +\S", xplain_cli.__doc__, flags=re.MULTILINE))
    assert named == rooms()


def test_the_settings_allow_what_the_shelves_hold():
    assert set(get_args(InputFormat)) == set(datasets.FORMATS)
    assert set(get_args(OutputFormat)) == set(output.FORMATS)


class Masking:
    """A law as far as budgets go."""

    inclusion, names = "bernoulli", ("age",)
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
        ("output/test_*.py", output.FORMATS),
    ],
)
def test_the_contract_of_a_shelf_names_every_entry(contract, shelf):
    files = sorted((ROOT / "tests").glob(contract))
    text = "".join(path.read_text(encoding="utf-8") for path in files)
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


def test_the_locks_name_no_index():
    locks = (ROOT / "requirements.lock", ROOT / "requirements-torch.lock")
    lock = "".join(path.read_text(encoding="utf-8") for path in locks)
    assert re.findall(r"\S+://\S+|^-\S*(?:index|find-links)\S*", lock, flags=re.MULTILINE) == []


def test_readme_checks_and_contributing_give_one_test_command():
    pages = [ROOT / "README.md", ROOT / ".ci" / "run", ROOT / ".github" / "CONTRIBUTING.md"]
    without = [page.name for page in pages if "pytest -n 2" not in page.read_text(encoding="utf-8")]
    assert without == []


def test_the_pages_name_files_that_are_there():
    pages = (ROOT / "README.md", ROOT / ".github" / "CONTRIBUTING.md")
    named = {
        name
        for page in pages
        for name in re.findall(r"`([a-z_.]+(?:/[a-z_.]+)+\.(?:py|json))`", page.read_text("utf-8"))
    }
    assert len(named) > 20
    gone = {name for name in named if not any((top / name).exists() for top in (ROOT, HOUSE))}
    assert gone == set()
