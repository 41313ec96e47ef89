"""Example: a report as a children's hospital might get it, for the tests of the page and for looking at it."""

import math
from collections.abc import Mapping
from typing import Any

from shouhao.detect.model import Says
from shouhao.detect.report.data import GAP_EDGES_US, REACTION_EDGES_US
from shouhao.detect.report.model import (
    Abstained,
    Activity,
    Compared,
    Counts,
    Excerpt,
    FindingExcerpts,
    Forecast,
    HotSession,
    LookedAt,
    Overlap,
    Problem,
    Report,
    Rhythm,
    Ring,
    RingEdge,
    RingNode,
    SellOutCurve,
    Skew,
    SourceRead,
)

DAY_US = 1_784_822_400_000_000  # 2026-07-24 00:00 in Shanghai
RELEASE_US = DAY_US + 7 * 3_600_000_000
LOG, ROTATED, EVENTS = "access.log", "access.log.1.gz", "events.csv"
_UA = "Mozilla/5.0 (Linux; Android 13; M2012K11AC) MicroMessenger/6.5.4 Chrome/39.0"


def example_report(**changed: Any) -> Report:
    """A whole report; arguments take the place of its parts."""
    leads = sorted((home_finding(), *(lead_finding(n) for n in range(9))), key=lambda one: -one["score"])
    findings = (ring_finding(), sniper_finding(), *leads)
    parts: dict[str, Any] = {
        "sources": _sources(),
        "problems": (
            Problem(
                file=LOG,
                line=88_213,
                byte=20_113_870,
                says=Says(zh="不符合日志格式，未分析", en="Does not have the form of the log; put aside"),
                count=11,
            ),
            Problem(
                file=EVENTS,
                line=None,
                byte=None,
                says=Says(zh="时间没有时区，按北京时间理解", en="Times without a zone; read as those of Asia/Shanghai"),
            ),
        ),
        "counts": Counts(
            hits=1_284_551,
            events=96_412,
            duplicates=2_117,
            late=38,
            looked_at=(
                LookedAt(kind="account", count=18_204),
                LookedAt(kind="device", count=15_877),
                LookedAt(kind="ip", count=9_312),
                LookedAt(kind="patient", count=21_050),
            ),
            abstained=(
                Abstained(code="face_batches", missing=("events.face_hash", "events.frame_hash")),
                Abstained(code="insiders", missing=()),
            ),
        ),
        "overlap": Overlap(first_at_us=DAY_US, last_at_us=DAY_US + 86_399_000_000),
        "skew": (
            Skew(source=LOG, against=EVENTS, ahead_us=1_420_000, low_us=980_000, high_us=1_870_000, pairs=14_203),
        ),
        "findings": findings,
        "rings": (example_ring(),),
        "hot_sessions": _hot_sessions(),
        "curves": _curves(),
        "rhythms": {findings[1]["finding_id"]: _rhythm()},
        "excerpts": {findings[0]["finding_id"]: _excerpts(), findings[1]["finding_id"]: hostile_excerpts()},
        "command": tuple(f"shouhao analyze --access-log {LOG} {ROTATED} --events {EVENTS} --out found".split()),
        "made_at": "2026-07-25T06:30:00.000000+08:00",
        "detector_versions": {"bursts": 1, "farms": 1, "hand_over": 2, "rhythm": 1, "rings": 1},
        "activity": Activity(of="hits", by_minute=_by_minute()),
        "level_from": {"lead": -4.0, "strong": 3.0, "certain-pattern": 6.0},
    }
    return Report(**{**parts, **changed})


def reason(code: str, zh: str, en: str, *, weight: float, **more: Any) -> dict[str, Any]:
    """A reason as findings.jsonl has it."""
    figures = {"measured": 12.0, "expected": 1.5, "threshold": 5.0}
    return {"code": code, "says": {"zh": zh, "en": en}, "weight": weight, "evidence": [], **figures, **more}


