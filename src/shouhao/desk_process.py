"""Desk process: the other end of `booking.desk_apart`: reads batches, decides them, writes the answers.

It ends when its pipe does: when the server closes it, or dies. Signals for the group are the server's business.
"""

import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import BinaryIO

import msgspec
import structlog

from shouhao.booking.decide import HoldTimes
from shouhao.booking.desk_apart import LENGTH, Order, Said, encode
from shouhao.booking.model import DeskRequest
from shouhao.flows.desk import BookingDesk
from shouhao.flows.once import REFUSED, refusal_body
from shouhao.kernel.clock import SystemClock
from shouhao.kernel.errors import Refused, Unavailable
from shouhao.kernel.memory import settle
from shouhao.log import configure_log
from shouhao.store.answers import Answer
from shouhao.store.engine import open_database

_log = structlog.get_logger()

_decode_order = msgspec.msgpack.Decoder(Order).decode
_decode_batch = msgspec.msgpack.Decoder(list[DeskRequest]).decode


def work(reading: BinaryIO, writing: BinaryIO) -> None:
    """Decide batches until there are no more."""
    frame = _read(reading)
    if frame is None:
        return
    order = _decode_order(frame)
    configure_log(level=order.log_level, form="json" if order.log_format == "json" else "console")
    db = open_database(order.database_url, pool_size=1)
    desk = BookingDesk(db, SystemClock(), HoldTimes(hold_s=order.hold_s, cap_s=order.hold_cap_s))
    _warm_up(desk)
    settle()
    try:
        _write(writing, [])
        while (frame := _read(reading)) is not None:
            _write(writing, _decide(desk, _decode_batch(frame)))
    except BrokenPipeError:
        pass  # the server is gone; what was committed is found by the retries
    finally:
        db.close()


def _decide(desk: BookingDesk, batch: Sequence[DeskRequest]) -> list[Said]:
    try:
        return [_said(answer) for answer in desk.decide(batch)]
    except Unavailable as error:
        _log.warning("desk_unavailable", batch=len(batch), what=error.what)
        return [_said(error)] * len(batch)
    except Exception as error:  # noqa: BLE001 - a bug in one batch must not close the desk for all
        _log.error("desk_failed", batch=len(batch), error=type(error).__name__, exc_info=True)
        return [_said(error)] * len(batch)


def _said(answer: Answer | Exception) -> Said:
    if isinstance(answer, Answer):
        return Said(answer=answer)
    if isinstance(answer, Refused):
        return Said(answer=Answer(status=REFUSED, body=refusal_body(answer)))
    if isinstance(answer, Unavailable):
        return Said(unavailable=answer.what, retry_after_s=answer.retry_after_s)
    return Said(bug=type(answer).__name__)


def _warm_up(desk: BookingDesk) -> None:
    """Connect before the first patient asks. A database that is away now is told to whoever asks then."""
    with suppress(Unavailable):
        desk.decide([])


def _write(writing: BinaryIO, said: list[Said]) -> None:
    frame = encode(said)
    writing.write(LENGTH.pack(len(frame)) + frame)
    writing.flush()


def _read(reading: BinaryIO) -> bytes | None:
    """One frame, or None at the end of the pipe."""
    head = reading.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (size,) = LENGTH.unpack(head)
    frame = reading.read(size)
    return frame if len(frame) == size else None


def main() -> None:
    """Work on the standard streams."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    work(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
