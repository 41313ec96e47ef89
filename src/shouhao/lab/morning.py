"""Morning: a hospital is seeded, one patient walks, thousands rush, everything is checked: a chapter of the demo.

The experts' slots go by draw, the others to whoever comes first, on the same morning and at the same server. What comes
out is one mapping of plain values.
"""

import asyncio
import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvloop

from shouhao.booking.schedule import Department, Doctor, PlannedSession, SchedulePlan
from shouhao.booking.store import draws, lifecycle
from shouhao.booking.store.waits import resting_in
from shouhao.flows.import_schedule import import_plan
from shouhao.kernel.clock import DAY_US, SECOND_US, day_of, iso
from shouhao.kernel.errors import Unavailable
from shouhao.lab import checks, figures, seeding
from shouhao.lab.chapters import Tell
from shouhao.lab.crowd import plan_wishes, wanted_sessions
from shouhao.lab.drawn import draw_checks, draws_report, read_draws, won_by
from shouhao.lab.heard import Door, Offer
from shouhao.lab.hospital import demonstration_hospital
from shouhao.lab.running_server import RunningServer
from shouhao.lab.rush import Rush
from shouhao.lab.seeding import Crowd
from shouhao.lab.walk import Walk, WalkTargets
from shouhao.wiring import INVARIANTS, System

_RELEASES_FROM_DAY = 9  # sessions that far ahead are not released yet, whatever the hour
_LEAD_S = 1.5  # from setting the release time to the opening of the window
_OPENS_WITHIN_S = 10.0
_SHOWN_S = 10.0  # of the rush, in the report
_SPARE_S = 30.0  # after an unpaid slot's time: to be handed on, accepted and paid, perhaps twice
_MOST_UNPAID = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class MorningSettings:
    """How big the morning is."""

    patients: int = 4000
    gang_accounts: int = 40
    places: int = 400  #: connections open at once, the gang's apart
    hold_s: int = 12  #: how long an unpaid slot waits; shorter than in life, so that its end can be seen
    seed: int = 20_26


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """What stands before the server starts."""

    crowd: Crowd
    channel_keys: Mapping[str, str]
    wanted: Sequence[PlannedSession]
    plan: SchedulePlan
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rushed:
    """What the rush came to, while offers go on."""

    rush: Rush
    release_us: int
    draws: Mapping[str, str]  #: of each session that goes by draw, its draw


def seed_morning(system: System, settings: MorningSettings, tell: Tell) -> Seeded:
    """The schedule, and the crowd with its accounts.

    Sessions of the next days are open already, first come; those of the morning are not.
    """
    tell("建立示范医院：科室、医生、两周排班", "Seeding departments, doctors and two weeks of sessions")
    started = time.monotonic()
    seeding.seed_first_come(system)
    imported = seeding.seed_schedule(system, seed=settings.seed)
    seeding.seed_draw(system)
    channel_keys = seeding.seed_channels(system)
    schedule_s = time.monotonic() - started
    done = 0

    def progress(more: int) -> None:
        nonlocal done
        done += more
        tell(f"登记并核验就诊人 {done}", f"Registering and verifying patients: {done}")

    started = time.monotonic()
    crowd = seeding.seed_people(
        system, count=settings.patients, gang_accounts=settings.gang_accounts, seed=settings.seed, progress=progress
    )
    people_s = time.monotonic() - started
    now_us = system.clock.now_us()
    plan = demonstration_hospital(seed=settings.seed, now_us=now_us)
    wanted = wanted_sessions(plan.sessions, from_day=day_of(now_us) + timedelta(days=_RELEASES_FROM_DAY))
    return Seeded(
        crowd=crowd,
        channel_keys=channel_keys,
        wanted=wanted,
        plan=plan,
        facts={
            "departments": len(plan.departments),
            "doctors": len(plan.doctors),
            "sessions": imported.added,
            "slots": sum(s.capacity for s in plan.sessions),
            "patients": len(crowd.visitors),
            "gang_accounts": len(crowd.gang),
            "gang_persons": len({v.patient_id for v in crowd.gang}),
            "schedule_s": round(schedule_s, 2),
            "people_s": round(people_s, 2),
        },
    )


def walking_door(server: RunningServer, seeded: Seeded) -> Door:
    """The public interface as anybody's browser or telephone finds it."""
    return Door(host=server.host, port=server.port, channel_key=seeded.channel_keys[seeding.WALK_CHANNEL])


