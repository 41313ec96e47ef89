"""Schedule as CSV, the way hospitals make it in a spreadsheet: read into a plan, with a report of every bad row.

UTF-8 with or without a mark, or GB18030; comma, semicolon or tab; Chinese or English headings. A bad row is left out
and reported with its line, byte, field and rule. Where the file itself is broken, reading stops there, and the good
rows before it are kept.
"""

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from shouhao.booking.schedule import (
    BadRow,
    Department,
    Doctor,
    Place,
    PlannedSession,
    ReleaseRule,
    SchedulePlan,
    Stopped,
    bad_rows,
    broken_rules,
    cut_segments,
    session_id_of,
)
from shouhao.kernel.clock import MINUTE_US, start_of_day_us
from shouhao.kernel.errors import InvalidInput
from shouhao.protocols.schedule_cells import CELLS, HEADINGS

MAX_ROWS = 200_000
MAX_SLOTS = 2_000_000
_BAD_ROWS_KEPT = 10_000
_MAX_LINES_OF_ROW = 20  #: a row over more lines is a quotation mark that was not closed

_REQUIRED = ("department_id", "department", "day", "half", "kind", "start", "end", "capacity", "fee")
_SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_FIRST_OF_THREE_BYTES = "\u0800"  # in UTF-8; all of Chinese lies above


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleFile:
    """What a file held."""

    plan: SchedulePlan
    bad: tuple[BadRow, ...]  #: in the order of the file, at most 10,000
    bad_row_count: int
    stopped: Stopped | None
    encoding: str
    ignored_columns: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class _Reading:
    """What was read so far."""

    header: dict[str, int]
    now_us: int
    default_release: ReleaseRule | None
    departments: dict[str, Department] = field(default_factory=dict)
    doctors: dict[str, Doctor] = field(default_factory=dict)
    sessions: dict[str, PlannedSession] = field(default_factory=dict)
    bad: list[BadRow] = field(default_factory=list)
    bad_row_count: int = 0
    slot_count: int = 0


def read_schedule_csv(
    data: bytes, *, now_us: int, default_release: ReleaseRule | None = None, max_rows: int = MAX_ROWS
) -> ScheduleFile:
    """Read a schedule file; never raises for what stands in it.

    Args:
        default_release: used where `release_at` is empty or there is no such column; None makes that a bad row.
    """
    text, encoding, stopped = _decode(data)
    lines = _Lines(text, encoding, len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0)
    rows = csv.reader(lines, delimiter=_delimiter(text), strict=True)
    try:
        headings = next(rows, [])
    except csv.Error:
        headings = []
    header, ignored, broken = _header(headings)
    if broken is not None:
        return ScheduleFile(
            plan=SchedulePlan(),
            bad=(),
            bad_row_count=0,
            stopped=stopped if stopped is not None and not headings else broken,
            encoding=encoding,
        )
    reading = _Reading(header=header, now_us=now_us, default_release=default_release)
    stopped = _read_rows(rows, lines, reading, max_rows) or stopped
    return ScheduleFile(
        plan=SchedulePlan(
            departments=tuple(reading.departments.values()),
            doctors=tuple(reading.doctors.values()),
            sessions=tuple(reading.sessions.values()),
        ),
        bad=tuple(reading.bad),
        bad_row_count=reading.bad_row_count,
        stopped=stopped,
        encoding=encoding,
        ignored_columns=ignored,
    )


class _Lines:
    """Lines of a text that remember at which line and byte the next one starts."""

    def __init__(self, text: str, encoding: str, first_byte: int) -> None:
        self._lines = io.StringIO(text, newline="")  # splits at line ends only, and keeps them
        self._encoding = encoding
        self.line = 1
        self.byte = first_byte

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.line += 1
        self.byte += len(line.encode(self._encoding))
        return line


