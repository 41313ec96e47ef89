"""Morning: a hospital is seeded, the real server runs, one patient walks, thousands rush, everything is checked.

What comes out is one mapping of plain values, from which report.json and the page are written.
"""

import asyncio
import dataclasses
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
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
from shouhao.kernel.errors import Refused
from shouhao.lab import checks, figures, seeding
from shouhao.lab.compare import SEEDS, compare
from shouhao.lab.crowd import plan_wishes, wanted_sessions
from shouhao.lab.hospital import demonstration_hospital
from shouhao.lab.known_face import run_known_face
from shouhao.lab.machine import machine_facts
from shouhao.lab.regimes import REGIMES
from shouhao.lab.running_server import RunningServer, reserved_port
from shouhao.lab.rush import Door, Offer, Rush
from shouhao.lab.seeding import Crowd
from shouhao.lab.walk import Walk, WalkTargets
from shouhao.settings import Settings
from shouhao.store.migrate import upgrade
from shouhao.wiring import INVARIANTS, System, assemble

VERSION = 3  #: of report.json

_MARK = "made-by-shouhao-demo"
_RELEASES_FROM_DAY = 9  # sessions that far ahead are not released yet, whatever the hour
_LEAD_S = 3.0  # from setting the release time to the release
_WINDOW_S = 10.0  # of the rush, shown in the report
_SPARE_S = 20.0  # after an unpaid slot's time: to be handed on, accepted and paid, perhaps twice
_MOST_UNPAID = 5000

Tell = Callable[[str, str], None]  #: Chinese, English: what is being done now


class FolderInUse(Refused):
    """The data folder was not made by a demo, so it is not replaced."""

    code = "demo.folder_in_use"
    zh = "{folder} 不是演示生成的数据目录，不会被覆盖；请用 --out 另选目录"
    en = "{folder} was not made by a demo and is not replaced; choose another with --out"


@dataclass(frozen=True, slots=True, kw_only=True)
class MorningSettings:
    """How big the morning is."""

    patients: int = 4000
    gang_accounts: int = 40
    places: int = 400  #: connections open at once, the gang's apart
    hold_s: int = 12  #: how long an unpaid slot waits; shorter than in life, so that its end can be seen
    seed: int = 20_26
    known_face: bool = False  #: whether people walk past simulated cameras as well, one of them listed
    faces: Path | None = None  #: photographs of one's own for it, one folder a person
    seeds_compared: int = SEEDS  #: mornings under each policy, side by side; nought: not compared
    host: str = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """What stands before the server starts."""

    crowd: Crowd
    channel_keys: Mapping[str, str]
    wanted: Sequence[PlannedSession]
    plan: SchedulePlan
    facts: Mapping[str, Any]


def run_morning(
    out: Path,
    settings: MorningSettings,
    *,
    tell: Tell,
    then: Callable[[Mapping[str, Any], RunningServer], None],
    program: Sequence[str] | None = None,
) -> Mapping[str, Any]:
    """Run the whole morning and return its report; the server is ended in any case.

    Args:
        out: `out/data` is made anew.
        then: given the report while the server still runs.
        program: another server than the real one, for tests.
    Raises:
        FolderInUse: `out/data` holds something else than an earlier demo.
        Unavailable: the server does not start.
    """
    started = time.monotonic()
    data = _fresh_data_folder(out)
    with ExitStack() as given_back:
        ports = tuple(given_back.enter_context(reserved_port(settings.host)) for _ in range(3))
        chosen = _server_settings(data, settings, ports)
        upgrade(chosen.open_url())
        system = assemble(chosen)
        given_back.callback(system.close)
        seeded = _seed(system, settings, tell)
        given = {
            "data_dir": str(data),
            "public_host": settings.host,
            "public_port": str(ports[0]),
            "console_host": settings.host,
            "console_port": str(ports[1]),
            "internal_host": settings.host,
            "internal_port": str(ports[2]),
            "hold_s": str(settings.hold_s),
        }
        more: dict[str, Any] = {} if program is None else {"program": program}
        log_file = out / "server.log"
        with RunningServer(given, host=settings.host, port=ports[0], log_file=log_file, **more) as server:
            tell("启动服务", "Starting the server")
            ready_s = server.wait_ready()
            report = _open_doors(system, server, seeded, settings, tell)
            report["server"]["ready_s"] = round(ready_s, 2)
            if settings.seeds_compared:
                report["comparison"] = _compare(settings, tell)
            if settings.known_face:
                report["known_face"] = run_known_face(out, faces=settings.faces, host=settings.host, tell=tell)
            report["took_s"] = round(time.monotonic() - started, 1)
            then(report, server)
            return report


def _fresh_data_folder(out: Path) -> Path:
    data = out.resolve() / "data"
    if data.exists() and any(data.iterdir()):
        if not (data / _MARK).exists():
            raise FolderInUse("out", folder=str(data))
        shutil.rmtree(data)
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    (data / _MARK).touch()
    return data


def _server_settings(data: Path, settings: MorningSettings, ports: Sequence[int]) -> Settings:
    """The same settings as the server's; given here, so that none of the environment's are taken."""
    return Settings(
        mode="embedded",
        data_dir=data,
        database_url=None,
        master_key_file=None,
        crypto_profile="intl",
        identity_authority="format_only",
        payment_gateway="reference",
        phone_code_sender="console",
        public_host=settings.host,
        public_port=ports[0],
        console_port=ports[1],
        internal_port=ports[2],
        hold_s=settings.hold_s,
    )


