"""Switches: what each function needs before the law lets it run, and whether that is true now.

Each need names its article, the record that people hand in for it where there is one, who holds it, and the check
below that looks. Everything is off by default. Whether keeping scalpers out is "public security" in the sense of PIPL
26 is not settled by any text that was found; the necessity memo is where a hospital answers for it
(docs/concepts/law.md says so plainly).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType

from shouhao.compliance.facts import FACES_FILED_AT, FACES_WARN_AT, Facts, filing_change
from shouhao.compliance.model import Article, Due, Missing, NeedCode, Standing, Switch
from shouhao.compliance.records import (
    EqualWay,
    FaceFiling,
    ImpactAssessment,
    NecessityMemo,
    PoliceFiling,
    Record,
    RecordKind,
    Retention,
)
from shouhao.compliance.working_days import working_days_after
from shouhao.kernel.clock import DAY_US, HOUR_US, day_of, iso, start_of_day_us

CAMERAS_CHANGED_SHARE = 0.10  #: more cameras than this share changed, and the assessment looked at something else
LIST_SIZES = (300, 3_000, 30_000, 100_000)  #: of the watchlist: another class, and other risks
SIGN_LASTS_US = 31 * DAY_US
SIGN_GRACE_US = DAY_US  #: to photograph the sign of a camera that went live
FILED_WITHIN_DAYS = 30
FACE_FILED_WITHIN_WORKING_DAYS = 30
COUNTED_WITHIN_US = 24 * HOUR_US  #: facts older than this are not known
RETENTION_WITHIN_US = 2 * DAY_US
_WARN_US = 7 * DAY_US  #: before something ends

_PIPL_26 = Article(zh="个人信息保护法第26条", en="PIPL 26")
_PIPL_51 = Article(zh="个人信息保护法第51条", en="PIPL 51")
_PIPL_55 = Article(zh="个人信息保护法第55、56条", en="PIPL 55 and 56")
_FACE = {
    number: Article(zh=f"人脸识别技术应用安全管理办法第{number}条", en=f"Face Measures {number}")
    for number in (4, 8, 9, 10, 13, 15)
}
_VIDEO = {
    number: Article(zh=f"公共安全视频图像信息系统管理条例第{number}条", en=f"Video Regulation {number}")
    for number in (7, 13, 14, 17)
}
_TERROR_32 = Article(zh="反恐怖主义法第32条（重点目标）", en="Counter-Terrorism Law 32 (key targets)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a check may look at."""

    switch: Switch
    records: Mapping[RecordKind, Record]  #: the newest of each kind, the switch's own or the hospital's
    facts: Facts
    now_us: int

    def body(self, kind: RecordKind) -> object:
        """The newest record's body; None where there is none."""
        record = self.records.get(kind)
        return None if record is None else record.body