def walk_through(server: RunningServer, seeded: Seeded, system: System) -> Walk:
    """One new patient goes all the way."""
    door = walking_door(server, seeded)

    def wait_code(ending: str) -> str:
        return server.wait_code(ends_with=ending)

    walk = Walk(door, person=seeded.crowd.newcomer, targets=_walk_targets(system, seeded), wait_code=wait_code)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(walk.go())
    return walk


def _walk_targets(system: System, seeded: Seeded) -> WalkTargets:
    now_us = system.clock.now_us()
    released = [s for s in seeded.plan.sessions if s.release_at_us <= now_us and s.kind != "antenatal"]
    open_one = next(s for s in released if not s.hot)
    hot_one = next(s for s in released if s.hot)
    return WalkTargets(
        open_session_id=open_one.id,
        hot_session_id=hot_one.id,
        department_id=open_one.department_id,
        day=open_one.day.isoformat(),
    )


def rush_in(system: System, server: RunningServer, seeded: Seeded, settings: MorningSettings, tell: Tell) -> Rushed:
    """Everybody comes: into the draws while their windows are open, and to the rest at the release.

    Raises:
        Unavailable: the windows did not open.
    """
    drawn = {s.id: s.department_id for s in seeded.wanted if s.kind == "expert"}
    wishes = plan_wishes(len(seeded.crowd.visitors), seeded.wanted, seed=settings.seed, drawn=drawn)
    pairs = list(zip(seeded.crowd.visitors, wishes, strict=True))
    door = Door(host=server.host, port=server.port, channel_key=seeded.channel_keys[seeding.RUSH_CHANNEL])
    rush = Rush(door, places=settings.places, seed=settings.seed, stamp=f"demo-{system.clock.now_us():x}")
    release_us = _set_release(system, seeded.wanted)
    tell("抽签报名窗口即将打开", "The windows of the draws are about to open")
    open_draws = _opened(system, set(drawn))
    tell(f"{len(pairs)} 位患者报名抽签、等待放号", f"{len(pairs)} patients enter draws and wait for the release")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        targets = [s.id for s in seeded.wanted]
        runner.run(rush.run(pairs, seeded.crowd.gang, targets, release_us, draws=open_draws))
    return Rushed(rush=rush, release_us=release_us, draws=open_draws)


def hand_on(system: System, seeded: Seeded, rushed: Rushed, settings: MorningSettings) -> bool:
    """Winners accept and pay or do not, and what is let go reaches who waits; whether all was settled in time."""
    targets = {s.id for s in seeded.wanted}
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(
            rushed.rush.take_offers(
                seeded.crowd.visitors,
                seeded.crowd.gang,
                unsettled=lambda: _unsettled(system, targets),
                within_s=settings.hold_s + _SPARE_S,
            )
        )


def _opened(system: System, session_ids: set[str]) -> dict[str, str]:
    """The draw of each of these sessions, once all of them take entries."""
    until = time.monotonic() + _LEAD_S + _OPENS_WITHIN_S
    while time.monotonic() < until:
        with system.db.read() as connection:
            found = draws.open_in_scope(connection, seeding.DRAWN)
            targets = draws.targets_of(connection, [draw.id for draw in found])
        of = {one.session_id: draw_id for draw_id, some in targets.items() for one in some}
        if session_ids <= of.keys():
            return {session_id: of[session_id] for session_id in sorted(session_ids)}
        time.sleep(0.05)
    raise Unavailable("draws: the windows did not open")


def _set_release(system: System, wanted: Sequence[PlannedSession]) -> int:
    """The outpatient office sets a new release time for these sessions, by importing them again."""
    now_us = system.clock.now_us()
    release_us = now_us + round((_LEAD_S + seeding.WINDOW_S) * SECOND_US)
    plan = SchedulePlan(sessions=tuple(dataclasses.replace(s, release_at_us=release_us) for s in wanted))
    with system.db.write() as connection:
        imported = import_plan(connection, plan, staff_id=None, source="calendar", now_us=now_us)
    if imported.updated != len(wanted):
        raise RuntimeError(f"only {imported.updated} of {len(wanted)} sessions got their release time")
    return release_us