def finding(number: int, kind: str, name: str, *, base: float = -6.9, **more: Any) -> dict[str, Any]:
    """A finding as findings.jsonl has it; its score is the sum of its weights."""
    start = {
        "code": "scoring.base_rate",
        "says": {
            "zh": "绝大多数同类对象与号贩无关，评分由此起算",
            "en": "Nearly all of its kind have nothing to do with scalping; the score starts there",
        },
        "weight": base,
        "evidence": [],
    }
    made = {
        "finding_id": f"f-{number:024x}",
        "subject": {"kind": kind, "id": name},
        "members": [],
        "first_at": "2026-07-24T06:59:58.120000+08:00",
        "last_at": "2026-07-24T07:14:09.902000+08:00",
        "reasons": [],
        **more,
        "speaks_for": [start, *more.get("speaks_for", ())],
    }
    score = math.fsum(one["weight"] for part in ("reasons", "speaks_for") for one in made[part])
    level = "certain-pattern" if score >= 6 else "strong" if score >= 3 else "lead"
    return {"score": round(score, 3), "level": level, **made}


def ring_finding() -> Mapping[str, Any]:
    """31 accounts on four phones with one payer."""
    members = [{"kind": node.kind, "id": node.id} for node in example_ring().nodes]
    return finding(
        1,
        "ring",
        "ring_5b21c0d9",
        base=-4.6,
        members=members,
        reasons=[
            reason(
                "hand_over.related",
                "退出的 64 个号中有 58 个在 900 毫秒内被同组账号取走；陌生人通常要 41 秒",
                "58 of 64 slots given back were taken by the same group within 900 ms; strangers usually need 41 s",
                weight=6.0,
                measured=58.0,
                expected=1.2,
                threshold=3.0,
                owasp="OAT-021 Denial of Inventory",
                evidence_total=116,
                evidence=[
                    {"file": EVENTS, "byte_start": 4_811_902, "byte_end": 4_812_233},
                    {"file": ROTATED, "byte_start": 77_120_004, "byte_end": 77_120_230},
                ],
            ),
            reason(
                "farms.device",
                "31 个账号只用 4 台设备登录，每台 7 至 9 个；一般每台 1.1 个",
                "31 accounts signed in on 4 devices only, seven to nine on each; usual are 1.1",
                weight=4.6,
                measured=7.75,
                expected=1.1,
                threshold=5.0,
                owasp="OAT-019 Account Creation",
                evidence=[{"event_id": f"ev_{n:06}"} for n in range(40)],
            ),
            reason(
                "attendance.new_names",
                "28 名就诊人从未以本人账号约过号，只在此组名下就诊一次",
                "28 patients never booked by themselves and attended once, booked by this group",
                weight=2.9,
                measured=28.0,
                expected=2.4,
                threshold=8.0,
                owasp="OAT-005 Scalping",
            ),
        ],
        speaks_for=[
            {
                "code": "scoring.overlap_sharing",
                "says": {
                    "zh": "同一成因（sharing）的 2 条理由相互重叠，不重复计算",
                    "en": "2 reasons of one cause (sharing) see the same thing and are not counted twice",
                },
                "weight": -1.2,
                "evidence": [],
            },
            reason(
                "speaks.attended",
                "64 个号中有 51 个确有人就诊，不是空占",
                "51 of the 64 slots were attended and not just held",
                weight=-0.4,
                measured=51.0,
                expected=55.0,
                threshold=0.0,
                evidence=[{"file": EVENTS, "byte_start": 4_900_000, "byte_end": 4_900_101}],
            ),
        ],
    )


def sniper_finding() -> Mapping[str, Any]:
    """A script that polls every five seconds."""
    return finding(
        2,
        "account",
        "acct_9f2c11",
        reasons=[
            reason(
                "rhythm.period",
                "每 5.00 秒一次，连续 412 次，抖动 12 毫秒；真人做不到",
                "Every 5.00 s, 412 times on end, jitter 12 ms; no person does that",
                weight=5.9,
                measured=0.0024,
                expected=0.61,
                threshold=0.02,
                owasp="OAT-011 Scraping",
                evidence_total=412,
                evidence=[
                    {"file": LOG, "byte_start": 182_004, "byte_end": 182_611},
                    {"file": LOG, "byte_start": 184_120, "byte_end": 184_350},
                ],
            ),
            reason(
                "rhythm.reaction",
                "放号后 38 毫秒即提交，此前没有浏览",
                "Submitted 38 ms after the release without having looked at anything",
                weight=4.3,
                measured=0.038,
                expected=3.4,
                threshold=0.2,
                owasp="OAT-013 Sniping",
            ),
        ],
    )


