"""``xplain explain``: what a word of the output means."""

from xplain_cli.console import open_console
from xplain_cli.options import looking, runs
from xplain_cli.options.command import Options, takes


@takes(looking.OutputTerm, runs.ProjectFile, runs.BRIEF)
def explain(options: Options) -> int:
    """
    Say what a word of the output means: a column, a label, a method, an exit code.

    Without TERM it prints the whole glossary.

    Example: xplain explain max_rel_se
    Example: xplain explain fidelity
    Example: xplain explain exit code 4
    """
    from xplain_cli.quality.glossary import as_markdown, meanings

    words = options.group(looking.OutputTerm).terms
    console = open_console(options.values, options.notes)
    if not words:
        for line in as_markdown().splitlines():
            console.line(line)
        return 0
    for name, meaning in meanings([" ".join(words)]):
        console.line(f"{name}: {meaning}")
    return 0
