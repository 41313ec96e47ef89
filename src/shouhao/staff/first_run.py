"""First run: one administrator with a one-time login, and nobody's default password."""

from dataclasses import dataclass

from sqlalchemy import Connection

from shouhao.kernel.randomness import Randomness
from shouhao.staff import logins_store
from shouhao.staff.sign_in import give_login
from shouhao.staff.store import create_operator, has_administrator

_LOGIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstLogin:
    """What is shown once, to whoever started the system."""

    operator_id: str
    login: str
    one_time: str  #: good for a day and for one sign-in, at which a password and a second factor are set


def first_administrator(connection: Connection, *, now_us: int, randomness: Randomness) -> FirstLogin | None:
    """Make the administrator where there is none; None where there is one already."""
    if has_administrator(connection):
        return None
    login, number = _LOGIN, 1
    while logins_store.is_taken(connection, login):
        number += 1
        login = f"{_LOGIN}{number}"
    operator, _ = create_operator(  # nobody ever sees this key
        connection, "管理员", roles=frozenset({"administrator"}), now_us=now_us, randomness=randomness
    )
    login, one_time = give_login(connection, operator.id, login, now_us=now_us, randomness=randomness)
    return FirstLogin(operator_id=operator.id, login=login, one_time=one_time)
