"""The process of `shouhao serve watch`, and the same beside the servers of `shouhao up`."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from shouhao.kernel.memory import settle
from shouhao.wiring import System
from shouhao.wiring.watch import capture_worker

_log = structlog.get_logger()


def serve_watch(system: System) -> None:
    """Work the spool off until the process is told to stop."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with watching(system):
        settle()
        _log.info("serving", roles=["watch"])
        stopped.wait()
    _log.info("stopped", roles=["watch"])
    system.close()


@contextmanager
def watching(system: System) -> Iterator[None]:
    """Work the spool off on a thread while the block runs; models and list are opened when the switch is on."""
    worker = capture_worker(system)
    worker.start()
    try:
        yield
    finally:
        worker.stop()
