"""Entries: a draw's window over HTTP, each entry with its signed receipt; then it closes and every one is found."""

import time
from collections import Counter
from pathlib import Path

import msgspec
from sqlalchemy import text

from bench.harness import Figure
from bench.hospital import Hospital
from bench.load import Outcome, post, send
from bench.over_http import CONNECTIONS, do_nothing, hospital, serving
from bench.servers import PostgreSQL
from shouhao.booking.draw_keys import DrawKeys, receipt_holds
from shouhao.flows.draws import make_due, open_windows, seal_due
from shouhao.gate.model import SignInSettings
from shouhao.gate.sign_ins import SignInKey, new_sign_in
from shouhao.kernel.clock import HOUR_US, SystemClock
from shouhao.store import policies
from shouhao.store.engine import open_database
from shouhao.store.invariants import check
from shouhao.store.vault import Vault
from shouhao.wiring import INVARIANTS

ENTRIES = 50_000
SESSIONS, SLOTS_EACH, WISHES = 20, 50, 3
A_MINUTE = 60
_CHECKED = 500  #: receipts whose signature is checked


def entries_figure(server: PostgreSQL) -> Figure:
    """How many entries a second are taken durably, with a receipt each."""
    notes: dict[str, list[float]] = {"a_minute": [], "p50_ms": [], "p99_ms": [], "close_s": []}
    return Figure(
        name="entries_http",
        unit="entries/s, durable, over HTTP, with a signed receipt",
        measure=lambda: _enter(server, notes),
        floor=do_nothing,
        floor_is=f"do-nothing POST, {CONNECTIONS} connections",
        reach=ENTRIES / A_MINUTE / 25_000,  # fifty thousand a minute, against what doing nothing brings here
        notes=notes,
    )


def _enter(server: PostgreSQL, notes: dict[str, list[float]]) -> float:
    with hospital(server, sessions=SESSIONS, slots_each=SLOTS_EACH, patients=ENTRIES) as (made, url, environment):
        vault = Vault(Path(environment["SHOUHAO_MASTER_KEY_FILE"]).read_bytes())
        keys = DrawKeys(vault.derive("draw-seeds", 32), vault.derive("draw-receipts", 32))
        draw_id = _open(url, keys)
        requests = _requests(made, environment, vault, draw_id)
        with serving(url, environment) as port:
            outcome = send(port, requests, connections=CONNECTIONS)
        notes["close_s"].append(_close(url, keys, outcome))
    notes["a_minute"].append(outcome.rate() * A_MINUTE)
    notes["p50_ms"].append(outcome.percentile_ms(0.50))
    notes["p99_ms"].append(outcome.percentile_ms(0.99))
    return outcome.rate()


def _open(url: str, keys: DrawKeys) -> str:
    """Let the hospital's sessions go by one draw whose window is open now."""
    db, now_us = open_database(url), SystemClock().now_us()
    with db.write() as connection:
        connection.execute(text("UPDATE sessions SET state = 'planned', day = '2027-01-08', released_at_us = NULL"))
        connection.execute(text("UPDATE sessions SET release_at_us = :at"), {"at": now_us + HOUR_US})
        connection.execute(text("UPDATE slots SET state = 'planned'"))
        policies.add(
            connection,
            "release:everywhere",
            {"kind": "draw", "draw": {"entry_window_s": 2 * 3600}},
            effective_at_us=now_us,
            staff_id=None,
            reason="bench",
            now_us=now_us,
        )
    open_windows(db, keys, now_us=SystemClock().now_us())
    with db.read() as connection:
        (draw_id,) = connection.execute(text("SELECT id FROM draws")).scalars()
    db.close()
    return str(draw_id)


def _requests(made: Hospital, environment: dict[str, str], vault: Vault, draw_id: str) -> list[bytes]:
    key, now_us = SignInKey(vault.derive("sign-in", 32)), SystemClock().now_us()
    settings = SignInSettings(life_s=3600)
    requests = []
    for n in range(ENTRIES):
        sign_in = new_sign_in(made.account(n), channel="web", device_id=None, settings=settings, now_us=now_us)
        headers = {
            "authorization": f"Bearer {key.issue(sign_in)}",
            "x-channel-key": environment["BENCH_CHANNEL_KEY"],
            "idempotency-key": f"bench-{n}",
        }
        wishes = [made.session((n + k * 7) % SESSIONS) for k in range(WISHES)]
        body = msgspec.json.encode({"patient_ids": [made.patient(n)], "wishes": wishes})
        requests.append(post(f"/api/v1/draws/{draw_id}/entries", headers, body))
    return requests


def _close(url: str, keys: DrawKeys, outcome: Outcome) -> float:
    """Seal and make the draw; seconds. The run does not count unless every receipt stands in it."""
    receipts = [msgspec.json.decode(body) for body in outcome.bodies]
    db = open_database(url)
    after_us = SystemClock().now_us() + 2 * HOUR_US
    started = time.perf_counter()
    sealed, drawn = seal_due(db, keys, now_us=after_us), make_due(db, keys, now_us=after_us)
    took_s = time.perf_counter() - started
    with db.read() as connection:
        kept = {row[0] for row in connection.execute(text("SELECT id FROM draw_entries WHERE state <> 'left_out'"))}
        offers = connection.execute(text("SELECT count(*) FROM bookings WHERE state = 'offered'")).scalar()
        broken = check(connection, INVARIANTS)
    db.close()
    statuses = Counter(outcome.statuses)
    lost = {r["entry_id"] for r in receipts} - kept
    unsigned = [r for r in receipts[:_CHECKED] if not _signed(r, keys)]
    right = statuses == {201: ENTRIES} and (sealed, drawn, offers) == (1, 1, SESSIONS * SLOTS_EACH)
    if not right or lost or broken or unsigned:
        raise SystemExit(f"not a valid run: {statuses}, {sealed}, {drawn}, {offers}, {len(lost)} lost, {broken}")
    return took_s


def _signed(shown: dict[str, object], keys: DrawKeys) -> bool:
    receipt = {name: value for name, value in shown.items() if name not in {"signature", "receipt_key"}}
    return receipt_holds(msgspec.json.encode(receipt), str(shown.get("signature")), public_hex=keys.public_hex)