def home_finding() -> Mapping[str, Any]:
    """A care home, which is not convicted."""
    return finding(
        3,
        "device",
        "dev_71aa03",
        reasons=[
            reason(
                "farms.device",
                "1 台设备为 46 名就诊人约号",
                "One device booked for 46 patients",
                weight=8.1,
                measured=46.0,
                expected=1.3,
                threshold=5.0,
            )
        ],
        speaks_for=[
            reason(
                "speaks.care_home",
                "就诊人多在 75 岁以上，全部就诊，从不抢热门号：像是养老院",
                "Most patients are over 75, all attended, none was for a hot slot: it looks like a care home",
                weight=-2.2,
                measured=46.0,
                expected=46.0,
                threshold=0.0,
            ),
            reason(
                "speaks.kiosk",
                "固定在一个地址，只在上班时间使用",
                "It stays at one address and is used in office hours only",
                weight=-0.5,
                measured=1.0,
                expected=3.0,
                threshold=1.0,
            ),
        ],
    )


def lead_finding(number: int) -> Mapping[str, Any]:
    """Something small."""
    kinds = ("account", "ip", "prefix")
    names = (f"acct_{number:06}", f"203.0.113.{number}", f"198.51.{number}.0/24")
    return finding(
        100 + number,
        kinds[number % 3],
        names[number % 3],
        reasons=[
            reason(
                "bursts.minute",
                f"一分钟内 {131 - number} 次操作，一般不超过 14 次",
                f"{131 - number} operations within a minute; usual are 14 at most",
                weight=6.2 - number / 10,
                measured=131.0 - number,
                expected=3.1,
                threshold=100.0,
                owasp="OAT-006 Expediting",
            )
        ],
    )


def example_ring() -> Ring:
    """Four phones with their accounts, one payer, and a bridge to a second payer."""
    nodes = [RingNode(kind="payer", id="pay_aa01"), RingNode(kind="payer", id="pay_aa02")]
    nodes += [RingNode(kind="device", id=f"dev_{n:02}") for n in range(4)]
    edges = []
    for n in range(31):
        nodes.append(RingNode(kind="account", id=f"acct_{7_000 + n * 37}"))
        at = len(nodes) - 1
        edges.append(RingEdge(a=at, b=2 + n % 4, weight=2.2))
        if n % 3 == 0:
            edges.append(RingEdge(a=at, b=0, weight=1.4))
    edges.append(RingEdge(a=6, b=1, weight=1.1, bridge=True))
    nodes.append(RingNode(kind="account", id="acct_9990"))
    edges.append(RingEdge(a=len(nodes) - 1, b=1, weight=1.1, bridge=True))
    return Ring(finding_id=f"f-{1:024x}", nodes=tuple(nodes), edges=tuple(edges))


def hostile_excerpts() -> FindingExcerpts:
    """Lines as attackers write them."""
    lines = (
        f'203.0.113.9 - - [24/Jul/2026:06:59:58 +0800] "GET /s?q=<script>alert(1)</script> HTTP/1.1" 200 "{_UA}"',
        '203.0.113.9 - - [24/Jul/2026:07:00:03 +0800] "GET \x1b[2J\x1b[31m\u202egpj.exe\u200b HTTP/1.1" 404 "\x00\x07"',
    )
    first = Excerpt(file=LOG, byte_start=182_004, byte_end=182_611, compression="none", lines=lines, cut_short=False)
    gone = Excerpt(
        file=LOG,
        byte_start=184_120,
        byte_end=184_350,
        compression="none",
        lines=(),
        cut_short=False,
        trouble=Says(zh="文件已变短，读不到这一处", en="the file is shorter now and ends before this place"),
    )
    return FindingExcerpts(reasons=((first, gone), ()))


def _excerpts() -> FindingExcerpts:
    cancelled = (
        "ev_081203,2026-07-24T07:02:11.004+08:00,cancelled,wechat,acct_7000,pt_3310,pay_aa01,dev_00,,,,儿科,dr_17"
    )
    booked = "ev_081204,2026-07-24T07:02:11.871+08:00,booked,wechat,acct_7037,pt_9921,pay_aa01,dev_01,,,,儿科,dr_17"
    asked = f'203.0.113.9 - - [24/Jul/2026:07:02:11 +0800] "POST /api/bookings HTTP/1.1" 201 512 "-" "{_UA}"'
    csv = Excerpt(
        file=EVENTS,
        byte_start=4_811_902,
        byte_end=4_812_233,
        compression="none",
        lines=(cancelled, booked),
        cut_short=True,
        encoding="gb18030",
    )
    log = Excerpt(
        file=ROTATED,
        byte_start=77_120_004,
        byte_end=77_120_230,
        compression="gzip",
        lines=(asked,),
        cut_short=False,
    )
    speaks = Excerpt(
        file=EVENTS,
        byte_start=4_900_000,
        byte_end=4_900_101,
        compression="none",
        lines=("ev_090001,2026-07-25T09:12:44.100+08:00,checked_in,window,,pt_3310,,,,,,儿科,dr_17",),
        cut_short=False,
        encoding="gb18030",
    )
    return FindingExcerpts(reasons=((csv, log),), speaks_for=((), (), (speaks,)))


