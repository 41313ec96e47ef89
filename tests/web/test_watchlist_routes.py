"""The watchlist over HTTP: each route by each role, names and faces behind a reason on record, and one whole story."""

import base64
import io
import json
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import insert

from faces.enrolling import photo
from faces.made_calibration import a_report
from flows.listing import PDF
from shouhao.flows.watchlist_exchange import check_due
from shouhao.flows.watchlist_listing import list_due
from shouhao.kernel.clock import DAY_US
from shouhao.staff.model import ROLES
from shouhao.watch.store import watchlist_tables as tables
from shouhao.watch.store.alarm_tables import alarms
from watch.made_bundle import ISSUER_ID, PUBLIC, bundle, given
from web.served import NOW_US, Caller, Hospital, error_of
from web.watch_kept import FACE, LIST, WHY, agree, alarm_row, asked, begin, came, colours, listed, proposal, registered

READ = {"security", "police_liaison", "approver", "data_protection", "auditor"}
KEEP = {"security", "police_liaison"}
PROTECT = {"security", "data_protection"}

#: Each route: who may. What they send is enough to get past the form; what comes of it is told elsewhere.
ROUTES: list[tuple[str, str, Any, set[str]]] = [
    ("GET", "/watchlist/entries", None, READ),
    ("POST", "/watchlist/entries", "proposal", KEEP),
    ("GET", "/watchlist/entries/we_0", None, READ),
    ("GET", "/watchlist/entries/we_0/person?reason=x", None, READ),
    ("GET", "/watchlist/entries/we_0/photos/fp_0?reason=x", None, READ),
    ("GET", "/watchlist/entries/we_0/documents/wd_0?reason=x", None, READ),
    ("POST", "/watchlist/entries/we_0/appeal", {"text": "不是我"}, PROTECT),
    ("POST", "/watchlist/entries/we_0/appeal/uphold", WHY, PROTECT),
    ("POST", "/watchlist/entries/we_0/appeal/reject", WHY, PROTECT),
    ("POST", "/watchlist/entries/we_0/withdraw", WHY, PROTECT | {"police_liaison"}),
    ("POST", "/watchlist/entries/we_0/review", WHY, KEEP),
    ("POST", "/watchlist/entries/we_0/renewal", {**WHY, "days": 30}, KEEP),
    ("POST", "/watchlist/entries/we_0/erasure", WHY, PROTECT),
    ("POST", "/watchlist/requests/ap_0/apply", None, KEEP | {"data_protection", "approver"}),
    ("GET", "/watchlist/lists", None, READ | {"it", "monitoring"}),
    ("POST", "/watchlist/lists", LIST, {"security"}),
    ("POST", "/watchlist/lists/none/terms", {k: v for k, v in (LIST | WHY).items() if k != "list_id"}, {"security"}),
    ("GET", "/watchlist/lists/none/thresholds", None, READ | {"it", "monitoring"}),
    ("GET", "/watchlist/calibrations", None, READ | {"it", "monitoring"}),
    ("POST", "/watchlist/calibrations", b"{}", {"security", "it"}),
    ("GET", "/watchlist/close-pairs", None, READ),
    ("POST", "/watchlist/close-pairs/wp_0", {"decision": "same_person"}, KEEP),
    ("POST", "/watchlist/staff-photos", b"not a picture", set(ROLES)),
    ("DELETE", "/watchlist/staff-photos", None, set(ROLES)),
    ("GET", "/watchlist/keys", None, READ),
    ("GET", "/watchlist/issuers", None, READ),
    ("POST", "/watchlist/issuers", {"name": "x", "source": "police", "public_key": "0" * 64, **WHY}, KEEP),
    ("POST", "/watchlist/issuers/is_0/close", None, KEEP),
    ("POST", "/watchlist/bundles?list_id=own", b"not a bundle", KEEP),
    ("GET", "/watchlist/bundles", None, READ),
    ("GET", "/watchlist/bundles/wb_0", None, READ),
    ("GET", "/watchlist/bundles/wb_0/rows?kind=new", None, READ),
    ("GET", "/watchlist/bundles/wb_0/people?kind=new&reason=x", None, READ),
    ("GET", f"/watchlist/bundles/wb_0/photos/{'0' * 64}?reason=x", None, READ),
    ("GET", "/watchlist/lists/none/curves", None, READ | {"it", "monitoring"}),
    ("GET", "/watchlist/endings", None, READ),
    ("GET", "/watchlist/outcomes", None, READ),
    ("POST", "/watchlist/bundles/wb_0/import", WHY, KEEP),
    ("POST", "/watchlist/lists/none/export", {**WHY, "recipient": "邻院"}, KEEP),
    ("POST", "/watchlist/exports/ap_0", {"passphrase": "correct horse battery"}, KEEP),
]


