"""`shouhao serve pull [GROUP]`: pull the streams of cameras until told to stop."""

import signal
import threading

from shouhao.kernel.errors import InvalidInput
from shouhao.wiring import System
from shouhao.wiring.watch import open_puller, open_spool


def serve_pull(system: System, group: str | None) -> None:
    """Pull until SIGTERM or SIGINT: processes end, and what they had handed over is in the spool.

    Raises:
        InvalidInput: a group's name that cannot be.
        Unavailable: another process pulls this group on this machine.
    """
    if group is not None and not (group.replace("-", "").replace("_", "").isalnum() and len(group) <= 40):  # noqa: PLR2004 - a file's name
        raise InvalidInput("group", zh="须为字母、数字、- 或 _", en="letters, digits, - or _")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with open_spool(system, f"pull-{group}" if group else "pull") as spool:
        open_puller(system, spool, group=group).run(stop)
