"""FHIR R4 schedules: what becomes a session, what is left out, and how what is broken is reported."""

import json
from datetime import date, datetime, time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shouhao.booking.schedule import ReleaseRule
from shouhao.kernel.clock import HOSPITAL_ZONE, from_us, to_us
from shouhao.protocols.fhir import EXTENSION, Defaults, read_fhir_schedule

NOW = to_us(datetime(2026, 11, 16, 9, 0, tzinfo=HOSPITAL_ZONE))
DEFAULTS = Defaults(kind="general", fee_cents=5000, release=ReleaseRule(days_before=7, at=time(7, 0)))


def schedule(key="s1", **changes):
    return {
        "resourceType": "Schedule",
        "id": key,
        "actor": [{"reference": "Practitioner/D1", "display": "林华"}, {"reference": "Location/L1"}],
        "specialty": [{"coding": [{"code": "OBS", "display": "产科"}]}],
    } | changes


def slot(hour=8, minute=0, *, of="Schedule/s1", day="2026-11-23", **changes):
    return {
        "resourceType": "Slot",
        "id": f"t{day}-{hour}-{minute}",
        "schedule": {"reference": of},
        "status": "free",
        "start": f"{day}T{hour:02d}:{minute:02d}:00+08:00",
        "end": f"{day}T{hour:02d}:{minute + 10:02d}:00+08:00",
    } | changes


def practitioner():
    return {
        "resourceType": "Practitioner",
        "id": "D1",
        "name": [{"family": "林", "given": ["华"]}],
        "qualification": [{"code": {"text": "主任医师"}}],
    }


def extension(name, **value):
    return {"url": EXTENSION + name, **value}


def bundle(*resources):
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in resources]}


def read(content, defaults=DEFAULTS):
    data = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
    return read_fhir_schedule(data, now_us=NOW, defaults=defaults)


def told(found):
    return [(row.place.element, row.field) for row in found.bad]


def test_slots_of_a_half_day_become_one_numbered_session():
    found = read(bundle(schedule(), practitioner(), slot(9), slot(8), slot(8, 10), slot(14), slot(8, day="2026-11-24")))
    assert (found.bad, found.stopped) == ((), None)
    assert [(s.day, s.half, s.capacity) for s in found.plan.sessions] == [
        (date(2026, 11, 23), "am", 3),
        (date(2026, 11, 23), "pm", 1),
        (date(2026, 11, 24), "am", 1),
    ]
    morning = found.plan.sessions[0]
    assert [(s.number, from_us(s.starts_at_us).hour) for s in morning.slots] == [(1, 8), (2, 8), (3, 9)]
    assert (morning.department_id, morning.doctor_id, morning.fee_cents, morning.kind) == ("OBS", "D1", 5000, "general")
    assert from_us(morning.release_at_us).isoformat() == "2026-11-16T07:00:00+08:00"
    assert found.plan.departments[0].name_zh == "产科"
    assert (found.plan.doctors[0].name_zh, found.plan.doctors[0].title_zh) == ("林华", "主任医师")


def test_a_bundle_a_list_and_ndjson_say_the_same():
    resources = [schedule(), practitioner(), slot(8), slot(9)]
    plan = read(bundle(*resources)).plan
    ids = [session.id for session in plan.sessions]
    assert read(resources).plan.sessions == plan.sessions
    lines = "\n".join(json.dumps(resource, ensure_ascii=False) for resource in resources).encode()
    assert [session.id for session in read(lines).plan.sessions] == ids
    assert read(b"\xef\xbb\xbf" + lines).plan.doctors == plan.doctors


def test_what_is_busy_keeps_its_number_and_what_is_unavailable_has_none():
    found = read(
        [
            schedule(),
            slot(8),
            slot(9, status="busy"),
            slot(10, status="busy-tentative"),
            slot(11, status="busy-unavailable"),
            slot(11, 10, status="entered-in-error"),
            slot(11, 20, overbooked=True),
        ]
    )
    assert found.bad == ()
    assert [s.withheld for s in found.plan.sessions[0].slots] == [False, True, True]
    assert found.left_out == {"busy-unavailable": 1, "entered-in-error": 1, "overbooked": 1}


def test_a_schedule_that_is_not_active_offers_nothing():
    found = read([schedule(active=False), slot(8)])
    assert (found.plan.sessions, found.left_out) == ((), {"schedule-not-active": 1})


def test_fee_release_kind_and_hot_come_from_extensions_and_the_slots_win():
    of_schedule = [
        extension("fee", valueMoney={"value": 19.99, "currency": "CNY"}),
        extension("kind", valueCode="expert"),
        extension("hot", valueBoolean=True),
        {"url": "http://example.org/other", "valueString": "x"},
    ]
    of_slot = [
        extension("fee", valueDecimal=0.29),
        extension("release-at", valueInstant="2026-11-20T07:30:00+08:00"),
    ]
    found = read([schedule(extension=of_schedule), slot(8), slot(14, extension=of_slot)], defaults=Defaults())
    assert told(found) == [("[1]", EXTENSION + "release-at")]
    (session,) = found.plan.sessions
    assert (session.fee_cents, session.kind, session.hot) == (29, "expert", True)
    assert from_us(session.release_at_us).isoformat() == "2026-11-20T07:30:00+08:00"
    assert read([schedule(extension=of_schedule), slot(8)]).plan.sessions[0].fee_cents == 1999


@pytest.mark.parametrize(
    "fee",
    [
        {"valueMoney": {"value": 5, "currency": "USD"}},
        {"valueDecimal": 1.005},
        {"valueString": "5"},
        {"valueDecimal": -1},
    ],
)
def test_money_that_is_not_whole_cents_of_cny_is_refused(fee):
    found = read([schedule(), slot(8, extension=[extension("fee", **fee)])])
    assert found.plan.sessions == ()
    assert "fee" in found.bad[0].field