@pytest.fixture
def watching(hospital: Hospital) -> Hospital:
    """With the switch on, one list, and trained people."""
    begin(hospital)
    return hospital


def test_each_route_answers_those_who_may_and_nobody_else(sqlite_hospital: Hospital) -> None:
    colours(sqlite_hospital)
    stranger = Caller(sqlite_hospital.console, {})
    before = sqlite_hospital.state()
    for method, path, sent, allowed in ROUTES:
        for role in set(ROLES) - allowed:
            said = asked(sqlite_hospital.staff(role), method, path, sent)
            assert (said.status_code, error_of(said)["code"]) == (403, "staff.role_missing"), (method, path, role)
        assert asked(stranger, method, path, sent).status_code == 401, (method, path)
    assert sqlite_hospital.state() == before
    for method, path, sent, allowed in ROUTES:
        for role in allowed:
            said = asked(sqlite_hospital.staff(role), method, path, sent)
            assert said.status_code not in {401, 403, 500}, (method, path, role, said.text)


def test_every_route_of_the_watchlist_is_in_the_table(sqlite_hospital: Hospital) -> None:
    told = sqlite_hospital.staff("it").ask("GET", "/../openapi.json").json()["paths"]
    known = {(method, path.partition("?")[0]) for method, path, _, _ in ROUTES}
    for path, operations in told.items():
        if "/watchlist/" in path:
            for method in operations:
                like = [one for one in known if one[0] == method.upper() and _matches(path, one[1])]
                assert like, (method, path)


def _matches(described: str, path: str) -> bool:
    pairs = zip(described.removeprefix("/api/v1/staff").split("/"), path.split("/"), strict=False)
    same = described.removeprefix("/api/v1/staff").count("/") == path.count("/")
    return same and all(a == b or a.startswith("{") for a, b in pairs)


def test_a_name_and_a_face_are_shown_for_a_reason_that_is_on_record_first(watching: Hospital) -> None:
    entry_id = listed(watching)
    security = watching.staff("security")
    detail = security.get(f"/watchlist/entries/{entry_id}")
    assert detail.json()["name_masked"] == "雷＊＊"
    for secret in ("雷某某", "老雷", "E1234567", "当场查获"):
        assert secret not in detail.text
    assert (detail.json()["entry"]["state"], detail.json()["photos"][0]["enrolled"]) == ("approved", True)
    assert watching.events("record_looked_at") == []
    photo_id = detail.json()["photos"][0]["photo_id"]
    paper_id = detail.json()["documents"][0]["document_id"]
    for path in ("person", f"photos/{photo_id}", f"documents/{paper_id}"):
        assert security.get(f"/watchlist/entries/{entry_id}/{path}").status_code == 422
    person = security.get(f"/watchlist/entries/{entry_id}/person", params={"reason": "核实身份"}).json()
    assert (person["name"], person["document_number"], person["ground"]) == ("雷某某", "E1234567", "当场查获")
    said = security.get(f"/watchlist/entries/{entry_id}/photos/{photo_id}", params={"reason": "比对"})
    assert said.headers["content-type"] == "image/jpeg"
    assert said.headers["cache-control"] == "no-store"
    with Image.open(io.BytesIO(said.content)) as picture:
        assert len(picture.convert("L").getcolors(256) or ()) > 10  # one colour went in; a mark lies over it
    paper = security.get(f"/watchlist/entries/{entry_id}/documents/{paper_id}", params={"reason": "复核"})
    assert paper.content == PDF
    assert paper.headers["content-disposition"].startswith("attachment")
    looks = [(e["detail"]["data_class"], e["detail"]["what"]) for e in watching.events("record_looked_at")]
    assert looks == [
        ("identity", f"watch entry {entry_id}"),
        ("face", f"watch entry {entry_id} photo {photo_id}"),
        ("case", f"watch entry {entry_id} document {paper_id}"),
    ]
    untrained = watching.staff("approver").get(f"/watchlist/entries/{entry_id}/photos/{photo_id}", params=WHY)
    assert error_of(untrained)["code"] == "staff.not_trained"
    other = listed(watching, photo((90, 1, 1)), person={"name": "他"})
    gone = security.get(f"/watchlist/entries/{other}/photos/{photo_id}", params=WHY)
    assert gone.status_code == 404  # a photograph is found under its own entry alone


