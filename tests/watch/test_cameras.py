"""Cameras: what is refused, what is heard, and how long people walk."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hospital import events
from lawful import add_place, camera, device, go_live
from racing import meanwhile
from shouhao.flows.camera_health import cameras_due, cameras_now
from shouhao.flows.cameras import import_cameras, register_camera
from shouhao.kernel.clock import DAY_US, HOUR_US, SECOND_US
from shouhao.kernel.errors import InvalidInput, NotFound, Refused
from shouhao.protocols.camera_csv import read_cameras, read_ways, write_cameras, write_ways
from shouhao.store.vault import Vault
from shouhao.watch.cameras import (
    SEALED_PASSWORD,
    CameraOff,
    DeviceTaken,
    ForbiddenPlace,
    NewCamera,
    NotDeclared,
    Place,
    check_device_id,
    check_place,
    clock_offset_us,
    refuse_forbidden,
)
from shouhao.watch.store.cameras import (
    add_sign,
    declare_view,
    find_camera,
    find_camera_by_device,
    hours_of,
    list_cameras,
    list_health,
    list_places,
    note_heard,
    note_offline,
    put_camera,
    set_state,
    walking_s,
)
from shouhao.watch.store.ways import list_ways, put_ways
from shouhao.watch.ways import ShorterWayRound, Way, both_ways, check_ways
from shouhao.watch.ways import walking_s as shortest_ways

NOW_US = 1_772_413_200_000_000
VAULT = Vault(b"v" * 32)


def due_to_be_missed(db):
    """A camera that was heard once; when it will have been silent for too long."""
    go_live(db, "CAM1", now_us=NOW_US)
    heard(db, "register", at_us=NOW_US)
    return NOW_US + 271 * SECOND_US


def way(a, b, shortest=10.0, usual=15.0):
    return Way(from_id=a, to_id=b, shortest_s=shortest, usual_s=usual)


def heard(db, what, *, at_us, camera_id="CAM1", **more):
    with db.write() as connection:
        note_heard(connection, camera_id, at_us=at_us, what=what, **more)


def seen(db, *, now_us):
    with db.read() as connection:
        return {one.camera.id: one for one in cameras_now(connection, now_us=now_us)}


@pytest.mark.parametrize(
    "name",
    [
        "三楼卫生间",
        "三楼 厕 所 门口",
        "厕・所",
        "更衣室入口",
        "母婴室",
        "哺乳室外",
        "员工宿舍",
        "Ｗ Ｃ",
        "Toilet door",
        "Changing area",
        "nursing room",
        "外科病房",
        "三诊室",
        "B超室",
        "Ward 3",
        "patient room",
    ],
)
def test_face_measures_13_a_name_that_says_forbidden_place_is_refused(name):
    with pytest.raises(ForbiddenPlace):
        refuse_forbidden("name", name)


@pytest.mark.parametrize(
    "name",
    [
        "门诊大厅",
        "病房楼入口",
        "三诊室门口",
        "药房窗口",
        "护士站",
        "一楼电梯厅",
        "Ward entrance",
        "forward desk",
        "Nurses",
    ],
)
def test_doors_of_rooms_and_common_places_are_taken(name):
    refuse_forbidden("name", name)


def test_a_place_and_a_camera_are_checked_field_by_field(db):
    with pytest.raises(ForbiddenPlace):
        check_place(Place(id="P1", building="门诊楼", floor="1F", name="卫生间"))
    for bad in ("", "3101060000119000000", "310106000011900000011", "３１０１０６００００１１９００００００１"):
        with pytest.raises(InvalidInput):
            check_device_id(bad)
    add_place(db, now_us=NOW_US)
    for field, value in (("x", 1.01), ("y", float("nan")), ("angle_deg", 360.0), ("zone", "roof"), ("source", "usb")):
        with db.write() as connection, pytest.raises(InvalidInput) as refused:
            put_camera(connection, camera(**{field: value}), staff_id=None, now_us=NOW_US)
        assert refused.value.field == field
    with db.write() as connection, pytest.raises(InvalidInput) as refused:
        put_camera(connection, camera(place_id="P9"), staff_id=None, now_us=NOW_US)
    assert refused.value.field == "place_id"
    with db.read() as connection:
        assert list_cameras(connection) == []


def test_two_cameras_have_not_one_device_id(db):
    go_live(db, "CAM1", now_us=NOW_US)
    with db.write() as connection, pytest.raises(DeviceTaken):
        put_camera(connection, camera("CAM2", device_id=device(1)), staff_id=None, now_us=NOW_US)
    with db.read() as connection:
        assert find_camera_by_device(connection, device(1)).id == "CAM1"
        assert find_camera_by_device(connection, device(2)) is None


def test_no_camera_goes_live_before_somebody_declared_what_it_sees(db):
    add_place(db, now_us=NOW_US)
    with db.write() as connection:
        put_camera(connection, camera(), staff_id="op_1", now_us=NOW_US)
    with db.write() as connection, pytest.raises(NotDeclared):
        set_state(connection, "CAM1", "live", staff_id="op_1", now_us=NOW_US)
    with db.write() as connection:
        declare_view(connection, "CAM1", staff_id="op_2", now_us=NOW_US)
        set_state(connection, "CAM1", "live", staff_id="op_1", now_us=NOW_US + 1)
        found = find_camera(connection, "CAM1")
        assert (found.state, found.declared_by, found.live_since_us) == ("live", "op_2", NOW_US + 1)
        set_state(connection, "CAM1", "off", staff_id="op_1", now_us=NOW_US + 2)
    with db.write() as connection, pytest.raises(CameraOff):
        set_state(connection, "CAM1", "live", staff_id="op_1", now_us=NOW_US + 3)
    with db.write() as connection, pytest.raises(NotFound):
        declare_view(connection, "CAM9", staff_id="op_2", now_us=NOW_US)


def test_a_password_is_sealed_and_stays_when_it_is_not_given(db):
    add_place(db, now_us=NOW_US)
    with db.write() as connection:
        new = NewCamera(camera=camera(), password="hikvision-1")
        register_camera(connection, VAULT, new, staff_id=None, now_us=NOW_US)
        register_camera(connection, VAULT, NewCamera(camera=camera(name="大门")), staff_id=None, now_us=NOW_US)
        found = find_camera(connection, "CAM1")
    assert found.name == "大门"
    assert "hikvision" not in repr(found) + repr(new)
    assert VAULT.open(found.sealed_password, purpose=SEALED_PASSWORD) == "hikvision-1"
    assert all("hikvision" not in str(event) for event in events(db, "camera_changed"))
    new = NewCamera(camera=camera(), stream="http://10.0.0.1/video")
    with db.write() as connection, pytest.raises(InvalidInput):
        register_camera(connection, VAULT, new, staff_id=None, now_us=NOW_US)


def test_three_missed_keep_alives_are_told_once_and_so_is_the_return(db):
    go_live(db, "CAM1", "CAM2", now_us=NOW_US)
    heard(db, "register", at_us=NOW_US)
    assert (seen(db, now_us=NOW_US)["CAM1"].state, seen(db, now_us=NOW_US)["CAM2"].state) == ("online", "never")
    assert cameras_due(db, now_us=NOW_US + 270 * SECOND_US) == 0
    assert cameras_due(db, now_us=NOW_US + 271 * SECOND_US) == 1
    assert cameras_due(db, now_us=NOW_US + 272 * SECOND_US) == 0
    heard(db, "capture", at_us=NOW_US + 280 * SECOND_US)
    told = [event["detail"] for event in events(db, "camera_health")]
    assert ["offline" in detail for detail in told] == [True, False]
    assert {w.code for w in seen(db, now_us=NOW_US)["CAM2"].warnings} == {"never_heard"}


def test_a_camera_that_is_turned_as_it_goes_live_does_not_go_live(postgresql_db):
    db = postgresql_db
    add_place(db, now_us=NOW_US)
    with db.write() as connection:
        put_camera(connection, camera(), staff_id=None, now_us=NOW_US)
        declare_view(connection, "CAM1", staff_id="op_1", now_us=NOW_US)

    def switch_on():
        with db.write() as connection:
            set_state(connection, "CAM1", "live", staff_id="op_1", now_us=NOW_US)

    turned = camera(angle_deg=180.0)
    with pytest.raises(NotDeclared):
        meanwhile(db, lambda connection: put_camera(connection, turned, staff_id=None, now_us=NOW_US), switch_on)
    assert seen(db, now_us=NOW_US)["CAM1"].camera.state == "planned"


def test_of_two_photographs_of_a_sign_at_once_the_newer_stays(postgresql_db):
    go_live(postgresql_db, "CAM1", now_us=NOW_US)

    def keep(connection, after_us):
        how = {"taken_at_us": NOW_US + after_us, "staff_id": None, "now_us": NOW_US + 10}
        add_sign(connection, "CAM1", still_id=f"st_{after_us}", **how)

    def keep_older():
        with postgresql_db.write() as connection:
            keep(connection, 1)

    with pytest.raises(InvalidInput):
        meanwhile(postgresql_db, lambda connection: keep(connection, 2), keep_older)
    assert seen(postgresql_db, now_us=NOW_US)["CAM1"].camera.sign_photo_id == "st_2"


def test_a_camera_that_is_heard_as_it_is_missed_is_not_called_silent(postgresql_db):
    db, late_us = postgresql_db, due_to_be_missed(postgresql_db)
    meanwhile(
        db,
        lambda connection: note_heard(connection, "CAM1", at_us=late_us, what="keepalive"),
        lambda: cameras_due(db, now_us=late_us),
    )
    assert (events(db, "camera_health"), seen(db, now_us=late_us)["CAM1"].health.offline) == ([], False)


def test_a_camera_that_is_called_silent_as_it_is_heard_is_told_to_be_back(postgresql_db):
    db, late_us = postgresql_db, due_to_be_missed(postgresql_db)
    meanwhile(
        db,
        lambda connection: note_offline(connection, now_us=late_us),
        lambda: heard(db, "keepalive", at_us=late_us),
    )
    assert ["offline" in event["detail"] for event in events(db, "camera_health")] == [True, False]


def test_of_two_who_replace_all_ways_at_once_one_s_ways_stay_whole(postgresql_db):
    go_live(postgresql_db, "CAM1", "CAM2", now_us=NOW_US)

    def put(connection, *ways):
        put_ways(connection, ways, staff_id=None, now_us=NOW_US)

    def put_back():
        with postgresql_db.write() as connection:
            put(connection, way("CAM2", "CAM1"))

    meanwhile(postgresql_db, lambda connection: put(connection, way("CAM1", "CAM2")), put_back)
    with postgresql_db.read() as connection:
        assert list_ways(connection) == [way("CAM2", "CAM1")]


def test_the_clock_is_the_median_of_what_was_heard_so_a_flush_of_old_captures_moves_nothing(db):
    go_live(db, "CAM1", now_us=NOW_US)
    for offset_s in (6, 6, 7, 6, -86_400, -7_200, 6):
        heard(db, "capture", at_us=NOW_US, clock_offset_us=offset_s * SECOND_US)
    heard(db, "capture", at_us=NOW_US, clock_offset_us=-(10**18))  # nonsense is not kept
    one = seen(db, now_us=NOW_US)["CAM1"]
    assert one.camera.clock_offset_us == 6 * SECOND_US
    assert {w.code for w in one.warnings} == {"clock"}
    for _ in range(40):
        heard(db, "capture", at_us=NOW_US, clock_offset_us=1)
    with db.read() as connection:
        (health,) = list_health(connection)
    assert len(health.clock_offsets_us) == 31
    assert seen(db, now_us=NOW_US)["CAM1"].camera.clock_offset_us == 1
    assert clock_offset_us([]) == 0


def test_what_is_heard_of_a_stranger_is_not_kept(db):
    heard(db, "keepalive", at_us=NOW_US, camera_id="CAM404")
    with db.read() as connection:
        assert list_health(connection) == []


def test_an_hour_with_few_captures_is_held_against_the_same_hour_of_the_days_before(db):
    go_live(db, "CAM1", now_us=NOW_US - 9 * DAY_US)
    hour = NOW_US // HOUR_US * HOUR_US
    for day in range(1, 8):
        heard(db, "capture", at_us=hour - HOUR_US - day * DAY_US, count=100)
    heard(db, "capture", at_us=hour - HOUR_US, count=19)
    heard(db, "capture", at_us=hour, count=500)  # this hour is not over
    with db.read() as connection:
        found = hours_of(connection, now_us=NOW_US)["CAM1"]
    assert (found.last, found.usual, found.quiet) == (19, 100, True)
    assert "quiet" in {w.code for w in seen(db, now_us=NOW_US)["CAM1"].warnings}
    cameras_due(db, now_us=NOW_US + 30 * DAY_US)
    with db.read() as connection:
        assert hours_of(connection, now_us=NOW_US) == {}


def test_walking_times_follow_the_shortest_way_and_are_not_the_same_both_ways(db):
    go_live(db, "CAM1", "CAM2", "CAM3", "CAM4", now_us=NOW_US)
    given_ways = [way("CAM1", "CAM2", 10, 20), way("CAM2", "CAM3", 5, 9), way("CAM2", "CAM1", 30, 40)]
    with db.write() as connection:
        put_ways(connection, given_ways, staff_id=None, now_us=NOW_US)
        found = walking_s(connection)
        assert list_ways(connection) == sorted(given_ways, key=lambda w: (w.from_id, w.to_id))
    assert found["CAM1", "CAM3"] == (15, 29)
    assert found["CAM2", "CAM1"] == (30, 40)
    assert ("CAM3", "CAM1") not in found
    assert all("CAM4" not in pair for pair in found)


def test_a_direct_way_that_is_longer_than_a_way_round_is_refused():
    check_ways([way("a", "b", 10), way("b", "c", 10), way("a", "c", 25, 30)])  # within the tolerance of five seconds
    with pytest.raises(ShorterWayRound) as refused:
        check_ways([way("a", "b", 10), way("b", "c", 10), way("a", "c", 60, 80)])
    assert (refused.value.detours[0].way.to_id, refused.value.detours[0].round_s) == ("c", 20)
    for bad in (way("a", "a"), way("a", "b", 0), way("a", "b", 20, 10), way("a", "b", float("inf"), float("inf"))):
        with pytest.raises(InvalidInput):
            check_ways([bad])
    assert {(w.from_id, w.to_id) for w in both_ways([way("a", "b"), way("b", "c")])} == {
        ("a", "b"),
        ("b", "a"),
        ("b", "c"),
        ("c", "b"),
    }


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(1, 100)).filter(lambda w: w[0] != w[1]),
        max_size=30,
        unique_by=lambda w: w[:2],
    )
)
def test_no_way_over_a_third_camera_is_shorter_than_the_shortest(edges):
    found = shortest_ways([way(f"c{a}", f"c{b}", float(s), float(s) * 2) for a, b, s in edges])
    for (a, b), (one, _) in found.items():
        for (c, d), (two, _) in found.items():
            if b == c and a != d:
                assert found[a, d][0] <= one + two + 1e-9


def test_ways_name_cameras_that_there_are(db):
    go_live(db, "CAM1", now_us=NOW_US)
    with db.write() as connection, pytest.raises(InvalidInput):
        put_ways(connection, [way("CAM1", "CAM9")], staff_id=None, now_us=NOW_US)


def test_a_file_is_read_in_utf8_and_gbk_and_written_as_it_is_read(db):
    add_place(db, now_us=NOW_US)
    with db.write() as connection:
        put_camera(connection, camera("CAM1", kind="=DS-1", digest_required=False), staff_id=None, now_us=NOW_US)
        put_camera(connection, camera("CAM2", name="药房"), staff_id=None, now_us=NOW_US)
        before = list_cameras(connection)
    text = write_cameras(before)
    assert '"=""31010600001190000001"""' in text
    assert ",'=DS-1," in text
    for data in (text.encode(), text.lstrip("\ufeff").encode("gb18030"), text.replace(",", "\t").encode()):
        read = read_cameras(data)
        assert read.bad == ()
        assert [new.camera for new in read.cameras] == [replace(c, declared_by=None, state="planned") for c in before]
    with db.write() as connection:
        import_cameras(
            connection,
            VAULT,
            places=read.places,
            cameras=read.cameras,
            ways=[way("CAM1", "CAM2")],
            staff_id=None,
            now_us=NOW_US + 1,
        )
        assert list_cameras(connection) == before
        assert [place.id for place in list_places(connection)] == ["P1"]
        times = write_ways(list_ways(connection))
    assert read_ways(times.encode()).ways == (way("CAM1", "CAM2"),)
    assert len(read_ways(times.encode(), symmetric=True).ways) == 2


