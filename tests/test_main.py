"""The door: help, version, exit codes, signals, pipes, and what stays unimported."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from running import environment

import xplain_cli
from xplain_cli import commands, main
from xplain_cli.errors import FailedRowsError, RefusedError, UsageError

HEAVY = (
    "numpy",
    "pandas",
    "sklearn",
    "joblib",
    "skimage",
    "scipy",
    "rich.progress",
    "xplain_cli.jobs.explain",
)


FULL = Path("/dev/full")


def ending(monkeypatch, action, *argv):
    """Return the exit code of main when the app does *action*."""

    def app(args, prog_name):
        action()

    monkeypatch.setattr(commands, "app_for", lambda *_: app)
    with pytest.raises(SystemExit) as caught:
        main.main(list(argv))
    return caught.value.code


def raising(error):
    def action():
        raise error

    return action


def python(code, *, stdout=subprocess.PIPE):
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("words", [(), ("tabular",), ("inspect",)])
def test_help_has_examples(xplain, words):
    done = xplain(*words, "-h" if words else "--help")
    assert (done.code, done.err) == (0, "")
    assert " ".join(("Examples\n  xplain", *words)) in done.out


@pytest.mark.parametrize("arguments", [["--help"], ["tabular", "--help"]])
def test_help_imports_nothing_heavy(arguments):
    code = f"""
import sys
from xplain_cli.main import main
try:
    main({arguments!r})
except SystemExit:
    print("loaded:", [name for name in {HEAVY!r} if name in sys.modules])
"""
    assert python(code).stdout.splitlines()[-1] == "loaded: []"


def test_version(xplain):
    done = xplain("--version")
    assert (done.code, done.out, done.err) == (0, f"xplain {xplain_cli.__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ((), "Usage: xplain"),
        (("nope",), "No such command 'nope'"),
        (("tabular", "--nope"), "No such option"),
        (("tabular", "m", "d", "-k", "x"), "Invalid value for '-k'"),
    ],
)
def test_usage_errors_end_with_2(xplain, arguments, part):
    done = xplain(*arguments)
    assert (done.code, done.out) == (2, "")
    assert part in done.err


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("tabular", "m", "d", "-k", "0"), "error: --top-k is 0; it must be at least 1\n"),
        (("tabular",), "error: no MODEL: type xplain tabular MODEL DATA"),
        (("tabular", "m"), "error: no DATA: type xplain tabular m DATA"),
        (("gate",), "error: no --fail-on"),
        (("gate", "-", "--fail-on", "count(failed)>0"), "error: RUN is '-'"),
        (("inspect",), "error: no MODEL"),
    ],
)
def test_own_usage_errors_are_one_line(monkeypatch, tmp_path, capsys, arguments, part):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main.main(arguments)
    seen = capsys.readouterr()
    assert (caught.value.code, seen.out, seen.err.count("\n")) == (2, "", 1)
    assert part in seen.err


def test_a_wrong_project_file_ends_with_2_in_one_line(xplain, tmp_path):
    (tmp_path / "xplain.toml").write_text("sead = 1\n", encoding="utf-8")
    done = xplain("tabular", "m", "d")
    assert (done.code, done.err) == (
        2,
        "error: xplain.toml: unknown key 'sead'; did you mean 'seed' or 'shard'?\n",
    )


@pytest.mark.parametrize("kind", [UsageError, RefusedError, FailedRowsError])
def test_an_error_of_the_tree_is_one_line_and_its_exit_code(monkeypatch, capsys, kind):
    assert ending(monkeypatch, raising(kind("no\n column 'a\x1b[31m'"))) == kind.exit_code
    assert capsys.readouterr().err == "error: no column 'a\\x1b[31m'\n"


def test_a_bug_ends_with_5_and_shows_its_trace_on_demand(monkeypatch, capsys):
    assert ending(monkeypatch, raising(KeyError("x"))) == 5
    assert capsys.readouterr().err == (
        "error: bug: KeyError: 'x'; please report; run again with --debug for the trace\n"
    )
    assert ending(monkeypatch, raising(KeyError("x")), "--debug") == 5
    assert "Traceback" in capsys.readouterr().err


def test_a_full_disk_is_no_bug(monkeypatch, capsys):
    error = OSError(28, "No space left on device", "out.csv")
    assert ending(monkeypatch, raising(error)) == 3
    assert capsys.readouterr().err == "error: out.csv: No space left on device\n"


def test_ctrl_c_ends_with_130(monkeypatch, capsys):
    assert ending(monkeypatch, raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "error: interrupted\n"


def test_a_closed_pipe_ends_with_141_in_silence(monkeypatch, capsys):
    assert ending(monkeypatch, raising(BrokenPipeError())) == 141
    assert capsys.readouterr().err == ""


def test_sigterm_runs_the_clean_up_once_and_ends_with_143(monkeypatch):
    seen = []

    def action():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            seen.append("cleaned")

    before = signal.getsignal(signal.SIGTERM)
    assert (ending(monkeypatch, action), seen) == (143, ["cleaned"])
    assert signal.getsignal(signal.SIGTERM) is before


def test_real_signals_end_a_real_process():
    code = """
