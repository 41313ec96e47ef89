"""Cells of a schedule file: which headings are known, which words mean what, how days, times and money are read."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from shouhao.booking.schedule import Half, Kind, check_id, check_name
from shouhao.kernel.clock import MINUTE_US, start_of_day_us
from shouhao.kernel.errors import InvalidInput

_HOUR_MIN = 60
_DAY_MIN = 24 * 60

#: Headings by column, compared without case, spaces, underscores and what stands in brackets.
HEADINGS: dict[str, tuple[str, ...]] = {
    "department_id": ("departmentid", "科室编号", "科室代码", "科室编码"),
    "department": ("department", "departmentzh", "科室", "科室名称"),
    "department_en": ("departmenten", "科室英文", "科室英文名"),
    "doctor_id": ("doctorid", "医生编号", "医生工号", "工号", "医师编号"),
    "doctor": ("doctor", "doctorzh", "医生", "医生姓名", "医师", "医师姓名"),
    "doctor_en": ("doctoren", "医生英文", "医生英文名"),
    "title": ("title", "职称"),
    "day": ("day", "date", "日期", "出诊日期"),
    "half": ("half", "时段", "午别", "班次"),
    "kind": ("kind", "号别", "号类", "门诊类型"),
    "start": ("start", "开始时间", "开诊时间", "开始"),
    "end": ("end", "结束时间", "停诊时间", "结束"),
    "capacity": ("capacity", "限号数", "号数", "号源数"),
    "segment_minutes": ("segmentminutes", "分时分钟", "分时段分钟", "每段分钟"),
    "fee": ("fee", "挂号费", "费用", "诊查费"),
    "release_at": ("releaseat", "放号时间"),
    "hot": ("hot", "热门", "热门号"),
}
_HALF: dict[str, Half] = {
    "am": "am",
    "上午": "am",
    "pm": "pm",
    "下午": "pm",
    "evening": "evening",
    "晚上": "evening",
    "晚间": "evening",
    "夜间": "evening",
    "夜诊": "evening",
}
_KIND: dict[str, Kind] = {
    "general": "general",
    "普通": "general",
    "普通号": "general",
    "普通门诊": "general",
    "expert": "expert",
    "专家": "expert",
    "专家号": "expert",
    "专家门诊": "expert",
    "special": "special",
    "特需": "special",
    "特需号": "special",
    "特需门诊": "special",
    "antenatal": "antenatal",
    "建档": "antenatal",
    "建档号": "antenatal",
    "产科建档": "antenatal",
}
_HOT = {"": False, "0": False, "false": False, "no": False, "n": False, "否": False} | dict.fromkeys(
    ("1", "true", "yes", "y", "是"), True
)
_DAY = re.compile(r"(\d{4})(?:-(\d{1,2})-(\d{1,2})|/(\d{1,2})/(\d{1,2})|年(\d{1,2})月(\d{1,2})日|(\d{2})(\d{2}))")
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::00)?")
_WHOLE = re.compile(r"\d{1,9}")
_YUAN = re.compile(r"[¥]?(\d{1,9}(?:\.\d{1,2})?)")


def _optional_id(name: str, cell: str) -> str | None:
    return check_id(name, cell) if cell else None


def _optional_name(name: str, cell: str) -> str:
    return check_name(name, cell, required=False)


def _one_of(words: Mapping[str, Any], zh: str, en: str) -> Callable[[str, str], Any]:
    def read(name: str, cell: str) -> Any:
        value = words.get(_plain(cell).lower())
        if value is None:
            raise InvalidInput(name, zh=zh, en=en)
        return value

    return read


def _plain(cell: str) -> str:
    """Full-width digits and signs as ASCII."""
    return cell if cell.isascii() else unicodedata.normalize("NFKC", cell)


@lru_cache(maxsize=4096)
def _day(name: str, cell: str) -> date:
    found = _DAY.fullmatch(_plain(cell))
    try:
        return date(*(int(group) for group in found.groups() if group is not None)) if found else date(0, 0, 0)
    except ValueError as error:
        raise InvalidInput(name, zh="须为日期,如 2026-11-23", en="a date such as 2026-11-23") from error


@lru_cache(maxsize=4096)
def _minute(name: str, cell: str) -> int:
    """Minutes since midnight; the end of a day may be written 24:00."""
    found = _TIME.fullmatch(_plain(cell))
    minute = int(found[1]) * 60 + int(found[2]) if found and int(found[2]) < _HOUR_MIN else -1
    if not 0 <= minute <= _DAY_MIN:
        raise InvalidInput(name, zh="须为时间,如 08:00", en="a time such as 08:00")
    return minute


def _whole(name: str, cell: str) -> int:
    if not _WHOLE.fullmatch(_plain(cell)):
        raise InvalidInput(name, zh="须为整数", en="a whole number")
    return int(cell)


def _optional_whole(name: str, cell: str) -> int | None:
    return _whole(name, cell) if cell else None


def _cents(name: str, cell: str) -> int:
    found = _YUAN.fullmatch(_plain(cell))
    if found is None:
        raise InvalidInput(
            name, zh="须为元,最多两位小数,如 50 或 50.00", en="yuan with at most two decimals, such as 50.00"
        )
    return int(Decimal(found[1]) * 100)


@lru_cache(maxsize=4096)
def _moment(name: str, cell: str) -> int | None:
    if not cell:
        return None
    day, _, clock = _plain(cell).replace("T", " ").partition(" ")
    try:
        minute = _minute(name, clock.strip())
        return start_of_day_us(_day(name, day)) + minute * MINUTE_US
    except InvalidInput as error:
        raise InvalidInput(
            name, zh="须为日期与时间,如 2026-11-16 07:00", en="a date and time such as 2026-11-16 07:00"
        ) from error


#: How each column's cell is read; a column that the file does not have is an empty cell.
CELLS: dict[str, Callable[[str, str], Any]] = {
    "department_id": check_id,
    "department": check_name,
    "department_en": _optional_name,
    "doctor_id": _optional_id,
    "doctor": _optional_name,
    "doctor_en": _optional_name,
    "title": _optional_name,
    "day": _day,
    "half": _one_of(_HALF, "须为 上午、下午 或 晚上", "am, pm or evening"),
    "kind": _one_of(_KIND, "须为 普通、专家、特需 或 建档", "general, expert, special or antenatal"),
    "start": _minute,
    "end": _minute,
    "capacity": _whole,
    "segment_minutes": _optional_whole,
    "fee": _cents,
    "release_at": _moment,
    "hot": _one_of(_HOT, "须为 是 或 否", "yes or no"),
}
