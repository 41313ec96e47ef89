"""Answers: what was said to each idempotency key, so that a retry hears the first answer again.

The answer, a refusal too, is written in the transaction that acts. The same key with another body is refused:
somebody would otherwise be told that something was done which was not.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, Integer, Table, Text, TextClause, delete, select, text

from shouhao.kernel.errors import Refused
from shouhao.store import batch
from shouhao.store.schema import Serial, identifier, instant, metadata

answers = Table(
    "answers",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),  # answers lie in the order they were given
    identifier("key", unique=True),
    identifier("body_hash"),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    instant("at_us"),
)


class _Row(msgspec.Struct):
    key: str
    body_hash: str
    status: int
    body: str
    at_us: int


class IdempotencyKeyReused(Refused):
    """The key was used before with another body."""

    code = "idempotency_key_reused"
    zh = "该幂等键已用于另一个请求"
    en = "This idempotency key was already used for a different request"


class Once(msgspec.Struct, frozen=True, kw_only=True):
    """A request that acts at most once: whose it is, and what it says."""

    key: str  #: digest over caller, route and the key the caller sent
    body_hash: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What was said: `status` is the outcome's number, `body` its JSON text."""

    status: int
    body: str


def once(*, caller: str, route: str, key: str, body: bytes) -> Once:
    """Digest a caller's key: two callers' keys never meet, and neither is stored in the clear."""
    mark = hashlib.blake2b(f"{caller}\0{route}\0{key}".encode(), digest_size=16).hexdigest()
    return Once(key=mark, body_hash=hashlib.blake2b(body, digest_size=16).hexdigest())


def find(connection: Connection, keys: Iterable[str]) -> dict[str, tuple[str, Answer]]:
    """Body hash and answer of each key that was used before."""
    wanted = list(keys)
    if not wanted:
        return {}
    found = batch.rows(connection, _find(connection.dialect.name), {"keys": batch.encode(wanted)})
    return {key: (body_hash, Answer(status=status, body=body)) for key, body_hash, status, body in found}


@lru_cache(maxsize=2)
def _find(dialect: str) -> TextClause:
    return text("SELECT key, body_hash, status, body FROM answers WHERE key IN " + batch.values(dialect, "keys"))


def keep(connection: Connection, said: Sequence[tuple[Once, Answer]], *, now_us: int) -> None:
    """Write answers in the transaction that acted."""
    rows = [_Row(o.key, o.body_hash, a.status, a.body, now_us) for o, a in said]
    batch.insert_structs(connection, answers, rows)


def replay(connection: Connection, asked: Once) -> Answer | None:
    """The first answer to this key, or None when it is new.

    Raises:
        IdempotencyKeyReused: the key was used with another body.
    """
    row = connection.execute(select(answers).where(answers.c.key == asked.key)).one_or_none()
    if row is None:
        return None
    if row.body_hash != asked.body_hash:
        raise IdempotencyKeyReused("Idempotency-Key")
    return Answer(status=row.status, body=row.body)


def act_once(
    connection: Connection,
    asked: Once | None,
    act: Callable[[], Any],
    *,
    now_us: int,
    refused: Callable[[Refused], Answer],
) -> Answer:
    """Act at most once for a key; a refusal undoes what was begun and is kept as the answer.

    Args:
        act: does the work on `connection` and returns what is answered, as something JSON can hold.
        refused: turns a refusal into an answer.
    Raises:
        IdempotencyKeyReused: the key was used with another body.
    """
    if asked is not None:
        first = replay(connection, asked)
        if first is not None:
            return first
    try:
        with connection.begin_nested():
            answer = Answer(status=0, body=msgspec.json.encode(act()).decode())
    except Refused as refusal:
        answer = refused(refusal)
    if asked is not None:
        keep(connection, [(asked, answer)], now_us=now_us)
    return answer


def forget(connection: Connection, *, before_us: int) -> int:
    """Drop answers older than that; nobody retries after days. Returns how many went."""
    return connection.execute(delete(answers).where(answers.c.at_us < before_us)).rowcount