def test_a_proposal_is_made_once_for_its_key(watching: Hospital) -> None:
    caller = watching.staff("security")
    first = caller.post("/watchlist/entries", json=proposal(), key="p1")
    again = caller.post("/watchlist/entries", json=proposal(), key="p1")
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert len(caller.get("/watchlist/entries").json()["entries"]) == 1
    refused = caller.post("/watchlist/entries", json=proposal())
    assert error_of(refused)["code"] == "watch.already_listed"


def test_what_is_wrong_with_a_proposal_is_named_by_its_field(watching: Hospital) -> None:
    caller, before = watching.staff("security"), watching.state()
    for changed, field in (
        ({"photos": ["not base64!"]}, "photos[0]"),
        ({"photos": [base64.b64encode(b"GIF89a").decode()]}, "photos[0]"),
        ({"photos": []}, "photos"),
        ({"documents": [base64.b64encode(b"MZ").decode()]}, "documents[0]"),
        ({"person": {"name": ""}}, "name"),
        ({"list_id": "none"}, "list_id"),
        ({"days": 400}, "days"),
    ):
        said = caller.post("/watchlist/entries", json=proposal(**changed))
        assert said.status_code in {404, 422}, said.text
        assert error_of(said)["field"] == field
    assert watching.state() == before


def test_nothing_is_listed_while_the_switch_is_off(hospital: Hospital) -> None:
    colours(hospital)
    caller = hospital.staff("security")
    assert caller.post("/watchlist/lists", json=LIST).status_code == 201
    said = caller.post("/watchlist/entries", json=proposal())
    assert error_of(said)["code"] == "law.switch_off"
    assert caller.get("/watchlist/entries").json()["entries"] == []


def test_an_entry_s_story_from_appeal_to_its_end(watching: Hospital) -> None:
    entry_id = listed(watching)
    protection = watching.staff("data_protection")
    path = f"/watchlist/entries/{entry_id}"
    assert protection.post(f"{path}/appeal", json={"text": "不是我"}).json()["state"] == "suspended"
    resumed = protection.post(f"{path}/appeal/reject", json=WHY).json()["approval_id"]
    agree(watching, resumed, "approver", "security")
    assert watching.staff("security").post(f"/watchlist/requests/{resumed}/apply").json()["act"] == "resume"
    assert watching.staff("security").post(f"{path}/review", json=WHY).status_code == 200
    renewed = watching.staff("police_liaison").post(f"{path}/renewal", json={**WHY, "days": 30}).json()["approval_id"]
    agree(watching, renewed, "approver", "security")
    watching.staff("security").post(f"/watchlist/requests/{renewed}/apply")
    erased = watching.staff("security").post(f"{path}/erasure", json=WHY).json()["approval_id"]
    agree(watching, erased, "data_protection")
    watching.staff("security").post(f"/watchlist/requests/{erased}/apply")
    detail = watching.staff("auditor").get(path).json()
    assert (detail["entry"]["state"], detail["name_masked"], detail["photos"]) == ("erased", None, [])
    acts = [step["act"] for step in detail["history"]]
    assert acts == ["proposed", "list", "suspend", "resume", "reviewed", "renewed", "erase", "wiped"]
    watching.assert_sound()


