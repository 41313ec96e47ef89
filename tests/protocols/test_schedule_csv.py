"""Schedule files as hospitals make them, and as they break."""

from datetime import date, datetime, time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shouhao.booking.schedule import ReleaseRule
from shouhao.kernel.clock import HOSPITAL_ZONE, from_us, to_us
from shouhao.protocols.schedule_cells import CELLS, HEADINGS
from shouhao.protocols.schedule_csv import read_schedule_csv

NOW = to_us(datetime(2026, 11, 16, 9, 0, tzinfo=HOSPITAL_ZONE))
ENGLISH = (
    "department_id,department,department_en,doctor_id,doctor,doctor_en,title,day,half,kind,start,end,capacity,"
    "segment_minutes,fee,release_at,hot"
)
CHINESE = (
    "科室编号,科室名称,科室英文名,医生编号,医生姓名,医生英文名,职称,出诊日期,午别,号别,开始时间,结束时间,限号数,"
    "分时段分钟,挂号费(元),放号时间,热门"
)


def line(**cells):
    row = {
        "department_id": "OBS",
        "department": "产科",
        "department_en": "Obstetrics",
        "doctor_id": "D1",
        "doctor": "林华",
        "doctor_en": "Lin Hua",
        "title": "主任医师",
        "day": "2026-11-23",
        "half": "上午",
        "kind": "专家",
        "start": "08:00",
        "end": "12:00",
        "capacity": "16",
        "segment_minutes": "30",
        "fee": "100.00",
        "release_at": "2026-11-16 07:00",
        "hot": "是",
    } | cells
    return ",".join(row[name] for name in ENGLISH.split(","))


def text(*lines, heading=ENGLISH):
    return "\r\n".join([heading, *lines]) + "\r\n"


def read(content, **options):
    data = content if isinstance(content, bytes) else content.encode()
    return read_schedule_csv(data, now_us=NOW, **options)


def places(found):
    return [(row.place.line, row.field) for row in found.bad]


def test_a_row_becomes_a_session_with_its_slots():
    found = read(text(line()))
    assert (found.bad, found.stopped, found.encoding) == ((), None, "utf-8")
    (session,) = found.plan.sessions
    assert (session.department_id, session.doctor_id, session.day) == ("OBS", "D1", date(2026, 11, 23))
    assert (session.half, session.kind, session.fee_cents, session.hot) == ("am", "expert", 10_000, True)
    assert from_us(session.starts_at_us).isoformat() == "2026-11-23T08:00:00+08:00"
    assert from_us(session.release_at_us).isoformat() == "2026-11-16T07:00:00+08:00"
    assert len(session.slots) == 16
    assert found.plan.departments[0].name_en == "Obstetrics"
    assert found.plan.doctors[0].title_zh == "主任医师"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("heading", [ENGLISH, CHINESE])
def test_every_encoding_and_heading_gives_the_same_plan(encoding, heading):
    found = read(text(line(), heading=heading).encode(encoding))
    assert found.plan == read(text(line())).plan
    assert found.encoding == ("gb18030" if encoding == "gb18030" else "utf-8")


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_of_spreadsheets_are_found(delimiter):
    assert read(text(line()).replace(",", delimiter)).plan == read(text(line())).plan


def test_every_column_has_headings_and_no_heading_names_two_columns():
    assert set(HEADINGS) == set(CELLS)
    headings = [heading for known in HEADINGS.values() for heading in known]
    assert len(headings) == len(set(headings))


@pytest.mark.parametrize("day", ["2026/11/23", "2026年11月23日", "20261123", "２０２６-11-23"])
def test_a_day_may_be_written_in_many_ways(day):
    assert read(text(line(day=day))).plan.sessions[0].day == date(2026, 11, 23)


