"""Locked memory: kept in RAM, kept from dumps and children, zero when it goes, and honest about it."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shouhao.faces.locked import LockedMemory
from shouhao.kernel.errors import Unavailable

MIB = 1024 * 1024

linux = pytest.mark.skipif(sys.platform != "linux", reason="VmLck, dumps and forks are looked at as Linux shows them")

#: Without CAP_IPC_LOCK and with room for 64 KiB, as somebody who is not root.
LOWERED = """
import os, resource
from shouhao.faces.locked import LockedMemory
from shouhao.faces.search import ExactIndex
from shouhao.kernel.errors import Unavailable
resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))
if os.getuid() == 0:
    os.setuid(65534)
small = LockedMemory(16384, required=True)
print("small", small.locked)
with LockedMemory(1 << 20) as large:
    print("large", large.locked)
try:
    LockedMemory(1 << 20, required=True)
except Unavailable as error:
    print("refused", "RLIMIT_MEMLOCK" in error.what)
index = ExactIndex(512, lock_required=True)
try:
    index.add(__import__("numpy").eye(512, dtype="float32"))
except Unavailable:
    print("index", len(index), index.memory_bytes)
"""

FORKED = """
import os
from shouhao.faces.locked import LockedMemory
memory = LockedMemory(1 << 20)
array = memory.array((1000,), "uint8")
array[:] = 7
child = os.fork()
if not child:
    zeros = not array.any()
    memory.close()
    os._exit(0 if zeros else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), (array == 7).all())
"""


def locked_kib():
    return int(re.search(r"VmLck:\s+(\d+)", Path("/proc/self/status").read_text())[1])


def flags_at(address):
    """What the kernel says of the mapping at an address."""
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if found := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            inside = int(found[1], 16) <= address < int(found[2], 16)
        elif inside and line.startswith("VmFlags:"):
            return line.split()[1:]
    return []


def run(script):
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def may_lock():
    with LockedMemory(4 * MIB) as memory:
        return memory.locked


@linux
@pytest.mark.skipif(not may_lock(), reason="RLIMIT_MEMLOCK is below 4 MiB here")
def test_what_is_taken_is_locked_and_what_is_closed_is_not():
    before = locked_kib()
    memory = LockedMemory(4 * MIB, required=True)
    assert memory.locked
    assert locked_kib() == before + 4 * 1024
    memory.close()
    assert not memory.locked
    assert locked_kib() == before


@linux
def test_it_is_left_out_of_dumps_and_wiped_in_children():
    with LockedMemory(4 * MIB) as memory:
        flags = flags_at(memory.array((1,), np.uint8).ctypes.data)
    assert {"dd", "wf"} <= set(flags)


@linux
def test_a_forked_child_sees_zeros_and_takes_nothing_away():
    assert run(FORKED) == ["0 True"]


def test_content_is_zero_after_closing():
    memory = LockedMemory(MIB)
    array = memory.array((1000, 128), np.float32)
    array[:] = 0.5
    memory.close()
    assert memory.closed
    assert not array.any()
    memory.close()


def test_content_is_zero_when_it_was_forgotten():
    memory = LockedMemory(MIB)
    array = memory.array((1000,), np.int64)
    array[:] = -1
    del memory
    assert not array.any()


def test_pieces_are_zero_apart_and_aligned():
    with LockedMemory(MIB) as memory:
        pieces = [memory.array((n, 3), np.float32) for n in (1, 7, 100)]
        assert not any(piece.any() for piece in pieces)
        for n, piece in enumerate(pieces):
            piece[:] = n
        assert [set(piece.ravel().tolist()) for piece in pieces] == [{0.0}, {1.0}, {2.0}]
        assert not any(piece.ctypes.data % 64 for piece in pieces)


def test_more_than_there_is_cannot_be_taken():
    with LockedMemory(4096) as memory:
        memory.array((1000,), np.float32)
        with pytest.raises(ValueError, match="bytes asked of"):
            memory.array((100,), np.float32)
    with pytest.raises(ValueError, match="closed"):
        memory.array((1,), np.uint8)


def test_more_than_the_machine_has_is_unavailable():
    with pytest.raises(Unavailable):
        LockedMemory(1 << 60)


@linux
def test_a_lock_that_is_not_granted_is_told_or_refused():
    assert run(LOWERED) == ["small True", "large False", "refused True", "index 0 0"]
