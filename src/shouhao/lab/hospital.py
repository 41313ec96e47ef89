"""A demonstration hospital and its people: made up from a seed, the same for the same seed.

Every name is put together by chance. Resident IDs and mobile numbers are well formed so that they pass the checks
of a real registration; by chance one may be somebody's, so nothing is ever sent to them.
"""

from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Literal

from shouhao.booking.calendar import CalendarTable, CalendarYearUnknown, SessionTemplate, day_kind, generate_sessions
from shouhao.booking.schedule import Department, Doctor, Kind, ReleaseRule, SchedulePlan
from shouhao.kernel.clock import day_of
from shouhao.kernel.randomness import SeededRandomness

DAYS = 14
_DOCTORS = 60
_HOT_DEPARTMENTS = {"OBS", "PED", "DERM"}
_RELEASE = ReleaseRule(days_before=7, at=time(7, 0))
_SEGMENT_MINUTES = 30

DEPARTMENTS = (
    Department(id="OBS", name_zh="产科", name_en="Obstetrics"),
    Department(id="PED", name_zh="儿科", name_en="Paediatrics"),
    Department(id="CARD", name_zh="心血管内科", name_en="Cardiology"),
    Department(id="ORTH", name_zh="骨科", name_en="Orthopaedics"),
    Department(id="DERM", name_zh="皮肤科", name_en="Dermatology"),
    Department(id="OPHT", name_zh="眼科", name_en="Ophthalmology"),
    Department(id="NEUR", name_zh="神经内科", name_en="Neurology"),
    Department(id="ENDO", name_zh="内分泌科", name_en="Endocrinology"),
)

