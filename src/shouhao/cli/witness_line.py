"""The line of a witness to the hospital's console: what it asks, and how it reads what comes back."""

import secrets
import ssl
from typing import TypeVar

import httpx
import msgspec

from shouhao.kernel.errors import Refused, Unavailable

_TIMEOUT_S = 10.0
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

Told = TypeVar("Told", bound=msgspec.Struct)


class WitnessRefused(Refused):
    """The programme cannot work like this: a key that others can read, a line that others can hear, another role."""

    code = "witness.refused"
    zh = "见证程序无法运行：{why_zh}"
    en = "The witness cannot work: {why_en}"


class ConsoleSaidNo(Refused):
    """The hospital's console refused something that it should take."""

    code = "witness.console_said_no"
    zh = "医院控制台拒绝：{said}"
    en = "The hospital's console said no: {said}"


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """A contribution as the console shows it."""

    kind: str
    who: str
    commitment: str | None
    given: bool


class DrawSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A draw as the console shows it, as far as it matters here."""

    draw_id: str
    state: str
    closes_at: str
    sealed_at: str | None
    root: str | None
    witnesses: int
    fallen_back: str | None
    contributions: tuple[Given, ...] = ()


class _Draws(msgspec.Struct, frozen=True):
    draws: tuple[DrawSeen, ...]


class _Me(msgspec.Struct, frozen=True):
    operator_id: str
    roles: tuple[str, ...]


class _Detail(msgspec.Struct, frozen=True):
    code: str
    message: str


class _Error(msgspec.Struct, frozen=True):
    error: _Detail


class Console:
    """The hospital's console as this witness asks it."""

    def __init__(self, url: str, key: str) -> None:
        """Keep one line open.

        Raises:
            WitnessRefused: the line is not https, and not to this machine either.
        """
        parsed = httpx.URL(url)
        if parsed.scheme != "https" and parsed.host not in _LOOPBACK:
            raise WitnessRefused(why_zh="控制台地址须为 https", why_en="the console's address must be https")
        self._client = httpx.Client(
            base_url=url.rstrip("/") + "/api/v1/staff",
            headers={"Authorization": f"Bearer {key}", "Accept-Language": "en"},
            timeout=_TIMEOUT_S,
            trust_env=False,
            follow_redirects=False,
            verify=ssl.create_default_context(),
        )

    def close(self) -> None:
        """Give the line back."""
        self._client.close()

    def me(self) -> str:
        """This witness's operator id.

        Raises:
            WitnessRefused: the key is not a witness's.
        """
        said = self._ask("GET", "/me", _Me)
        if said.roles != ("witness",):
            raise WitnessRefused(why_zh="该密钥不是见证方的", why_en="this key is not a witness's")
        return said.operator_id

    def draws(self) -> tuple[DrawSeen, ...]:
        """Draws that are open or were closed within a day."""
        return self._ask("GET", "/draws", _Draws).draws

    def draw(self, draw_id: str) -> DrawSeen:
        """One draw."""
        return self._ask("GET", f"/draws/{draw_id}", DrawSeen)

    def commit(self, draw_id: str, value: str) -> None:
        """Publish a commitment."""
        self._ask("POST", f"/draws/{draw_id}/commitment", DrawSeen, {"commitment": value})

    def reveal(self, draw_id: str, value: str) -> None:
        """Publish the value."""
        self._ask("POST", f"/draws/{draw_id}/reveal", DrawSeen, {"value": value})

    def _ask(self, method: str, path: str, kind: type[Told], body: dict[str, str] | None = None) -> Told:
        """Ask once, under a key of its own: what stands is looked at before each try, so none is repeated blindly.

        Raises:
            Unavailable: no answer, or none that can be read.
            ConsoleSaidNo: a refusal.
        """
        headers = {"Idempotency-Key": secrets.token_hex(16)} if body is not None else {}
        try:
            said = self._client.request(method, path, json=body, headers=headers)
            if said.is_success:
                return msgspec.json.decode(said.content, type=kind)
            no = msgspec.json.decode(said.content, type=_Error).error
        except (httpx.HTTPError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unavailable("console") from error
        if said.is_server_error:
            raise Unavailable("console")
        raise ConsoleSaidNo(said=f"{no.code} {no.message}", why=no.code)
