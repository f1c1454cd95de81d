"""Torch files: programs answer as their modules do; what would run something is refused."""

import io
import json
import os
import pickle
import re
import warnings
import zipfile

import numpy as np
import pandas as pd
import pytest

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.models import ModelRecipe, load_model
from xplain_cli.models.inspection import inspect_file
from xplain_cli.targets import position_names

torch = pytest.importorskip("torch")
nn = torch.nn

STREAM = np.random.default_rng(0)
TABLE = pd.DataFrame(STREAM.normal(size=(11, 3)), columns=["a", "b", "c"])
PICTURES = STREAM.normal(size=(5, 3, 8, 8)).astype(np.float32)
REFUSED = "refused, nothing of it was run"


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.out = nn.GRU(3, 5, batch_first=True), nn.Linear(5, 1)

    def forward(self, x):
        answer, _ = self.layer(x.unsqueeze(1))
        return self.out(answer[:, -1])


def modules():
    """Return modules and inputs: a classifier, a regression with loops, one for pictures."""
    torch.manual_seed(0)
    dense = nn.Sequential(nn.Linear(3, 8), nn.Dropout(), nn.GELU(), nn.Linear(8, 2), nn.Softmax(1))
    convolved = nn.Sequential(
        *(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(16, 3)),
    )
    return {
        "dense": (dense, TABLE),
        "recurrent": (Recurrent(), TABLE),
        "cnn": (convolved, PICTURES),
    }


def stored(module, batch, form):
    """Return the bytes of a module in a form."""
    rows = torch.from_numpy(np.asarray(batch, dtype=np.float32))[:4]
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        module.eval()
        if form == "script":
            torch.jit.save(torch.jit.script(module), file)
        elif form == "trace":
            torch.jit.save(torch.jit.trace(module, rows), file)
        else:
            shapes = None if form == "fixed" else ({0: torch.export.Dim.AUTO},)
            torch.export.save(torch.export.export(module, (rows,), dynamic_shapes=shapes), file)
    return file.getvalue()


@pytest.fixture(scope="module")
def programs():
    """Return the stored forms of all modules, each stored once."""
    forms = ("export", "fixed", "script", "trace")
    return {
        (name, form): stored(module, batch, form)
        for name, (module, batch) in modules().items()
        for form in forms
    }


@pytest.fixture
def opened(tmp_path):
    def opener(data, name="model.anything", **wishes):
        path = tmp_path / name
        path.write_bytes(data)
        return load_model(ModelRecipe(str(path), **wishes))

    return opener


@pytest.mark.parametrize("form", ["export", "fixed", "script", "trace"])
@pytest.mark.parametrize("name", ["dense", "recurrent", "cnn"])
def test_programs_answer_as_their_modules_do(opened, programs, name, form):
    module, batch = modules()[name]
    loaded = opened(programs[name, form], modality="image" if name == "cnn" else "tabular")
    answers = loaded.bind(loaded.settle(batch)).predict(batch)
    with torch.no_grad():
        rows = torch.from_numpy(np.asarray(batch, dtype=np.float32))
        expected = module.eval()(rows).numpy()
    assert np.abs(answers - expected).max() < 1e-6
    assert (answers.dtype, answers.flags.c_contiguous) == (np.float64, True)


def test_a_table_goes_in_as_one_matrix_and_probabilities_are_seen(opened, programs):
    loaded = opened(programs["dense", "export"], class_names=("no", "yes"))
    assert (loaded.kind, loaded.columns, loaded.n_columns, loaded.all_numeric) == (
        *("torch", None, 3, True),
    )
    signature = loaded.settle(TABLE)
    assert signature.note == "explaining forward (probability of 2 classes: no, yes)"
    assert loaded.notes == ("the model takes float32: numbers are rounded to about 7 digits",)
    assert torch.get_num_threads() == 1


def test_a_program_of_fixed_length_says_so(opened, programs):
    note = "the model was exported for 4 rows at a time, and is asked so"
    assert note in opened(programs["dense", "fixed"]).notes


def test_texts_and_wrong_widths_are_refused_with_a_way_out(opened, programs):
    with pytest.raises(RefusedError, match=r"takes numbers, not texts.*package\.module:callable"):
        opened(programs["dense", "export"], modality="text")
    loaded = opened(programs["dense", "export"])
    with pytest.raises(RefusedError, match=r"given as a tensor float32 \[11, 2\]"):
        loaded.settle(TABLE[["a", "b"]])
    with pytest.raises(UsageError, match="--response is for scikit-learn"):
        opened(programs["dense", "export"], response="predict").settle(TABLE)