def test_nobody_has_to_come_back_for_what_was_approved(watching: Hospital) -> None:
    made = watching.staff("police_liaison").post("/watchlist/entries", json=proposal()).json()
    agree(watching, made["approval_id"], "approver", "security")
    done = watching.system.list_worker.look()
    assert done["watch_approved"] == 1
    detail = watching.staff("security").get(f"/watchlist/entries/{made['entry_id']}").json()
    assert (detail["entry"]["state"], detail["photos"][0]["enrolled"]) == ("approved", True)
    watching.clock.advance(seconds=181 * 86_400)
    assert watching.system.list_worker.look()["watch_expire"] == 1
    detail = watching.staff("security").get(f"/watchlist/entries/{made['entry_id']}").json()
    assert (detail["entry"]["state"], detail["name_masked"], detail["photos"]) == ("expired", None, [])
    assert not set(done) & set(watching.system.worker.look())  # a release never waits for a list


def test_a_withdrawal_leaves_nothing_when_it_is_answered(watching: Hospital) -> None:
    entry_id = listed(watching)
    said = watching.staff("data_protection").post(f"/watchlist/entries/{entry_id}/withdraw", json=WHY)
    assert said.json()["state"] == "withdrawn"
    with watching.system.db.read() as connection:
        (row,) = connection.execute(tables.entries.select()).all()
    assert row.sealed_person is None
    assert list(watching.system.settings.face_keys_path().rglob("*.key")) == []


def test_thresholds_are_shown_with_what_they_rest_on(watching: Hospital) -> None:
    listed(watching)
    caller = watching.staff("it")
    (one,) = caller.get("/watchlist/lists").json()["lists"]
    assert (one["list_id"], one["entries"], one["version"]) == ("own", {"approved": 1}, 1)
    told = caller.get("/watchlist/lists/own/thresholds").json()
    (pack,) = told["packs"]
    assert (pack["list_size"], pack["passages_are"], pack["by_hand"]) == (1, "assumed", False)
    assert pack["set"]["derived_from"]["false_alarms_a_day"] == 10
    assert pack["now"]["reached"] is True
    assert [one["version"] for one in told["history"]] == [1]


def test_a_bundle_comes_is_compared_accepted_and_handed_on(watching: Hospital) -> None:
    liaison, security = watching.staff("police_liaison"), watching.staff("security")
    registered = liaison.post(
        "/watchlist/issuers", json={"name": "某市公安局", "source": "police", "public_key": PUBLIC.hex(), **WHY}
    )
    agree(watching, registered.json()["approval_id"], "approver", "security")
    security.post(f"/watchlist/requests/{registered.json()['approval_id']}/apply")
    assert [one["issuer_id"] for one in security.get("/watchlist/issuers").json()["issuers"]] == [ISSUER_ID]
    broken = b"\xff\xd8\xff"
    data = bundle([given("E1", FACE), given("E2", broken)], FACE, broken)
    taken = asked(liaison, "POST", "/watchlist/bundles?list_id=own", data)
    assert (taken.status_code, taken.json()["new"]) == (201, True), taken.text
    bundle_id = taken.json()["bundle_id"]
    assert security.get(f"/watchlist/bundles/{bundle_id}").json()["difference"] is None
    check_due(watching.system.watchlist, now_us=NOW_US)
    difference = security.get(f"/watchlist/bundles/{bundle_id}").json()["difference"]
    assert difference["new"] == ["E1"]
    assert [one["place"] for one in difference["refused"]] == ["entries[1].photos", "entries[1].photos[0]"]
    accepted = liaison.post(f"/watchlist/bundles/{bundle_id}/import", json=WHY).json()["approval_id"]
    agree(watching, accepted, "approver", "security")
    security.post(f"/watchlist/requests/{accepted}/apply")
    list_due(watching.system.watchlist, now_us=NOW_US)
    (entry,) = security.get("/watchlist/entries").json()["entries"]
    assert (entry["source"], entry["state"], entry["issuer_id"]) == ("police", "approved", ISSUER_ID)
    exported = security.post("/watchlist/lists/own/export", json={**WHY, "recipient": "邻院"}).json()["approval_id"]
    agree(watching, exported, "data_protection")
    sealed = security.post(f"/watchlist/exports/{exported}", json={"passphrase": "correct horse battery"})
    assert sealed.content.startswith(b"SHOUHAO-SEALED-1\n")
    assert security.post(f"/watchlist/issuers/{ISSUER_ID}/close").status_code == 204
    again = asked(liaison, "POST", "/watchlist/bundles?list_id=own", bundle([], number=2))
    assert error_of(again)["code"] == "watch.issuer_unknown"
    keys = security.get("/watchlist/keys").json()
    assert len(keys["signing_key"]) == len(keys["sealing_key"]) == 64
    watching.assert_sound()


