"""A known face, for the demo: people walk past simulated cameras, one of them is listed, and people answer the alarms.

Everything is the real thing: `shouhao up` with receiver, spool, models and wall in a process of its own; cameras that
register and push over HTTP; a list that one proposes and two approve; every step by an operator's own key. What comes
out is one mapping of plain values: what was found, what was missed, and what was forgotten.
"""

import base64
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from shouhao.flows.respond import check_in
from shouhao.flows.watch_approved import apply_approved
from shouhao.flows.watchlist import Proposal, propose
from shouhao.kernel.clock import DAY_US
from shouhao.kernel.errors import Refused, Unavailable
from shouhao.kernel.ids import new_id
from shouhao.lab.cameras.install import camera_ids, device_ids, install, turn_on_for_trial
from shouhao.lab.cameras.people import Person, people_in
from shouhao.lab.cameras.run import Outcome, Plan, simulate
from shouhao.lab.photographs import LISTED, SCENE, get_photographs
from shouhao.lab.running_server import RunningServer, reserved_port
from shouhao.settings import Settings
from shouhao.staff.approvals import decide
from shouhao.staff.model import Operator, Role
from shouhao.staff.store import create_operator
from shouhao.staff.training import record_training
from shouhao.store.migrate import upgrade
from shouhao.watch.store.lists import ListTerms, add_list
from shouhao.watch.watchlist import checked_person
from shouhao.wiring import System, assemble

if TYPE_CHECKING:
    from shouhao.faces.packs import Pack

_CAMERAS = 2
_RATE = 3.0  #: posts a second
_SECONDS = 14.0
_LISTED_SHARE = 0.3
_SEED = 7
_WAIT_S = 40.0  #: for the last alarm after the last push; models open in the first seconds
_TERMS = ListTerms(name="演示名单", ground="演示：维护诊疗秩序", false_alarms_a_day=1.0)
_DOCUMENT = b"%PDF-1.7 demo"
_MARGIN = 0.6  #: of a face's box, cut out around it
_OUTCOMES = ("removed", "genuine_visit")  #: of the first alarm and of the next