def saved(value, **options):
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (nn.Linear(3, 2), r"a pickled module.*it asks for torch\.nn\.modules\.linear\.Linear"),
        (nn.Linear(3, 2).state_dict(), "holds weights without their architecture"),
        (torch.ones(3), "holds weights without their architecture"),
    ],
)
def test_files_of_torch_save_are_refused_with_the_line_that_exports(opened, value, says):
    with pytest.raises(RefusedError, match=f"{says}.*torch.export.save"):
        opened(saved(value), "model.pkl")
    with pytest.raises(RefusedError, match=r"the form before 1\.6"):
        opened(saved(value, _use_new_zipfile_serialization=False))


def test_trust_opens_a_whole_module_but_no_weights(opened):
    loaded = opened(saved(nn.Linear(3, 2).eval()), trust_all=True)
    assert loaded.bind(loaded.settle(TABLE)).predict(TABLE).shape == (11, 2)
    assert "loaded unjudged: --trust-model runs whatever the file asks for" in loaded.notes
    with pytest.raises(RefusedError, match="weights without their architecture"):
        opened(saved(nn.Linear(3, 2).state_dict()), trust_all=True)


def test_a_program_that_was_exported_while_training_is_refused(opened):
    rows = torch.ones(4, 3)
    file = io.BytesIO()
    torch.export.save(torch.export.export(nn.Dropout().train(), (rows,)), file)
    with pytest.raises(RefusedError, match=r"exported while training: call model\.eval"):
        opened(file.getvalue())


