"""Gate store: the SQL of channels, codes sent to phones and sign-ins that were ended early."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, TextClause, delete, select, text, update

from shouhao.gate.model import Channel
from shouhao.gate.tables import channels, ended_sign_ins, phone_codes
from shouhao.store import batch


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPhoneCode:
    """A code about to be stored, as hashes."""

    id: str
    phone_hash: str
    code_hash: str
    channel: str
    created_at_us: int
    expires_at_us: int


def insert_channel(connection: Connection, name: str, *, key_hash: str, now_us: int) -> bool:
    """Add an active channel; False when the name is taken."""
    added = connection.execute(
        text(
            "INSERT INTO channels (name, key_hash, active, created_at_us, changed_at_us)"
            " VALUES (:name, :key_hash, :active, :now_us, :now_us) ON CONFLICT DO NOTHING"
        ),
        {"name": name, "key_hash": key_hash, "active": True, "now_us": now_us},
    )
    return added.rowcount == 1


def update_channel_key(connection: Connection, name: str, *, key_hash: str, now_us: int) -> bool:
    """Give an active channel another key; False when there is none of this name."""
    return _change_channel(connection, name, {"key_hash": key_hash, "changed_at_us": now_us})


def deactivate_channel(connection: Connection, name: str, *, now_us: int) -> bool:
    """Close an active channel; False when there is none of this name."""
    return _change_channel(connection, name, {"active": False, "changed_at_us": now_us})


def _change_channel(connection: Connection, name: str, values: dict[str, Any]) -> bool:
    changed = update(channels).where(channels.c.name == name, channels.c.active).values(**values)
    return connection.execute(changed).rowcount == 1


def list_channels(connection: Connection) -> list[Channel]:
    """All channels, by name."""
    rows = connection.execute(
        select(channels.c.name, channels.c.active, channels.c.created_at_us, channels.c.changed_at_us).order_by(
            channels.c.name
        )
    )
    return [Channel(**row) for row in rows.mappings()]


def active_key_hashes(connection: Connection) -> dict[str, str]:
    """The hash of the key of each active channel, by name."""
    rows = connection.execute(select(channels.c.name, channels.c.key_hash).where(channels.c.active))
    return {row.name: row.key_hash for row in rows}


def codes_sent_at_us(connection: Connection, phone_hash: str, *, after_us: int) -> list[int]:
    """When this phone was sent codes, oldest first."""
    sent = connection.execute(
        select(phone_codes.c.created_at_us)
        .where(phone_codes.c.phone_hash == phone_hash, phone_codes.c.created_at_us > after_us)
        .order_by(phone_codes.c.created_at_us)
    )
    return list(sent.scalars())


def replace_phone_code(connection: Connection, code: NewPhoneCode, *, until_us: int) -> bool:
    """End this phone's live code and store the new one; False when another request was first.

    Args:
        until_us: a live code sent later than that stays. Whoever asks has just looked and seen none; one that is there
            now is of a request at the same moment.
    """
    connection.execute(
        update(phone_codes)
        .where(
            phone_codes.c.phone_hash == code.phone_hash,
            phone_codes.c.ended_at_us.is_(None),
            phone_codes.c.created_at_us <= until_us,
        )
        .values(ended_at_us=code.created_at_us)
    )
    added = connection.execute(
        text(
            "INSERT INTO phone_codes (id, phone_hash, code_hash, channel, attempts, created_at_us, expires_at_us)"
            " VALUES (:id, :phone_hash, :code_hash, :channel, 0, :created_at_us, :expires_at_us)"
            " ON CONFLICT DO NOTHING"
        ),
        {
            "id": code.id,
            "phone_hash": code.phone_hash,
            "code_hash": code.code_hash,
            "channel": code.channel,
            "created_at_us": code.created_at_us,
            "expires_at_us": code.expires_at_us,
        },
    )
    return added.rowcount == 1


def count_attempt(
    connection: Connection, phone_hash: str, *, channel: str, max_attempts: int, now_us: int
) -> tuple[str, str] | None:
    """Count a try at this phone's live code and return the code's id and hash; None when no try is left.

    One statement counts and checks, so tries at the same moment cannot share one count.
    """
    row = connection.execute(
        update(phone_codes)
        .where(
            phone_codes.c.phone_hash == phone_hash,
            phone_codes.c.channel == channel,
            phone_codes.c.ended_at_us.is_(None),
            phone_codes.c.expires_at_us > now_us,
            phone_codes.c.attempts < max_attempts,
        )
        .values(attempts=phone_codes.c.attempts + 1)
        .returning(phone_codes.c.id, phone_codes.c.code_hash)
    ).one_or_none()
    return None if row is None else (row.id, row.code_hash)


def end_phone_code(connection: Connection, code_id: str, *, now_us: int) -> bool:
    """Use a code up; False when it was ended before."""
    ended = connection.execute(
        update(phone_codes)
        .where(phone_codes.c.id == code_id, phone_codes.c.ended_at_us.is_(None))
        .values(ended_at_us=now_us)
    )
    return ended.rowcount == 1


def forget_phone_codes(connection: Connection, *, before_us: int) -> int:
    """Drop codes sent before that; keep a day of them, for the limits. Returns how many went."""
    return connection.execute(delete(phone_codes).where(phone_codes.c.created_at_us < before_us)).rowcount


def insert_ended_sign_in(connection: Connection, sign_in_id: str, *, expires_at_us: int, reason: str) -> bool:
    """Note that a sign-in was ended; False when it was noted before."""
    added = connection.execute(
        text(
            "INSERT INTO ended_sign_ins (sign_in_id, expires_at_us, reason)"
            " VALUES (:sign_in_id, :expires_at_us, :reason) ON CONFLICT DO NOTHING"
        ),
        {"sign_in_id": sign_in_id, "expires_at_us": expires_at_us, "reason": reason},
    )
    return added.rowcount == 1


def ended_among(connection: Connection, sign_in_ids: Iterable[str]) -> set[str]:
    """Which of these sign-ins were ended: one statement for a whole batch."""
    wanted = list(sign_in_ids)
    if not wanted:
        return set()
    return {row[0] for row in batch.rows(connection, _ended(connection.dialect.name), {"ids": batch.encode(wanted)})}


@lru_cache(maxsize=2)
def _ended(dialect: str) -> TextClause:
    return text("SELECT sign_in_id FROM ended_sign_ins WHERE sign_in_id IN " + batch.values(dialect, "ids"))


def forget_ended_sign_ins(connection: Connection, *, now_us: int) -> int:
    """Drop notes of sign-ins that have expired by themselves. Returns how many went."""
    return connection.execute(delete(ended_sign_ins).where(ended_sign_ins.c.expires_at_us <= now_us)).rowcount