def _decode(data: bytes) -> tuple[str, str, Stopped | None]:
    """The text up to the first place that is not text, its encoding, and why it ends there."""
    if data.startswith(_SPREADSHEETS):
        return "", "binary", _stopped(1, 0, "这是电子表格文件,请另存为 CSV", "a spreadsheet; save it as CSV")
    if data.startswith(_UTF16):
        return "", "utf-16", _stopped(1, 0, "这是 UTF-16 文本,请另存为 CSV UTF-8", "UTF-16; save it as CSV UTF-8")
    stopped = None
    null = data.find(b"\0")
    if null >= 0:
        stopped = _stopped_at(data, null, "含有空字节,不是文本", "a null byte, which no text has")
        data = data[: data.rfind(b"\n", 0, null) + 1]
    mark = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    at, encoding = _first_bad_byte(data, mark)
    if at is not None:
        stopped = _stopped_at(data, at, f"不是有效的 {encoding} 文本", f"not valid {encoding} text")
        data = data[: data.rfind(b"\n", 0, at) + 1]
    return data[mark:].decode(encoding), encoding, stopped


def _first_bad_byte(data: bytes, mark: int) -> tuple[int | None, str]:
    """Where the data ends being text of its encoding, which is guessed from it."""
    try:
        data[mark:].decode()
    except UnicodeDecodeError as error:
        at = mark + error.start
    else:
        return None, "utf-8"
    # A file whose Chinese was good UTF-8 up to here is UTF-8 with a broken byte; GB18030 text would fail at once.
    if mark or max(data[:at].decode(), default="") >= _FIRST_OF_THREE_BYTES:
        return at, "utf-8"
    try:
        data.decode("gb18030")
    except UnicodeDecodeError as error:
        return error.start, "gb18030"
    return None, "gb18030"


def _stopped(line: int, byte: int, zh: str, en: str) -> Stopped:
    return Stopped(place=Place(line=line, byte=byte), zh=zh, en=en)


def _stopped_at(data: bytes, at: int, zh: str, en: str) -> Stopped:
    return _stopped(data.count(b"\n", 0, at) + 1, at, zh, en)


def _delimiter(text: str) -> str:
    first = text[: text.find("\n")] if "\n" in text else text
    return max(",;\t", key=first.count)


def _header(headings: list[str]) -> tuple[dict[str, int], tuple[str, ...], Stopped | None]:
    """The column of each known heading, the headings nobody knows, and what is wrong with them."""
    if not any(heading.strip() for heading in headings):
        return {}, (), _stopped(1, 0, "没有表头行", "there is no line of headings")
    known = {heading: name for name, headings in HEADINGS.items() for heading in headings}
    header: dict[str, int] = {}
    ignored = []
    for index, heading in enumerate(headings):
        bare = re.sub(r"\(.*?\)|[\s_]", "", unicodedata.normalize("NFKC", heading)).lower()
        name = known.get(bare)
        if name in header:
            return {}, (), _stopped(1, 0, f"表头重复:{name}", f"the heading {name} stands twice")
        if name is not None:
            header[name] = index
        elif bare:
            ignored.append(heading.strip()[:80])
    missing = [name for name in _REQUIRED if name not in header]
    if missing:
        zh = "缺少表头:" + "、".join(HEADINGS[name][1] for name in missing)
        return {}, (), _stopped(1, 0, zh, "missing headings: " + ", ".join(missing))
    return header, tuple(ignored), None


def _read_rows(rows: Iterator[list[str]], lines: _Lines, reading: _Reading, max_rows: int) -> Stopped | None:
    """Read every row; why and where it ended early, or None."""
    count = 0
    while True:
        line, byte = lines.line, lines.byte
        try:
            cells = next(rows)
        except StopIteration:
            return None
        except csv.Error:
            if lines.line - line > 1 or lines.byte == byte:
                return _stopped(
                    line, byte, "引号没有正确闭合", "a quotation mark opens here and is not closed properly"
                )
            rule = InvalidInput("row", zh="引号使用有误", en="quotation marks are not used properly")
            _report(reading, [rule], Place(line=line, byte=byte))
            continue
        if lines.line - line > _MAX_LINES_OF_ROW:
            return _stopped(line, byte, "引号没有正确闭合", "a quotation mark opens here and is not closed properly")
        if not any(cell.strip() for cell in cells):
            continue
        count += 1
        if count > max_rows:
            return _stopped(line, byte, f"超过 {max_rows} 行", f"more than {max_rows} rows")
        if reading.slot_count > MAX_SLOTS:
            return _stopped(line, byte, f"超过 {MAX_SLOTS} 个号", f"more than {MAX_SLOTS} slots")
        _read_row(cells, Place(line=line, byte=byte), reading)


