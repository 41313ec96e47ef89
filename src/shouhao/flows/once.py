"""Once: a batch of requests is answered, each at most once for its key, within one unit of work."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import msgspec
from sqlalchemy import Connection

from shouhao.kernel.errors import Refused
from shouhao.store import answers
from shouhao.store.answers import Answer, IdempotencyKeyReused, Once

DONE, REFUSED = 0, 1  #: `Answer.status`

_encode = msgspec.json.Encoder().encode


class Keyed(Protocol):
    """A request that may carry a key."""

    @property
    def once(self) -> Once | None:
        """What makes it act at most once."""
        ...


Asked = TypeVar("Asked", bound=Keyed)
Keep = Callable[[Sequence[Answer]], None]  #: writes the answers under the keys of what was asked, in the same order


def each_once(
    connection: Connection,
    requests: Sequence[Asked],
    decide: Callable[[Sequence[Asked], Keep], Sequence[Answer]],
    *,
    now_us: int,
) -> list[Answer | Refused]:
    """Answer a batch: what was said before is said again, what is new is decided together.

    Args:
        decide: acts on what is new, calls `Keep` once with its answers, and returns them in order.
    """
    said: list[Answer | Refused | None] = [None] * len(requests)
    echoes = _echo(connection, requests, said)
    fresh = [n for n, answer in enumerate(said) if answer is None and n not in echoes]
    if fresh:
        asked = [requests[n] for n in fresh]

        def keep(made: Sequence[Answer]) -> None:
            keyed = [(r.once, answer) for r, answer in zip(asked, made, strict=True) if r.once is not None]
            answers.keep(connection, keyed, now_us=now_us)

        for n, answer in zip(fresh, decide(asked, keep), strict=True):
            said[n] = answer
    for n, first in echoes.items():
        said[n] = said[first]
    return [answer for answer in said if answer is not None]


def done(shown: Any) -> Answer:
    """An answer that shows this, as JSON."""
    return Answer(status=DONE, body=_encode(shown).decode())


def no(refusal: Refused) -> Answer:
    """A refusal as an answer that can be kept."""
    return Answer(status=REFUSED, body=refusal_body(refusal))


def refusal_body(refusal: Refused) -> str:
    """A refusal as it is kept: code, field and both languages."""
    return _encode(
        {"code": refusal.code, "field": refusal.field, "zh": refusal.says("zh"), "en": refusal.says("en")}
    ).decode()


def _echo(connection: Connection, requests: Sequence[Keyed], said: list[Answer | Refused | None]) -> dict[int, int]:
    """Fill in what was said before; return which requests repeat an earlier one of this batch."""
    first: dict[str, int] = {}
    echoes: dict[int, int] = {}
    before = answers.find(connection, {r.once.key for r in requests if r.once is not None})
    for n, request in enumerate(requests):
        once = request.once
        if once is None:
            continue
        kept = before.get(once.key)
        if kept is not None:
            body_hash, answer = kept
            said[n] = answer if body_hash == once.body_hash else IdempotencyKeyReused("Idempotency-Key")
        elif once.key in first:
            earlier = first[once.key]
            twin = requests[earlier].once
            if twin is not None and twin.body_hash == once.body_hash:
                echoes[n] = earlier
            else:
                said[n] = IdempotencyKeyReused("Idempotency-Key")
        else:
            first[once.key] = n
    return echoes