def test_a_list_s_curve_is_that_of_its_own_calibration_and_says_what_is_extrapolated(watching: Hospital) -> None:
    listed(watching)
    caller = watching.staff("it")
    (before,) = caller.get("/watchlist/lists/own/curves").json()["packs"]
    assert (before["basis"], before["calibration_id"]) == ("manifest", None)
    report, _ = a_report(400)
    report["pack"]["id"] = "colour@1"
    said = asked(caller, "POST", "/watchlist/calibrations", json.dumps(report).encode())
    assert said.status_code == 201, said.text
    told = caller.get("/watchlist/lists/own/curves").json()
    (pack,) = told["packs"]
    assert (pack["basis"], pack["calibration_id"]) == ("calibration", said.json()["calibration_id"])
    points = pack["points"]
    assert [one["similarity_cos"] for one in points] == sorted(one["similarity_cos"] for one in points)
    for one in points:
        compared = pack["list_size"] * pack["passages_a_day"]
        assert one["false_alarms_a_day"] == pytest.approx(min(pack["passages_a_day"], one["fmr"] * compared))
        assert one["extrapolated"] is (one["fmr"] < pack["smallest_fmr"])
    (stands,) = caller.get("/watchlist/lists/own/thresholds").json()["packs"]
    (keeps, *_) = [one for one in points if one["false_alarms_a_day"] <= told["false_alarms_a_day"]]
    assert keeps["similarity_cos"] >= stands["now"]["threshold_cos"] - 1e-9