def _sources() -> tuple[SourceRead, ...]:
    return (
        SourceRead(
            name=LOG,
            sha256="9b2f" * 16,
            size_bytes=301_221_003,
            kind="access_log",
            rows=1_102_834,
            set_aside=11,
            first_at_us=DAY_US,
            last_at_us=DAY_US + 86_399_000_000,
        ),
        SourceRead(
            name=ROTATED,
            sha256="04c7" * 16,
            size_bytes=9_100_422,
            kind="access_log",
            rows=181_717,
            set_aside=1,
            first_at_us=DAY_US - 7_200_000_000,
            last_at_us=DAY_US + 60_000_000,
            whole=False,
        ),
        SourceRead(
            name=EVENTS,
            sha256="e1a0" * 16,
            size_bytes=21_773_009,
            kind="events",
            rows=96_412,
            set_aside=0,
            first_at_us=DAY_US,
            last_at_us=DAY_US + 86_390_000_000,
        ),
    )


def _hot_sessions() -> tuple[HotSession, ...]:
    return tuple(
        HotSession(
            session_id=f"se_072{4 + n}am",
            doctor_id=f"dr_{17 + n}",
            department_id="儿科专家" if n % 2 else "产科建档",
            released_at_us=RELEASE_US,
            slots=30 - 2 * n,
            half_s=0.9 * (n + 1),
            most_s=2.1 * (n + 1) ** 2,
            last_s=8.0 * (n + 1) ** 2,
            forecast=Forecast(
                releases=6,
                low_s=1.2 * (n + 1),
                middle_s=2.0 * (n + 1),
                high_s=5.5 * (n + 1),
                next_at_us=RELEASE_US + 7 * 86_400_000_000,
            )
            if n < 4
            else None,
        )
        for n in range(7)
    )


def _curves() -> tuple[SellOutCurve, ...]:
    return tuple(
        SellOutCurve(
            session_id=one.session_id,
            taken_s=tuple(round(0.04 + one.last_s * (k / one.slots) ** 3, 3) for k in range(1, one.slots + 1)),
        )
        for one in _hot_sessions()
    )


def _rhythm() -> Rhythm:
    def bell(edges: tuple[int, ...], middle_us: float, width: float, total: int) -> tuple[int, ...]:
        each = [math.exp(-((math.log10(max(e, 1) / middle_us) / width) ** 2)) for e in edges[1:]]
        return tuple(round(total * one / sum(each)) for one in each)

    gaps = Compared(
        edges=GAP_EDGES_US,
        subject=bell(GAP_EDGES_US, 5e6, 0.08, 412),
        others=bell(GAP_EDGES_US, 2e7, 1.6, 200_000),
        people=5_000,
    )
    reactions = Compared(
        edges=REACTION_EDGES_US,
        subject=bell(REACTION_EDGES_US, 4e4, 0.15, 19),
        others=bell(REACTION_EDGES_US, 6e6, 0.7, 30_000),
        people=5_000,
    )
    hours = Compared(
        edges=tuple(range(25)),
        subject=tuple(380 if hour in {6, 7} else 0 for hour in range(24)),
        others=tuple(max(5, round(9_000 * math.exp(-(((hour - 9) / 5) ** 2)))) for hour in range(24)),
        people=5_000,
    )
    return Rhythm(gaps=gaps, reactions=reactions, hours=hours)


def _by_minute() -> tuple[int, ...]:
    return tuple(
        round(300 + 900 * math.exp(-(((m - 560) / 260) ** 2)) + (42_000 * math.exp(-(m - 420) / 3) if m >= 420 else 0))
        for m in range(1440)
    )
