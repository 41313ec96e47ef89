"""What tests of the staff room stand on: operators, logins that are set up, a clock, cheap argon2."""

from dataclasses import dataclass

import pyotp

from shouhao.kernel.randomness import SystemRandomness
from shouhao.staff.model import Operator
from shouhao.staff.passwords import Passwords
from shouhao.staff.sessions import SessionSettings
from shouhao.staff.sign_in import SignedIn, StaffSignIns, give_login
from shouhao.staff.store import create_operator
from shouhao.store import event_log
from shouhao.store.engine import Database
from shouhao.store.vault import Vault

NOW = 1_772_000_000_000_000
SECOND = 1_000_000
DAY = 86_400 * SECOND
CHANCE = SystemRandomness()
PASSWORD = "七里香 correct horse"
ZONE, ADDRESS = "10.20.0.0/16", "10.20.0.7"


def operator(db: Database, *roles: str, name: str = "王芳", unit: str | None = None) -> Operator:
    """Somebody with these roles."""
    with db.write() as connection:
        made, _ = create_operator(connection, name, roles=frozenset(roles), unit=unit, now_us=NOW, randomness=CHANCE)
    return made


def events(db: Database, kind: str) -> list[dict]:
    """What the log says of this kind."""
    with db.read() as connection:
        return [row for rows in event_log.read(connection) for row in rows if row["kind"] == kind]


@dataclass
class Door:
    """Sign-ins at one hospital, with passwords that cost little."""

    db: Database
    sign_ins: StaffSignIns

    def enrol(self, login: str = "wangfang", *roles: str, now_us: int = NOW) -> tuple[Operator, str]:
        """An operator who has a password and a second factor; the factor's secret."""
        who = operator(self.db, *(roles or ("monitoring",)))
        with self.db.write() as connection:
            _, one_time = give_login(connection, who.id, login, now_us=now_us, randomness=CHANCE)
        first = self.enter(login, one_time, "", now_us=now_us)
        self.sign_ins.set_password(
            first.session, first.cookie, new=PASSWORD, current="", address=ADDRESS, now_us=now_us
        )
        offered = self.sign_ins.offer_factor(first.session, current="", address=ADDRESS, now_us=now_us)
        full = self.sign_ins.confirm_factor(
            first.session, first.cookie, code=code(offered.secret, now_us), address=ADDRESS, now_us=now_us
        )
        assert full is not None
        return who, offered.secret

    def enter(
        self, login: str, password: str, given: str, *, now_us: int, address: str = ADDRESS, replaces: str | None = None
    ) -> SignedIn:
        """Sign in."""
        return self.sign_ins.sign_in(
            login=login,
            password=password,
            code=given,
            address=address,
            zone=ZONE,
            now_us=now_us,
            replaces=replaces,
        )


def door(db: Database, **settings: int) -> Door:
    """The real thing, with argon2 at its cheapest."""
    sign_ins = StaffSignIns(
        db,
        Vault(b"k" * 32),
        randomness=CHANCE,
        settings=SessionSettings(**settings),
        passwords=Passwords(rounds=1, memory_kib=8, lanes=1),
        hospital="Demo",
    )
    return Door(db, sign_ins)


def code(secret: str, now_us: int) -> str:
    """What the app on the phone shows now."""
    return pyotp.TOTP(secret).at(now_us // SECOND)