import sys, time
from xplain_cli import commands
from xplain_cli.main import main
def app(args, prog_name):
    try:
        print("ready", flush=True)
        time.sleep(30)
    finally:
        print("cleaned", flush=True)
commands.app_for = lambda *_: app
main([])
"""
    for number, expected in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
            stderr=subprocess.DEVNULL,
        )
        with process:
            assert process.stdout.readline() == "ready\n"
            process.send_signal(number)
            assert process.communicate(timeout=20)[0] == "cleaned\n"
        assert process.returncode == expected


@pytest.mark.parametrize("code", ["print('x' * 10)", "pass"])
def test_a_pipe_closed_before_the_last_flush_ends_with_141(code):
    reader, writer = os.pipe()
    os.close(reader)
    program = f"""
from xplain_cli import commands
from xplain_cli.main import main
def app(args, prog_name):
    {code}
commands.app_for = lambda *_: app
main([])
"""
    done = python(program, stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141 if "print" in code else 0, "")


def test_help_into_a_closed_pipe_ends_with_141():
    reader, writer = os.pipe()
    os.close(reader)
    done = python("from xplain_cli.main import main; main(['tabular', '--help'])", stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_a_full_stdout_ends_with_3():
    with FULL.open("w", encoding="utf-8") as full:
        done = python("from xplain_cli.main import main; main(['--version'])", stdout=full)
    assert done.returncode == 3
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_nothing_is_taken_apart_at_the_end_but_what_asked_for_it():
    code = """
import atexit, sys, weakref
from xplain_cli import commands
from xplain_cli.main import command
class Kept:
    def __del__(self):
        print("taken apart")
sys.kept = Kept()
def app(args, prog_name):
    atexit.register(print, "told")
    print("done", end=" ")
    raise SystemExit(4)
commands.app_for = lambda *_: app
sys.argv = ["xplain"]
command()
"""
    done = python(code)
    assert (done.returncode, done.stdout, done.stderr) == (4, "done told\n", "")


def test_what_was_registered_before_is_done_too():
    code = """
import atexit, logging, sys
from logging.handlers import MemoryHandler
atexit.register(print, "measured")
logging.getLogger().addHandler(MemoryHandler(99, target=logging.StreamHandler(sys.stdout)))
from xplain_cli.main import command
logging.warning("written at the end")
sys.argv = ["xplain", "--version"]
command()
"""
    done = python(code)
    assert done.returncode == 0
    assert done.stdout.splitlines()[1:] == ["measured", "written at the end"]
    alone = python(code.replace("atexit.register", "print"))
    assert alone.stdout.splitlines()[2:] == ["written at the end"]


def test_who_calls_it_goes_on_and_ends_as_he_likes():
    code = """
import atexit, sys
from xplain_cli.main import main
sys.argv = ["xplain", "--version"]
try:
    main()
except SystemExit as ending:
    kept = open(1, "w", closefd=False)
    kept.write("never flushed by hand")
    sys.exit(7)
"""
    done = python(code)
    assert done.returncode == 7
    assert done.stdout.splitlines()[1:] == ["never flushed by hand"]


def test_a_command_has_the_environment_as_it_was(monkeypatch):
    seen = []
    for kept in (None, "logfire"):
        if kept is not None:
            monkeypatch.setenv("PYDANTIC_DISABLE_PLUGINS", kept)
        reading = []

        def app_for(_, parsed, reading=reading):
            def app(args, prog_name):
                reading.append(os.environ["PYDANTIC_DISABLE_PLUGINS"])
                parsed()
                reading.append(os.environ.get("PYDANTIC_DISABLE_PLUGINS"))

            return app

        monkeypatch.setattr(commands, "app_for", app_for)
        with pytest.raises(SystemExit):
            main.main([])
        seen.append(reading)
    assert seen == [["__all__", None], ["__all__", "logfire"]]