_SURNAMES_TEXT = (
    "王Wang 李Li 张Zhang 刘Liu 陈Chen 杨Yang 赵Zhao 黄Huang 周Zhou 吴Wu 徐Xu 孙Sun 胡Hu 朱Zhu "
    "高Gao 林Lin 何He 郭Guo 马Ma 罗Luo 梁Liang 宋Song 郑Zheng 谢Xie 韩Han 唐Tang 冯Feng 于Yu "
    "董Dong 萧Xiao 程Cheng 曹Cao 袁Yuan 邓Deng 许Xu 傅Fu 沈Shen 曾Zeng 彭Peng 吕Lü 苏Su 卢Lu "
    "蒋Jiang 蔡Cai 贾Jia 丁Ding 魏Wei 薛Xue 叶Ye 阎Yan"
)
_GIVEN_TEXT = (
    "伟Wei 芳Fang 娜Na 敏Min 静Jing 丽Li 强Qiang 磊Lei 军Jun 洋Yang 勇Yong 艳Yan 杰Jie 娟Juan "
    "涛Tao 明Ming 超Chao 秀Xiu 霞Xia 平Ping 刚Gang 桂Gui 英Ying 华Hua 玉Yu 萍Ping 红Hong 玲Ling "
    "芬Fen 燕Yan 彬Bin 文Wen 辉Hui 建Jian 国Guo 晨Chen 雨Yu 欣Xin 怡Yi 梓Zi 涵Han 浩Hao 然Ran 子Zi "
    "轩Xuan 思Si 远Yuan"
)
_SURNAMES, _GIVEN = (
    tuple((pair[0], pair[1:]) for pair in written.split(" ")) for written in (_SURNAMES_TEXT, _GIVEN_TEXT)
)  # a character and how it is read
_TITLES: tuple[tuple[str, Kind, int, int], ...] = (  # title, kind, fee in cents, slots a half-day
    ("主任医师", "expert", 100_00, 16),
    ("副主任医师", "expert", 60_00, 24),
    ("主治医师", "general", 50_00, 40),
)
_AREAS = ("110105", "110108", "110106", "310104", "310105", "120101", "120102", "310101", "110101", "110102")
_MOBILE_PREFIXES = ("135", "136", "137", "138", "139", "150", "151", "152", "158", "159", "186", "188")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643-1999
_CHECK_DIGITS = "10X98765432"
_FIRST_BIRTH = date(1935, 1, 1)
_BIRTH_DAYS = (date(2024, 12, 31) - _FIRST_BIRTH).days
_MOBILE_NUMBERS = 100_000_000
_MOBILE_STRIDE = 38_196_601  # odd and no multiple of 5: visits every number once


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who does not exist."""

    name: str
    id_number: str  #: 18 characters with a correct check digit
    birth_day: date
    sex: Literal["female", "male"]
    mobile: str


def demonstration_hospital(*, seed: int, now_us: int) -> SchedulePlan:
    """Eight departments, sixty doctors, and two weeks of sessions that start tomorrow.

    A year whose holidays are not published yet is taken to have none but New Year's Day, so that the demonstration
    runs on any day; a hospital's own calendar never guesses.
    """
    chance = SeededRandomness(seed)
    first_day = day_of(now_us) + timedelta(days=1)
    last_day = first_day + timedelta(days=DAYS - 1)
    doctors: list[Doctor] = []
    templates: list[SessionTemplate] = []
    for number in range(_DOCTORS):
        department = DEPARTMENTS[number % len(DEPARTMENTS)]
        rank = min(number // len(DEPARTMENTS) // 2, len(_TITLES) - 1)
        name_zh, name_en = _name(chance)
        doctor = Doctor(
            id=f"D{number + 1:03d}",
            department_id=department.id,
            name_zh=name_zh,
            name_en=name_en,
            title_zh=_TITLES[rank][0],
        )
        doctors.append(doctor)
        templates.extend(_week(doctor, rank, chance))
    templates.extend(_antenatal(weekday) for weekday in (0, 2, 4))
    sessions = generate_sessions(templates, first_day, last_day, table=_table(first_day, last_day))
    return SchedulePlan(departments=DEPARTMENTS, doctors=tuple(doctors), sessions=tuple(sessions))


def people(count: int, seed: int) -> list[Person]:
    """That many people, of all ages, each ID number and each mobile number once."""
    chance = SeededRandomness(seed)
    mobile = chance.below(_MOBILE_NUMBERS)
    seen: set[str] = set()
    found: list[Person] = []
    while len(found) < count:
        birth_day = _FIRST_BIRTH + timedelta(days=chance.below(_BIRTH_DAYS))
        order = 1 + chance.below(999)
        body = f"{_AREAS[chance.below(len(_AREAS))]}{birth_day:%Y%m%d}{order:03d}"
        if body in seen:
            continue
        seen.add(body)
        mobile = (mobile + _MOBILE_STRIDE) % _MOBILE_NUMBERS
        prefix = _MOBILE_PREFIXES[chance.below(len(_MOBILE_PREFIXES))]
        found.append(
            Person(
                name=_name(chance)[0],
                id_number=body + check_digit(body),
                birth_day=birth_day,
                sex="male" if order % 2 else "female",
                mobile=f"{prefix}{mobile:08d}",
            )
        )
    return found


def check_digit(body: str) -> str:
    """The last character of a resident ID number, from the 17 before it.

    >>> check_digit("11010519491231002")
    'X'

    Source: GB 11643-1999.
    """
    return _CHECK_DIGITS[sum(int(digit) * weight for digit, weight in zip(body, _WEIGHTS, strict=True)) % 11]


def _name(chance: SeededRandomness) -> tuple[str, str]:
    surname = chance.below(len(_SURNAMES))
    given = [chance.below(len(_GIVEN)) for _ in range(1 + chance.below(2))]
    given_zh, given_en = zip(*(_GIVEN[index] for index in given), strict=True)
    surname_zh, surname_en = _SURNAMES[surname]
    return surname_zh + "".join(given_zh), f"{surname_en} {''.join(given_en).capitalize()}"


def _week(doctor: Doctor, rank: int, chance: SeededRandomness) -> list[SessionTemplate]:
    """Two to four half-days a week; the best known doctors of some departments are what everybody wants."""
    title, kind, fee_cents, capacity = _TITLES[rank]
    half_days: set[tuple[int, bool]] = set()
    wanted = 2 + chance.below(3)
    while len(half_days) < wanted:
        half_days.add((chance.below(5), chance.below(2) == 0))
    hot = doctor.department_id in _HOT_DEPARTMENTS and title == _TITLES[0][0]
    return [
        SessionTemplate(
            department_id=doctor.department_id,
            doctor_id=doctor.id,
            weekday=weekday,
            half="am" if morning else "pm",
            kind=kind,
            capacity=capacity // 2 if hot else capacity,
            fee_cents=fee_cents,
            starts=time(8, 0) if morning else time(13, 30),
            ends=time(12, 0) if morning else time(17, 0),
            release=_RELEASE,
            segment_minutes=_SEGMENT_MINUTES,
            hot=hot,
            works_on_makeup_days=True,
        )
        for weekday, morning in sorted(half_days)
    ]


def _antenatal(weekday: int) -> SessionTemplate:
    return SessionTemplate(
        department_id="OBS",
        weekday=weekday,
        half="am",
        kind="antenatal",
        capacity=8,
        fee_cents=50_00,
        starts=time(8, 0),
        ends=time(11, 30),
        release=_RELEASE,
        segment_minutes=_SEGMENT_MINUTES,
        hot=True,
    )


def _table(first_day: date, last_day: date) -> CalendarTable | None:
    unknown = {day.year for day in (first_day, last_day) if not _is_known(day)}
    if not unknown:
        return None
    return CalendarTable(years=frozenset(unknown), rest=frozenset(date(year, 1, 1) for year in unknown))


def _is_known(day: date) -> bool:
    try:
        day_kind(day)
    except CalendarYearUnknown:
        return False
    return True
