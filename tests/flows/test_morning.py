"""The morning board counts each event once, also one whose number comes up after a later one."""

from hospital import NOW_US
from shouhao.flows.morning import MorningBoard
from shouhao.kernel.clock import SECOND_US
from shouhao.kernel.events import Event
from shouhao.store import event_log


def test_what_is_written_slowly_is_counted_too_and_once(postgresql_db):
    board = MorningBoard(postgresql_db)

    def book(connection):
        event_log.append(connection, [Event(at_us=NOW_US, kind="booked", session_id="S1")])

    def booked(after_s):
        return board.look(now_us=NOW_US + after_s * SECOND_US).kinds.get("booked", 0)

    with postgresql_db.write() as connection:
        book(connection)
    with postgresql_db.write() as slow:
        book(slow)
        with postgresql_db.write() as quick:
            book(quick)
        assert booked(0) == 2
    assert [booked(2), booked(4)] == [3, 3]
    with postgresql_db.write() as connection:
        book(connection)
    assert [booked(6), booked(600)] == [4, 4]
