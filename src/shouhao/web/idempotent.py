"""Idempotent: a write acts at most once for its Idempotency-Key, and a retry hears the first answer again.

The answer is kept in the transaction that acts. Two requests with one key at the same moment both act, one of them
collides on the key when it writes its answer, is undone, and hears the other's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from fastapi import Response
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from shouhao.flows.once import DONE, REFUSED, refusal_body
from shouhao.kernel.errors import Refused
from shouhao.store.answers import Answer, Once, act_once
from shouhao.store.engine import Database
from shouhao.web import errors
from shouhao.web.caller import Heard
from shouhao.web.handlers import JSON

_NO_CONTENT = 204

Act = Callable[[Connection], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One write of one caller: what it may do once, and how it is answered."""

    db: Database
    once: Once
    heard: Heard
    now_us: int

    def act(self, act: Act) -> Answer:
        """Act, or hear what was said to this key before.

        Args:
            act: does the work on the connection it is given and returns what is answered, as JSON can hold it.
        Raises:
            IdempotencyKeyReused: the key was used with another body.
            Unavailable: the database does not answer.
        """
        try:
            return self._act(act)
        except IntegrityError:  # somebody was first with this key, or with a row that there may be once
            return self._act(act)

    def answer(self, act: Act, *, status: int = 200, show: Callable[[Any], Any] | None = None) -> Response:
        """Act, and turn what is kept into the answer.

        Args:
            status: of success.
            show: makes what is shown from what was kept; after the commit, and again for each retry.
        """
        return self.told(self.act(act), status=status, show=show)

    def told(self, said: Answer, *, status: int = 200, show: Callable[[Any], Any] | None = None) -> Response:
        """An answer that was kept, as it is sent; the arguments are those of `answer`."""
        if said.status != DONE:
            refused, body = errors.kept_refusal(
                said.body, language=self.heard.language, request_id=self.heard.request_id
            )
            return Response(body, refused, media_type=JSON)
        if status == _NO_CONTENT:
            return Response(status_code=status)
        if show is None:
            return Response(said.body, status, media_type=JSON)
        return Response(msgspec.json.encode(show(msgspec.json.decode(said.body))), status, media_type=JSON)

    def _act(self, act: Act) -> Answer:
        with self.db.write() as connection:
            return act_once(connection, self.once, lambda: act(connection), now_us=self.now_us, refused=_kept)


def _kept(refusal: Refused) -> Answer:
    return Answer(status=REFUSED, body=refusal_body(refusal))
