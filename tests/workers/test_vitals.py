"""What the system says of a process that has not answered yet."""

import os
import signal
import subprocess
import sys
import time

import pytest

from xplain_cli.workers.vitals import is_stopped, memory_of

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@pytest.fixture
def other():
    """A process that sleeps; its name would be taken for fields by who does not look out."""
    code = "import sys, time; open('/proc/self/comm', 'w').write(') T (x'); print(1, flush=True);"
    words = [
        sys.executable,
        "-c",
        f"{code} x = b'x' * (1 << 26); print(2, flush=True); time.sleep(60)",
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        process.stdout.read(4)
        yield process
        process.kill()


def test_a_stopped_process_is_told_from_a_sleeping_one(other):
    assert not is_stopped(other.pid)
    os.kill(other.pid, signal.SIGSTOP)
    deadline = time.monotonic() + 5
    while not is_stopped(other.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert is_stopped(other.pid)
    other.send_signal(signal.SIGCONT)


def test_memory_is_what_a_process_takes(other):
    assert 1 << 26 < memory_of(other.pid) < 1 << 28


def test_nothing_is_said_of_a_process_that_is_gone():
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    assert (is_stopped(done.pid), memory_of(done.pid)) == (False, 0)