HEAD = "id,device_id,name,place_id,building,floor,place,zone,x,y,source\n"
GOOD = f"CAM1,{device(1)},大门,P1,门诊楼,1F,大厅,出入口,0.1,0.2,gat1400\n"


@pytest.mark.parametrize(
    ("text", "line", "field"),
    [
        ("", None, None),
        ("id,name\n", 1, "device_id"),
        (HEAD + GOOD + GOOD, 3, "id"),
        (HEAD + GOOD + GOOD.replace("CAM1", "CAM2"), 3, "device_id"),
        (HEAD + GOOD.replace(device(1), "3.10E+19"), 2, "device_id"),
        (HEAD + "\n\n" + GOOD.replace("0.1", "1.1"), 4, "x"),
        (HEAD + GOOD.replace("0.1", "nan"), 2, "x"),
        (HEAD + GOOD.replace("大厅", "卫生间"), 2, "place"),
        (HEAD + GOOD.replace("出入口", "屋顶"), 2, "zone"),
        (HEAD + GOOD.replace("gat1400", "ftp"), 2, "source"),
        (HEAD + GOOD + '"open', 3, "row"),
        (HEAD + GOOD.replace("大门", "a\x00b"), 2, "file"),
    ],
)
def test_each_mistake_of_a_file_is_told_with_its_line(text, line, field):
    read = read_cameras(text.encode())
    if line is None:
        assert (read.cameras, read.bad) == ((), ())
        return
    assert (line, field) in {(bad.line, bad.field) for bad in read.bad}


def test_a_file_that_is_no_text_says_so():
    for data, line in ((b"PK\x03\x04", 1), (b"id\n\xff\xff\xff", 2), (b"x" * (9 << 20), 1)):
        assert [bad.line for bad in read_cameras(data).bad] == [line]


@given(st.binary(max_size=400))
def test_reading_a_file_never_raises(data):
    read_cameras(data)
    read_ways(data)
    read_cameras(HEAD.encode() + data)


def test_a_refused_file_leaves_nothing(db):
    read = read_cameras((HEAD + GOOD).encode())
    with pytest.raises(Refused), db.write() as connection:
        import_cameras(
            connection,
            VAULT,
            places=read.places,
            cameras=read.cameras,
            ways=[way("CAM1", "CAM9")],
            staff_id=None,
            now_us=NOW_US,
        )
    with db.read() as connection:
        assert list_cameras(connection) == []