@pytest.mark.parametrize(
    ("fee", "cents"), [("0", 0), ("50", 5000), ("50.5", 5050), ("0.29", 29), ("¥19.99", 1999), ("100000", 10_000_000)]
)
def test_money_is_exact(fee, cents):
    assert read(text(line(fee=fee))).plan.sessions[0].fee_cents == cents


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ({"department_id": ""}, "department_id"),
        ({"department_id": "OB S"}, "department_id"),
        ({"department": ""}, "department"),
        ({"doctor": ""}, "doctor"),
        ({"doctor_id": ""}, "doctor_id"),
        ({"day": "2026-02-30"}, "day"),
        ({"day": "0000-01-01"}, "day"),
        ({"day": "46349"}, "day"),
        ({"day": "2026-11-15"}, "day"),
        ({"half": "noon"}, "half"),
        ({"kind": "vip"}, "kind"),
        ({"start": "8"}, "start"),
        ({"start": "08:60"}, "start"),
        ({"start": "25:00"}, "start"),
        ({"start": "13:45"}, "end"),
        ({"end": "15:00"}, "end"),
        ({"capacity": "0"}, "capacity"),
        ({"capacity": "2001"}, "capacity"),
        ({"capacity": "16.5"}, "capacity"),
        ({"capacity": "-1"}, "capacity"),
        ({"segment_minutes": "3"}, "segment_minutes"),
        ({"fee": ""}, "fee"),
        ({"fee": "50.005"}, "fee"),
        ({"fee": "1e3"}, "fee"),
        ({"fee": "-1"}, "fee"),
        ({"fee": "100000.01"}, "fee"),
        ({"release_at": ""}, "release_at"),
        ({"release_at": "2026-11-16"}, "release_at"),
        ({"release_at": "2026-11-23 08:00"}, "release_at"),
        ({"hot": "maybe"}, "hot"),
    ],
)
def test_a_bad_cell_is_reported_with_line_byte_and_field_and_the_others_are_kept(cells, field):
    before = text(line())
    found = read(before + line(**{"doctor_id": "D2"} | cells) + "\r\n" + line(doctor_id="D3") + "\r\n")
    assert (3, field) in places(found)
    assert found.bad_row_count == 1
    assert {row.place.byte for row in found.bad} == {len(before.encode())}
    assert all(row.zh and row.en for row in found.bad)
    assert [session.doctor_id for session in found.plan.sessions] == ["D1", "D3"]
    assert found.stopped is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_the_byte_of_a_row_is_where_it_starts_in_the_file(encoding):
    data = text(line(), line(doctor_id="D2", fee="?"), line(doctor_id="D3", fee="?")).encode(encoding)
    for row in read(data).bad:
        assert data[row.place.byte :].startswith(b"OBS,")
        assert data[row.place.byte - 1 : row.place.byte] == b"\n"
        assert data.count(b"\n", 0, row.place.byte) + 1 == row.place.line


def test_every_bad_field_of_a_row_is_told_at_once():
    found = read(text(line(day="x", fee="y", capacity="z")))
    assert places(found) == [(2, "day"), (2, "capacity"), (2, "fee")]
    assert found.bad_row_count == 1


def test_a_session_given_twice_is_reported_with_the_first_line():
    found = read(text(line(), line(fee="1"), line(doctor_id="D2")))
    assert places(found) == [(3, "row")]
    assert "2" in found.bad[0].zh
    assert len(found.plan.sessions) == 2


def test_another_name_for_the_same_id_is_reported():
    other_half = {"half": "下午", "start": "14:00", "end": "17:00"}
    found = read(text(line(), line(doctor="李四", **other_half), line(department="儿科", doctor_id="D2")))
    assert places(found) == [(3, "doctor"), (4, "department")]


def test_a_doctor_may_hold_sessions_in_two_departments():
    found = read(text(line(), line(department_id="SPEC", department="特需门诊", department_en="", kind="特需")))
    assert found.bad == ()
    assert [session.department_id for session in found.plan.sessions] == ["OBS", "SPEC"]
    assert [doctor.department_id for doctor in found.plan.doctors] == ["OBS"]


def test_a_clinic_needs_no_doctor_and_empty_rows_are_skipped():
    found = read(text(line(doctor_id="", doctor="", kind="普通"), ",,,,,,,,,,,,,,,,", ""))
    assert found.bad == ()
    assert found.plan.sessions[0].doctor_id is None
    assert found.plan.doctors == ()


def test_the_release_time_may_be_the_callers_default():
    content = text(line(release_at=""))
    rule = ReleaseRule(days_before=3, at=time(7, 30))
    (session,) = read(content, default_release=rule).plan.sessions
    assert from_us(session.release_at_us).isoformat() == "2026-11-20T07:30:00+08:00"


