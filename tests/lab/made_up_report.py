"""A report made of a handful of invented answers, through the same figures as a real one."""

from dataclasses import asdict
from typing import Any

from shouhao.lab import checks, figures
from shouhao.lab.checks import Check
from shouhao.lab.compare import summary
from shouhao.lab.figures import Happened, Offer
from shouhao.lab.heard import Asked, Entered, Visit
from shouhao.lab.play import TENTHS, Outcome
from shouhao.lab.regimes import REGIMES, Regime
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


def entered(number: int, **changed: Any) -> Entered:
    given: dict[str, Any] = {
        "who": f"pt_{number}",
        "group": "patient",
        "draw_id": "dr_1",
        "entry_id": f"en_{number}",
        "wishes": ("se_2",),
        "at_us": number,
    }
    return Entered(**(given | changed))


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
        "version": 4,
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
            "window_s": 10,
        },
        "chapters": [
            _chapter("setting", "", "示范医院", "The hospital"),
            _chapter("night", "昨夜", "从昨天的日志与预约中找出号贩", "Scalpers in yesterday's logs"),
            _chapter("morning", "07:58", "抽签与放号", "The draws and the release"),
            _chapter("watch", "09:50", "认出名单上的人", "A known face"),
        ],
        "night": made_up_night(),
        "draws": made_up_draws(),
        "by_arrival": {"draw": [0.05, 0.04, 0.06, None] + [0.05] * 6, "first_come": [1.0] * 5 + [0.4] + [0.0] * 4},
        "known_face": made_up_known_face(),
        "patients_who_got_one": SLOTS,
        "traffic": {**figures.traffic(answers), "hung_up": 3},
        "latency": figures.latency(answers),
        "waits_s": figures.waits(
            [Visit(group="patient", arrived_us=RELEASE_US, answered_us=RELEASE_US + 300_000, got=True)],
            release_us=RELEASE_US,
        ),
        "throughput": figures.throughput(answers, release_us=RELEASE_US, until_s=10.0),
        "sold": figures.sold([offer(), offer("se_2", hot=True, capacity=8, drawn=True)], happened),
        "refusals": figures.refusals(answers),
        "gang": figures.gang(answers, figures.most_held(happened)),
        "invariants": checks.as_rows([held]),
        "answers": checks.as_rows([held]),
        "machine": {"cpu": "made up", "cores": "2"},
        "took_s": 31.4,
        **changed,
    }


def made_up_night(**changed: Any) -> dict[str, Any]:
    kinds = (("crude_script", 8, 8, 8), ("slow_handover", 12, 0, 5), ("careful_ghost", 8, 0, 6))
    return {
        "ran": True,
        "day": "2026-11-21",
        "days": 8,
        "hits": 316_611,
        "events": 31_089,
        "findings": {"certain-pattern": 38, "strong": 43, "lead": 133},
        "made_s": 4.1,
        "analysed_s": 18.0,
        "page": "night/found/report.html",
        "accounts": {"gang": 28, "honest": 1330},
        "found": {"lead": 19, "strong": 8, "certain-pattern": 8},
        "missed": 9,
        "gangs": [
            {
                "kind": kind,
                "accounts": of,
                "at_least": {"strong": strong, "lead": lead},
                "of_kind": of,
                "ring_found": bool(strong),
                "level": "certain-pattern",
            }
            for kind, of, strong, lead in kinds
        ],
        "rings_found": 1,
        "honest": {"count": 0, "of": 1330, "high_per_10_000": 27.7},
        "honest_as_lead": 22,
        **changed,
    }


def made_up_draws() -> list[dict[str, Any]]:
    return [
        {
            "draw_id": f"dr_{n}",
            "department_zh": zh,
            "department_en": en,
            "seats": 40,
            "entries": {"patients": 910 + n, "gang": 10},
            "won": {"patients": 39, "gang": 1},
            "file": f"draw-dr_{n}.json",
        }
        for n, (zh, en) in enumerate((("产科", "Obstetrics"), ("骨科", "Orthopaedics")))
    ]


def made_up_known_face(**changed: Any) -> dict[str, Any]:
    steps = [{"step": name, "at_s": 2.0 + n} for n, name in enumerate(("raised", "acknowledged", "closed"))]
    return {
        "ran": True,
        "pack": "dlib",
        "for_trying_out": True,
        "cameras": 2,
        "passages": 27,
        "passages_of_listed": 14,
        "posts": 50,
        "not_taken": 0,
        "places_of_listed": 2,
        "found": 2,
        "missed": 0,
        "false": 0,
        "walked": [{"at_s": n / 2, "camera": n % 2, "listed": n % 3 == 0} for n in range(27)],
        "alarms": [
            {
                "place_id": place_id,
                "camera": camera,
                "similarity": 0.967,
                "threshold": 0.946,
                "sightings": 3,
                "after_s": 1.0,
                "steps": steps,
                "outcome": outcome,
                "timeline": f"alarm-{camera + 1}.html",
            }
            for camera, (place_id, outcome) in enumerate(
                (("sim-entrance-1", "removed"), ("sim-window-1", "genuine_visit"))
            )
        ],
        "left": {"open_pictures": 0, "stills": 16},
        "took_s": 20.0,
        **changed,
    }


def _chapter(code: str, when: str, zh: str, en: str) -> dict[str, Any]:
    return {"code": code, "when": when, "zh": zh, "en": en, "took_s": 20.0, "says": {"zh": "如此", "en": "so"}}


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
