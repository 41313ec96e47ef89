"""A served hospital that keeps a watchlist, for tests of its routes and pages: people at work, bundles, alarms."""

import base64
from typing import Any

from faces.enrolling import ColourEngine, photo
from flows.listing import KNOWN, PDF
from lawful import go_live, make_lawful
from shouhao.faces.enrolment import GallerySetup
from shouhao.faces.keys import KeyFolder
from shouhao.flows.watchlist_exchange import check_due
from shouhao.kernel.clock import DAY_US
from shouhao.staff.store import authenticate
from shouhao.staff.training import record_training
from watch.made_bundle import PUBLIC
from web.served import NOW_US, Caller, Hospital

FACE = photo((10, 1, 1), size=160)
WHY = {"reason": "办案"}
LIST = {"list_id": "own", "name": "本院号贩子", "ground": "维护诊疗秩序", "false_alarms_a_day": 10}


def proposal(*photos: bytes, **changed: Any) -> dict[str, Any]:
    return {
        "list_id": "own",
        "person": {"name": "雷某某", "aliases": ["老雷"], "document_kind": "passport", "document_number": "E1234567"},
        "ground_code": "resale",
        "ground": "当场查获",
        "photos": [base64.b64encode(one).decode() for one in photos or (FACE,)],
        "documents": [base64.b64encode(PDF).decode()],
        "reason": "多次查获",
        **changed,
    }


def colours(hospital: Hospital) -> None:
    """An engine that sees colours in place of faces, in the running system."""
    desk, engine = hospital.system.watchlist, ColourEngine()
    keys = KeyFolder(hospital.system.settings.face_keys_path(), hospital.system.vault, "watchlist")
    desk._setup = GallerySetup(db=desk.db, keys=keys, engines={engine.pack_id: engine})
    desk._choose_pack = lambda: engine.pack_id
    desk.known_of = lambda _: KNOWN


def begin(hospital: Hospital) -> None:
    """Turn the switch on, begin one list, and train people."""
    colours(hospital)
    db = hospital.system.db
    go_live(db, "CAM1", now_us=NOW_US)
    make_lawful(db, now_us=NOW_US)
    for role in ("security", "police_liaison"):
        with db.write() as connection:
            who = authenticate(connection, hospital.operator_keys[role])
            training = {"trained_by": "信息科", "document": "T-1", "until_us": NOW_US + 30 * DAY_US}
            record_training(connection, who.id, **training, now_us=NOW_US)
    said = hospital.staff("security").post("/watchlist/lists", json=LIST)
    assert said.status_code == 201, said.text


def asked(caller: Caller, method: str, path: str, sent: Any) -> Any:
    if sent == "proposal":
        sent = proposal(list_id="none")
    if isinstance(sent, bytes):
        return caller.ask(method, path, content=sent, headers={"Content-Type": "application/octet-stream"})
    return caller.ask(method, path) if sent is None else caller.ask(method, path, json=sent)


def agree(hospital: Hospital, approval_id: str, *roles: str) -> None:
    for role in roles:
        caller = hospital.staff(role)
        (shown,) = [a for a in caller.get("/approvals").json()["approvals"] if a["approval_id"] == approval_id]
        decision = {"approve": True, "reason": "已核对", "payload_sha256": shown["payload_sha256"]}
        said = caller.post(f"/approvals/{approval_id}/decision", json=decision)
        assert said.status_code == 200, said.text


def listed(hospital: Hospital, *photos: bytes, **changed: Any) -> str:
    said = hospital.staff("police_liaison").post("/watchlist/entries", json=proposal(*photos, **changed))
    assert said.status_code == 201, said.text
    agree(hospital, said.json()["approval_id"], "approver", "security")
    done = hospital.staff("security").post(f"/watchlist/requests/{said.json()['approval_id']}/apply")
    assert (done.status_code, done.json()["became"]) == (200, "done"), done.text
    return str(said.json()["entry_id"])


def alarm_row(n: int, more: dict[str, Any]) -> dict[str, Any]:
    """A row of alarms, as far as counting asks for it."""
    moments = dict.fromkeys(("first_seen_at_us", "last_seen_at_us", "raised_at_us"), NOW_US)
    ids = {"id": f"al_{n}", "entry_id": "we_1", "place_id": "door", "passage_id": f"ps_{n}", "last_camera_id": "c"}
    return {**ids, **moments, "list_id": "own", "state": "outcome", "version": 1, "late": False, "sightings": 1, **more}


def registered(hospital: Hospital) -> None:
    liaison, issuer = hospital.staff("police_liaison"), {"name": "某市公安局", "source": "police"}
    asked_for = liaison.post("/watchlist/issuers", json={**issuer, "public_key": PUBLIC.hex(), **WHY}).json()
    agree(hospital, asked_for["approval_id"], "approver", "security")
    hospital.staff("security").post(f"/watchlist/requests/{asked_for['approval_id']}/apply")


def came(hospital: Hospital, data: bytes) -> str:
    taken = asked(hospital.staff("police_liaison"), "POST", "/watchlist/bundles?list_id=own", data)
    assert taken.status_code == 201, taken.text
    check_due(hospital.system.watchlist, now_us=NOW_US)
    return str(taken.json()["bundle_id"])
