"""A hospital that may: every record that a switch needs, trained people, two who agree, and the switch on."""

from collections.abc import Iterable, Mapping
from typing import Any

from shouhao.compliance.model import Switch
from shouhao.flows.law import ask_to_turn_on, hand_in, note_retention, refresh, turn_on
from shouhao.kernel.clock import DAY_US, day_of, iso
from shouhao.kernel.randomness import SeededRandomness
from shouhao.staff.approvals import decide
from shouhao.staff.model import Operator, Role
from shouhao.staff.store import create_operator
from shouhao.staff.training import record_training
from shouhao.store.engine import Database
from shouhao.watch.cameras import Camera, Place
from shouhao.watch.store.cameras import (
    add_sign,
    declare_view,
    find_camera,
    list_cameras,
    put_camera,
    put_place,
    set_state,
)
from shouhao.watch.store.watchlist import people_listed

PURPOSE = "维护门诊公共安全与就诊秩序"
METHOD = "出入口人脸抓拍与经批准的名单比对"
DOCUMENT = "ab" * 32
_randomness = SeededRandomness(7)


def operator(db: Database, *roles: Role, now_us: int, trained: bool = False) -> Operator:
    """Somebody of these roles."""
    with db.write() as connection:
        made, _ = create_operator(connection, "工作人员", roles=frozenset(roles), now_us=now_us, randomness=_randomness)
        if trained:
            until_us = now_us + 365 * DAY_US
            record_training(
                connection, made.id, trained_by="信息科", document="培训记录", until_us=until_us, now_us=now_us
            )
    return made


def device(number: int) -> str:
    return f"3101060000119{number:07d}"


def camera(camera_id: str = "CAM1", **more: Any) -> Camera:
    number = int("".join(c for c in camera_id if c.isdigit()) or 0)
    given: dict[str, Any] = {
        "id": camera_id,
        "device_id": device(number),
        "name": f"门诊大厅 {number}",
        "place_id": "P1",
        "building": "",
        "floor": "",
        "place_name": "",
        "x": 0.5,
        "y": 0.5,
        "zone": "entrance",
        "angle_deg": 90.0,
        "source": "gat1400",
    }
    return Camera(**{**given, **more})


def add_place(db: Database, place_id: str = "P1", *, now_us: int, name: str = "一楼大门") -> None:
    with db.write() as connection:
        place = Place(id=place_id, building="门诊楼", floor="1F", name=name)
        put_place(connection, place, staff_id=None, now_us=now_us)


def go_live(db: Database, *camera_ids: str, now_us: int, sign: bool = True, place_id: str = "P1", **more: Any) -> None:
    """Cameras in service, each with its sign photographed now."""
    add_place(db, place_id, now_us=now_us)
    with db.write() as connection:
        for camera_id in camera_ids:
            if find_camera(connection, camera_id) is None:
                new = camera(camera_id, place_id=place_id, **more)
                put_camera(connection, new, staff_id=None, now_us=now_us)
            declare_view(connection, camera_id, staff_id="op_1", now_us=now_us)
            set_state(connection, camera_id, "live", staff_id=None, now_us=now_us)
            if sign:
                still = f"st_{camera_id}"
                add_sign(connection, camera_id, still_id=still, taken_at_us=now_us, staff_id=None, now_us=now_us)
        refresh(connection, now_us=now_us)


def body_of(kind: str, *, now_us: int, camera_ids: Iterable[str] = (), list_size: int = 0) -> dict[str, Any]:
    """A record that says all that is needed."""
    today = day_of(now_us).isoformat()
    signed = {"signed_by": "保卫处处长", "signed_on": today, "document_sha256": DOCUMENT}
    bodies: Mapping[str, dict[str, Any]] = {
        "necessity_memo": {
            "purpose": PURPOSE,
            "method": METHOD,
            "necessary_because": "号贩子在门诊反复扰乱秩序，人工巡查不能及时发现",
            "rejected": [{"what": "增加保安", "why_not": "无法记住两千张面孔"}],
            **signed,
        },
        "impact_assessment": {
            "purpose": PURPOSE,
            "method": METHOD,
            "lawful": "合法、正当、必要",
            "impact": "对路人的影响限于瞬时比对",
            "risks": "泄露、篡改、丢失、毁损、非法获取、出售或使用",
            "measures": "加密、授权、留痕、到期删除",
            "camera_ids": list(camera_ids),
            "list_size": list_size,
            "window_days": 7,
            **signed,
        },
        "police_filing": {
            "filed_on": today,
            "office": "某县公安局",
            "reference": "备案-1",
            "cameras": [],
            "retention_days": 30,
            "document_sha256": DOCUMENT,
        },
        "face_filing": {"filed_on": today, "reference": "网信-1", "stored_faces": 100_000, "document_sha256": DOCUMENT},
        "retention": {"days": 30, "key_target": False, "why": "非重点目标"},
        "equal_way": {"way": "人工窗口同等服务", "where": "一楼 3 号窗口", "answers_for_it": "门诊办公室主任"},
        "incident": {"what": "名单泄露", "happened_on": today},
    }
    return bodies[kind]


def hand_in_all(db: Database, switch: Switch, *, now_us: int) -> None:
    """Everything that the switch needs, about the cameras and the list as they are."""
    operator(db, "monitoring", now_us=now_us, trained=True)
    with db.write() as connection:
        cameras = [one.id for one in list_cameras(connection) if one.state == "live"]
        people = people_listed(connection)
        for kind in ("necessity_memo", "impact_assessment", "equal_way"):
            body = body_of(kind, now_us=now_us, camera_ids=cameras, list_size=people)
            hand_in(connection, kind, body, switch=switch, operator=None, now_us=now_us)
        body = body_of("retention", now_us=now_us)
        hand_in(connection, "retention", body, switch=None, operator=None, now_us=now_us)
        note_retention(connection, now_us=now_us)


def make_lawful(db: Database, *switches: Switch, now_us: int) -> None:
    """Switches on, as a hospital would turn them on."""
    asker = operator(db, "security", now_us=now_us, trained=True)
    second = operator(db, "data_protection", now_us=now_us)
    for switch in switches or ("watchlist",):
        hand_in_all(db, switch, now_us=now_us)
        with db.write() as connection:
            asked = ask_to_turn_on(connection, switch, operator=asker, reason="条件齐备", now_us=now_us)
            decide(connection, asked.id, operator=second, approve=True, reason="已核对", now_us=now_us)
            assert turn_on(connection, switch, asked.id, operator=asker, now_us=now_us).on, iso(now_us)
