"""The people of the demo: who signs in has one-time logins alone, and sees most pages without approving their own."""

import io
import shutil
from types import SimpleNamespace

import httpx
import pyotp
import pytest
from rich.console import Console

from shouhao.cli import demo as command
from shouhao.kernel.clock import SECOND_US
from shouhao.lab.cast import Login, seed_cast
from shouhao.staff.model import APART
from shouhao.staff.store import list_operators
from web.served import served

PASSWORD = "一句足够长的口令话语甲乙丙"


@pytest.fixture(scope="module")
def hospital(sqlite_template, tmp_path_factory):
    with served(*_database(sqlite_template, tmp_path_factory.mktemp("cast"))) as hospital:
        yield hospital


@pytest.fixture(scope="module")
def cast(hospital):
    return seed_cast(hospital.system)


def test_a_one_time_login_opens_nothing_until_password_and_second_factor_are_set(hospital, cast):
    demo = next(one for one in cast.logins if one.login == "demo")
    with httpx.Client(base_url=hospital.console, timeout=20) as client:
        csrf = _post(client, "/sign-in", login=demo.login, password=demo.one_time)["csrf_token"]
        for path in ("/alarms", "/findings", "/morning"):
            assert client.get(path).status_code == 403, path
        _post(client, "/session/password", csrf, new_password=PASSWORD)
        assert client.get("/alarms").status_code == 403
        secret = _post(client, "/session/second-factor", csrf)["secret"]
        code = pyotp.TOTP(secret).at(hospital.clock.now_us() // SECOND_US)
        _post(client, "/session/second-factor/confirmation", csrf, code=str(code))
        for path in ("/alarms", "/findings", "/morning"):
            assert client.get(path).status_code == 200, path
    with httpx.Client(base_url=hospital.console, timeout=20) as again:
        said = again.post("/sign-in", json={"login": demo.login, "password": demo.one_time}, headers=_origin(again))
        assert said.status_code == 401, "it was good once"


def test_nobody_has_everything_and_whoever_asks_does_not_approve(hospital, cast):
    with hospital.system.db.read() as connection:
        people = {one.name: one.roles for one in list_operators(connection)}
    for pair in APART:
        assert not [name for name, roles in people.items() if pair <= roles]
    assert people["试用值班 Demo"].isdisjoint({"approver", "administrator", "auditor", "data_protection"})
    assert "approver" in people["试用复核 Second"]
    assert [one.login for one in cast.logins][:3] == ["demo", "second", "guard"]


def test_logins_are_new_in_each_run_and_stand_in_no_traceback(cast, sqlite_template, tmp_path):
    with served(*_database(sqlite_template, tmp_path)) as other:
        others = seed_cast(other.system)
    assert not {one.one_time for one in cast.logins} & {one.one_time for one in others.logins}
    for secret in [*(one.one_time for one in cast.logins), *cast.keys.values(), *(key for _, key in cast.guards)]:
        assert secret not in f"{cast!r}{cast.logins!r}"


def test_what_has_to_be_typed_is_printed_whole_on_a_narrow_terminal_and_codes_as_they_come():
    written = io.StringIO()
    console = Console(file=written, width=60, force_terminal=False)
    login = Login(login="demo", one_time="AAAA-BBBB-CCCC-DDDD-EEEE-FFFF", path="/wall", zh="监控墙", en="wall")
    settings = SimpleNamespace(
        public_host="127.0.0.1",
        public_port=4001,
        console_host="127.0.0.1",
        console_port=4002,
        internal_host="127.0.0.1",
        internal_port=4003,
    )
    stage = SimpleNamespace(
        system=SimpleNamespace(settings=settings),
        cast=SimpleNamespace(logins=(login,)),
        server=SimpleNamespace(codes=lambda: iter([("138****0001", "482913")])),
        watch={"ran": False},
    )
    command._linger(console, stage, {"night": {"strongest": "f-1"}})
    said = written.getvalue()
    assert "http://127.0.0.1:4001/\n" in said
    assert "demo     AAAA-BBBB-CCCC-DDDD-EEEE-FFFF  http://127.0.0.1:4002/wall\n" in said
    assert "http://127.0.0.1:4002/finding/f-1\n" in said
    assert "138****0001: 482913\n" in said


def _database(template, folder):
    shutil.copy(template, folder / "shouhao.sqlite3")
    return f"sqlite:///{folder / 'shouhao.sqlite3'}", folder


def _post(client, path, csrf="", **body):
    said = client.post(path, json=body, headers={"X-CSRF-Token": csrf, **_origin(client)})
    assert said.is_success, said.text
    return said.json() if said.content else None


def _origin(client):
    return {"Origin": f"http://{client.base_url.host}:{client.base_url.port}"}
