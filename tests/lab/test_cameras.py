"""The simulator against the real receiver: it sends what the standard says, and each fault does what it says."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from shouhao.kernel.errors import InvalidInput
from shouhao.lab.cameras.device import Device, NotRegistered
from shouhao.lab.cameras.faults import FAULTS, read_faults
from shouhao.lab.cameras.install import device_ids, install
from shouhao.lab.cameras.messages import face_id, faces_message, source_id
from shouhao.lab.cameras.people import made_up, people_in
from shouhao.lab.cameras.run import Plan, simulate
from shouhao.lab.cameras.traffic import passages
from shouhao.protocols.camera_reading import SHOTS_MOST
from shouhao.protocols.gat1400 import read_gat1400
from shouhao.watch.model import Arrival, Reading
from web.cameras_served import COUNT, DEVICES, Served, cameras_served

NOW_US = 1_589_112_248_000_000
PEOPLE = made_up(seed=3, count=6)


@pytest.fixture
def cameras(sqlite_url: str, tmp_path: Path) -> Iterator[Served]:
    with cameras_served(sqlite_url, tmp_path) as running:
        yield running


def plan(cameras: Served, **more: Any) -> Plan:
    given: dict[str, Any] = {
        "base": cameras.base,
        "device_ids": DEVICES,
        "password": cameras.password,
        "people": PEOPLE,
        "rate": 12.0,
        "seconds": 2.0,
        "late_s": 0.3,
        "stall_s": 0.3,
        "seed": 5,
    }
    return Plan(**(given | more))


def read(*faults: str) -> Reading:
    body, kind, _ = faces_message(DEVICES[0], PEOPLE[0].looks[0], shot_at_us=NOW_US, number=7, faults=frozenset(faults))
    arrived = Arrival(
        source="gat1400", device_id=DEVICES[0], proven=True, content_type=kind, body=body, arrived_at_us=NOW_US
    )
    return read_gat1400(arrived)


def test_ids_have_the_form_of_the_standard() -> None:
    source = source_id(DEVICES[0], NOW_US, 7)
    assert (len(DEVICES[0]), len(source), len(face_id(source, 1))) == (20, 41, 48)
    assert source.startswith(f"{DEVICES[0]}0220200510200408")


def test_what_is_sent_is_what_is_read() -> None:
    (shot,) = read().shots
    assert shot.shot_at_us == NOW_US
    assert shot.ref == face_id(source_id(DEVICES[0], NOW_US, 7), 1)
    assert shot.crop is not None
    assert shot.scene is not None
    assert shot.box_xyxy_px == PEOPLE[0].looks[0].box_xyxy_px
    assert read().not_understood == ()


@pytest.mark.parametrize("fault", ["wrong_mime", "swapped", "wrapped_base64", "single_object", "gbk", "no_scene"])
def test_a_fault_that_a_reader_must_bear_costs_no_face(fault: str) -> None:
    reading = read(fault)
    assert [shot.crop for shot in reading.shots] == [read().shots[0].crop]
    assert reading.not_understood == ()


@pytest.mark.parametrize("fault", ["broken_base64", "address_only"])
def test_a_fault_that_loses_the_pictures_is_named(fault: str) -> None:
    reading = read(fault)
    assert reading.shots == ()
    assert reading.not_understood


def test_an_oversize_scene_costs_the_scene_alone() -> None:
    reading = read("oversize")
    assert [(shot.crop is not None, shot.scene) for shot in reading.shots] == [(True, None)]
    assert [problem.why_en for problem in reading.not_understood] == ["the picture is larger than 10 MB"]


def test_a_crowd_is_two_hundred_faces() -> None:
    assert len({shot.ref for shot in read("crowd").shots}) == 200 <= SHOTS_MOST


def test_the_same_seed_walks_the_same_people_past_the_same_cameras() -> None:
    def walked(seed: int) -> list[tuple[float, int, str, int]]:
        found = passages(PEOPLE, cameras=5, rate=20, seconds=30, listed_share=0.3, seed=seed)
        return [(one.begins_s, one.camera, one.person.name, len(one.shots)) for one in found]

    assert walked(1) == walked(1) != walked(2)
    shots = sum(count for _, _, _, count in walked(1))
    assert 450 < shots < 750  # twenty a second
    assert {count for _, _, _, count in walked(1)} == {1, 2, 3}


def test_listed_people_make_the_share_that_was_asked() -> None:
    found = list(passages(PEOPLE, cameras=5, rate=100, seconds=60, listed_share=0.3, seed=1))
    share = sum(one.person.listed for one in found) / len(found)
    assert 0.25 < share < 0.35


def test_people_of_a_folder_keep_back_one_photograph_of_the_listed(tmp_path: Path) -> None:
    for name, count in (("a", 3), ("b", 2), ("c", 1), ("d", 0)):
        (tmp_path / name).mkdir()
        for number in range(count):
            Image.new("RGB", (60, 60), (number * 40, 90, 90)).save(tmp_path / name / f"{number}.jpg")
    people = {person.name: person for person in people_in(tmp_path, seed=1, listed=["a"])}
    assert set(people) == {"a", "b", "c"}
    assert people["a"].enrolled == tmp_path / "a" / "0.jpg"
    assert [len(people[name].looks) for name in "abc"] == [2, 2, 1]
    assert not people["b"].listed
    with pytest.raises(InvalidInput):
        people_in(tmp_path / "d", seed=1)


@pytest.mark.parametrize("given", [["drop"], ["drop=2"], ["drop=x"], ["nonsense=0.1"], ["drop=-1"], ["drop=nan"]])
def test_faults_that_are_none_are_refused(given: list[str]) -> None:
    with pytest.raises(InvalidInput):
        read_faults(given)


def test_cameras_register_push_and_all_of_it_is_on_disk(cameras: Served) -> None:
    outcome = simulate(plan(cameras))
    report = outcome.report(plan(cameras))
    assert report["not_taken"] == 0
    assert report["registrations"] == COUNT
    assert report["answered"] == {"200": report["posts"]}
    assert report["status_codes"] == {"0": report["faces"]}
    sent = Counter(identifier for one in outcome.sent for identifier in one.face_ids)
    kept = Counter(shot.ref for arrival in cameras.spooled() for shot in read_gat1400(arrival).shots)
    assert sent == kept
    assert all(arrival.proven for arrival in cameras.spooled())
    assert json.loads(json.dumps(report)) == report


def test_every_fault_at_once_loses_nothing_that_was_sent(cameras: Served) -> None:
    shares = dict.fromkeys(FAULTS, 0.15) | {"oversize": 0.05, "crowd": 0.05, "skew": 1.0}
    chosen = plan(cameras, faults=shares)
    outcome = simulate(chosen)
    report = outcome.report(chosen)
    assert report["not_taken"] == 0
    assert set(report["replays_answered"]) <= {"401"}
    assert len(cameras.spooled()) == report["posts"]
    assert report["faults"]


def test_a_camera_that_the_platform_forgot_registers_anew_and_sends_again(cameras: Served) -> None:
    async def forgotten() -> tuple[int, bool]:
        async with httpx.AsyncClient(trust_env=False) as client:
            device = Device(client=client, base=cameras.base, device_id=DEVICES[0], password=cameras.password)
            await device.register()
            await device.unregister()
            look = PEOPLE[0].looks[0]
            body, kind, _ = faces_message(DEVICES[0], look, shot_at_us=NOW_US, number=1, faults=frozenset())
            answer = await device.post(body, kind)
            return device.registrations, answer.good

    assert asyncio.run(forgotten()) == (2, True)
    assert len(cameras.spooled()) == 1


def test_without_its_password_no_camera_is_let_in(cameras: Served) -> None:
    with pytest.raises(NotRegistered):
        simulate(plan(cameras, password="guess"))
    assert cameras.spooled() == []


def test_installing_twice_keeps_the_password_and_adds_what_is_missing(cameras: Served) -> None:
    assert install(cameras.system, COUNT + 2) == cameras.password
    assert device_ids(COUNT + 2)[:COUNT] == DEVICES
