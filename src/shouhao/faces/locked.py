"""Locked memory: where vectors of faces live while the system runs.

Such memory is never written to swap, is left out of core dumps, reads as zeros in a forked child, and is zeroed before
it goes back to the system. It never grows: who needs more takes another one, moves and closes the old. What it cannot
do: registers, and copies that others make of an array (a caller's own, NumPy's temporary ones), are not covered.

Whether the lock was granted is told, not assumed (`locked`): the limit RLIMIT_MEMLOCK is small by default. Linux first;
elsewhere the memory is zeroed on closing and the rest is tried.
"""

import contextlib
import ctypes
import mmap
import os
import sys
import weakref
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from shouhao.kernel.errors import Unavailable

_HUGE_PAGE_BYTES = 2 * 1024 * 1024
_ALIGN_BYTES = 64  # a cache line, and the widest vector register
#: Since Linux 4.14; the mmap module has no name for it. MADV_DONTFORK would leave a hole where a forked child that
#: looks there dies, and where whatever the child maps next would be unmapped when the child lets go of this object.
_MADV_WIPEONFORK = 18

T = TypeVar("T", bound=np.generic)


class LockedMemory:
    """One stretch of zeroed, private memory that arrays are taken from.

    Arrays are good as long as this object is: closing it, or losing it, zeroes what they show.

    Args:
        size_bytes: rounded up to whole pages.
        required: refuse to go on with memory that may be swapped out.
    Raises:
        Unavailable: there is no memory, or the lock is required and was not granted.
    """

    locked: bool  #: the system has promised to keep this in RAM

    def __init__(self, size_bytes: int, *, required: bool = False) -> None:
        page = _HUGE_PAGE_BYTES if size_bytes >= _HUGE_PAGE_BYTES else mmap.PAGESIZE
        self.size_bytes = max(1, -(-size_bytes // page)) * page
        try:
            self._map = _anonymous(self.size_bytes)
        except OSError as error:
            raise Unavailable(f"{self.size_bytes} bytes of memory for faces") from error
        _advise(self._map, self.size_bytes)
        bytes_ = np.frombuffer(self._map, dtype=np.uint8)
        self.locked = _call_libc("mlock", bytes_)
        self._taken_bytes = 0
        self._wiping = weakref.finalize(self, _wipe, self._map, os.getpid())
        if required and not self.locked:
            del bytes_
            self.close()
            raise Unavailable(
                f"locking {self.size_bytes} bytes of memory for faces; raise RLIMIT_MEMLOCK "
                "(systemd: LimitMEMLOCK=infinity, containers: --ulimit memlock=-1)"
            )

    def array(self, shape: tuple[int, ...], dtype: type[T]) -> NDArray[T]:
        """The next free piece as an array of zeros.

        Raises:
            ValueError: the memory is closed, or too little of it is left.
        """
        if self.closed:
            raise ValueError("this memory is closed")
        items = int(np.prod(shape))
        start = -(-self._taken_bytes // _ALIGN_BYTES) * _ALIGN_BYTES
        end = start + items * np.dtype(dtype).itemsize
        if end > self.size_bytes:
            raise ValueError(f"{end} bytes asked of {self.size_bytes}")
        self._taken_bytes = end
        return np.frombuffer(self._map, dtype=dtype, count=items, offset=start).reshape(shape)

    @staticmethod
    def bytes_for(*pieces: int) -> int:
        """How many bytes hold these pieces, each given in bytes."""
        return sum(-(-piece // _ALIGN_BYTES) * _ALIGN_BYTES for piece in pieces)

    @property
    def closed(self) -> bool:
        """Whether it was zeroed and given back."""
        return not self._wiping.alive

    def close(self) -> None:
        """Zero, unlock, and give back; arrays that are still held show zeros, and keep the pages until they go."""
        self._wiping()
        self.locked = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _anonymous(size_bytes: int) -> mmap.mmap:
    if sys.platform == "win32":
        return mmap.mmap(-1, size_bytes)
    return mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def _advise(memory: mmap.mmap, size_bytes: int) -> None:
    """Keep it out of dumps and forks, in large pages, which a scan reads a third faster; best effort."""
    if sys.platform != "linux":
        return
    advice = [mmap.MADV_DONTDUMP, _MADV_WIPEONFORK]
    if size_bytes >= _HUGE_PAGE_BYTES:
        advice.append(mmap.MADV_HUGEPAGE)
    for one in advice:
        with contextlib.suppress(OSError):
            memory.madvise(one)


def _call_libc(name: str, memory: NDArray[Any]) -> bool:
    """Call mlock or munlock; False where it fails or there is none."""
    try:
        call = getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):
        return False
    call.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    return bool(call(memory.ctypes.data, memory.nbytes) == 0)


def _wipe(memory: mmap.mmap, owner_pid: int) -> None:
    if os.getpid() != owner_pid:
        return  # a forked child holds nothing but zeros, and would only fill them in
    bytes_ = np.frombuffer(memory, dtype=np.uint8)
    ctypes.memset(bytes_.ctypes.data, 0, bytes_.nbytes)
    _call_libc("munlock", bytes_)
    del bytes_
    with contextlib.suppress(BufferError):  # an array is still held: the pages go with the last one
        memory.close()
