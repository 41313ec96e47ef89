"""A known face, from the door to the police: a real push, spool, models, gallery, wall, guard and hand-over.

Nothing stands in for anything: the camera registers with digest and pushes photographs over HTTP, the receiver spools
them, the worker finds the person on the list, the wall in a browser rings, and people take every step.
"""

import asyncio
import base64
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from e2e.looking import CHROMIUM, DESK, REQUIRED, Reader, chromium, reader
from e2e.staff_browser import cookie
from shouhao.cli.watching import watching
from shouhao.flows.respond import check_in
from shouhao.flows.watch_approved import apply_approved
from shouhao.flows.watchlist import Proposal, propose
from shouhao.kernel.clock import DAY_US
from shouhao.lab.cameras.install import camera_ids, device_ids, install, turn_on_for_trial
from shouhao.lab.cameras.people import people_in
from shouhao.lab.cameras.run import Outcome, Plan, simulate
from shouhao.settings import Settings
from shouhao.staff.approvals import decide
from shouhao.staff.store import create_operator
from shouhao.staff.training import record_training
from shouhao.store import event_log
from shouhao.watch.store.lists import ListTerms, add_list
from shouhao.watch.watchlist import checked_person
from shouhao.web.server import run
from shouhao.wiring import System, assemble
from web.served import free_port

if CHROMIUM is None and not REQUIRED:
    pytest.skip("no Chromium on this machine", allow_module_level=True)

CAMERAS = 2
TERMS = ListTerms(name="本院号贩子", ground="维护诊疗秩序", false_alarms_a_day=1.0)


class Place:
    """A hospital at the machine's own time, as a test of pages wants to see it."""

    def __init__(self, system: System) -> None:
        self.system, self.clock = system, system.clock
        self.lines = contextlib.ExitStack()
        settings = system.settings
        self.console = f"http://{settings.console_host}:{settings.console_port}/api/v1/staff"
        self.cameras = f"http://{settings.internal_host}:{settings.internal_port}"

    def somebody(self, *roles: str):
        now_us = self.clock.now_us()
        with self.system.db.write() as connection:
            made, key = create_operator(
                connection, "-".join(roles), roles=frozenset(roles), now_us=now_us, randomness=self.system.randomness
            )
            record_training(connection, made.id, trained_by="x", document="T", until_us=now_us + DAY_US, now_us=now_us)
        line = httpx.Client(base_url=self.console, headers={"Authorization": f"Bearer {key}"}, timeout=20)
        return made, self.lines.enter_context(line)

    def events(self, *kinds: str) -> list[dict]:
        with self.system.db.read() as connection:
            return [row for rows in event_log.read(connection) for row in rows if row["kind"] in kinds]


@contextlib.contextmanager
def serving(system: System):
    """The receiver and the console, really served, until the block ends."""
    listening, stop, loop = threading.Event(), asyncio.Event(), asyncio.new_event_loop()
    thread = threading.Thread(
        target=lambda: loop.run_until_complete(
            run(system, {"internal", "console"}, stop=stop, on_listening=listening.set)
        )
    )
    thread.start()
    try:
        assert listening.wait(timeout=30)
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=40)
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


@pytest.fixture
def place(postgresql_url, tmp_path, models_dir):
    system = assemble(
        Settings(
            database_url=postgresql_url,
            data_dir=tmp_path / "data",
            models=models_dir,
            face_pack="arcface-onnx",
            public_port=free_port(),
            console_port=free_port(),
            internal_port=free_port(),
        )
    )
    place = Place(system)
    try:
        with place.lines:
            yield place
    finally:
        system.close()


def put_on_the_list(place: Place, photo: Path) -> str:
    """As it is done: one asks, two others agree."""
    asks, _ = place.somebody("security")
    system, now_us = place.system, place.clock.now_us()
    with system.db.write() as connection:
        add_list(connection, "own", TERMS, now_us=now_us, staff_id=asks.id)
    looked = system.watchlist.look_at((photo.read_bytes(),))
    proposal = Proposal(
        list_id="own",
        person=checked_person(name="雷某", aliases=[], document_kind=None, document_number=None),
        ground_code="resale",
        ground="在门诊大厅倒卖号源，当场查获",
        documents=(b"%PDF-1.7 the decision",),
        reason="多次查获",
    )
    with system.db.write() as connection:
        asked = propose(system.watchlist, connection, proposal, looked, operator=asks, now_us=now_us)
    for role in ("approver", "security"):
        other, _ = place.somebody(role)
        with system.db.write() as connection:
            decide(connection, asked.approval_id, operator=other, approve=True, reason="已核对", now_us=now_us)
    apply_approved(system.watchlist, asked.approval_id, now_us=place.clock.now_us())
    return asked.entry_id