def changed(data, change):
    """Return a torch zip whose members, without their folder, a function has changed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    change(members)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"model/{name}", content)
    return file.getvalue()


class Evil:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (self.marker,)


def in_json(name, change):
    """Return the change of an archive that changes one of its JSON files."""

    def edit(members):
        content = json.loads(members[name])
        members[name] = json.dumps(change(content) or content).encode()

    return edit


def in_program(change):
    return in_json("models/model.json", change)


def in_weights(**changes):
    """Return the change of an archive that states other things of its first weight."""

    def change(config):
        next(iter(config["config"].values())).update(changes)

    return in_json("data/weights/model_weights_config.json", change)


def with_members(change=None, **contents):
    """Return the change of an archive that replaces members, double underscores for folders."""

    def edit(members):
        if change is not None:
            change(members)
        members.update({name.replace("__", "/"): value for name, value in contents.items()})

    return edit


def of_constant(config):
    meta = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True}
    config["config"]["x"] = {**meta, "tensor_meta": None}


def of_size(code):
    def change(program):
        values = program["graph_module"]["graph"]["tensor_values"]["input"]
        values["sizes"][0] = {"as_expr": {"expr_str": code, "hint": {"as_int": 4}}}

    return in_program(change)


def of_tree(program):
    spec = {"type": "collections.defaultdict", "children_spec": []}
    spec["context"] = json.dumps({"default_factory_module": "antigravity"})
    signature = program["graph_module"]["module_call_graph"][0]["signature"]
    signature["in_spec"] = json.dumps([1, spec])


def of_operator(target):
    def change(program):
        program["graph_module"]["graph"]["nodes"][0]["target"] = target

    return in_program(change)


def edits(marker):
    """Return changes of a .pt2 archive, by name, that make torch run, read or claim something."""
    run = f"__import__('os').mkdir({marker!r})"
    evil = Evil(marker)
    constants = in_json("data/constants/model_constants_config.json", of_constant)

    def renamed(program):
        return json.loads(json.dumps(program).replace('"input"', json.dumps(f"input={run}")))

    sizes = {"tensor_meta": {"dtype": 7, "sizes": [{"as_int": 2**40}]}}
    return {
        "a pickled weight": with_members(
            in_weights(use_pickle=True), data__weights__weight_0=saved(evil)
        ),
        "a pickled constant": with_members(
            constants, data__constants__opaque_obj_0=pickle.dumps(evil)
        ),
        "a size that sympy evaluates": of_size(run),
        "a name that becomes source code": in_program(renamed),
        "a tree that imports a module": in_program(of_tree),
        "an operator that opens files": of_operator("torch.ops.aten.from_file.default"),
        "a function that is no operator": of_operator("torch.hub.load"),
        "machine code": with_members(**{"data__aotinductor__model__a.so": b"\x7fELF"}),
        "weights that are not there": with_members(
            in_weights(**sizes), data__weights__weight_0=b""
        ),
        "no program": lambda members: members.pop("models/model.json"),
        "no JSON": with_members(**{"models__model.json": b"[" * 10**5}),
    }


RUNS = ("a pickled weight", "a pickled constant", "a size that sympy evaluates")


@pytest.mark.parametrize("name", edits("none"))
def test_a_program_that_would_run_something_is_refused(opened, programs, tmp_path, name):
    marker = tmp_path / "marker"
    data = changed(programs["dense", "export"], edits(str(marker))[name])
    with pytest.raises(RefusedError, match=REFUSED):
        opened(data)
    assert not marker.exists()


@pytest.mark.parametrize(
    "name", ["a pickled weight", "a pickled constant", "a size that sympy evaluates"]
)
def test_torch_itself_would_have_run_it(programs, tmp_path, name):
    marker = tmp_path / "marker"
    data = changed(programs["dense", "export"], edits(str(marker))[name])
    with pytest.raises(Exception):  # noqa: B017, PT011  # after it ran
        torch.export.load(io.BytesIO(data)).module()
    assert marker.exists()


def test_sample_inputs_and_remarks_are_left_out(opened, programs, tmp_path):
    marker = tmp_path / "marker"

    def sample(members):
        members["data/sample_inputs/model.pt"] = saved(Evil(str(marker)))
        program = json.loads(members["models/model.json"])
        program["guards_code"] = [f"__import__('os').mkdir({str(marker)!r})"]
        members["models/model.json"] = json.dumps(program).encode()

    loaded = opened(changed(programs["dense", "export"], sample))
    loaded.bind(loaded.settle(TABLE)).predict(TABLE)
    assert not marker.exists()


@pytest.mark.parametrize(
    "line",
    [
        'torch.save(x, "marker")',
        'torch.from_file("marker", True, 8)',
        'getattr(torch, "sa" + "ve")(x, "marker")',
        "ops.c10d.barrier(x)",
    ],
)
def test_a_script_that_would_touch_files_is_refused(opened, programs, tmp_path, line):
    def edit(members):
        # torch calls it container.py, or numbers it where it has scripted another one before
        code = next(name for name in members if re.search(r"container(/\w+)?\.py$", name))
        text = members[code].decode().replace("    return", f"    {line}\n    return", 1)
        members[code] = text.encode()

    with pytest.raises(RefusedError, match=f"{REFUSED}: its TorchScript uses"):
        opened(changed(programs["dense", "script"], edit))


def test_a_script_whose_pickle_asks_for_more_is_refused(opened, programs, tmp_path):
    marker = tmp_path / "marker"

    def edit(members):
        members["data.pkl"] = pickle.dumps(Evil(str(marker)), 2)

    with pytest.raises(RefusedError, match=f"{REFUSED}.*mkdir"):
        opened(changed(programs["dense", "script"], edit))
    assert not marker.exists()


def test_inspection_tells_the_program_and_the_verdict(programs, tmp_path):
    path = tmp_path / "model.pt2"
    path.write_bytes(programs["dense", "export"])
    found = inspect_file(str(path))
    assert (found.kind, found.refusals) == ("torch", ())
    assert found.tree[:2] == ("torch.export program", "input: float32 ['any', 3]")
    path.write_bytes(saved(nn.Linear(3, 2)))
    found = inspect_file(str(path))
    assert found.tree == ("torch.save file",)
    assert "pickled module" in found.refusals[0]
    assert "torch.nn.modules.linear.Linear" in found.globals


class Pooled(nn.Module):
    """A network that ends in many scores, pooled to pictures of one pixel."""

    def __init__(self, classes):
        super().__init__()
        self.scores = nn.Conv2d(3, classes, 1)

    def forward(self, x):
        return self.scores(x).mean(dim=(2, 3), keepdim=True)


@pytest.mark.parametrize(
    ("classes", "task"), [(3, "regression"), (9, "regression"), (10, "classification")]
)
def test_scores_have_positions_and_many_are_chosen_among(tmp_path, classes, task):
    module = Pooled(classes).eval()
    path = tmp_path / "m.pt2"
    path.write_bytes(stored(module, PICTURES, "export"))
    loaded = load_model(ModelRecipe(str(path), modality="image"))
    signature = loaded.settle(PICTURES)
    assert (signature.outputs, signature.task) == (position_names(classes), task)
    assert signature.scale == "raw"
    with torch.no_grad():
        wanted = module(torch.from_numpy(PICTURES)).numpy()[:, :, 0, 0]
    assert np.array_equal(loaded.bind(signature).predict(PICTURES), wanted)


def test_probabilities_of_a_torch_module_have_positions(tmp_path):
    path = tmp_path / "m.pt2"
    path.write_bytes(stored(modules()["dense"][0], TABLE, "export"))
    signature = load_model(ModelRecipe(str(path))).settle(TABLE)
    assert (signature.outputs, signature.positive) == (position_names(2), 1)
