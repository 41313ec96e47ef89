"""Signing in: a login, a password and a code; or a one-time login, with which a password and a second factor are set.

Whatever is wrong, the answer is the same and takes as long. Where a password is looked at, no transaction is open: it
takes tens of milliseconds. What it was compared with is looked at again, locked, before a session begins.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from shouhao.kernel.clock import DAY_US
from shouhao.kernel.errors import InvalidInput, NotFound, Refused
from shouhao.kernel.events import Event
from shouhao.kernel.randomness import Randomness
from shouhao.staff import logins_store as store
from shouhao.staff import second_factor, sessions, throttle
from shouhao.staff.model import Operator, check_login, check_roles
from shouhao.staff.passwords import Passwords, check_password
from shouhao.staff.sessions import Session, SessionSettings
from shouhao.staff.throttle import Try
from shouhao.store import event_log
from shouhao.store.engine import Database
from shouhao.store.vault import Vault

ONE_TIME_LIVES_US = DAY_US

_ONE_TIME_BYTES = 15
_TYPED_MAX = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """What a sign-in gives: the session, and its cookie for the browser alone."""

    session: Session
    cookie: str


class SignInRefused(Refused):
    """Something is wrong with the login, the password or the code; which one is not said."""

    code = "staff.sign_in_refused"
    zh = "登录名、密码或动态口令不正确"
    en = "The login, the password or the code is not right"


class LoginTaken(Refused):
    """Somebody has or had this login."""

    code = "staff.login_taken"
    zh = "该登录名已被使用"
    en = "This login is taken"


class StaffSignIns:
    """Everything a sign-in works with."""

    def __init__(
        self,
        db: Database,
        vault: Vault,
        *,
        randomness: Randomness,
        settings: SessionSettings,
        passwords: Passwords,
        hospital: str = "",
    ) -> None:
        """Take the parts.

        Args:
            hospital: its name as the app with the codes shows it.
        """
        self._db = db
        self._vault = vault
        self._randomness = randomness
        self._passwords = passwords
        self._hospital = hospital
        self.settings = settings

    def sign_in(
        self, *, login: str, password: str, code: str, address: str, zone: str, now_us: int, replaces: str | None = None
    ) -> SignedIn:
        """Begin a session.

        Args:
            password: or the one-time login; then no code is needed.
            replaces: the cookie that the browser brought.
        Raises:
            SignInRefused: something is wrong.
            TooManyTries: it has to wait.
        """
        name = login.strip().lower()[:_TYPED_MAX]
        password = password[:_TYPED_MAX]
        tried = self._try(name, address, now_us)
        with self._db.read() as connection:
            seen = store.find(connection, name)
        stored = None if seen is None else seen.password_hash
        right = self._passwords.verify(stored, password)
        renewed = self._passwords.hash(password) if right and self._passwords.is_old(stored or "") else None
        with self._db.write() as connection:
            row = store.find(connection, name, lock=True)
            stage, why = self._stage(connection, row, password, code, stored=stored if right else None, now_us=now_us)
            if stage is not None:
                if renewed is not None and stage == "full":
                    store.change(connection, row.operator_id, {"password_hash": renewed})
                throttle.succeeded(connection, tried, now_us=now_us)
                return self._begin(
                    connection,
                    _operator(row),
                    name,
                    stage,
                    zone=zone,
                    address=address,
                    now_us=now_us,
                    replaces=replaces,
                )
            _refused(connection, None if row is None else row.operator_id, why, address=address, now_us=now_us)
        raise SignInRefused

    def resume(self, cookie: str, *, zone: str | None, now_us: int) -> Session:
        """The session behind a cookie.

        Raises:
            SessionEnded: it is over, or belongs elsewhere.
        """
        return sessions.resume(self._db, cookie, zone=zone, settings=self.settings, now_us=now_us)

    def sign_out(self, cookie: str, *, now_us: int) -> None:
        """End a session."""
        with self._db.write() as connection:
            sessions.end(connection, cookie, why="signed_out", now_us=now_us)

    def set_password(self, session: Session, cookie: str, *, new: str, current: str, address: str, now_us: int) -> None:
        """Set a password; every other session of this person ends.

        Args:
            current: the one that holds now; whoever is in `setup` has none.
        Raises:
            InvalidInput: the new one is too short or too common.
            SignInRefused: the current one is not right.
            TooManyTries: it has to wait.
            SessionEnded: somebody reset the login, or set another password, at this moment.
        """
        check_password(new, login=session.login)
        self._check_current(session, current, address=address, now_us=now_us)
        hashed = self._passwords.hash(new)
        with self._db.write() as connection:
            _held_login(connection, session)
            values = {"password_hash": hashed, "password_set_at_us": now_us}
            store.change(connection, session.operator.id, values)
            sessions.end_all(connection, session.operator.id, why="password_set", now_us=now_us, but=cookie)
            _changed(connection, session.operator.id, "password_set", now_us=now_us, staff_id=session.operator.id)

    def offer_factor(self, session: Session, *, current: str, address: str, now_us: int) -> second_factor.Offered:
        """A new secret for the app with the codes; nothing changes until a code of it is shown.

        Raises:
            SignInRefused, TooManyTries, SessionEnded: as `set_password`.
        """
        self._check_current(session, current, address=address, now_us=now_us)
        secret = second_factor.new_secret(self._randomness)
        with self._db.write() as connection:
            _held_login(connection, session)
            offered = {"factor_offered_sealed": second_factor.sealed(self._vault, secret)}
            store.change(connection, session.operator.id, offered)
        return second_factor.offered(secret, login=session.login, hospital=self._hospital)

    def confirm_factor(self, session: Session, cookie: str, *, code: str, address: str, now_us: int) -> SignedIn | None:
        """Take the new secret, since its codes are known; whoever was in `setup` gets a full session for it.

        Raises:
            SignInRefused: the code is not right, or nothing was offered.
            SetupNeeded: there is no password yet.
            SessionEnded: as `set_password`.
        """
        with self._db.write() as connection:
            row = _held_login(connection, session)
            if row.factor_offered_sealed is None:
                raise SignInRefused("code")
            if row.password_hash is None:
                raise sessions.SetupNeeded
            secret = second_factor.opened(self._vault, row.factor_offered_sealed)
            step = second_factor.step_of(secret, code, now_us=now_us, last_step=None)
            if step is None:
                raise SignInRefused("code")
            store.change(
                connection,
                session.operator.id,
                {
                    "factor_sealed": row.factor_offered_sealed,
                    "factor_offered_sealed": None,
                    "factor_last_step": step,
                },
            )
            _changed(connection, session.operator.id, "factor_set", now_us=now_us, staff_id=session.operator.id)
            if session.stage == "full":
                sessions.end_all(connection, session.operator.id, why="factor_set", now_us=now_us, but=cookie)
                return None
            return self._begin(
                connection,
                session.operator,
                session.login,
                "full",
                zone=session.zone,
                address=address,
                now_us=now_us,
                replaces=cookie,
            )

    def _try(self, login: str, address: str, now_us: int) -> Try:
        with self._db.write() as connection:
            return throttle.begin(connection, self._vault, login=login, address=address, now_us=now_us)

    def _stage(
        self, connection: Connection, row: Any, password: str, code: str, *, stored: str | None, now_us: int
    ) -> tuple[sessions.Stage | None, str]:
        """What the sign-in leads to, on the row as it is now; or nothing, and why.

        Args:
            stored: the hash that the password was found right against, or None.
        """
        if row is None:
            return None, "unknown"
        if _is_one_time(row, password, now_us):
            store.change(connection, row.operator_id, {"one_time_hash": None, "one_time_until_us": None})
            return "setup", ""
        if stored is None or row.password_hash != stored or row.factor_sealed is None:
            return None, "password"
        return ("full", "") if self._take_code(connection, row, code, now_us) else (None, "code")

    def _take_code(self, connection: Connection, row: Any, code: str, now_us: int) -> bool:
        """Whether the code is right and was not used before; it is used now."""
        secret = second_factor.opened(self._vault, row.factor_sealed)
        last_step = row.factor_last_step
        step = second_factor.step_of(secret, code, now_us=now_us, last_step=last_step)
        if step is not None:
            store.change(connection, row.operator_id, {"factor_last_step": step})
        return step is not None

    def _check_current(self, session: Session, current: str, *, address: str, now_us: int) -> None:
        if session.stage == "setup":
            return
        tried = self._try(session.login, address, now_us)
        with self._db.read() as connection:
            row = store.of_operator(connection, session.operator.id)
        if row is None or not self._passwords.verify(row.password_hash, current[:_TYPED_MAX]):
            with self._db.write() as connection:
                _refused(connection, session.operator.id, "current_password", address=address, now_us=now_us)
            raise SignInRefused("current_password")
        with self._db.write() as connection:
            throttle.succeeded(connection, tried, now_us=now_us)

    def _begin(
        self,
        connection: Connection,
        operator: Operator,
        login: str,
        stage: sessions.Stage,
        *,
        zone: str,
        address: str,
        now_us: int,
        replaces: str | None,
    ) -> SignedIn:
        cookie, public_id, ends_at_us = sessions.begin(
            connection,
            operator,
            stage=stage,
            zone=zone,
            settings=self.settings,
            now_us=now_us,
            randomness=self._randomness,
            address=address,
            replaces=replaces,
        )
        session = Session(
            id=public_id,
            operator=operator,
            login=login,
            stage=stage,
            zone=zone,
            began_at_us=now_us,
            seen_at_us=now_us,
            ends_at_us=ends_at_us,
        )
        return SignedIn(session=session, cookie=cookie)


def give_login(
    connection: Connection,
    operator_id: str,
    login: str | None,
    *,
    now_us: int,
    randomness: Randomness,
    staff_id: str | None = None,
) -> tuple[str, str]:
    """Give an operator a login, or reset theirs; returns the login and a one-time login, shown once, good for a day.

    Password, second factor and sessions that were there end.

    Args:
        login: needed where there is none yet; one that is there does not change.
    Raises:
        InvalidInput: no login, or not one that can be.
        LoginTaken: somebody else has or had it.
    """
    one_time = _one_time(randomness)
    row = store.of_operator(connection, operator_id, lock=True)
    fresh = {
        "password_hash": None,
        "password_set_at_us": None,
        "factor_sealed": None,
        "factor_offered_sealed": None,
        "factor_last_step": None,
        "one_time_hash": _one_time_hash(one_time),
        "one_time_until_us": now_us + ONE_TIME_LIVES_US,
    }
    if row is None:
        if login is None:
            raise InvalidInput("login", zh="须填写登录名", en="is needed")
        name = check_login(login)
        if store.is_taken(connection, name):
            raise LoginTaken("login")
        store.add(connection, {"operator_id": operator_id, "login": name, **fresh})
        change = "login_given"
    else:
        name, change = row.login, "login_reset"
        if login is not None and check_login(login) != name:
            raise InvalidInput("login", zh="登录名不能更改", en="a login does not change")
        store.change(connection, operator_id, fresh)
        sessions.end_all(connection, operator_id, why="login_reset", now_us=now_us)
    _changed(connection, operator_id, change, now_us=now_us, staff_id=staff_id)
    return name, one_time


def operator_of_login(connection: Connection, login: str) -> str:
    """Whose login this is.

    Raises:
        NotFound: no active operator's.
    """
    row = store.find(connection, login.strip().lower())
    if row is None:
        raise NotFound("operator", "login")
    return str(row.operator_id)


def _held_login(connection: Connection, session: Session) -> Any:
    """The login of whoever is signed in, held so that nobody resets it meanwhile.

    Raises:
        SessionEnded: somebody did, and their session is over.
    """
    row = store.of_operator(connection, session.operator.id, lock=True)
    if row is None or not sessions.is_open(connection, session):
        raise sessions.SessionEnded
    return row


def _is_one_time(row: Any, typed: str, now_us: int) -> bool:
    kept: str | None = row.one_time_hash
    until_us: int | None = row.one_time_until_us
    if kept is None or until_us is None or until_us <= now_us:
        return False
    return hmac.compare_digest(kept, _one_time_hash(typed))


def _one_time(randomness: Randomness) -> str:
    """120 random bits, in groups of four that can be read out and typed."""
    letters = base64.b32encode(randomness.token(_ONE_TIME_BYTES)).decode()
    return "-".join(letters[at : at + 4] for at in range(0, len(letters), 4))


def _one_time_hash(typed: str) -> str:
    plain = "".join(letter for letter in typed.upper() if letter.isascii() and letter.isalnum())
    return hashlib.sha256(plain.encode()).hexdigest()


def _operator(row: Any) -> Operator:
    return Operator(
        id=row.operator_id,
        name=row.name,
        roles=check_roles(row.roles.split(",")),
        doctor_id=row.doctor_id,
        unit=row.unit,
    )


def _refused(connection: Connection, operator_id: str | None, why: str, *, address: str, now_us: int) -> None:
    told = {"why": why, "operator_id": operator_id}
    event_log.append(connection, [Event(at_us=now_us, kind="staff_sign_in_refused", ip=address, detail=told)])


def _changed(connection: Connection, operator_id: str, change: str, *, now_us: int, staff_id: str | None) -> None:
    told = {"operator_id": operator_id, "change": change}
    event_log.append(connection, [Event(at_us=now_us, kind="staff_changed", staff_id=staff_id, detail=told)])