#: What a check found: why it is missing, or by when it will be, in both languages; nothing when all is well.
Found = tuple[str, str]
Soon = tuple[str, str, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One thing that the law asks for."""

    code: NeedCode
    zh: str
    en: str
    articles: tuple[Article, ...]
    record: RecordKind | None  #: what people hand in; None: the system sees it by itself
    holder: str  #: role of those who can bring it
    check: Callable[[Case], Found | None]
    soon: Callable[[Case], Soon | None] = lambda _: None


def standing_of(
    switch: Switch,
    records: Mapping[RecordKind, Record],
    facts: Facts | None,
    *,
    turned_on: bool,
    now_us: int,
    since_us: int | None = None,
    why: str = "",
) -> Standing:
    """How a switch stands.

    Args:
        records: the newest of each kind.
        facts: None, or old ones: nobody has counted, and everything that rests on them is missing.
        turned_on: by people, and not turned off since.
    """
    if facts is None or now_us - facts.at_us > COUNTED_WITHIN_US:
        missing: tuple[Missing, ...] = (_missing(_COUNTED, "系统最近一天没有核对", "nothing was counted within a day"),)
        due: tuple[Due, ...] = ()
    else:
        case = Case(switch=switch, records=records, facts=facts, now_us=now_us)
        found = [(need, need.check(case)) for need in NEEDS[switch]]
        missing = tuple(_missing(need, *said) for need, said in found if said is not None)
        due = tuple(_due(need, case) for need, said in found if said is None and need.soon(case) is not None)
    return Standing(
        switch=switch,
        on=turned_on and not missing,
        missing=missing,
        due=due,
        turned_on=turned_on,
        since_us=since_us,
        why=why,
    )


def size_class(people: int) -> int:
    """Which class of size a list is in."""
    return sum(people > edge for edge in LIST_SIZES)


def changed_share(before: frozenset[str], now: frozenset[str]) -> float:
    """How much of a set of cameras is another one, against what it was."""
    if not before:
        return 1.0 if now else 0.0
    return len(before ^ now) / len(before)


def face_filing_deadline(over_since_us: int) -> date:
    """The last day for filing with the network authority."""
    return working_days_after(day_of(over_since_us), FACE_FILED_WITHIN_WORKING_DAYS)


def _missing(need: Need, zh: str, en: str) -> Missing:
    return Missing(need=need.code, zh=zh, en=en, articles=need.articles, holder=need.holder)


def _due(need: Need, case: Case) -> Due:
    zh, en, at_us = need.soon(case) or ("", "", None)
    return Due(need=need.code, zh=zh, en=en, at_us=at_us, holder=need.holder)


def _memo(case: Case) -> Found | None:
    if isinstance(case.body("necessity_memo"), NecessityMemo):
        return None
    return "没有必要性说明", "there is no necessity memo"


def _assessment(case: Case) -> Found | None:
    made = case.body("impact_assessment")
    if not isinstance(made, ImpactAssessment):
        return "没有个人信息保护影响评估", "there is no impact assessment"
    if case.switch == "frequent_visitors" and made.window_days == 0:
        return "评估没有允许任何统计天数", "the assessment allows no days to count over"
    return _stale(case, made)


def _stale(case: Case, made: ImpactAssessment) -> Found | None:
    """Why an assessment is about something else than what is there now."""
    memo = case.body("necessity_memo")
    if isinstance(memo, NecessityMemo) and (_plain(memo.purpose), _plain(memo.method)) != (
        _plain(made.purpose),
        _plain(made.method),
    ):
        return "目的或方式与必要性说明不一致，须重新评估", "purpose or method are not the memo's; assess anew"
    share = changed_share(frozenset(made.camera_ids), frozenset(camera.id for camera in case.facts.cameras))
    if share > CAMERAS_CHANGED_SHARE:
        zh = f"摄像机变动 {share:.0%}，超过 {CAMERAS_CHANGED_SHARE:.0%}，须重新评估"
        return zh, f"{share:.0%} of the cameras changed, above {CAMERAS_CHANGED_SHARE:.0%}; assess anew"
    if case.switch != "frequent_visitors" and size_class(made.list_size) != size_class(case.facts.list_size):
        zh = f"布控人数由 {made.list_size} 变为 {case.facts.list_size}，规模已变，须重新评估"
        return zh, f"the list went from {made.list_size} to {case.facts.list_size} people, another size; assess anew"
    incident = case.records.get("incident")
    if incident is not None and incident.at_us > case.records["impact_assessment"].at_us:
        return "评估之后发生过重大安全事件，须重新评估", "there was a major incident since; assess anew"
    return None


def _signs(case: Case) -> Found | None:
    without = [camera.id for camera in case.facts.cameras if _sign_ends_us(camera) < case.now_us]
    if not without:
        return None
    listed = "、".join(without[:10])
    return f"{len(without)} 台摄像机没有一个月内的提示标识照片：{listed}", (
        f"no photograph of the sign within a month at {len(without)} cameras: {', '.join(without[:10])}"
    )


def _signs_soon(case: Case) -> Soon | None:
    ends = min((_sign_ends_us(camera) for camera in case.facts.cameras), default=None)
    if ends is None or ends - case.now_us > _WARN_US:
        return None
    return "提示标识照片即将满一个月", "photographs of signs will soon be a month old", ends


def _sign_ends_us(camera: object) -> int:
    taken = getattr(camera, "sign_taken_at_us", None)
    if taken is None:
        return int(getattr(camera, "live_since_us", 0)) + SIGN_GRACE_US
    return int(taken) + SIGN_LASTS_US


def _police_deadline_us(case: Case) -> int | None:
    since = case.facts.unfiled_since_us
    return None if since is None else start_of_day_us(day_of(since) + timedelta(days=FILED_WITHIN_DAYS + 1))


def _police(case: Case) -> Found | None:
    ends = _police_deadline_us(case)
    if ends is None or case.now_us < ends or not _unfiled(case):
        return None
    return "视频系统未在 30 日内向公安机关备案，或变动未更新", (
        "the cameras, or their changes, were not filed with the police within 30 days"
    )


def _police_soon(case: Case) -> Soon | None:
    ends = _police_deadline_us(case)
    if ends is None or not _unfiled(case):
        return None
    return f"须在 {iso(ends)[:10]} 之前向公安机关备案", f"to be filed with the police before {iso(ends)[:10]}", ends


def _unfiled(case: Case) -> bool:
    filing = case.body("police_filing")
    return filing_change(case.facts.cameras, filing if isinstance(filing, PoliceFiling) else None).any


def _faces(case: Case) -> Found | None:
    since = case.facts.faces_over_since_us
    if since is None or isinstance(case.body("face_filing"), FaceFiling):
        return None
    last = face_filing_deadline(since)
    if day_of(case.now_us) <= last:
        return None
    return f"存储人脸已达 {FACES_FILED_AT:,} 人，备案期限 {last} 已过", (
        f"{FACES_FILED_AT:,} faces are stored, and the last day to file was {last}"
    )


def _faces_soon(case: Case) -> Soon | None:
    stored = case.facts.stored_faces
    if stored < FACES_WARN_AT[0] or isinstance(case.body("face_filing"), FaceFiling):
        return None
    since = case.facts.faces_over_since_us
    if since is not None:
        last = face_filing_deadline(since)
        ends = start_of_day_us(last + timedelta(days=1))
        return f"须在 {last} 之前向省级网信部门备案", f"to be filed with the network authority by {last}", ends
    passed = max(edge for edge in FACES_WARN_AT if stored >= edge)
    return (
        f"存储人脸 {stored:,} 人，已超过 {passed:,}，达 {FACES_FILED_AT:,} 须备案",
        (f"{stored:,} faces are stored, above {passed:,}; from {FACES_FILED_AT:,} on they are filed"),
        None,
    )


def _retention(case: Case) -> Found | None:
    if not isinstance(case.body("retention"), Retention):
        return "没有确定图像保存期限（30 或 90 日）", "nobody has said how long pictures are kept (30 or 90 days)"
    ran = case.facts.retention_ran_at_us
    if ran is None or case.now_us - ran > RETENTION_WITHIN_US:
        return "到期图像的删除任务两天没有运行", "what has served its time was not deleted for two days"
    return None


def _training(case: Case) -> Found | None:
    if case.facts.trained > 0:
        return None
    return "没有培训有效、可以查看人脸的工作人员", "nobody who may look at faces has valid training"


def _training_soon(case: Case) -> Soon | None:
    without = case.facts.looking - case.facts.trained
    if without <= 0:
        return None
    zh = f"{without} 名有权查看人脸的人员没有有效培训，查看会被拒绝"
    return zh, f"{without} people whose role lets them look at faces lack training and are refused", None


def _equal_way(case: Case) -> Found | None:
    if isinstance(case.body("equal_way"), EqualWay):
        return None
    return "没有说明不刷脸者的同等通道", "nobody has said how people who show no face are served as well"


def _plain(text: str) -> str:
    return " ".join(text.split())


def _nothing(_: Case) -> None:
    return None


_COUNTED = Need(
    code="counted",
    zh="系统持续核对",
    en="the system keeps counting",
    articles=(_PIPL_51,),
    record=None,
    holder="it",
    check=_nothing,
)
_ALL: Mapping[NeedCode, Need] = {
    need.code: need
    for need in (
        Need(
            code="necessity_memo",
            zh="必要性说明",
            en="necessity memo",
            articles=(_PIPL_26, _FACE[4], _VIDEO[7]),
            record="necessity_memo",
            holder="security",
            check=_memo,
        ),
        Need(
            code="impact_assessment",
            zh="个人信息保护影响评估",
            en="impact assessment",
            articles=(_PIPL_55, _FACE[9]),
            record="impact_assessment",
            holder="data_protection",
            check=_assessment,
        ),
        Need(
            code="signs",
            zh="显著的提示标识",
            en="signs that people see",
            articles=(_PIPL_26, _FACE[13], _VIDEO[13]),
            record=None,
            holder="security",
            check=_signs,
            soon=_signs_soon,
        ),
        Need(
            code="police_filing",
            zh="向县级公安机关备案",
            en="filing with the county's police",
            articles=(_VIDEO[14],),
            record="police_filing",
            holder="security",
            check=_police,
            soon=_police_soon,
        ),
        Need(
            code="face_filing",
            zh="存储人脸达 10 万人的备案",
            en="filing of 100,000 stored faces",
            articles=(_FACE[15],),
            record="face_filing",
            holder="data_protection",
            check=_faces,
            soon=_faces_soon,
        ),
        Need(
            code="retention",
            zh="保存期限与到期删除",
            en="retention, and deletion at its end",
            articles=(_VIDEO[17], _FACE[8], _TERROR_32),
            record="retention",
            holder="security",
            check=_retention,
        ),
        Need(
            code="training",
            zh="人员培训",
            en="training of operators",
            articles=(_PIPL_51,),
            record=None,
            holder="administrator",
            check=_training,
            soon=_training_soon,
        ),
        Need(
            code="equal_way",
            zh="不刷脸的同等通道",
            en="an equal way without a face",
            articles=(_FACE[10],),
            record="equal_way",
            holder="outpatient_office",
            check=_equal_way,
        ),
    )
}
_OF_CAMERAS: tuple[NeedCode, ...] = (
    "necessity_memo",
    "impact_assessment",
    "signs",
    "police_filing",
    "face_filing",
    "retention",
    "training",
)
#: What each switch needs. Recordings and counts serve nobody, so there is nothing to be served without a face.
NEEDS: Mapping[Switch, tuple[Need, ...]] = MappingProxyType(
    {
        "watchlist": tuple(_ALL[code] for code in (*_OF_CAMERAS, "equal_way")),
        "recordings_search": tuple(_ALL[code] for code in _OF_CAMERAS),
        "frequent_visitors": tuple(_ALL[code] for code in _OF_CAMERAS),
    }
)
