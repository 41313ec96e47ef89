"""What the gate keeps for a while only is gone afterwards, and not a moment before it may be."""

from hospital import NOW_US, put, rows
from shouhao.flows.forget import forget_gate
from shouhao.gate.tables import ended_sign_ins, phone_codes
from shouhao.kernel.clock import DAY_US, HOUR_US, MINUTE_US, ManualClock
from shouhao.settings import Settings
from shouhao.wiring import assemble


def furnish(db):
    ages = {"old": DAY_US + 2 * HOUR_US, "a day": DAY_US, "new": MINUTE_US}
    code = {"code_hash": "-", "channel": "app", "attempts": 0, "expires_at_us": NOW_US, "ended_at_us": NOW_US}
    put(
        db,
        phone_codes,
        *({"id": n, "phone_hash": n, **code, "created_at_us": NOW_US - age} for n, age in ages.items()),
    )
    left = {"over": -2 * HOUR_US, "just over": -1, "running": MINUTE_US}
    put(
        db,
        ended_sign_ins,
        *({"sign_in_id": n, "expires_at_us": NOW_US + wait, "reason": "signed_out"} for n, wait in left.items()),
    )


def kept(db):
    return {row["id"] for row in rows(db, phone_codes)}, {row["sign_in_id"] for row in rows(db, ended_sign_ins)}


def test_codes_are_kept_for_a_day_and_ended_sign_ins_until_their_tokens_are_over(db):
    furnish(db)
    assert [forget_gate(db, now_us=NOW_US) for _ in range(2)] == [2, 0]
    assert kept(db) == ({"a day", "new"}, {"just over", "running"})


def test_the_worker_forgets_every_ten_minutes(db, db_url, tmp_path):
    clock = ManualClock(NOW_US - DAY_US)
    system = assemble(Settings(database_url=db_url, data_dir=tmp_path), clock=clock)
    assert system.worker.look()["forget_gate"] == 0
    furnish(db)
    clock.advance(seconds=599)
    assert "forget_gate" not in system.worker.look()
    clock.advance(seconds=DAY_US / 1e6 - 599)
    assert system.worker.look()["forget_gate"] == 2
    system.close()