def _report(reading: _Reading, broken: list[InvalidInput], place: Place) -> None:
    reading.bad_row_count += 1
    if len(reading.bad) < _BAD_ROWS_KEPT:
        reading.bad.extend(bad_rows(broken, place))


def _read_row(cells: list[str], place: Place, reading: _Reading) -> None:
    if len(cells) <= max(reading.header.values()):
        _report(reading, [InvalidInput("row", zh="列数少于表头", en="fewer cells than headings")], place)
        return
    row: dict[str, Any] = {}
    broken: list[InvalidInput] = []
    for name, read in CELLS.items():
        index = reading.header.get(name)
        try:
            row[name] = read(name, "" if index is None else cells[index].strip())
        except InvalidInput as rule:
            broken.append(rule)
    if not broken:
        broken = _keep(row, place, reading)
    if broken:
        _report(reading, broken, place)


def _keep(row: Mapping[str, Any], place: Place, reading: _Reading) -> list[InvalidInput]:
    """Keep what a row of readable cells says, or tell what is wrong with it as a whole."""
    department = Department(id=row["department_id"], name_zh=row["department"], name_en=row["department_en"])
    doctor = None
    if row["doctor_id"]:
        doctor = Doctor(
            id=row["doctor_id"],
            department_id=department.id,
            name_zh=row["doctor"],
            name_en=row["doctor_en"],
            title_zh=row["title"],
        )
        if not doctor.name_zh:
            return [
                InvalidInput("doctor", zh="有医生编号时不能为空", en="must not be empty where there is a doctor_id")
            ]
    elif row["doctor"]:
        return [InvalidInput("doctor_id", zh="有医生姓名时不能为空", en="must not be empty where there is a doctor")]
    try:
        session = _session(row, place, reading)
    except InvalidInput as rule:
        return [rule]
    broken = broken_rules(session, now_us=reading.now_us) + _against_others(session, department, doctor, reading)
    if not broken:
        reading.departments.setdefault(department.id, department)
        if doctor is not None:
            reading.doctors.setdefault(doctor.id, doctor)
        reading.sessions[session.id] = session
        reading.slot_count += session.capacity
    return broken


def _session(row: Mapping[str, Any], place: Place, reading: _Reading) -> PlannedSession:
    day: date = row["day"]
    release_at_us = row["release_at"]
    if release_at_us is None:
        if reading.default_release is None:
            raise InvalidInput("release_at", zh="不能为空", en="must not be empty")
        release_at_us = reading.default_release.release_at_us(day)
    what = {"day": day, "half": row["half"], "kind": row["kind"]}
    session = PlannedSession(
        id=session_id_of(row["department_id"], row["doctor_id"], **what),
        department_id=row["department_id"],
        doctor_id=row["doctor_id"],
        **what,
        starts_at_us=start_of_day_us(day) + row["start"] * MINUTE_US,
        ends_at_us=start_of_day_us(day) + row["end"] * MINUTE_US,
        fee_cents=row["fee"],
        capacity=row["capacity"],
        release_at_us=release_at_us,
        hot=row["hot"],
        source="csv",
        place=place,
    )
    return replace(session, slots=cut_segments(session, row["segment_minutes"]))


def _against_others(
    session: PlannedSession, department: Department, doctor: Doctor | None, reading: _Reading
) -> list[InvalidInput]:
    """What contradicts earlier rows; a doctor may hold sessions in several departments, the first one is home."""
    broken = []
    first = reading.sessions.get(session.id)
    if first is not None:
        line = first.place.line
        broken.append(InvalidInput("row", zh=f"与第 {line} 行是同一场次", en=f"the same session as line {line}"))
    if reading.departments.get(department.id, department) != department:
        broken.append(
            InvalidInput("department", zh="同一编号在前面有不同的名称", en="another name stands for this id above")
        )
    known = reading.doctors.get(doctor.id) if doctor is not None else None
    if doctor is not None and known is not None and replace(doctor, department_id=known.department_id) != known:
        broken.append(
            InvalidInput(
                "doctor", zh="同一编号在前面有不同的姓名或职称", en="another name or title stands for this id above"
            )
        )
    return broken