@pytest.mark.parametrize(
    ("resource", "field"),
    [
        (slot(9, status="maybe"), "status"),
        (slot(9, start="2026-11-23T09:00:00"), "start"),
        (slot(9, start="2026-11-23"), "start"),
        (slot(9, end="2026-11-23T09:00:00+08:00"), "end"),
        (slot(9, of="Schedule/none"), "schedule.reference"),
        (slot(9, of="https://elsewhere.example/fhir/Schedule/none"), "schedule.reference"),
        (slot(9, modifierExtension=[{"url": "urn:x", "valueBoolean": True}]), "modifierExtension"),
        (slot(9, nonsense=1), "nonsense"),
        (slot(9, extension=[extension("kind", valueCode="vip")]), EXTENSION + "kind"),
        (slot(9, extension=[extension("hot", valueBoolean=True)]), "extension"),
        ({"resourceType": "Slot"}, "schedule"),
        ({"id": "x"}, "resource.resourceType"),
    ],
)
def test_a_bad_resource_is_reported_with_its_place_and_path_and_the_others_are_kept(resource, field):
    found = read(bundle(schedule(), slot(8), resource, slot(10)))
    assert (("entry[2]"), field) in told(found)
    assert [s.capacity for s in found.plan.sessions] == [2]
    assert all(row.zh and row.en for row in found.bad)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"specialty": None, "actor": [{"reference": "Practitioner/D1", "display": "林华"}]}, "specialty"),
        ({"actor": [{"reference": "Practitioner/D1"}]}, "actor.display"),
        ({"actor": [{"reference": "Practitioner/D 1", "display": "林华"}]}, "actor.reference"),
        ({"actor": [{"reference": f"Practitioner/D{n}", "display": "林华"} for n in (1, 2)]}, "actor"),
        ({"actor": None}, "actor"),
    ],
)
def test_a_schedule_that_is_not_understood_takes_its_slots_with_it(changes, field):
    found = read(bundle(schedule(**changes), slot(8)))
    assert told(found) == [("entry[0]", field), ("entry[1]", "schedule.reference")]
    assert found.plan.sessions == ()


def test_a_location_is_the_department_where_nothing_else_is():
    location = {"resourceType": "Location", "id": "L1", "name": "发热门诊"}
    clinic = schedule(specialty=None, actor=[{"reference": "Location/L1"}])
    found = read([clinic, location, slot(8)])
    assert [(d.id, d.name_zh) for d in found.plan.departments] == [("L1", "发热门诊")]
    assert found.plan.sessions[0].doctor_id is None


def test_references_by_full_url_are_resolved_within_the_bundle():
    content = bundle(
        schedule(key="s1"), slot(8, of="urn:uuid:0001"), slot(9, of="https://his.example/fhir/Schedule/s1")
    )
    content["entry"][0]["fullUrl"] = "urn:uuid:0001"
    assert [s.capacity for s in read(content).plan.sessions] == [2]


def test_two_schedules_of_the_same_half_day_are_reported():
    found = read([schedule(), schedule(key="s2"), slot(8), slot(9, of="Schedule/s2")])
    assert told(found) == [("[3]", "schedule")]
    assert [s.capacity for s in found.plan.sessions] == [1]


def test_a_past_day_is_reported():
    found = read([schedule(), slot(8, day="2026-11-15")])
    assert ("[1]", "day") in told(found)


def test_a_bad_line_of_ndjson_is_reported_with_line_and_byte():
    first = json.dumps(schedule(), ensure_ascii=False).encode()
    found = read(first + b"\n{broken\n" + json.dumps(slot(8)).encode() + b"\n")
    (row,) = found.bad
    assert (row.place.line, row.place.byte) == (2, len(first) + 1)
    assert len(found.plan.sessions) == 1


@pytest.mark.parametrize("as_list", [False, True])
def test_json_that_breaks_off_keeps_what_came_before(as_list):
    resources = [schedule(), slot(8), slot(9)]
    data = json.dumps(resources if as_list else bundle(*resources), ensure_ascii=False).encode()
    cut = data.rindex(b"T09:00")
    found = read(data[:cut])
    assert found.stopped is not None
    assert found.stopped.place.line == 1
    assert 0 < found.stopped.place.byte <= cut
    assert [s.capacity for s in found.plan.sessions] == [1]


@pytest.mark.parametrize("data", [b"", b"  \n", b"\xff\xfe", b"{", b"nonsense", b"[" * 100_000, b'{"a":' * 100_000])
def test_what_is_no_json_is_told(data):
    found = read(data)
    assert found.stopped is not None
    assert found.plan.sessions == ()


def test_a_report_never_repeats_a_value():
    broken = practitioner() | {"name": "王五", "birthDate": "110105194912310021"}
    found = read([schedule(), broken, slot(8)])
    words = " ".join(row.field + row.zh + row.en for row in found.bad)
    assert found.bad
    assert "王五" not in words
    assert "1949" not in words


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["Slot", "Schedule"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["resourceType", "entry", "resource", "schedule", "actor", "start", "extension", "url", "x"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@settings(max_examples=150, deadline=None)
@given(
    noise=JSON
    | st.fixed_dictionaries(
        {"resourceType": st.sampled_from(["Slot", "Schedule"]), "actor": JSON, "start": JSON, "extension": JSON}
    )
)
def test_no_json_makes_the_reader_fail(noise):
    found = read([schedule(), slot(8), noise])
    assert [s.capacity for s in found.plan.sessions] == [1]
    read(noise)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_fail(noise):
    assert read(noise).plan.sessions == ()
