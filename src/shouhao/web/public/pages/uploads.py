"""Uploads: forms that carry pictures, read whole into memory within bounds, since nothing of them may touch the disk.

A form without pictures is small and never waits. Of large ones few are read at a time, fewer from one address, each
within a minute; more are told so at once, so that slow senders keep nobody else from telling in words.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from shouhao.web.asgi import read_body
from shouhao.web.errors import BodyIncomplete
from shouhao.web.public.pages.visit import FormRefused, Visit, Visits

SMALL_BYTES = 64 * 1024
_FIELDS_MOST = 60
_AT_ONCE, _AN_ADDRESS = 6, 2
_WITHIN_S = 60.0


class UploadsBusy(Exception):  # noqa: N818 - a correct "no", shown as a page
    """Too many forms with pictures are being read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """The fields of a form in order, and its pictures."""

    fields: list[tuple[str, str]]
    pictures: list[bytes]


class _InMemory(MultiPartParser):
    spool_max_size = 1 << 30  #: beyond any form that is read here: a picture on the disk would outlive its request


class Uploads:
    """Reads forms with pictures."""

    def __init__(self, visits: Visits, *, bytes_max: int, pictures_most: int = 4) -> None:
        """Take what checks forms.

        Args:
            bytes_max: of one picture.
            pictures_most: in one form.
        """
        self._visits = visits
        self._limit = bytes_max * pictures_most + SMALL_BYTES
        self._pictures_most = pictures_most
        self._reading: Counter[str] = Counter()

    async def form(self, request: Request, visit: Visit) -> Uploaded:
        """What was sent.

        Raises:
            FormRefused: it came from another site, without the seal of this browser, or is no form.
            BodyTooLarge, BodyIncomplete: it is larger than a form may be, or did not come within a minute.
            UploadsBusy: too many large ones are being read.
        """
        if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            raise FormRefused
        length = request.headers.get("content-length", "")
        small = length.isdigit() and int(length) <= SMALL_BYTES
        if small:
            body = await read_body(request.receive, limit=SMALL_BYTES)
            return await self._read(request, visit, body)
        async with self._turn(request):
            try:
                async with asyncio.timeout(_WITHIN_S):
                    body = await read_body(request.receive, limit=self._limit)
            except TimeoutError:
                raise BodyIncomplete from None
            return await self._read(request, visit, body)

    async def _read(self, request: Request, visit: Visit, body: bytes) -> Uploaded:
        async def once() -> AsyncGenerator[bytes, None]:
            yield body

        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            raise FormRefused
        parser = _InMemory(
            request.headers,
            once(),
            max_files=self._pictures_most + 1,
            max_fields=_FIELDS_MOST,
            max_part_size=SMALL_BYTES,
        )
        try:
            parsed = await parser.parse()
        except (MultiPartException, UnicodeError):
            raise FormRefused from None
        fields: list[tuple[str, str]] = []
        pictures: list[bytes] = []
        for name, value in parsed.multi_items():
            if isinstance(value, UploadFile):
                picture = await value.read()
                if picture:  # a browser sends an empty file where none was chosen
                    pictures.append(picture)
            else:
                fields.append((name, value))
        await parsed.close()
        self._visits.check(visit, dict(fields).get("seal", ""))
        return Uploaded(fields=fields, pictures=pictures)

    @asynccontextmanager
    async def _turn(self, request: Request) -> AsyncIterator[None]:
        address = "" if request.client is None else request.client.host
        if self._reading.total() >= _AT_ONCE or self._reading[address] >= _AN_ADDRESS:
            raise UploadsBusy
        self._reading[address] += 1
        try:
            yield
        finally:
            self._reading[address] -= 1
            if not self._reading[address]:
                del self._reading[address]
