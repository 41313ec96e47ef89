"""Tips over HTTP: told without a name, followed with a code, read by those who may, each look on record."""

import io

import pytest
from PIL import Image
from sqlalchemy import select

from shouhao.staff import register
from shouhao.staff.model import ROLES
from shouhao.store import answers
from web.served import Caller, Hospital, error_of
from web.telling import FIELDS, WHAT, hospital_of, keep_finding, later, photographed, screenshot, send_picture, tell


@pytest.fixture(scope="module")
def running(sqlite_template, tmp_path_factory):
    with hospital_of(sqlite_template, tmp_path_factory.mktemp("tips")) as one:
        yield one


@pytest.fixture
def hospital(running: Hospital) -> Hospital:
    later(running)
    return running


def look(hospital: Hospital, role: str, tip_id: str, reason: str = "核对举报"):
    return hospital.staff(role).post(f"/tips/{tip_id}/looks", json={"reason": reason})


def test_a_tip_is_told_with_a_channel_and_without_a_sign_in(hospital: Hospital) -> None:
    terms = hospital.channel().get("/tips").json()
    assert (terms["keep_days"], terms["pictures_most"], terms["security_phone"]) == (365, 4, None)
    given = tell(hospital)
    assert [len(part) for part in given["code"].split("-")] == [4, 4, 4]
    nobody = Caller(hospital.public, {})
    assert nobody.post("/tips", json={"what": WHAT}).status_code == 401
    assert nobody.get("/tips").status_code == 401


def test_a_retry_hears_the_same_number_and_code_and_the_database_has_neither(hospital: Hospital) -> None:
    before = len(hospital.events("tip_told"))
    said = [hospital.channel().post("/tips", json={"what": WHAT, "price": "800"}, key=f"k{before}") for _ in range(2)]
    assert said[0].json() == said[1].json()
    assert len(hospital.events("tip_told")) == before + 1
    changed = hospital.channel().post("/tips", json={"what": WHAT, "price": "900"}, key=f"k{before}")
    assert error_of(changed)["code"] == "idempotency_key_reused"
    with hospital.system.db.read() as connection:
        kept = " ".join(connection.execute(select(answers.answers.c.body)).scalars())
    assert said[0].json()["code"].replace("-", "") not in kept


def test_a_tip_names_the_doctor_of_its_session(hospital: Hospital) -> None:
    given = tell(hospital, session_id=hospital.session)
    shown = hospital.staff("security").get(f"/tips/{given['tip_id']}").json()["tip"]
    assert (shown["doctor_id"], shown["doctor_zh"], shown["department_id"]) == ("D1", "李医生", "CARD")
    assert hospital.channel().post("/tips", json={"what": WHAT, "session_id": "none"}).status_code == 404


def test_whoever_has_number_and_code_sees_how_far_it_is_and_adds_to_it(hospital: Hospital) -> None:
    given = tell(hospital)
    asked = {"reference": given["reference"], "code": given["code"]}
    web = hospital.channel()
    assert web.post("/tips/look-up", json=asked).json()["state"] == "new"
    added = web.post("/tips/additions", json={**asked, "words": "他又来了"})
    assert (added.status_code, added.json()["additions"]) == (200, 1)
    wrong = web.post("/tips/look-up", json={**asked, "code": "0000-0000-0000"})
    assert (wrong.status_code, error_of(wrong)["code"]) == (404, "cases.tip_unknown")
    opened = look(hospital, "security", given["tip_id"])
    version = opened.json()["tip"]["version"]
    security = hospital.staff("security")
    body = {"state": "passed_on", "version": version, "reason": "已电话告知警务室"}
    assert security.post(f"/tips/{given['tip_id']}/steps", json=body).json()["state"] == "passed_on"
    assert security.post(f"/tips/{given['tip_id']}/notes", json={"words": "已转交，谢谢。"}).status_code == 200
    seen = web.post("/tips/look-up", json=asked).json()
    assert (seen["state"], [one["words"] for one in seen["notes"]]) == ("passed_on", ["已转交，谢谢。"])
    assert "电话" not in str(seen), "why it was passed on is the hospital's own"


def test_the_inbox_shows_nothing_of_what_was_told(hospital: Hospital) -> None:
    secrets = {name: f"秘密{name}" for name in FIELDS if name != "what"}
    given = tell(hospital, **secrets)
    send_picture(hospital, given, photographed())
    for role in ("security", "outpatient_office", "auditor"):
        staff = hospital.staff(role)
        for said in (staff.get("/tips"), staff.get("/tips/counts"), staff.get(f"/tips/{given['tip_id']}")):
            assert said.status_code == 200
            assert "秘密" not in said.text
            assert "分诊台" not in said.text
    (shown,) = [t for t in hospital.staff("auditor").get("/tips").json()["tips"] if t["tip_id"] == given["tip_id"]]
    assert (set(shown["filled"]), shown["pictures"], shown["next"]) == (set(FIELDS), 1, [])
    told = look(hospital, "security", given["tip_id"]).json()["told"]
    assert told == {"what": WHAT, **secrets}