Tell = Callable[[str, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cast:
    """Who works here, each with a key."""

    security: Operator
    approvers: tuple[Operator, Operator]
    guard: Operator
    lines: Mapping[str, httpx.Client]  #: by role


def run_known_face(out: Path, *, faces: Path | None, host: str, tell: Tell) -> Mapping[str, Any]:
    """Run the story; its report. Without models or photographs the report says what is missing.

    Args:
        out: `out/known-face` is made anew; timelines are written into `out`.
        faces: a folder with one folder a person; the first with two photographs is the one who is listed.
    """
    data = out.resolve() / "known-face"
    try:
        with ExitStack() as given_back:
            photographs = faces or get_photographs(data / "photographs")
            ports = [given_back.enter_context(reserved_port(host)) for _ in range(3)]
            settings = _settings(data, host, ports)
            upgrade(settings.open_url())
            system = assemble(settings)
            given_back.callback(system.close)
            pack = _pack(system)
            return _story(out, system, pack, photographs, given_back, tell, listed=None if faces else LISTED)
    except (Refused, Unavailable) as error:
        zh, en = (error.says(language) for language in ("zh", "en"))
        return {"ran": False, "why": {"zh": zh, "en": en}}


def _story(
    out: Path,
    system: System,
    pack: "Pack",
    photographs: Path,
    given_back: ExitStack,
    tell: Tell,
    *,
    listed: str | None,
) -> Mapping[str, Any]:
    tell("布控：登记摄像机、提名、两人批准", "The watch: cameras, a proposal, two who approve")
    password = install(system, _CAMERAS)
    turn_on_for_trial(system, camera_ids(_CAMERAS))
    people = _people(system, pack, photographs, listed)
    cast = _cast(system, given_back)
    _list(system, cast, next(one for one in people if one.listed))
    settings = system.settings
    given = {
        "data_dir": str(settings.data_dir),
        "models": str(settings.models_dir),
        "face_pack": settings.face_pack,
        "public_port": str(settings.public_port),
        "console_port": str(settings.console_port),
        "internal_port": str(settings.internal_port),
        "public_host": settings.public_host,
        "console_host": settings.console_host,
        "internal_host": settings.internal_host,
    }
    log_file = out / "known-face.log"
    server = RunningServer(given, host=settings.console_host, port=settings.console_port, log_file=log_file)
    with server:
        server.wait_ready()
        tell("行人经过摄像机", "People walk past the cameras")
        plan = Plan(
            base=f"http://{settings.internal_host}:{settings.internal_port}",
            device_ids=device_ids(_CAMERAS),
            password=password,
            people=people,
            rate=_RATE,
            seconds=_SECONDS,
            listed_share=_LISTED_SHARE,
            seed=_SEED,
        )
        truth = simulate(plan)
        tell("报警、派保安、记录结果", "Alarms, a guard, what came of it")
        alarms = _answered(cast, truth, out)
    return _report(system, pack, people, truth, alarms)


def _settings(data: Path, host: str, ports: list[int]) -> Settings:
    named = Settings()  # where the models are is the environment's to say
    return Settings(
        mode="embedded",
        data_dir=data / "data",
        database_url=None,
        master_key_file=None,
        models=named.models_dir,
        face_pack=_usable_pack(named),
        public_host=host,
        console_host=host,
        internal_host=host,
        public_port=ports[0],
        console_port=ports[1],
        internal_port=ports[2],
    )


def _usable_pack(settings: Settings) -> str:
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


def _cast(system: System, given_back: ExitStack) -> _Cast:
    made: dict[str, Operator] = {}
    lines: dict[str, httpx.Client] = {}
    now_us = system.clock.now_us()
    base = f"http://{system.settings.console_host}:{system.settings.console_port}/api/v1/staff"
    roles: tuple[Role, ...] = ("security", "approver", "data_protection", "monitoring", "guard", "police_liaison")
    with system.db.write() as connection:
        for role in roles:
            more = frozenset({role, "approver"}) if role == "data_protection" else frozenset({role})
            operator, key = create_operator(
                connection, f"演示 {role}", roles=more, now_us=now_us, randomness=system.randomness
            )
            until_us = now_us + DAY_US
            record_training(
                connection, operator.id, trained_by="演示 demo", document="demo", until_us=until_us, now_us=now_us
            )
            made[role] = operator
            headers = {"Authorization": f"Bearer {key}"}
            lines[role] = given_back.enter_context(httpx.Client(base_url=base, headers=headers, timeout=20))
        check_in(connection, place_id="sim-entrance-1", operator=made["guard"], now_us=now_us)
    return _Cast(
        security=made["security"],
        approvers=(made["approver"], made["data_protection"]),
        guard=made["guard"],
        lines=lines,
    )


def _list(system: System, cast: _Cast, person: Person) -> None:
    """One proposes, two others agree."""
    if person.enrolled is None:
        raise Unavailable("photographs: one to be listed by")
    now_us = system.clock.now_us()
    with system.db.write() as connection:
        add_list(connection, "demo", _TERMS, now_us=now_us, staff_id=cast.security.id)
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
        asked = propose(system.watchlist, connection, proposal, looked, operator=cast.security, now_us=now_us)
        for other in cast.approvers:
            decide(connection, asked.approval_id, operator=other, approve=True, reason="演示 demo", now_us=now_us)
    apply_approved(system.watchlist, asked.approval_id, now_us=system.clock.now_us())


def _answered(cast: _Cast, truth: Outcome, out: Path) -> list[dict[str, Any]]:
    """Every alarm, answered to its end by the people whose part it is."""
    wanted = len({one.device_id for one in truth.sent if one.listed})
    alarms = _alarms(cast, wanted)
    for number, alarm in enumerate(alarms):
        outcome = _OUTCOMES[min(number, len(_OUTCOMES) - 1)]
        version = alarm["version"]
        for role, step, more in (
            ("monitoring", "acknowledged", {}),
            ("monitoring", "confirmed", {}),
            ("monitoring", "dispatched", {"guard_id": cast.guard.id}),
        ):
            version = _step(cast, role, alarm["alarm_id"], step, version, more)
        dispatches = _told(cast.lines["guard"].get("/guard/dispatches"))["dispatches"]
        mine = next(one for one in dispatches if one["live"])
        for step, more in (("accepted", {}), ("arrived", {}), ("outcome", {"outcome": outcome, "reason": "演示 demo"})):
            _told(
                cast.lines["guard"].post(
                    f"/guard/dispatches/{mine['dispatch_id']}/steps", json={"step": step, **more}, headers=_once()
                )
            )
        version += 3
        if outcome == "removed":
            version = _step(cast, "police_liaison", alarm["alarm_id"], "handed_to_police", version, {})
        _step(cast, "security", alarm["alarm_id"], "closed", version, {})
        page = cast.lines["monitoring"].get(f"/alarms/{alarm['alarm_id']}/timeline", params={"reason": "演示 demo"})
        alarm["outcome"], alarm["timeline"] = outcome, f"alarm-{number + 1}.html"
        (out / alarm["timeline"]).write_bytes(page.content)
    return alarms


def _alarms(cast: _Cast, wanted: int) -> list[dict[str, Any]]:
    ends = time.monotonic() + _WAIT_S
    while True:
        found = _told(cast.lines["monitoring"].get("/alarms"))["alarms"]
        if len(found) >= wanted or time.monotonic() > ends:
            return sorted(found, key=lambda one: str(one["raised_at"]))
        time.sleep(0.3)


def _step(cast: _Cast, role: str, alarm_id: str, step: str, version: int, more: Mapping[str, Any]) -> int:
    said = cast.lines[role].post(
        f"/alarms/{alarm_id}/steps", json={"step": step, "version": version, **more}, headers=_once()
    )
    return int(_told(said)["version"])


def _once() -> dict[str, str]:
    return {"Idempotency-Key": new_id("dm")}


def _told(said: httpx.Response) -> Any:
    if said.is_error:
        raise Unavailable(f"{said.request.method} {said.request.url.path}: {said.status_code} {said.text[:200]}")
    return said.json()


def _report(
    system: System, pack: "Pack", people: list[Person], truth: Outcome, alarms: list[dict[str, Any]]
) -> Mapping[str, Any]:
    walked = {(one.passage, one.listed, one.device_id) for one in truth.sent}
    places = {device for _, listed, device in walked if listed}
    return {
        "ran": True,
        "pack": pack.name,
        "for_trying_out": pack.for_trying_out,
        "cameras": _CAMERAS,
        "people": len(people),
        "passages": len(walked),
        "passages_of_listed": sum(listed for _, listed, _ in walked),
        "posts": len(truth.sent),
        "not_taken": sum(not one.answer.good for one in truth.sent),
        "places_of_listed": len(places),
        "found": min(len(alarms), len(places)),
        "missed": max(0, len(places) - len(alarms)),
        "false": max(0, len(alarms) - len(places)),
        "alarms": [
            {
                "place_id": one["place_id"],
                "similarity": one["best"]["similarity"],
                "threshold": one["best"]["threshold"],
                "sightings": one["sightings"],
                "outcome": one["outcome"],
                "timeline": one["timeline"],
            }
            for one in alarms
        ],
        "left": _left(system, people),
    }


def _left(system: System, people: list[Person]) -> Mapping[str, int]:
    """What is still on the disk: pictures of strangers that lie open, and stills that were frozen."""
    folder = system.settings.data_dir
    pictures = [base64.b64decode(look.crop) for one in people if not one.listed for look in one.looks]
    marks = [picture[len(picture) // 2 :][:48] for picture in pictures]
    open_pictures = sum(
        any(mark in data for mark in marks) for data in (one.read_bytes() for one in folder.rglob("*") if one.is_file())
    )
    stills = sum(one.is_file() for one in (folder / "stills").rglob("*")) if (folder / "stills").is_dir() else 0
    return {"open_pictures": open_pictures, "stills": stills}
