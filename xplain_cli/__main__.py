"""``python -m xplain_cli`` is ``xplain``."""

from xplain_cli.main import command

command()
