"""Work that other processes do in tests: they import this file, which stands on their path."""

import os
import time

from xplain_cli.errors import RefusedError


def slower_first(i):
    time.sleep(0.05 if i % 4 == 0 else 0.0)
    return i, os.getpid()


def refuse(i):
    raise RefusedError(f"no {i}")