def test_each_route_is_for_its_roles_alone(hospital: Hospital) -> None:
    given = tell(hospital)
    path = f"/tips/{given['tip_id']}"
    send_picture(hospital, given, photographed())
    (picture_id,) = look(hospital, "security", given["tip_id"]).json()["picture_ids"]
    keepers, seers = {"security", "outpatient_office"}, {"security", "outpatient_office", "auditor"}
    reason = {"reason": "核对"}
    for role in ROLES:
        staff = hospital.staff(role)
        listed = 200 if role in {*seers, "police_liaison"} else 403
        closed = {True: 200, False: 404 if role == "police_liaison" else 403}[role in seers]
        opens = {True: 200, False: 404 if role == "police_liaison" else 403}[role in keepers]
        assert staff.get("/tips").status_code == listed, role
        assert staff.get("/tips/counts").status_code == (200 if role in seers else 403), role
        assert staff.get(path).status_code == closed, role
        assert staff.post(f"{path}/looks", json=reason).status_code == opens, role
        assert staff.get(f"{path}/pictures/{picture_id}", params=reason).status_code == opens, role
        moved = staff.post(f"{path}/steps", json={"state": "looked_at", "version": 999, **reason})
        assert moved.status_code == (409 if role in keepers else 403), role
        noted = staff.post(f"{path}/notes", json={"words": "谢谢"})
        assert noted.status_code == (200 if role in keepers else 403), role
    passed_on = hospital.staff("police_liaison").get("/tips").json()["tips"]
    assert {one["state"] for one in passed_on} <= {"passed_on"}
    assert Caller(hospital.console, {}).get("/tips").status_code == 401


def test_the_police_liaison_opens_what_was_passed_on(hospital: Hospital) -> None:
    given = tell(hospital)
    version = look(hospital, "security", given["tip_id"]).json()["tip"]["version"]
    body = {"state": "passed_on", "version": version, "reason": "转交"}
    assert hospital.staff("security").post(f"/tips/{given['tip_id']}/steps", json=body).status_code == 200
    police = hospital.staff("police_liaison")
    assert police.get("/tips").json()["tips"][0]["tip_id"] == given["tip_id"]
    assert police.get("/tips", params={"state": "new"}).json()["tips"] == []
    assert look(hospital, "police_liaison", given["tip_id"]).json()["told"]["what"] == WHAT


def test_a_picture_is_shown_after_its_look_is_on_record_with_the_lookers_mark(hospital: Hospital) -> None:
    given = tell(hospital)
    grey = io.BytesIO()
    Image.new("RGB", (400, 400), (128, 128, 128)).save(grey, "PNG")
    assert send_picture(hospital, given, grey.getvalue()).status_code == 201
    (picture_id,) = look(hospital, "security", given["tip_id"]).json()["picture_ids"]
    path = f"/tips/{given['tip_id']}/pictures/{picture_id}"
    security = hospital.staff("security")
    assert security.get(path).status_code == 422, "no reason, no picture"
    said = security.get(path, params={"reason": "核对截图"})
    assert (said.status_code, said.headers["content-type"]) == (200, "image/jpeg")
    assert said.headers["cache-control"] == "no-store"
    assert len(set(Image.open(io.BytesIO(said.content)).convert("L").tobytes())) > 10, "a mark lies over the even grey"
    with hospital.system.db.read() as connection:
        newest = register.search(connection, data_class="case", limit=1)[0]
    assert (newest.reason, newest.what) == ("核对截图", f"tip:{given['tip_id']} {picture_id}")
    other = tell(hospital)
    assert security.get(f"/tips/{other['tip_id']}/pictures/{picture_id}", params={"reason": "x"}).status_code == 404


def test_four_pictures_and_no_more(hospital: Hospital) -> None:
    given = tell(hospital)
    small = io.BytesIO()
    screenshot((64, 64)).save(small, "WEBP")
    assert [send_picture(hospital, given, small.getvalue()).status_code for _ in range(5)] == [201] * 4 + [409]


def test_tips_are_found_by_state_doctor_week_and_number_and_go_on(hospital: Hospital) -> None:
    given = [tell(hospital, session_id=hospital.session) for _ in range(3)]
    security = hospital.staff("security")
    found = security.get("/tips", params={"reference": given[1]["reference"].lower()}).json()["tips"]
    assert [one["tip_id"] for one in found] == [given[1]["tip_id"]]
    first = security.get("/tips", params={"doctor_id": "D1", "limit": 2}).json()
    assert first["more"]
    last = first["tips"][-1]
    rest = security.get(
        "/tips", params={"doctor_id": "D1", "before": last["told_at"], "before_id": last["tip_id"]}
    ).json()
    ids = [one["tip_id"] for one in first["tips"] + rest["tips"]]
    assert len(ids) == len(set(ids))
    assert {one["tip_id"] for one in given} <= set(ids)
    assert security.get("/tips", params={"week": "2020-01-01"}).json()["tips"] == []
    counts = security.get("/tips/counts").json()
    assert counts["doctors"][0]["name_zh"] == "李医生"
    assert len(counts["weeks"]) == 26
    assert counts["weeks"][-1]["tips"] >= 3


def test_a_finding_or_an_alarm_that_is_linked_to_exists(hospital: Hospital) -> None:
    given = tell(hospital)
    version = look(hospital, "security", given["tip_id"]).json()["tip"]["version"]
    body = {"state": "linked", "version": version, "reason": "同一人", "link_kind": "alarm"}
    path = f"/tips/{given['tip_id']}/steps"
    assert hospital.staff("security").post(path, json=body).status_code == 422
    assert hospital.staff("security").post(path, json={**body, "link_id": "al_none"}).status_code == 404
    keep_finding(hospital.system.db, "f-7")
    linked = hospital.staff("security").post(path, json={**body, "link_kind": "finding", "link_id": "f-7"})
    assert (linked.json()["state"], linked.json()["link_id"]) == ("linked", "f-7")
    hospital.assert_sound()


def test_the_worker_erases_tips_when_their_time_is_over(hospital: Hospital) -> None:
    given = tell(hospital)
    hospital.clock.advance(seconds=366 * 86_400)
    hospital.system.worker.look()
    assert hospital.staff("security").get(f"/tips/{given['tip_id']}").status_code == 404
    assert hospital.events("tips_erased") != []