def test_who_accepts_a_bundle_sees_each_row_masked_and_in_full_for_a_reason_on_record(watching: Hospital) -> None:
    registered(watching)
    other, third = photo((40, 1, 1), size=160), photo((70, 1, 1), size=160)
    people = [given("E1", FACE), given("E2", other), given("E3", third)]
    first = came(watching, bundle(people, FACE, other, third))
    liaison, security = watching.staff("police_liaison"), watching.staff("security")
    accepted = liaison.post(f"/watchlist/bundles/{first}/import", json=WHY).json()["approval_id"]
    agree(watching, accepted, "approver", "security")
    security.post(f"/watchlist/requests/{accepted}/apply")
    list_due(watching.system.watchlist, now_us=NOW_US)
    changed = given("E1", FACE, ground="再次查获", name="某甲")
    second = came(watching, bundle([changed, given("E3", third)], FACE, third, number=2))

    def rows(kind: str, path: str = "rows", bundle_id: str = second, **query: Any) -> Any:
        said = watching.staff("approver").get(f"/watchlist/bundles/{bundle_id}/{path}", params={"kind": kind, **query})
        assert said.status_code == 200, said.text
        return said

    (row,) = rows("changed").json()["rows"]
    assert (row["id"], row["changed"]) == ("E1", ["name", "ground"])
    assert (row["here"]["name"], row["given"]["name"], row["given"]["ground"]) == ("某＊＊", "某＊", None)
    (gone,) = rows("gone").json()["rows"]
    assert (gone["given"], gone["here"]["name"]) == (None, "某＊＊")
    assert [one["id"] for one in rows("same").json()["rows"]] == ["E3"]
    for secret in ("某甲", "再次查获", "行政处罚决定书"):
        assert all(secret not in rows(kind).text for kind in ("changed", "gone", "same", "new", "already", "alike"))
    assert watching.events("record_looked_at") == []
    path = f"/watchlist/bundles/{second}/people"
    assert watching.staff("approver").get(path, params={"kind": "changed"}).status_code == 422
    assert watching.events("record_looked_at") == []
    (row,) = rows("changed", "people", reason="核对差异").json()["rows"]
    assert (row["here"]["ground"], row["given"]["ground"], row["given"]["name"]) == (
        "行政处罚决定书",
        "再次查获",
        "某甲",
    )
    (looked,) = watching.events("record_looked_at")
    assert looked["detail"]["data_class"] == "identity"
    assert looked["detail"]["what"] == f"watch bundle {second} changed from 0 to 100"
    (fit,) = row["fit"]
    path = f"/watchlist/bundles/{second}/photos/{fit['sha256']}"
    said = security.get(path, params=WHY)
    assert (said.status_code, said.headers["content-type"]) == (200, "image/jpeg")
    assert watching.events("record_looked_at")[-1]["detail"]["data_class"] == "face"
    assert error_of(watching.staff("approver").get(path, params=WHY))["code"] == "staff.not_trained"
    assert security.get(path).status_code == 422
    assert security.get(f"/watchlist/bundles/{second}/photos/{'0' * 64}", params=WHY).status_code == 404
    decided = rows("new", bundle_id=first).json()  # its file was deleted when the last of it was listed
    assert [(one["id"], one["given"]) for one in decided["rows"]] == [("E1", None), ("E2", None), ("E3", None)]
    assert decided["total"] == 3
    page = rows("new", bundle_id=first, after=2, limit=2).json()
    assert ([one["id"] for one in page["rows"]], page["total"]) == (["E3"], 3)


def test_what_ends_or_needs_a_review_soon_is_told_the_nearest_first(watching: Hospital) -> None:
    soon = listed(watching, days=20)
    later = listed(watching, photo((90, 1, 1)), person={"name": "他"})
    security = watching.staff("security")
    told = security.get("/watchlist/endings").json()
    assert (told["total"], [one["entry_id"] for one in told["endings"]]) == (1, [soon])
    told = security.get("/watchlist/endings", params={"days": 91}).json()
    assert [one["entry_id"] for one in told["endings"]] == [soon, later]  # the other's review comes after 90 days
    security.post(f"/watchlist/entries/{soon}/withdraw", json=WHY)
    assert security.get("/watchlist/endings").json()["total"] == 0


def test_what_came_of_alarms_is_counted_by_list(watching: Hospital) -> None:
    became: tuple[dict[str, Any], ...] = (
        {"outcome": "removed"},
        {"outcome": "removed"},
        {"outcome": "mistaken_identity"},
        {"state": "closed", "rejected_at_us": NOW_US},
        {},
        {"outcome": "warned", "raised_at_us": NOW_US - 91 * DAY_US},
        {"outcome": "lost", "list_id": "police"},
    )
    with watching.system.db.write() as connection:
        for n, more in enumerate(became):
            connection.execute(insert(alarms).values(**alarm_row(n, more)))
    told = watching.staff("auditor").get("/watchlist/outcomes").json()["lists"]
    assert told == [
        {"list_id": "own", "became": {"removed": 2, "mistaken_identity": 1, "rejected": 1, "open": 1}},
        {"list_id": "police", "became": {"lost": 1}},
    ]


def test_script_in_a_name_comes_back_as_text_and_never_as_a_page(watching: Hospital) -> None:
    hostile = "<script>alert(1)</script>"
    entry_id = listed(watching, person={"name": hostile}, ground=hostile)
    said = watching.staff("security").get(f"/watchlist/entries/{entry_id}/person", params=WHY)
    assert said.headers["content-type"].startswith("application/json")
    assert said.json()["name"] == hostile
