"""Forget: what the gate keeps for a while only, codes sent to phones and sign-ins that were ended early."""

from shouhao.gate import store as gate_store
from shouhao.kernel.clock import HOUR_US
from shouhao.store.engine import Database

#: Codes of the last 24 hours count towards a phone's limit.
_CODES_KEPT_US = 25 * HOUR_US
#: A token is refused by itself once it has expired; the hour is for the clocks and queues of other processes.
_ENDED_KEPT_US = HOUR_US


def forget_gate(db: Database, *, now_us: int) -> int:
    """Drop what no rule asks for any more; how many rows. Doing it twice changes nothing."""
    with db.write() as connection:
        codes = gate_store.forget_phone_codes(connection, before_us=now_us - _CODES_KEPT_US)
        return codes + gate_store.forget_ended_sign_ins(connection, now_us=now_us - _ENDED_KEPT_US)
