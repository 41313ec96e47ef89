"""Install: simulated cameras in a hospital's register, for trying out; and, only where it is a trial, the law's papers.

The papers say what is true: that nobody's face is before these cameras. They are made in embedded mode alone, through
the same two people that a hospital needs, so that what is tried is what will run.
"""

import hashlib
from collections.abc import Sequence

from shouhao.compliance.store import standing
from shouhao.flows.law import ask_to_turn_on, hand_in, note_retention, turn_on
from shouhao.kernel.clock import DAY_US, day_of
from shouhao.kernel.errors import Refused
from shouhao.kernel.randomness import Randomness
from shouhao.staff.approvals import decide
from shouhao.staff.model import Operator
from shouhao.staff.store import create_operator
from shouhao.staff.training import record_training
from shouhao.watch.cameras import SEALED_PASSWORD, Camera, Place
from shouhao.watch.model import ZoneKind
from shouhao.watch.store.cameras import declare_view, find_camera, put_camera, put_place, set_state
from shouhao.wiring import System

_PREFIX = "3101060000119"  #: place, trade, and the kind of device that captures
_ZONES: tuple[ZoneKind, ...] = ("entrance", "window", "pharmacy", "clinic_door")
_NAMES = {
    "entrance": "门诊入口",
    "window": "挂号窗口大厅",
    "pharmacy": "药房取药大厅",
    "clinic_door": "候诊走廊",
    "other": "大厅",
}
_PASSWORD_BYTES = 12
_REASON = "试用：模拟摄像机，没有真实人员 trial: simulated cameras, nobody's face"


class OnlyForTrial(Refused):
    """The law's papers are made up for trials alone."""

    code = "lab.only_for_trial"
    zh = "正式运行的系统不接受试用文件"
    en = "A production system takes no papers of a trial"


def device_ids(count: int) -> list[str]:
    """Ids of so many simulated devices, always the same."""
    return [f"{_PREFIX}{number:07d}" for number in range(1, count + 1)]


def install(system: System, count: int) -> str:
    """Register so many cameras, live; their password, which is kept where they are there already.

    Raises:
        OnlyForTrial: the system runs in production.
    """
    _trial_only(system)
    now_us = system.clock.now_us()
    ids = device_ids(count)
    with system.db.write() as connection:
        first = find_camera(connection, _camera_id(1))
        if first is not None and first.sealed_password is not None:
            password = system.vault.open(first.sealed_password, purpose=SEALED_PASSWORD)
        else:
            password = _new_password(system.randomness)
        sealed = system.vault.seal(password, purpose=SEALED_PASSWORD)
        for number, device_id in enumerate(ids, 1):
            if find_camera(connection, _camera_id(number)) is not None:
                continue
            place = _place(number)
            put_place(connection, place, staff_id=None, now_us=now_us)
            put_camera(connection, _camera(number, device_id, place, sealed), staff_id=None, now_us=now_us)
            declare_view(connection, _camera_id(number), staff_id="lab", now_us=now_us)
            set_state(connection, _camera_id(number), "live", staff_id=None, now_us=now_us)
    return password


def turn_on_for_trial(system: System, camera_ids: Sequence[str]) -> None:
    """Hand in the papers of a trial and turn the watchlist on, by two people made for it.

    Raises:
        OnlyForTrial: the system runs in production.
        SwitchNotReady: something else is missing.
    """
    _trial_only(system)
    now_us = system.clock.now_us()
    with system.db.write() as connection:
        if standing(connection, "watchlist", now_us=now_us).on:
            return
        asks, _ = create_operator(
            connection,
            "试用保卫 trial security",
            roles=frozenset({"security"}),
            now_us=now_us,
            randomness=system.randomness,
        )
        agrees, _ = create_operator(
            connection,
            "试用个人信息保护 trial data protection",
            roles=frozenset({"data_protection"}),
            now_us=now_us,
            randomness=system.randomness,
        )
        record_training(
            connection,
            asks.id,
            trained_by="试用 trial",
            document="试用 trial",
            until_us=now_us + DAY_US,
            now_us=now_us,
        )
        for kind, body in _papers(camera_ids, now_us=now_us).items():
            of_switch = kind in {"necessity_memo", "impact_assessment", "equal_way"}
            hand_in(connection, kind, body, switch="watchlist" if of_switch else None, operator=None, now_us=now_us)
        note_retention(connection, now_us=now_us)
    _agree(system, asks, agrees, now_us=now_us)


def _agree(system: System, asks: Operator, agrees: Operator, *, now_us: int) -> None:
    with system.db.write() as connection:
        asked = ask_to_turn_on(connection, "watchlist", operator=asks, reason=_REASON, now_us=now_us)
        decide(connection, asked.id, operator=agrees, approve=True, reason=_REASON, now_us=now_us)
        turn_on(connection, "watchlist", asked.id, operator=asks, now_us=now_us)


def _papers(camera_ids: Sequence[str], *, now_us: int) -> dict[str, dict[str, object]]:
    today = str(day_of(now_us))
    signed = {
        "signed_by": "试用 trial",
        "signed_on": today,
        "document_sha256": hashlib.sha256(_REASON.encode()).hexdigest(),
    }
    purpose, method = _REASON, "GA/T 1400 模拟器 the simulator of GA/T 1400"
    return {
        "necessity_memo": {
            "purpose": purpose,
            "method": method,
            "necessary_because": _REASON,
            "rejected": [{"what": "不试用 no trial", "why_not": "无法事先看到效果 nothing would be seen beforehand"}],
            **signed,
        },
        "impact_assessment": {
            "purpose": purpose,
            "method": method,
            "lawful": _REASON,
            "impact": _REASON,
            "risks": _REASON,
            "measures": _REASON,
            "camera_ids": list(camera_ids),
            "list_size": 0,
            **signed,
        },
        "retention": {"days": 30, "key_target": False, "why": _REASON},
        "equal_way": {"way": _REASON, "where": _REASON, "answers_for_it": "试用 trial"},
    }


def camera_ids(count: int) -> list[str]:
    """Ids of the cameras in the register."""
    return [_camera_id(number) for number in range(1, count + 1)]


def _camera_id(number: int) -> str:
    return f"sim-{number:03d}"


def _place(number: int) -> Place:
    zone = _ZONES[(number - 1) % len(_ZONES)]
    floor = (number - 1) // len(_ZONES) % 6 + 1
    return Place(id=f"sim-{zone}-{floor}", building="门诊楼", floor=f"{floor}F", name=f"{floor} 层{_NAMES[zone]}")


def _camera(number: int, device_id: str, place: Place, sealed_password: str) -> Camera:
    zone = _ZONES[(number - 1) % len(_ZONES)]
    return Camera(
        id=_camera_id(number),
        device_id=device_id,
        name=f"模拟摄像机 {number}",
        place_id=place.id,
        building=place.building,
        floor=place.floor,
        place_name=place.name,
        x=(number * 37 % 100) / 100,
        y=(number * 61 % 100) / 100,
        zone=zone,
        angle_deg=float(number * 90 % 360),
        source="gat1400",
        kind="GA/T 1400 simulator",
        sealed_password=sealed_password,
    )


def _new_password(randomness: Randomness) -> str:
    return randomness.token(_PASSWORD_BYTES).hex()


def _trial_only(system: System) -> None:
    if system.settings.mode != "embedded":
        raise OnlyForTrial