def test_a_row_with_too_few_cells_is_reported():
    assert places(read(text("OBS,产科", line()))) == [(2, "row")]


def test_cells_with_delimiters_and_quotation_marks_are_read_as_spreadsheets_write_them():
    found = read(text(line(title='"主任医师,""教授"""')))
    assert found.plan.doctors[0].title_zh == '主任医师,"教授"'


def test_unknown_columns_are_ignored_and_named():
    found = read(text(line() + ",x", heading=ENGLISH + ",备注"))
    assert found.ignored_columns == ("备注",)
    assert len(found.plan.sessions) == 1


def test_misused_quotation_marks_cost_one_row():
    found = read(text(line(), line(doctor_id='"D2"x'), line(doctor_id="D3")))
    assert places(found) == [(3, "row")]
    assert len(found.plan.sessions) == 2


def test_a_quotation_mark_that_is_never_closed_stops_where_it_opens():
    before = text(line())
    found = read(before + line(doctor_id="D2", title='"教授') + "\r\n" + line(doctor_id="D3") + "\r\n")
    assert found.stopped is not None
    assert (found.stopped.place.line, found.stopped.place.byte) == (3, len(before.encode()))
    assert [session.doctor_id for session in found.plan.sessions] == ["D1"]


def test_a_quotation_mark_closed_by_a_far_one_swallows_nothing_silently():
    swallowed = [line(doctor_id=f"D{n}") for n in range(3, 40)]
    found = read(text(line(), line(doctor_id="D2", title='"教授'), *swallowed, line(doctor_id="D99", title='教授"')))
    assert found.stopped is not None
    assert found.stopped.place.line == 3
    assert len(found.plan.sessions) == 1


def test_a_null_byte_stops_at_its_place_with_the_good_part_kept():
    good = text(line()).encode()
    found = read(good + b"OBS,\x00,\r\n" + line(doctor_id="D3").encode())
    assert found.stopped is not None
    assert (found.stopped.place.line, found.stopped.place.byte) == (3, len(good) + 4)
    assert len(found.plan.sessions) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_byte_that_is_not_text_stops_there_with_the_good_part_kept(encoding):
    good = text(line()).encode(encoding)
    found = read(good + b"OBS,\xff\xff,\r\n" + line(doctor_id="D3").encode(encoding))
    assert found.stopped is not None
    assert (found.stopped.place.line, found.stopped.place.byte) == (3, len(good) + 4)
    assert len(found.plan.sessions) == 1


@pytest.mark.parametrize(
    "data", [b"", b"\r\n", b"PK\x03\x04zip", b"\xff\xfeO\x00", b"\x00\x01", b"\x89PNG\r\n\x1a\n", b'"', b"a,b\r\n1,2"]
)
def test_what_is_no_schedule_is_told_at_its_first_line(data):
    found = read(data)
    assert found.stopped is not None
    assert found.stopped.place.line == 1
    assert found.plan.sessions == ()


def test_missing_and_repeated_headings_are_named():
    missing = read(text(line()).replace("fee", "price"))
    assert missing.stopped is not None
    assert "fee" in missing.stopped.en
    twice = read(text(line()).replace("title", "日期"))
    assert twice.stopped is not None
    assert "day" in twice.stopped.en


def test_reading_stops_after_so_many_rows():
    found = read(text(line(), line(doctor_id="D2"), line(doctor_id="D3")), max_rows=2)
    assert found.stopped is not None
    assert found.stopped.place.line == 4
    assert len(found.plan.sessions) == 2


def test_a_report_never_repeats_a_cell():
    found = read(text(line(doctor="王五\u202e", fee="110105194912310021")))
    told = " ".join(row.zh + row.en for row in found.bad)
    assert "王五" not in told
    assert "110105194912310021" not in told


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.booleans())
def test_no_bytes_make_the_reader_fail(noise, after_a_good_row):
    good = text(line()).encode()
    found = read(good + noise if after_a_good_row else noise)
    if after_a_good_row and found.stopped is None and not found.bad:
        assert found.plan.sessions[0].doctor_id == "D1"