def test_a_known_face_is_alarmed_followed_met_and_handed_over(place, faces_dir):
    system = place.system
    password = install(system, CAMERAS)
    turn_on_for_trial(system, camera_ids(CAMERAS))
    folder = faces_dir / "lfw-dev"
    name = max(sorted(folder.iterdir()), key=lambda one: len(list(one.iterdir()))).name
    crowd = people_in(folder, seed=3, most=12, listed=[name])
    (listed,) = [one for one in crowd if one.listed]
    entry_id = put_on_the_list(place, listed.enrolled)
    guard, guards = place.somebody("guard")
    _, police = place.somebody("police_liaison")
    _, security = place.somebody("security")
    with system.db.write() as connection:
        check_in(connection, place_id="sim-entrance-1", operator=guard, now_us=place.clock.now_us())

    plan = Plan(
        base=place.cameras,
        device_ids=device_ids(CAMERAS),
        password=password,
        people=crowd,
        rate=4,
        seconds=6,
        listed_share=0.34,
    )
    with serving(system), watching(system), chromium() as browser:
        with reader(browser, place.console.removesuffix("/api/v1/staff"), "known-face", size=DESK) as one:
            one.light = False
            one.page.context.add_cookies([cookie(place, "monitoring")])
            one.go("/wall")
            one.page.wait_for_selector(".live.live")
            truth = walk(plan)
            alarm_id = answer(one, guards)
        hand_over(alarm_id, police, security)
        look_at_the_list(browser, place)

    raised = place.events("alarm_raised")
    assert {row["detail"]["entry_id"] for row in raised} == {entry_id}, "and nobody else was alarmed"
    assert name in {one.person for one in truth.sent}
    steps = [row["detail"]["step"] for row in place.events("alarm_step") if row["detail"]["alarm_id"] == alarm_id]
    assert steps == [
        "acknowledged",
        "confirmed",
        "dispatched",
        "accepted",
        "arrived",
        "outcome",
        "handed_to_police",
        "closed",
    ]
    assert place.events("still_frozen"), "what the alarm shows is frozen with its hash"
    assert strangers_left(place, crowd) == []


def look_at_the_list(browser, place: Place) -> None:
    """The security office: what the threshold rests on, and who the person is, once a reason is given."""
    with reader(browser, place.console.removesuffix("/api/v1/staff"), "watchlist", size=DESK) as one:
        one.light = False
        one.page.context.add_cookies([cookie(place, "security")])
        one.go("/watchlist")
        one.page.wait_for_selector("text=本院号贩子")
        one.page.click("text=阈值 >> nth=-1")
        one.page.wait_for_selector("text=误报预算：每天 1 次")
        one.look("threshold")
        one.page.locator("form.filters button.go", has_text="查询").click()
        one.page.click("text=打开")
        one.page.wait_for_selector("text=查看姓名与照片的理由")
        assert not one.sees("雷某"), "masked until a reason is given"
        one.page.fill(".card form input[name=reason]", "复核条目")
        one.page.locator(".card form button.go", has_text="查看").click()
        one.page.wait_for_selector("text=雷某")
        one.page.wait_for_selector(".pair img")
        one.look("entry")


def walk(plan: Plan) -> Outcome:
    """People walk past the cameras; on a thread, since the browser's own loop runs on this one."""
    with ThreadPoolExecutor(1) as apart:
        truth = apart.submit(simulate, plan).result()
    assert truth.report(plan)["not_taken"] == 0
    return truth


def answer(one: Reader, guards: httpx.Client) -> str:
    """The monitoring centre sees it, looks, and sends the guard, who removes the person; the alarm's id."""
    one.page.wait_for_selector(".alarm-row", timeout=20_000)
    one.page.wait_for_function("document.querySelectorAll('.pair img').length === 2")
    one.look("alarm")
    one.page.keyboard.press("1")
    one.page.wait_for_selector(".steps >> text=是本人")
    one.page.keyboard.press("1")
    one.page.wait_for_selector(".steps >> text=派保安")
    one.page.keyboard.press("1")
    one.page.wait_for_selector(".asking input[name=guard_id]")
    one.page.click(".asking button.go")
    one.page.wait_for_selector(".tag.state-dispatched")
    alarm_id = met_by(guards)
    one.page.wait_for_selector(".work .tag.state-outcome")
    one.look("outcome")
    return alarm_id


def hand_over(alarm_id: str, police: httpx.Client, security: httpx.Client) -> None:
    """To the police, and closed."""
    version = security.get(f"/alarms/{alarm_id}").json()["alarm"]["version"]
    for who, step in ((police, "handed_to_police"), (security, "closed")):
        said = who.post(
            f"/alarms/{alarm_id}/steps",
            json={"step": step, "version": version},
            headers={"Idempotency-Key": f"p-{step}"},
        )
        assert said.status_code == 200, said.text
        version = said.json()["version"]


def met_by(guards: httpx.Client) -> str:
    """The guard takes the dispatch and does what is to be done; the alarm's id."""
    (mine,) = guards.get("/guard/dispatches").json()["dispatches"]
    for step, more in (("accepted", {}), ("arrived", {}), ("outcome", {"outcome": "removed", "reason": "驱离"})):
        path = f"/guard/dispatches/{mine['dispatch_id']}/steps"
        said = guards.post(path, json={"step": step, **more}, headers={"Idempotency-Key": f"k-{step}"})
        assert said.status_code == 200, said.text
    return str(mine["alarm_id"])


def strangers_left(place: Place, crowd) -> list[str]:
    """Files below the data folder in which a picture of somebody who matched nobody lies open."""
    found = []
    pictures = [base64.b64decode(look.crop) for person in crowd if not person.listed for look in person.looks]
    marks = [picture[len(picture) // 2 :][:48] for picture in pictures]
    for file in place.system.settings.data_dir.rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            found += [str(file) for mark in marks if mark in data]
    return found
