"""Findings over HTTP: each route and each role, what is shown before and after a look, and that judging is once."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from conftest import _create, _execute
from flows import made_findings as made
from flows.made_findings import ACCOUNT, OTHER, RAW
from flows.nights import make_night
from shouhao.flows.findings import take_in
from shouhao.staff.model import ROLES
from shouhao.staff.register import search
from web.served import NOW_US, Caller, Hospital, error_of, served

READERS = {"security", "outpatient_office", "it", "police_liaison", "auditor"}
JUDGES = {"security", "outpatient_office"}
WHY = {"reason": "核对就诊记录"}
ROUTES: list[tuple[str, str, dict[str, Any], set[str]]] = [
    ("GET", "/findings", {}, READERS),
    ("GET", "/findings/f-ring", {}, READERS),
    ("POST", "/findings/f-ring/looks", {"json": WHY}, READERS),
    ("POST", "/findings/f-ring/judgements", {"json": {"judgement": "watched", **WHY}}, JUDGES),
]


@contextmanager
def database(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """The URL of an empty database of a kind."""
    template = request.getfixturevalue(f"{request.param}_template")
    if request.param == "sqlite":
        shutil.copy(template, folder / "shouhao.sqlite3")
        yield f"sqlite:///{folder / 'shouhao.sqlite3'}"
        return
    name = f"t{uuid.uuid4().hex}"
    _create(template, name, template="shouhao_template")
    yield template.format(name=name)
    _execute(template, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def hospital(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    """One for all tests of a database; each finds the judgements of those before it, and minds only its own."""
    folder = tmp_path_factory.mktemp("findings")
    with database(request, folder) as url, served(url, folder) as running:
        with running.system.db.write() as connection:
            for name in ("a", "b"):
                path = make_night(folder / name) if name == "b" else made.night(folder / name)
                take_in(connection, running.system.vault, path, name=None, now_us=NOW_US)
        yield running


def looks(hospital: Hospital) -> int:
    with hospital.system.db.read() as connection:
        return len(search(connection, limit=1000))


def run_of(hospital: Hospital, name: str) -> str:
    runs = hospital.staff("auditor").get("/findings").json()["runs"]
    return str(next(run["run_id"] for run in runs if run["name"] == name))


@pytest.mark.parametrize(("method", "path", "sent", "allowed"), ROUTES, ids=[f"{r[0]} {r[1]}" for r in ROUTES])
def test_each_route_and_each_role(
    hospital: Hospital, method: str, path: str, sent: dict[str, Any], allowed: set[str]
) -> None:
    assert Caller(hospital.console, {}).ask(method, path, **sent).status_code == 401
    said = {role: hospital.staff(role).ask(method, path, **sent) for role in ROLES}
    assert {role for role, one in said.items() if one.status_code != 403} == allowed
    assert {said[role].status_code for role in allowed} == {200}
    for role in set(ROLES) - allowed:
        assert error_of(said[role])["code"] == "staff.role_missing"


def test_a_list_has_everything_that_a_page_chooses_by(hospital: Hospital) -> None:
    caller = hospital.staff("security")
    found = caller.get("/findings").json()
    assert [run["name"] for run in found["runs"]] == ["b", "a"]
    night = found["runs"][0]
    assert set(night["findings"]) == {"certain-pattern", "strong", "lead"}
    assert found["levels"] == night["findings"]
    assert night["from_at"].endswith("+08:00")
    assert len(found["findings"]) == 50
    more = caller.get("/findings", params={"after": found["next"], "limit": 200}).json()
    assert len(more["findings"]) == sum(night["findings"].values()) - 50
    assert more["next"] is None
    code, facet = next(iter(found["reasons"].items()))
    having = caller.get("/findings", params={"reason": code, "limit": 200}).json()["findings"]
    assert len(having) == facet["count"]
    assert all(code in one["reasons"] for one in having)
    rings = caller.get("/findings", params={"kind": "ring", "run_id": run_of(hospital, "a")}).json()["findings"]
    assert [(one["finding_id"], one["members"]) for one in rings] == [("f-ring", 2)]
    for bad in (
        {"limit": 201},
        {"limit": 0},
        {"after": "x"},
        {"level": "guilty"},
        {"kind": "person"},
        {"reason": "A b"},
    ):
        assert caller.get("/findings", params=bad).status_code == 422
    assert caller.get("/findings", params={"run_id": "fr_none"}).status_code == 404


def test_only_a_look_on_record_shows_ids_and_lines(hospital: Hospital) -> None:
    caller = hospital.staff("police_liaison")
    masked = caller.get("/findings/f-ring")
    for secret in (ACCOUNT, OTHER, "dev-aa1700f3", RAW):
        assert secret not in masked.text
    assert "lines" not in masked.json()
    before = looks(hospital)
    assert caller.post("/findings/f-ring/looks", json={"reason": " "}).status_code == 422
    assert caller.post("/findings/f-ring/looks", json={}).status_code == 422
    assert caller.post("/findings/f-none/looks", json=WHY).status_code == 404
    assert looks(hospital) == before
    whole = caller.post("/findings/f-ring/looks", json={**WHY, "authority": "立案决定书 7 号"}).json()
    assert [one["id"] for one in whole["members"]] == [ACCOUNT, OTHER]
    assert whole["lines"]["reasons"][0][0]["lines"] == [RAW]
    assert len(whole["lines"]["speaks_for"]) == len(whole["speaks_for"]) == 1
    with hospital.system.db.read() as connection:
        row = search(connection, limit=1)[0]
    assert (row.what.split()[0], row.authority, row.records) == ("finding:f-ring", "立案决定书 7 号", 3)
    assert looks(hospital) == before + 1
    assert len(hospital.events("record_looked_at")) == looks(hospital)


def test_the_detail_is_what_the_page_was_promised(hospital: Hospital) -> None:
    caller = hospital.staff("it")
    best = caller.get("/findings", params={"kind": "ring"}).json()["findings"][0]
    one = caller.get(f"/findings/{best['finding_id']}").json()
    terms = [term["weight"] for term in (*one["reasons"], *one["speaks_for"])]
    assert one["base"] + sum(terms) == pytest.approx(one["score"], abs=0.002)
    assert all(term["name"]["zh"] and term["evidence"] > 0 for term in one["reasons"])
    nodes, edges = one["ring"]["nodes"], one["ring"]["edges"]
    assert [node["n"] for node in nodes] == list(range(len(nodes)))
    assert all(nodes[edge["a"]]["shared_by"] is None and nodes[edge["b"]]["shared_by"] >= 2 for edge in edges)
    assert all(edge["first_at"] <= edge["last_at"] for edge in edges)
    mine = next(node for node in nodes if node["finding_id"])
    member = caller.get(f"/findings/{mine['finding_id']}").json()
    assert member["ring_id"] == one["finding_id"]
    assert one["rhythm"]["hours"]["people"] > 0
    assert len(one["input_sha256"]) == 2
    assert caller.get("/findings/f-none").status_code == 404


def test_judging_is_once_for_a_key_and_may_be_taken_back(hospital: Hospital) -> None:
    caller, path = hospital.staff("outpatient_office"), "/findings/f-2/judgements"
    upheld = {"judgement": "upheld", "reason": "<img src=x onerror=alert(1)>"}
    before = len(hospital.events("finding_judged"))
    assert caller.post(path, key=None, json=upheld).status_code == 400
    said = [caller.post(path, key="k-1", json=upheld).json() for _ in range(2)]
    assert said == [{"state": "upheld"}] * 2
    assert caller.post(path, key="k-1", json={**upheld, "judgement": "watched"}).status_code == 422
    assert len(hospital.events("finding_judged")) == before + 1
    detail = caller.get("/findings/f-2").json()
    assert (detail["state"], detail["judgements"][0]["reason"]) == ("upheld", upheld["reason"])
    assert caller.post(path, json={"judgement": "dismissed", **WHY}).json() == {"state": "dismissed"}
    assert [one["judgement"] for one in caller.get("/findings/f-2").json()["judgements"]] == ["dismissed", "upheld"]
    for bad in ({"judgement": "open", **WHY}, {"judgement": "upheld"}, {"judgement": "upheld", "reason": ""}):
        assert caller.post(path, json=bad).status_code == 422
    assert caller.post("/findings/f-none/judgements", json={"judgement": "upheld", **WHY}).status_code == 404
    event = hospital.events("finding_judged")[-1]
    assert event["detail"]["finding_id"] == "f-2"
    assert "核对" not in repr(event)
    hospital.assert_sound()
