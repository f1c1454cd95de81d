"""The filter of system calls, run by a small machine of its own: what it says of each call."""

import errno
import os
import pathlib
import struct

import pytest

from xplain_cli.workers.seccomp import ARCHITECTURES, NETWORK, OWN_ALONE, REFUSED, program

ALLOW, KILL, ERROR = 0x7FFF0000, 0x80000000, 0x00050000
PROCESS = 4711


def verdict(code, audit, number, *values):
    """Run a filter as linux/bpf.h defines it on a call; return what it says."""
    words = [*values, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("=iIQ6Q", number, audit, 0, *words)
    lines = [struct.unpack_from("=HBBI", code, at) for at in range(0, len(code), 8)]
    held, at = 0, 0
    while True:
        kind, true, false, constant = lines[at]
        at += 1
        if kind == 0x20:
            (held,) = struct.unpack_from("=I", data, constant)
        elif kind == 0x06:
            return constant
        else:
            test = {0x15: held == constant, 0x35: held >= constant, 0x45: bool(held & constant)}
            at += true if test[kind] else false


@pytest.fixture(params=sorted(ARCHITECTURES))
def machine(request):
    return ARCHITECTURES[request.param]


@pytest.fixture
def ask(machine):
    """Say what the filter of a machine says of a call."""

    def said(number, *values, network=False):
        code = program(machine, PROCESS, network=network)
        return verdict(code, machine.audit, number, *values)

    return said


def test_every_refused_call_is_refused(machine, ask):
    for numbers in [*REFUSED.values(), *NETWORK.values()]:
        if numbers[machine.place] is not None:
            assert ask(numbers[machine.place]) == ERROR | errno.EPERM


def test_what_is_not_named_is_allowed(machine, ask):
    named = {n[machine.place] for n in (*REFUSED.values(), *NETWORK.values(), *OWN_ALONE.values())}
    named |= {(56, 220)[machine.place], 435, (16, 29)[machine.place]}
    for number in set(range(470)) - named:
        assert ask(number) == ALLOW, number


def test_sockets_can_be_allowed(machine, ask):
    assert ask(NETWORK["socket"][machine.place], network=True) == ALLOW


@pytest.mark.parametrize("name", OWN_ALONE)
def test_a_process_may_use_these_on_itself_alone(machine, ask, name):
    number = OWN_ALONE[name][machine.place]
    assert ask(number, PROCESS) == ALLOW
    assert ask(number, 1) == ERROR | errno.EPERM
    assert ask(number, 2**32 - 1) == ERROR | errno.EPERM  # minus one: all processes


def test_a_signal_to_the_group_is_refused(machine, ask):
    assert ask(OWN_ALONE["kill"][machine.place], 0) == ERROR | errno.EPERM


def test_clone_makes_threads_alone(machine, ask):
    clone = (56, 220)[machine.place]
    assert ask(clone, 0x10000 | 0x100) == ALLOW
    assert ask(clone, 0x4111) == ERROR | errno.EPERM
    assert ask(435) == ERROR | errno.ENOSYS


def test_devices_are_asked_what_files_are_asked(machine, ask):
    ioctl = (16, 29)[machine.place]
    assert ask(ioctl, 0, 0x5401) == ALLOW
    for harm in (0x5412, 0x541C, 0x40086602):  # TIOCSTI, TIOCLINUX, FS_IOC_SETFLAGS
        assert ask(ioctl, 0, harm) == ERROR | errno.ENOTTY


def test_calls_of_another_interface_end_the_process(machine):
    code = program(machine, PROCESS, network=False)
    assert verdict(code, 0x40000003, 20) == KILL  # i386


def test_numbers_of_x32_are_unknown(ask):
    assert ask(0x40000000 | 59) == ERROR | errno.ENOSYS


def test_the_numbers_are_those_of_this_machine():
    path = "/usr/include/asm-generic/unistd.h" if os.uname().machine == "aarch64" else None
    path = path or f"/usr/include/{os.uname().machine}-linux-gnu/asm/unistd_64.h"
    if not pathlib.Path(path).exists():
        pytest.skip("no header of the kernel here")
    with pathlib.Path(path).open() as file:
        words = [line.split() for line in file if line.startswith("#define __NR")]
    known = {
        w[1].removeprefix("__NR_").removeprefix("__NR3264_"): w[2] for w in words if len(w) > 2
    }
    place = ARCHITECTURES[os.uname().machine].place
    table = {**REFUSED, **NETWORK, **OWN_ALONE}
    wrong = {
        name: numbers[place]
        for name, numbers in table.items()
        if name in known and known[name] != str(numbers[place])
    }
    assert wrong == {}
