"""Phone codes: who can read a code that was sent to a phone holds the phone.

Nothing here knows which phones belong to accounts, so no answer can tell. A wrong try must stay counted: it is
written in a unit of work that ends before the refusal is raised.
"""

import hmac
from typing import Literal, Protocol, TextIO

from sqlalchemy import Connection

from shouhao.gate import store
from shouhao.gate.model import (
    PhoneCodeRefused,
    PhoneCodeSettings,
    PhoneCodeTooOften,
    mask_phone,
    wait_before_next_code_us,
)
from shouhao.kernel.clock import DAY_US, SECOND_US
from shouhao.kernel.ids import new_id
from shouhao.kernel.randomness import Randomness
from shouhao.store.engine import Database
from shouhao.store.vault import Vault

Language = Literal["zh", "en"]

_DIGITS = 6


class CodeSender(Protocol):
    """What brings a code to a phone."""

    def send(self, phone_e164: str, code: str, language: Language) -> None:
        """Hand the code to whoever delivers it; it may arrive later.

        Raises:
            Unavailable: nobody takes it now.
        """
        ...


class ConsoleCodeSender:
    """Writes codes to a text stream, for trying out; production refuses to start with it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def send(self, phone_e164: str, code: str, language: Language) -> None:  # noqa: ARG002 - one line has no language
        """Write one line with the masked phone and the code."""
        self._stream.write(f"[phone code] {mask_phone(phone_e164)} -> {code}\n")
        self._stream.flush()


class PhoneCodes:
    """Sends codes and takes them back, each in its own unit of work."""

    def __init__(
        self, db: Database, vault: Vault, sender: CodeSender, *, settings: PhoneCodeSettings, randomness: Randomness
    ) -> None:
        self._db = db
        self._vault = vault
        self._sender = sender
        self._settings = settings
        self._randomness = randomness

    def send(self, phone_e164: str, *, channel: str, language: Language, now_us: int) -> int:
        """Send a new code, ending the phone's earlier one; returns the instant at which it expires.

        The code is stored first and sent outside the transaction: a slow carrier holds no lock. A code that
        could not be sent counts against the limits like any other. The phone is canonical, such as `+8613812341234`.

        Raises:
            PhoneCodeTooOften: the phone was sent one too recently, or too many in a day.
            Unavailable: the database or the sender does not answer.
        """
        with self._db.write() as connection:
            code = issue_code(
                connection,
                phone_e164,
                vault=self._vault,
                channel=channel,
                settings=self._settings,
                now_us=now_us,
                randomness=self._randomness,
            )
        self._sender.send(phone_e164, code, language)
        return now_us + self._settings.life_s * SECOND_US

    def use(self, phone_e164: str, code: str, *, channel: str, now_us: int) -> None:
        """Take the code back, once; whoever presents it on this channel holds the phone.

        Raises:
            PhoneCodeRefused: it is not this phone's live code on this channel.
            Unavailable: the database does not answer.
        """
        with self._db.write() as connection:
            right = take_code(
                connection,
                phone_e164,
                code,
                vault=self._vault,
                channel=channel,
                settings=self._settings,
                now_us=now_us,
            )
        if not right:
            raise PhoneCodeRefused("code")


def issue_code(
    connection: Connection,
    phone_e164: str,
    *,
    vault: Vault,
    channel: str,
    settings: PhoneCodeSettings,
    now_us: int,
    randomness: Randomness,
) -> str:
    """Store a new code and return it; it takes the place of the phone's earlier one.

    Raises:
        PhoneCodeTooOften: the phone was sent one too recently, or too many in a day.
    """
    phone_hash = _phone_hash(vault, phone_e164)
    sent_at_us = store.codes_sent_at_us(connection, phone_hash, after_us=now_us - DAY_US)
    wait_us = wait_before_next_code_us(sent_at_us, settings=settings, now_us=now_us)
    if wait_us > 0:
        raise PhoneCodeTooOften("phone", retry_after_s=-(-wait_us // SECOND_US))
    code = f"{randomness.below(10**_DIGITS):0{_DIGITS}d}"
    stored = store.replace_phone_code(
        connection,
        store.NewPhoneCode(
            id=new_id("pc"),
            phone_hash=phone_hash,
            code_hash=_code_hash(vault, phone_e164, code),
            channel=channel,
            created_at_us=now_us,
            expires_at_us=now_us + settings.life_s * SECOND_US,
        ),
        until_us=now_us - settings.gap_s * SECOND_US,
    )
    if not stored:
        raise PhoneCodeTooOften("phone", retry_after_s=settings.gap_s)
    return code


def take_code(
    connection: Connection,
    phone_e164: str,
    code: str,
    *,
    vault: Vault,
    channel: str,
    settings: PhoneCodeSettings,
    now_us: int,
) -> bool:
    """Count a try and use the code up when it is right.

    It answers instead of refusing, because a refusal raised inside the unit of work would undo the count.
    """
    live = store.count_attempt(
        connection, _phone_hash(vault, phone_e164), channel=channel, max_attempts=settings.attempts, now_us=now_us
    )
    given = _code_hash(vault, phone_e164, code)
    if live is None:
        return False
    code_id, expected = live
    return hmac.compare_digest(given, expected) and store.end_phone_code(connection, code_id, now_us=now_us)


def _phone_hash(vault: Vault, phone_e164: str) -> str:
    return vault.hash(phone_e164, purpose="phone_code.phone")


def _code_hash(vault: Vault, phone_e164: str, code: str) -> str:
    return vault.hash(f"{phone_e164}\0{code}", purpose="phone_code.code")
