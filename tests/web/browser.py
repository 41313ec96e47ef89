"""A browser of a member of staff, as far as HTTP goes: its cookie, its origin, its token; and how they are set up."""

from dataclasses import dataclass, field
from typing import Any

import httpx
import pyotp

from shouhao.kernel.ids import new_id
from shouhao.staff.sign_in import give_login
from shouhao.staff.store import create_operator
from web.served import Hospital

PASSWORD = "七里香 correct horse"
STEP_S = 30


@dataclass
class Browser:
    """Keeps what a browser keeps; `headers` are what the network adds."""

    hospital: Hospital
    headers: dict[str, str] = field(default_factory=dict)
    cookie: str | None = None
    csrf: str = ""

    @property
    def origin(self) -> str:
        return self.hospital.console.removesuffix("/api/v1/staff")

    def ask(
        self, method: str, path: str, *, drop: tuple[str, ...] = (), headers: Any = None, **rest: Any
    ) -> httpx.Response:
        sent = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin", "X-CSRF-Token": self.csrf, **self.headers}
        if self.cookie is not None:
            sent["Cookie"] = self.cookie
        if method != "GET":
            sent["Idempotency-Key"] = new_id("ik")
        sent = {name: value for name, value in {**sent, **(headers or {})}.items() if name not in drop}
        said = httpx.request(method, self.hospital.console + path, headers=sent, timeout=20, **rest)
        for line in said.headers.get_list("set-cookie"):
            name_value = line.partition(";")[0]
            self.cookie = None if name_value.endswith(('=""', "=")) else name_value
        return said

    def get(self, path: str, **rest: Any) -> httpx.Response:
        return self.ask("GET", path, **rest)

    def post(self, path: str, **rest: Any) -> httpx.Response:
        return self.ask("POST", path, **rest)

    def delete(self, path: str, **rest: Any) -> httpx.Response:
        return self.ask("DELETE", path, **rest)

    def sign_in(self, login: str, password: str = PASSWORD, code: str = "") -> httpx.Response:
        said = self.post("/sign-in", json={"login": login, "password": password, "code": code})
        if said.status_code == 200:
            self.csrf = said.json()["csrf_token"]
        return said

    def code(self, secret: str) -> str:
        """What the phone shows now, by the hospital's clock."""
        return pyotp.TOTP(secret).at(self.hospital.clock.now_us() // 1_000_000)


def person(hospital: Hospital, login: str, *roles: str) -> str:
    """Somebody with a login; the one-time login that they got."""
    system, now_us = hospital.system, hospital.clock.now_us()
    with system.db.write() as connection:
        made, _ = create_operator(
            connection, login, roles=frozenset(roles), now_us=now_us, randomness=system.randomness
        )
        _, one_time = give_login(connection, made.id, login, now_us=now_us, randomness=system.randomness)
    return one_time


def set_up(browser: Browser, login: str, one_time: str) -> str:
    """The first sign-in as a person does it; the second factor's secret. The browser is signed in after it."""
    first = browser.sign_in(login, one_time)
    assert (first.status_code, first.json()["stage"]) == (200, "setup"), first.text
    assert browser.post("/session/password", json={"new_password": PASSWORD}).status_code == 204
    offered = browser.post("/session/second-factor", json={}).json()
    done = browser.post("/session/second-factor/confirmation", json={"code": browser.code(offered["secret"])})
    assert (done.status_code, done.json()["stage"]) == (200, "full"), done.text
    browser.csrf = done.json()["csrf_token"]
    return str(offered["secret"])


def signed_in(
    hospital: Hospital, login: str, *roles: str, headers: dict[str, str] | None = None
) -> tuple[Browser, str]:
    """A browser that is signed in with both factors, and the second factor's secret."""
    browser = Browser(hospital, headers or {})
    return browser, set_up(browser, login, person(hospital, login, *roles))
