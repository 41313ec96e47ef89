"""A report made of a handful of invented answers, through the same figures as a real one."""

from dataclasses import asdict
from typing import Any

from shouhao.lab import checks, figures
from shouhao.lab.checks import Check
from shouhao.lab.compare import summary
from shouhao.lab.figures import Happened, Offer
from shouhao.lab.play import TENTHS, Outcome
from shouhao.lab.regimes import REGIMES, Regime
from shouhao.lab.rush import Asked, Visit
from shouhao.lab.stage import Size
from shouhao.lab.virtual_people import Habits

RELEASE_US = 1_800_000_000_000_000
SLOTS = 40


def asked(number: int, **changed: Any) -> Asked:
    given: dict[str, Any] = {
        "who": f"pt_{number}",
        "account": f"ac_{number}",
        "group": "patient",
        "deed": "book",
        "session_id": "se_1",
        "key": f"k{number}",
        "sent_us": RELEASE_US + number * 10_000,
        "took_us": 4_000 + number * 700,
        "status": 201,
        "booking_id": f"bk_{number}",
        "slot_id": f"sl_{number}",
    }
    return Asked(**(given | changed))


def refused(number: int, code: str, **changed: Any) -> Asked:
    return asked(number, status=409, code=code, booking_id="", slot_id="", **changed)


def booked(number: int, **changed: Any) -> Happened:
    given: dict[str, Any] = {
        "at_us": RELEASE_US + 20_000 * (number + 1),
        "kind": "booked",
        "session_id": "se_1",
        "slot_id": f"sl_{number}",
        "booking_id": f"bk_{number}",
        "patient_id": f"pt_{number}",
    }
    return Happened(**(given | changed))


def offer(session_id: str = "se_1", **changed: Any) -> Offer:
    given: dict[str, Any] = {
        "session_id": session_id,
        "department_zh": "内分泌科",
        "department_en": "Endocrinology",
        "doctor_zh": "欧阳明娟",
        "doctor_en": "Ouyang Mingjuan",
        "title_zh": "副主任医师",
        "day": "2026-12-01",
        "half": "am",
        "hot": False,
        "capacity": SLOTS,
        "fee_cents": 5000,
    }
    return Offer(**(given | changed))


def made_up_report(**changed: Any) -> dict[str, Any]:
    answers = [asked(n) for n in range(SLOTS)]
    answers += [refused(n, "booking.sold_out") for n in range(100, 700)]
    answers += [refused(n, "booking.limit_reached", group="gang", who="pt_gang") for n in range(700, 900)]
    answers += [asked(n, deed="pay", key=f"p{n}", status=200) for n in range(20)]
    answers += [asked(n, deed="join", key=f"j{n}", booking_id="", slot_id="") for n in range(100, 130)]
    happened = [Happened(**_released())] + [booked(n) for n in range(SLOTS)]
    happened += [booked(n, kind="expired") for n in range(3)]
    happened += [booked(n, kind=kind, patient_id=f"pt_{100 + n}") for n in range(3) for kind in ("offered", "accepted")]
    held = Check(code="held_has_an_end", zh="待支付的号都有时限", en="Every held slot ends", looked_at=None, broken=0)
    step = {"en": "Book; the slot is held", "request": "POST /api/v1/bookings", "took_ms": 4.25, "ok": True}
    return {
        "version": 2,
        "made_at": "2026-11-22T08:00:01.000000+08:00",
        "hospital": {"zh": "示范医院", "en": "Demo Hospital"},
        "ok": True,
        "seeded": {
            "departments": 8,
            "doctors": 60,
            "sessions": 394,
            "slots": 11312,
            "patients": 700,
            "gang_accounts": 4,
            "gang_persons": 1,
            "schedule_s": 0.2,
            "people_s": 7.3,
        },
        "settings": {"places": 400, "hold_s": 12},
        "server": {"most_open": 400, "gang_connections": 4, "ready_s": 0.8},
        "walk": {
            "ok": True,
            "steps": [
                {**step, "zh": "刚绑定就约热门号:按规则拒绝", "status": 409, "code": "booking.binding_too_new"},
                {**step, "zh": "预约,号源保留待支付", "status": 201, "code": ""},
            ],
        },
        "settled": True,
        "waitlist": {
            **figures.waitlist(answers, happened, resting=2),
            "batch_s": 10,
            "offer_s": 60,
        },
        "comparison": made_up_comparison(),
        "patients_who_got_one": SLOTS,
        "traffic": {**figures.traffic(answers), "hung_up": 3},
        "latency": figures.latency(answers),
        "waits_s": figures.waits(
            [Visit(group="patient", arrived_us=RELEASE_US, answered_us=RELEASE_US + 300_000, got=True)],
            release_us=RELEASE_US,
        ),
        "throughput": figures.throughput(answers, release_us=RELEASE_US, until_s=10.0),
        "sold": figures.sold([offer(), offer("se_2", hot=True, capacity=8)], happened),
        "refusals": figures.refusals(answers),
        "gang": figures.gang(answers, figures.most_held(happened)),
        "invariants": checks.as_rows([held]),
        "answers": checks.as_rows([held]),
        "machine": {"cpu": "made up", "cores": "2"},
        "took_s": 31.4,
        **changed,
    }


def made_up_comparison(**changed: Any) -> dict[str, Any]:
    size = Size()
    return {
        "scenario": "morning",
        "seeds": 2,
        "size": {**asdict(size), "slots": size.slots, "people": size.people},
        "fair_share": size.gang / size.people,
        "assumed": {"price_yuan": 500, "wishes": 3, **asdict(Habits())},
        "policies": [summary(regime, [_outcome(regime, seed) for seed in (1, 2)]) for regime in REGIMES.values()],
        "took_s": 20.5,
        **changed,
    }


def _outcome(regime: Regime, seed: int) -> Outcome:
    size = Size()
    gang = 8 + seed if regime.draws else 58 + seed
    return Outcome(
        regime=regime.name,
        seed=seed,
        slots=size.slots,
        honest=size.honest,
        gang=size.gang,
        entries_honest=size.honest,
        entries_gang=size.gang,
        first_honest=size.slots - gang,
        first_gang=gang,
        end_honest=size.slots - 3 if regime.waits else size.slots - gang,
        end_bought=0 if regime.waits else gang - 1,
        end_gang=0,
        sales_tried=gang,
        sales_reached=0 if regime.waits else gang,
        strangers_chance=0.4,
        extra_yuan=0 if regime.waits else 500 * gang,
        sold_out_s=None if regime.draws else 1.2 + seed / 10,
        by_speed=tuple(0.1 + 0.01 * ((n * seed) % 4) if regime.draws else 0.3 / (n + 1) for n in range(TENTHS)),
    )


def _released() -> dict[str, Any]:
    given = {"at_us": RELEASE_US, "kind": "released", "session_id": "se_1"}
    return {**given, "slot_id": "", "booking_id": "", "patient_id": ""}
