"""A hospital with a floor, guards and alarms, over HTTP; the pictures in it are grey squares."""

import io
from typing import Any

from PIL import Image

from shouhao.flows.respond import check_in
from shouhao.staff.store import authenticate, list_operators
from shouhao.staff.training import record_training
from shouhao.watch.store.alarms import Raised, raise_or_extend
from shouhao.watch.store.stills import freeze
from shouhao.wiring.watch import still_folder
from watch.watched import furnish_floor, sighting
from web.served import Caller, Hospital

WATCHING = {"monitoring", "security", "police_liaison", "auditor"}


def jpeg(shade: int = 90) -> bytes:
    """A grey square: no face of anybody."""
    out = io.BytesIO()
    Image.new("RGB", (200, 240), (shade, shade, shade)).save(out, "JPEG")
    return out.getvalue()


def furnish(hospital: Hospital) -> dict[str, str]:
    """The floor, trained operators, a guard at his post; ids of operators by role."""
    system, now_us = hospital.system, hospital.clock.now_us()
    with system.db.write() as connection:
        furnish_floor(connection, now_us=now_us)
        people = {one.name: one.id for one in list_operators(connection)}
        for name in ("monitoring", "security", "guard", "police_liaison"):
            until_us = now_us + 30 * 86_400_000_000
            record_training(connection, people[name], trained_by="x", document="T-1", until_us=until_us, now_us=now_us)
        guard = authenticate(connection, hospital.operator_keys["guard"])
        check_in(connection, place_id="lift", operator=guard, now_us=now_us)
    return people


def raised(hospital: Hospital, number: int = 1, **changed: Any) -> str:
    """An alarm with a captured face and its place, as the capture worker raises it."""
    system, now_us = hospital.system, hospital.clock.now_us()
    stills = still_folder(system.settings, system.vault)
    with system.db.write() as connection:
        ids = [
            freeze(connection, stills, jpeg(shade), kind=kind, camera_id="cam-door", taken_at_us=now_us, now_us=now_us)
            for kind, shade in (("crop", 90), ("scene", 160))  # type: ignore[assignment]
        ]
        seen = sighting(number, at_us=now_us, **{"crop_id": ids[0], "scene_id": ids[1], **changed})
        said: Raised = raise_or_extend(connection, seen, now_us=now_us)
    return said.alarm_id


def do(who: Caller, alarm_id: str, step: str, version: int, **rest: Any) -> dict[str, Any]:
    said = who.post(f"/alarms/{alarm_id}/steps", json={"step": step, "version": version, **rest})
    assert said.status_code == 200, said.text
    return dict(said.json())


def sent(hospital: Hospital, people: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """A confirmed alarm with the guard on the way."""
    alarm_id, monitoring = raised(hospital), hospital.staff("monitoring")
    do(monitoring, alarm_id, "acknowledged", 1)
    do(monitoring, alarm_id, "confirmed", 2)
    return alarm_id, do(monitoring, alarm_id, "dispatched", 3, guard_id=people["guard"])
