"""What can be shown of Windows elsewhere: nothing needs what only POSIX systems have.

Packages that we use are imported first, for those know on which system they are; then all that
Windows lacks is taken away, and the code of this project has to do without.
"""

import subprocess
import sys

import pytest
from running import environment

HIDDEN = """
import asyncio, multiprocessing.popen_spawn_posix, os, signal, sys
import joblib, jinja2, numpy, onnxruntime, pandas, regex, rich, scipy.stats, typer
import skimage.segmentation, sklearn.compose, sklearn.ensemble, threadpoolctl

for name in ("fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"):
    sys.modules[name] = None
for name in (
    "chown", "fchmod", "fork", "forkpty", "geteuid", "getgid", "getloadavg", "getpgid", "getuid",
    "killpg", "mkfifo", "nice", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "pread", "sched_getaffinity",
    "sched_setaffinity", "setpgid", "setsid", "statvfs", "sysconf", "uname", "wait4", "WNOHANG",
):
    vars(os).pop(name, None)
for name in (
    "alarm", "ITIMER_REAL", "pause", "pthread_sigmask", "setitimer", "SIGALRM", "SIGCHLD", "SIGHUP",
    "siginterrupt", "SIGKILL", "SIGQUIT", "SIGUSR1", "SIGUSR2", "sigwait",
):
    vars(signal).pop(name, None)
multiprocessing.resource_tracker._HAVE_SIGMASK = False  # Windows starts processes without it
"""  # noqa: E501 - lists
TOOL = """
from xplain_cli.main import main
main(sys.argv[1:])
"""
IMPORTS = """
import importlib, pkgutil
import xplain_cli

names = [module.name for module in pkgutil.walk_packages(xplain_cli.__path__, "xplain_cli.")]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
print(len(names))
"""


@pytest.fixture
def bare(tmp_path):
    """Run a script after all that Windows lacks was hidden; return the finished process."""

    def run(script, *words):
        return subprocess.run(
            [sys.executable, "-c", HIDDEN + script, *map(str, words)],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    return run


def test_the_modules_are_really_hidden(bare):
    assert "ModuleNotFoundError" in bare("import fcntl").stderr
    assert "AttributeError" in bare("signal.setitimer").stderr


def test_every_module_is_imported(bare):
    done = bare(IMPORTS)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 150


def test_help_is_shown(bare):
    done = bare(TOOL, "tabular", "--help")
    assert (done.returncode, "Explain every row" in done.stdout) == (0, True)


def test_a_run_and_its_gate_write_the_same_bytes(bare, run, cancer, tmp_path):
    words = ("tabular", cancer.model, cancer.data, "-n", "64", "-r", "2", "--backend", "serial")
    done = bare(TOOL, *words, "-o", "bare")
    assert done.returncode == 0, done.stderr
    assert bare(TOOL, "gate", "bare", "--fail-on", "count(failed)>0").returncode == 0
    assert run(*words, "-o", "whole").code == 0
    for name in ("weights.csv", "stability.csv"):
        assert (tmp_path / "bare" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_time_limit_is_refused_before_anything_runs(bare, cancer, tmp_path):
    done = bare(TOOL, "tabular", cancer.model, cancer.data, "--row-timeout", "5")
    assert done.returncode == 2
    assert "--row-timeout needs a timer that ends processes" in done.stderr
    assert list(tmp_path.iterdir()) == []