def _unsettled(system: System, session_ids: set[str]) -> tuple[Offer, ...] | None:
    """The offers that stand in these sessions; None once nothing is offered, held unpaid or still to be drawn."""
    with system.db.read() as connection:
        drawing = draws.next_close_us(connection) is not None or draws.to_make(connection, limit=1)
        waiting = lifecycle.due_holds(connection, now_us=system.clock.now_us() + DAY_US, limit=_MOST_UNPAID)
        found = [p.booking for p in lifecycle.find_bookings(connection, waiting).values()]
    unpaid = [b for b in found if b.session_id in session_ids]
    if not unpaid and not drawing:
        return None
    return tuple(
        Offer(
            booking_id=b.id,
            patient_id=b.patient_id,
            session_id=b.session_id,
            slot_id=b.slot_id,
            account_id=b.account_id or "",
            drawn=b.wait_id is None,
        )
        for b in unpaid
        if b.state == "offered"
    )


def morning_report(
    system: System,
    server: RunningServer,
    seeded: Seeded,
    *,
    walk: Walk,
    rushed: Rushed,
    settled: bool,
    out: Path,
) -> dict[str, Any]:
    """Check the database and every answer, and add everything up; the draws' files are written into `out`."""
    now_us, rush = system.clock.now_us(), rushed.rush
    days = {s.id: s.day.isoformat() for s in seeded.wanted}
    with system.db.read() as connection:
        happened = checks.read_happened(connection, days)
        invariants = checks.check_invariants(connection, INVARIANTS)
        resting = sum(len(resting_in(connection, session_id)) for session_id in days)
        answers = checks.check_answers(connection, rush.asked, happened, days=days, now_us=now_us, entered=rush.entered)
    door = walking_door(server, seeded)
    files = read_draws(door, sorted(set(rushed.draws.values())), out)
    answers += draw_checks(files, rush.entered, happened)
    walked = all(step.ok for step in walk.steps) and bool(walk.booking_ids)
    crowd = {v.patient_id for v in seeded.crowd.visitors}
    return {
        "walk": {"ok": walked, "steps": [dataclasses.asdict(step) for step in walk.steps]},
        "release_at": iso(rushed.release_us),
        "settled": settled,
        "draws": draws_report(files, rush.entered, departments=_departments(seeded)),
        "by_arrival": figures.by_arrival(rush.visits, rush.entered, won_by(files)),
        "waitlist": {
            **figures.waitlist(rush.asked, happened, resting=resting),
            "batch_s": seeding.BATCH_S,
            "offer_s": seeding.OFFER_S,
            "window_s": seeding.WINDOW_S,
        },
        "patients_who_got_one": len({e.patient_id for e in happened if e.kind in {"booked", "accepted"}} & crowd),
        "traffic": {**figures.traffic(rush.asked), "hung_up": rush.hung_up},
        "latency": figures.latency(rush.asked),
        "waits_s": figures.waits(rush.visits, release_us=rushed.release_us),
        "throughput": figures.throughput(rush.asked, release_us=rushed.release_us, until_s=_SHOWN_S),
        "sold": figures.sold(_offers(seeded, rushed.draws), happened),
        "refusals": figures.refusals(rush.asked),
        "gang": figures.gang(rush.asked, figures.most_held(happened)),
        "invariants": checks.as_rows(invariants),
        "answers": checks.as_rows(answers),
    }


def _departments(seeded: Seeded) -> dict[str, tuple[str, str]]:
    """The names of the department of each wanted session."""
    names = {d.id: (d.name_zh, d.name_en) for d in seeded.plan.departments}
    return {s.id: names[s.department_id] for s in seeded.wanted}


def _offers(seeded: Seeded, draws_of: Mapping[str, str]) -> list[figures.Offer]:
    departments: dict[str, Department] = {d.id: d for d in seeded.plan.departments}
    doctors: dict[str, Doctor] = {d.id: d for d in seeded.plan.doctors}
    offers = []
    for session in seeded.wanted:
        department, doctor = departments[session.department_id], doctors.get(session.doctor_id or "")
        offers.append(
            figures.Offer(
                session_id=session.id,
                department_zh=department.name_zh,
                department_en=department.name_en,
                doctor_zh=doctor.name_zh if doctor else "",
                doctor_en=doctor.name_en if doctor else "",
                title_zh=doctor.title_zh if doctor else "",
                day=session.day.isoformat(),
                half=session.half,
                hot=session.hot,
                drawn=session.id in draws_of,
                capacity=session.capacity,
                fee_cents=session.fee_cents,
            )
        )
    return offers
