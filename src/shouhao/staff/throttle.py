"""Throttle: guessing passwords gets slower with each failure, and never shuts the owner out for good.

A try is counted before it is looked at, so a thousand at once are not a thousand tries; a success takes it back. Three
counters watch: the pair of login and address, the address over all logins (spraying one password over many people),
the login over all addresses. Where somebody has signed in before from this address, only the pair counts: whoever fails
in another's name elsewhere, or sprays from a shared address, does not stop them. The two wide ones slow down and never
wait longer than a minute. What comes from outside the console's zones is not counted: nobody out there locks anybody.
Source: OWASP ASVS 5.0, 6.3.1 (brute force, without locking the owner out); NIST SP 800-63B section 3.2.2.
"""

from dataclasses import dataclass

from sqlalchemy import Connection

from shouhao.kernel.clock import DAY_US, HOUR_US, SECOND_US
from shouhao.kernel.errors import Refused
from shouhao.staff import throttle_store as store
from shouhao.store.vault import Vault

_KNOWN_FOR_US = 60 * DAY_US
_HASH = "staff.throttle"
_DOUBLINGS_MOST = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How one counter slows down."""

    free: int  #: failures without a wait
    first_wait_s: int
    longest_wait_s: int
    forgets_us: int  #: after so long without a failure it starts anew


PAIR = Rule(free=4, first_wait_s=30, longest_wait_s=900, forgets_us=DAY_US)
ADDRESS = Rule(free=19, first_wait_s=15, longest_wait_s=60, forgets_us=HOUR_US)
LOGIN = Rule(free=19, first_wait_s=15, longest_wait_s=60, forgets_us=HOUR_US)


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One try that was counted; given back when it succeeds."""

    pair: str
    address: str
    login: str
    wide: bool  #: the address and the login were counted too


class TooManyTries(Refused):
    """Too many failures; the wait grows with each further one."""

    code = "staff.too_many_tries"
    zh = "尝试次数过多，请 {retry_after_s} 秒后再试"
    en = "Too many tries; wait {retry_after_s} s"


def wait_s(rule: Rule, failures: int) -> int:
    """How long the next try has to wait after so many failures.

    >>> [wait_s(PAIR, failures) for failures in (4, 5, 6, 7, 99)]
    [0, 30, 60, 120, 900]
    """
    over = failures - rule.free
    if over <= 0:
        return 0
    return min(rule.longest_wait_s, rule.first_wait_s << min(over - 1, _DOUBLINGS_MOST))


def begin(connection: Connection, vault: Vault, *, login: str, address: str, now_us: int) -> Try:
    """Count a try, in a unit of work that commits before the password is looked at.

    Raises:
        TooManyTries: it has to wait; nothing was counted.
    """
    pair = _key(vault, "pair", login, address)
    mine = Try(
        pair=pair,
        address=_key(vault, "address", address),
        login=_key(vault, "login", login),
        wide=not store.is_known(connection, pair, since_us=now_us - _KNOWN_FOR_US),
    )
    watched: list[tuple[str, Rule]] = [(mine.pair, PAIR)]
    if mine.wide:
        watched += [(mine.address, ADDRESS), (mine.login, LOGIN)]
    rows = store.locked(connection, [key for key, _ in watched])
    waits_us = max((row.until_us - now_us for row in rows.values()), default=0)
    if waits_us > 0:
        raise TooManyTries(retry_after_s=-(-waits_us // SECOND_US))
    for key, rule in watched:
        row = rows[key]
        failures = 1 if row.failed_at_us + rule.forgets_us <= now_us else row.failures + 1
        until_us = now_us + wait_s(rule, failures) * SECOND_US
        store.put(connection, key, failures=failures, failed_at_us=now_us, until_us=until_us)
    return mine


def succeeded(connection: Connection, tried: Try, *, now_us: int) -> None:
    """Both factors were right: this person starts anew, and this address is known as theirs.

    The address's own counter only loses this try: whoever sprays from it does not wipe it clean by signing in.
    """
    store.locked(connection, [tried.pair, tried.address, tried.login])  # in the order of `begin`, against deadlock
    store.drop(connection, [tried.pair, tried.login])
    if tried.wide:
        store.take_back(connection, tried.address, now_us=now_us)
    store.know(connection, tried.pair, now_us=now_us)


def forget_throttles(connection: Connection, *, now_us: int) -> int:
    """Drop what no longer counts; how many rows went."""
    return store.forget(connection, failed_before_us=now_us - DAY_US, known_before_us=now_us - _KNOWN_FOR_US)


def _key(vault: Vault, kind: str, *parts: str) -> str:
    """Hashed: what people type into a login field by mistake is their password."""
    return vault.hash("\0".join([kind, *parts]), purpose=_HASH)
