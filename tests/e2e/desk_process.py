"""A process of its own that books: a desk and a worker over one database, fed by lines on its standard input.

Usage: desk_process.py URL CLOCK_OFFSET_US HOLD_S. A line in is a request, a line out is an answer, written once the
answer was given and not before. The end of the input stops the desk; what is due by then is done, then it exits.
"""

import json
import sys
import threading
import time
from concurrent.futures import Future

import structlog

from shouhao.booking.decide import HoldTimes
from shouhao.booking.desk import Desk, DeskSettings
from shouhao.booking.draw_keys import DrawKeys
from shouhao.booking.model import BookRequest
from shouhao.booking.store.invariants import INVARIANTS
from shouhao.flows.desk import BookingDesk
from shouhao.flows.work import Worker, WorkSettings, duties, release_duties
from shouhao.kernel.errors import Refused
from shouhao.kernel.randomness import SystemRandomness
from shouhao.protocols.reference_payment import ReferenceGateway
from shouhao.store.answers import Answer, once
from shouhao.store.engine import open_database


class ShiftedClock:
    """The machine's clock, so many microseconds away."""

    def __init__(self, offset_us):
        self._offset_us = offset_us

    def now_us(self):
        return time.time_ns() // 1000 + self._offset_us


def request_of(line):
    asked = json.loads(line)
    return asked["n"], BookRequest(
        patient_id=asked["patient_id"],
        session_id=asked["session_id"],
        account_id=asked["account_id"],
        channel="app",
        once=once(caller="c", route="book", key=f"k{asked['n']}", body=b""),
    )


def main():
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    url, offset_us, hold_s = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    db, clock = open_database(url), ShiftedClock(offset_us)
    lanes = 1 if url.startswith("sqlite") else 2
    desk = Desk(
        BookingDesk(db, clock, HoldTimes(hold_s=hold_s, cap_s=hold_s)).decide,
        DeskSettings(batch_max=8, gather_ms=1.0, lanes=lanes),
    )
    settings = WorkSettings(tick_s=0.02, invariants_every_s=0.2)
    gateway = ReferenceGateway(b"g" * 32, pay_page="http://127.0.0.1/pay")
    todo = [
        *release_duties(db, DrawKeys(b"s" * 32, b"r" * 32), SystemRandomness()),
        *duties(db, gateway=gateway, invariants=INVARIANTS, settings=settings),
    ]
    worker = Worker(db, clock, settings, todo)
    out = threading.Lock()

    def tell(n, future):
        error = future.exception()
        said = {"n": n, "error": type(error).__name__} if error is not None else {"n": n, **told(future.result())}
        with out:
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()

    desk.start()
    worker.start()
    with out:
        sys.stdout.write('{"ready": true}\n')
        sys.stdout.flush()
    for line in sys.stdin:
        n, request = request_of(line)
        future = Future()
        future.add_done_callback(lambda done, n=n: tell(n, done))
        desk.submit(request, future, lane_key=request.session_id)
    desk.stop()
    worker.stop()
    worker.look()
    db.close()


def told(answer):
    if isinstance(answer, Refused):
        return {"status": -1, "body": answer.code}
    assert isinstance(answer, Answer)
    return {"status": answer.status, "body": answer.body}


if __name__ == "__main__":
    main()
