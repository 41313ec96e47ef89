"""A known face, for the demo: people walk past simulated cameras, one of them is listed, and people answer the alarms.

Everything is the real thing, at the hospital whose morning it is: receiver, spool, models and wall; cameras that
register and push over HTTP; a list that one proposes and two approve. How an alarm is answered is answering.py. What
comes out is one mapping of plain values: what was found, what was missed, and what was forgotten.
"""

import base64
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shouhao.flows.watch_approved import apply_approved
from shouhao.flows.watchlist import Proposal, propose
from shouhao.kernel.errors import Unavailable
from shouhao.lab.answering import answered, moment_us
from shouhao.lab.cameras.install import camera_ids, device_ids, install, turn_on_for_trial
from shouhao.lab.cameras.people import Person, people_in
from shouhao.lab.cameras.run import Outcome, Plan, simulate
from shouhao.lab.cast import Cast, post_guards
from shouhao.lab.checks import Check
from shouhao.lab.photographs import SCENE
from shouhao.settings import Settings
from shouhao.staff.approvals import decide
from shouhao.watch.store.lists import ListTerms, add_list
from shouhao.watch.watchlist import checked_person
from shouhao.wiring import System

if TYPE_CHECKING:
    from shouhao.faces.packs import Pack

_CAMERAS = 2
_PLACES = ("sim-entrance-1", "sim-window-1")  #: where the cameras hang
_RATE = 3.0  #: posts a second
_SECONDS = 14.0
_AGAIN_S = 3.0  #: long enough for one passage, with this seed
_LISTED_SHARE = 0.3
_SEED = 7
_TERMS = ListTerms(name="演示名单", ground="演示：维护诊疗秩序", false_alarms_a_day=1.0)
_DOCUMENT = b"%PDF-1.7 demo"
_MARGIN = 0.6  #: of a face's box, cut out around it


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Cameras that hang, a list with one person, and who will walk past."""

    pack: "Pack"
    people: tuple[Person, ...]
    password: str  #: of the cameras

    def __repr__(self) -> str:
        """Without the password."""
        return f"Watch(people={len(self.people)})"


def hang_cameras(system: System, cast: Cast, photographs: Path, *, listed: str | None) -> Watch:
    """Register cameras, hand in a trial's papers, turn the switch on, and list one person, before the server starts.

    Args:
        photographs: a folder with one folder a person.
        listed: the folder of who is listed; without it the first with two photographs.
    Raises:
        Refused, Unavailable: no models, or no photographs of the kind that is needed.
    """
    pack = _pack(system)
    people = _people(system, pack, photographs, listed)
    password = install(system, _CAMERAS)
    turn_on_for_trial(system, camera_ids(_CAMERAS))
    _list(system, cast, next(one for one in people if one.listed))
    return Watch(pack=pack, people=tuple(people), password=password)


def walk_past(system: System, cast: Cast, watch: Watch, out: Path) -> Mapping[str, Any]:
    """Let people walk past, and have every alarm answered; the report. Timelines are written into `out`."""
    settings = system.settings
    post_guards(system, cast, _PLACES)
    started = time.time()
    base = f"http://{settings.console_host}:{settings.console_port}/api/v1/staff"
    with ThreadPoolExecutor(max_workers=1) as walking:
        walked = walking.submit(simulate, _plan(settings, watch))
        alarms = answered(base, cast, out, walked=walked)
    truth = walked.result()
    told = _report(system, watch, truth, alarms, started_us=round(started * 1_000_000))
    return {**told, "took_s": round(time.time() - started, 1)}


def walk_past_again(system: System, watch: Watch) -> None:
    """The listed person alone, once more past the first camera, where the police took them away before."""
    alone = tuple(one for one in watch.people if one.listed)
    plan = _plan(system.settings, watch)
    simulate(replace(plan, device_ids=plan.device_ids[:1], people=alone, seconds=_AGAIN_S))


def _plan(settings: Settings, watch: Watch) -> Plan:
    return Plan(
        base=f"http://{settings.internal_host}:{settings.internal_port}",
        device_ids=device_ids(_CAMERAS),
        password=watch.password,
        people=watch.people,
        rate=_RATE,
        seconds=_SECONDS,
        listed_share=_LISTED_SHARE,
        seed=_SEED,
    )


def watch_checks(told: Mapping[str, Any]) -> list[Check]:
    """What must hold of the chapter, whoever walked past."""
    return [
        Check(
            code="every_push_was_taken",
            zh="摄像机的每次推送都被接收",
            en="Every push of a camera was taken",
            looked_at=told["posts"],
            broken=told["not_taken"],
        ),
        Check(
            code="no_stranger_left",
            zh="没有匹配上的人，没有一张照片留在磁盘上",
            en="Of those who matched nobody not one picture lies on the disk",
            looked_at=told["passages"] - told["passages_of_listed"],
            broken=told["left"]["open_pictures"],
        ),
        Check(
            code="every_alarm_was_answered",
            zh="每条报警都由人处置到底",
            en="Every alarm was answered to its end by people",
            looked_at=len(told["alarms"]),
            broken=sum(one["steps"][-1]["step"] != "closed" for one in told["alarms"]),
        ),
    ]


def usable_pack_name(settings: Settings) -> str:
    """The name of the pack whose models are here.

    Raises:
        Refused: none are.
    """
    from shouhao.faces.choose import choose_pack, usable_pack  # noqa: PLC0415 - takes the libraries of faces

    chosen = choose_pack(
        None, setting=settings.face_pack, usable=lambda name: usable_pack(name, models_dir=settings.models_dir)
    )
    return chosen.pack.name


def _pack(system: System) -> "Pack":
    from shouhao.faces.choose import usable_pack  # noqa: PLC0415 - as above

    return usable_pack(system.settings.face_pack, models_dir=system.settings.models_dir)


def _people(system: System, pack: "Pack", photographs: Path, listed: str | None) -> list[Person]:
    """Who walks: the people of the folder, those of a scene each by themselves, and the listed one with photographs."""
    if (photographs / SCENE).is_dir():
        _cut_out(system, pack, photographs)
    several = [one.name for one in sorted(photographs.iterdir()) if one.is_dir() and len(list(one.iterdir())) > 1]
    if not several:
        raise Unavailable("photographs: one person with two of them")
    return people_in(photographs, seed=_SEED, listed=[listed or several[0]])


def _cut_out(system: System, pack: "Pack", photographs: Path) -> None:
    """Each face of a picture of several people, as a camera would have cut it out."""
    import cv2  # noqa: PLC0415 - only a demo with such a picture needs it

    from shouhao.faces.images import read_picture  # noqa: PLC0415 - as above
    from shouhao.wiring.faces import face_engine  # noqa: PLC0415 - as above

    engine = face_engine(system.settings, pack)
    for file in sorted((photographs / SCENE).iterdir()):
        picture = read_picture(file.read_bytes())
        for number, face in enumerate(engine.faces([picture])[0], 1):
            left, top, right, bottom = face.box_xyxy_px.tolist()
            margin = _MARGIN * max(right - left, bottom - top)
            cut = picture[
                max(0, round(top - margin)) : round(bottom + margin),
                max(0, round(left - margin)) : round(right + margin),
            ]
            place = photographs / f"passer-by-{number}"
            place.mkdir(exist_ok=True)
            cv2.imwrite(str(place / "1.jpg"), cut)
        file.unlink()
    (photographs / SCENE).rmdir()


def _list(system: System, cast: Cast, person: Person) -> None:
    """One proposes, two others agree."""
    if person.enrolled is None:
        raise Unavailable("photographs: one to be listed by")
    now_us = system.clock.now_us()
    with system.db.write() as connection:
        add_list(connection, "demo", _TERMS, now_us=now_us, staff_id=cast.operators["security"].id)
    looked = system.watchlist.look_at((person.enrolled.read_bytes(),))
    proposal = Proposal(
        list_id="demo",
        person=checked_person(name="演示人员", aliases=[], document_kind=None, document_number=None),
        ground_code="resale",
        ground="演示 demo",
        documents=(_DOCUMENT,),
        reason="演示 demo",
    )
    with system.db.write() as connection:
        asked = propose(
            system.watchlist, connection, proposal, looked, operator=cast.operators["security"], now_us=now_us
        )
        for role in ("approver", "data_protection"):
            other = cast.operators[role]
            decide(connection, asked.approval_id, operator=other, approve=True, reason="演示 demo", now_us=now_us)
    apply_approved(system.watchlist, asked.approval_id, now_us=system.clock.now_us())


def _report(
    system: System, watch: Watch, truth: Outcome, alarms: list[dict[str, Any]], *, started_us: int
) -> Mapping[str, Any]:
    walked = {(one.passage, one.listed, one.device_id) for one in truth.sent}
    places = {device for _, listed, device in walked if listed}
    return {
        "ran": True,
        "pack": watch.pack.name,
        "for_trying_out": watch.pack.for_trying_out,
        "cameras": _CAMERAS,
        "people": len(watch.people),
        "passages": len(walked),
        "passages_of_listed": sum(listed for _, listed, _ in walked),
        "posts": len(truth.sent),
        "not_taken": sum(not one.answer.good for one in truth.sent),
        "places_of_listed": len(places),
        "found": min(len(alarms), len(places)),
        "missed": max(0, len(places) - len(alarms)),
        "false": max(0, len(alarms) - len(places)),
        "walked": _walked(truth, started_us),
        "alarms": [_told_of(one, started_us) for one in alarms],
        "left": _left(system, watch.people),
    }


def _walked(truth: Outcome, started_us: int) -> list[dict[str, Any]]:
    """Each passage at its first shot, in seconds since the first person set out."""
    first: dict[int, Any] = {}
    for one in sorted(truth.sent, key=lambda one: one.shot_at_us):
        first.setdefault(one.passage, one)
    cameras = {device: number for number, device in enumerate(device_ids(_CAMERAS))}
    return [
        {"at_s": _since(one.shot_at_us, started_us), "camera": cameras[one.device_id], "listed": one.listed}
        for one in first.values()
    ]


def _told_of(alarm: Mapping[str, Any], started_us: int) -> dict[str, Any]:
    """An alarm as the report tells it: where, how alike, and when each step was taken."""
    camera = camera_ids(_CAMERAS).index(alarm["best"]["camera_id"])
    steps = [{"step": name, "at_s": _since(at_us, started_us)} for name, at_us in alarm["taken"]]
    return {
        "alarm_id": alarm["alarm_id"],
        "place_id": alarm["place_id"],
        "camera": camera,
        "similarity": alarm["best"]["similarity"],
        "threshold": alarm["best"]["threshold"],
        "sightings": alarm["sightings"],
        "after_s": round((moment_us(alarm["raised_at"]) - moment_us(alarm["first_seen_at"])) / 1_000_000, 2),
        "steps": steps,
        "outcome": alarm["outcome"],
        "timeline": alarm["timeline"],
    }


def _since(at_us: int, started_us: int) -> float:
    return round((at_us - started_us) / 1_000_000, 2)


def _left(system: System, people: tuple[Person, ...]) -> Mapping[str, int]:
    """What is still on the disk: pictures of strangers that lie open, and stills that were frozen."""
    folder = system.settings.data_dir
    pictures = [base64.b64decode(look.crop) for one in people if not one.listed for look in one.looks]
    marks = [picture[len(picture) // 2 :][:48] for picture in pictures]
    open_pictures = sum(
        any(mark in data for mark in marks) for data in (one.read_bytes() for one in folder.rglob("*") if one.is_file())
    )
    stills = sum(one.is_file() for one in (folder / "stills").rglob("*")) if (folder / "stills").is_dir() else 0
    return {"open_pictures": open_pictures, "stills": stills}