def _seed(system: System, settings: MorningSettings, tell: Tell) -> Seeded:
    tell("建立示范医院：科室、医生、两周排班", "Seeding departments, doctors and two weeks of sessions")
    started = time.monotonic()
    seeding.seed_release_policy(system)
    imported = seeding.seed_schedule(system, seed=settings.seed)
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


def _open_doors(
    system: System, server: RunningServer, seeded: Seeded, settings: MorningSettings, tell: Tell
) -> dict[str, Any]:
    """Everything that happens while the server runs."""
    tell("一位新患者走完全程", "One new patient goes all the way")
    walk = _walk(server, seeded, system)
    rush, release_us, settled = _rush(system, server, seeded, settings, tell)
    tell("核对数据库与每一个答复", "Checking the database and every answer")
    return _report(system, seeded, settings, walk=walk, rush=rush, release_us=release_us, settled=settled)


def _walk(server: RunningServer, seeded: Seeded, system: System) -> Walk:
    door = Door(host=server.host, port=server.port, channel_key=seeded.channel_keys[seeding.WALK_CHANNEL])

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


def _rush(
    system: System, server: RunningServer, seeded: Seeded, settings: MorningSettings, tell: Tell
) -> tuple[Rush, int, bool]:
    wishes = plan_wishes(len(seeded.crowd.visitors), seeded.wanted, seed=settings.seed)
    pairs = list(zip(seeded.crowd.visitors, wishes, strict=True))
    targets = [s.id for s in seeded.wanted]
    door = Door(host=server.host, port=server.port, channel_key=seeded.channel_keys[seeding.RUSH_CHANNEL])
    rush = Rush(door, places=settings.places, seed=settings.seed, stamp=f"demo-{system.clock.now_us():x}")
    release_us = _set_release(system, seeded.wanted)
    tell(f"{len(pairs)} 位患者等待放号", f"{len(pairs)} patients wait for the release")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(rush.run(pairs, seeded.crowd.gang, targets, release_us))
        tell("未支付的号到期，交给候补的人", "Unpaid slots run out and go to those who wait")
        settled = runner.run(
            rush.take_offers(
                {visitor.patient_id: visitor for visitor in seeded.crowd.visitors},
                unsettled=lambda: _unsettled(system, set(targets)),
                within_s=settings.hold_s + _SPARE_S,
            )
        )
    return rush, release_us, settled


def _set_release(system: System, wanted: Sequence[PlannedSession]) -> int:
    """The outpatient office sets a new release time for these sessions, by importing them again."""
    now_us = system.clock.now_us()
    release_us = now_us + round(_LEAD_S * SECOND_US)
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
        Offer(booking_id=b.id, patient_id=b.patient_id, session_id=b.session_id, slot_id=b.slot_id)
        for b in unpaid
        if b.state == "offered"
    )


def _compare(settings: MorningSettings, tell: Tell) -> dict[str, Any]:
    def progress(done: int, of: int) -> None:
        tell(f"同一个早晨，换一种规则再来：{done}/{of}", f"The same morning under other policies: {done}/{of}")

    progress(0, settings.seeds_compared * len(REGIMES))
    return compare(list(REGIMES.values()), seeds=settings.seeds_compared, progress=progress)


def _report(
    system: System,
    seeded: Seeded,
    settings: MorningSettings,
    *,
    walk: Walk,
    rush: Rush,
    release_us: int,
    settled: bool,
) -> dict[str, Any]:
    now_us = system.clock.now_us()
    days = {s.id: s.day.isoformat() for s in seeded.wanted}
    with system.db.read() as connection:
        happened = checks.read_happened(connection, days)
        invariants = checks.check_invariants(connection, INVARIANTS)
        resting = sum(len(resting_in(connection, session_id)) for session_id in days)
        answers = checks.check_answers(connection, rush.asked, happened, days=days, now_us=now_us)
    offers = _offers(seeded)
    walked = all(step.ok for step in walk.steps) and bool(walk.booking_ids)
    return {
        "version": VERSION,
        "made_at": iso(now_us),
        "hospital": {"zh": system.settings.hospital_name_zh, "en": system.settings.hospital_name_en},
        "ok": walked and all(c.holds for c in [*invariants, *answers]),
        "seeded": dict(seeded.facts),
        "settings": dataclasses.asdict(settings),
        "server": {"host": settings.host, "most_open": rush.most_open, "gang_connections": len(seeded.crowd.gang)},
        "walk": {"ok": walked, "steps": [dataclasses.asdict(step) for step in walk.steps]},
        "release_at": iso(release_us),
        "settled": settled,
        "waitlist": {
            **figures.waitlist(rush.asked, happened, resting=resting),
            "batch_s": seeding.BATCH_S,
            "offer_s": seeding.OFFER_S,
        },
        "patients_who_got_one": sum(v.group == "patient" and v.got for v in rush.visits),
        "traffic": {**figures.traffic(rush.asked), "hung_up": rush.hung_up},
        "latency": figures.latency(rush.asked),
        "waits_s": figures.waits(rush.visits, release_us=release_us),
        "throughput": figures.throughput(rush.asked, release_us=release_us, until_s=_WINDOW_S),
        "sold": figures.sold(offers, happened),
        "refusals": figures.refusals(rush.asked),
        "gang": figures.gang(rush.asked, figures.most_held(happened)),
        "invariants": checks.as_rows(invariants),
        "answers": checks.as_rows(answers),
        "machine": machine_facts(),
    }


def _offers(seeded: Seeded) -> list[figures.Offer]:
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
                capacity=session.capacity,
                fee_cents=session.fee_cents,
            )
        )
    return offers
