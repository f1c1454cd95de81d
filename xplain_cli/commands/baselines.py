"""``xplain baselines``: baselines that are learned for a model, and what is known of them."""

from xplain_cli.commands.inspect import modality_of
from xplain_cli.console import open_console
from xplain_cli.errors import UsageError
from xplain_cli.options import looking, pictures, runs, tables, texts
from xplain_cli.options.command import Options, takes
from xplain_cli.options.declare import some, worded
from xplain_cli.options.request import to_request
from xplain_cli.options.training import LearnedBaseline, Training

_OUTPUT = worded(
    runs.Result,
    "output",
    "The file of the learned baseline, such as G.xplain.",
    usage="-o --output FILE",
)
_NO_VALUES = worded(
    runs.Result, "no_values", "Keep no rows in the file for 'xplain baselines show' (privacy)."
)
_FORCE = worded(runs.Safety, "force", "Replace a file that is there.")
_FIGURE = worded(looking.Look, "plot", "Also draw the pairs of pictures as .png.", panel="Result")


@takes(
    some(Training, "kind"),
    runs.Words,
    runs.Sources,
    some(Training, "steps", "noise"),
    some(runs.Sampling, "seed"),
    _OUTPUT,
    _NO_VALUES,
    _FORCE,
    some(runs.Explanation, "response", "model_output", "member", "class_names"),
    some(tables.Ids, "id_column"),
    tables.Columns,
    tables.TableFormat,
    some(texts.Texts, "text_column"),
    pictures.PictureForm,
    runs.Trust,
    runs.Sandbox,
    runs.ProjectFile,
    runs.Talk,
    runs.Screen,
)
def train(options: Options) -> int:
    """
    Learn a generator of baselines for a model: of a row it makes a near one of another class.

    The model is asked for its scores and their derivatives; a killed training goes on where it
    stopped, with the same command, and ends with the same bytes.

    Example: xplain baselines train ganmex model.pkl data.csv -o G.xplain
    Example: xplain baselines train ganmex digits.pkl digits.npy -o G.xplain -s 1
    Example: xplain baselines train ganmex m.pt2 *.png -o G.xplain --rescale 1/255
    """
    sources, training = options.group(runs.Sources), options.group(Training)
    typed = "type xplain baselines train ganmex MODEL DATA -o G.xplain"
    if training.kind is None:
        raise UsageError(f"train what? {typed}")
    if not sources.model or not sources.data:
        raise UsageError(f"no {'DATA' if sources.model else 'MODEL'}: {typed}")
    if "output" not in options.named:
        raise UsageError(f"where to? name a file with -o: {typed}")
    console = open_console(options.values, options.notes)

    from xplain_cli.jobs.baselines import train_baseline

    return train_baseline(to_request(options, modality_of(options)), training, console)


@takes(
    LearnedBaseline,
    _FIGURE,
    runs.ProjectFile,
    runs.BRIEF,
    some(runs.Screen, "no_color"),
)
def show(options: Options) -> int:
    """
    Show a learned baseline: its model, how it was trained, how good it is, and ten pairs.

    Example: xplain baselines show G.xplain
    Example: xplain baselines show G.xplain --plot pairs.png
    Example: xplain baselines show models/G.xplain --no-color
    """
    file = options.group(LearnedBaseline).file
    if not file:
        raise UsageError("show what? type xplain baselines show G.xplain")
    console = open_console(options.values, options.notes)

    from xplain_cli.jobs.baselines import show_baseline

    return show_baseline(file, options.group(looking.Look).plot, console)
