"""Staff who sign in: through the pages once, for other stories over the API, with the cookie handed to a browser."""

from typing import Any

import httpx
import pyotp

from shouhao.kernel.clock import DAY_US, SECOND_US
from shouhao.kernel.ids import new_id
from shouhao.kernel.randomness import SystemRandomness
from shouhao.staff.sign_in import give_login
from shouhao.staff.store import create_operator
from shouhao.staff.training import record_training
from web.served import Hospital

PASSWORD = "一句足够长的口令话语甲乙丙"


def console_of(hospital: Hospital) -> str:
    return hospital.console.removesuffix("/api/v1/staff")


def one_time(
    hospital: Hospital, *roles: str, name: str = "王值班", trained: bool = True, doctor_id: str | None = None
) -> tuple[str, str]:
    """Somebody new with these roles: their login and one-time login."""
    system, now_us = hospital.system, hospital.clock.now_us()
    with system.db.write() as connection:
        made, _ = create_operator(
            connection,
            name,
            roles=frozenset(roles),
            doctor_id=doctor_id,
            now_us=now_us,
            randomness=SystemRandomness(),
            unit="门诊楼",
        )
        if trained:
            until_us = now_us + 30 * DAY_US
            record_training(connection, made.id, trained_by="x", document="T-1", until_us=until_us, now_us=now_us)
        login = new_id("u").replace("_", "-")[:20].lower()
        return give_login(connection, made.id, login, now_us=now_us, randomness=SystemRandomness())


def code(hospital: Hospital, secret: str) -> str:
    return str(pyotp.TOTP(secret).at(hospital.clock.now_us() // SECOND_US))


def cookie(hospital: Hospital, *roles: str, **who: Any) -> dict[str, Any]:
    """The cookie of somebody with these roles who is signed in."""
    login, once = one_time(hospital, *roles, **who)
    with httpx.Client(base_url=hospital.console, timeout=20) as client:

        def post(path: str, csrf: str = "", **body: Any) -> Any:
            headers = {"X-CSRF-Token": csrf, "Origin": console_of(hospital)}
            said = client.post(path, json=body, headers=headers)
            assert said.is_success, said.text
            return said.json() if said.content else None

        csrf = post("/sign-in", login=login, password=once)["csrf_token"]
        post("/session/password", csrf, new_password=PASSWORD)
        secret = post("/session/second-factor", csrf)["secret"]
        post("/session/second-factor/confirmation", csrf, code=code(hospital, secret))
        name_of_cookie, value = next(iter(client.cookies.items()))
    return {"name": name_of_cookie, "value": value, "url": console_of(hospital)}
