"""ISAPI: telling a Hikvision device where to push, and what it answered; the one call that we make to a camera.

`PUT /ISAPI/Event/notification/httpHosts/ID` with digest, then the same is read back: a device that says OK and keeps
something else is told apart. Only a person at a command line starts this, for an address that they give.
Source: the maker's ISAPI guide, "Listening host".
"""

import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.sax.saxutils import escape

import httpx
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError

from shouhao.kernel.errors import Refused, Unavailable
from shouhao.protocols.bounded_xml import TooMuchXML, elements

_ANSWER_MAX_BYTES = 64 * 1024
_OK = 200
_UNAUTHORIZED = 401
_SPACE = "http://www.isapi.org/ver20/XMLSchema"


@dataclass(frozen=True, slots=True, kw_only=True)
class PushTarget:
    """Where the device is to push."""

    host: str  #: of the receiver, as the device reaches it
    port: int
    path: str  #: with the device's own key
    form: Literal["JSON", "XML"] = "JSON"  #: of what stands beside the pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLine:
    """How the device is reached."""

    base: str  #: http://ADDRESS or https://ADDRESS
    user: str
    password: str
    ca_file: Path | None = None  #: who vouches for it; devices have certificates of their own making
    timeout_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """What the device answered."""

    status: int  #: of HTTP
    says: str  #: its statusString and subStatusCode
    kept: bool  #: read back, it holds what it was told


class ConfigureRefused(Refused):
    """The device did not take it."""

    code = "cameras.configure_refused"
    zh = "设备拒绝了配置：HTTP {status} {says}"
    en = "The device refused: HTTP {status} {says}"


def configure_push(line: DeviceLine, target: PushTarget, *, host_id: int = 1) -> Configured:
    """Tell a device to push, and look whether it will.

    Raises:
        ConfigureRefused: it answered no; also for a wrong user or password.
        Unavailable: it does not answer.
    """
    path = f"/ISAPI/Event/notification/httpHosts/{host_id}"
    with _client(line) as client:
        status, told = _ask(client, "PUT", path, _notification(target, host_id))
        if status != _OK:
            raise ConfigureRefused(
                status=status, says=_says(told) or ("密码 password" if status == _UNAUTHORIZED else "")
            )
        _, held = _ask(client, "GET", path)
    kept = (held.get("url"), held.get("portNo")) == (target.path, str(target.port))
    return Configured(status=status, says=_says(told), kept=kept)


def _client(line: DeviceLine) -> httpx.Client:
    tls = ssl.create_default_context(cafile=None if line.ca_file is None else str(line.ca_file))
    return httpx.Client(
        base_url=line.base,
        auth=httpx.DigestAuth(line.user, line.password),
        timeout=line.timeout_s,
        verify=tls,
        trust_env=False,
        follow_redirects=False,
        headers={"Content-Type": "application/xml; charset=UTF-8"},
    )


def _ask(client: httpx.Client, method: str, path: str, body: str = "") -> tuple[int, dict[str, str]]:
    """Status, and the elements of the answer."""
    try:
        with client.stream(method, path, content=body.encode() or None) as reply:
            content = b""
            for chunk in reply.iter_bytes():
                content += chunk
                if len(content) > _ANSWER_MAX_BYTES:
                    raise Unavailable("camera: its answer is too long")
            return reply.status_code, _elements(content)
    except httpx.HTTPError as error:
        raise Unavailable(f"camera: {type(error).__name__}") from error


def _elements(content: bytes) -> dict[str, str]:
    try:
        return {name: text.strip() for name, text in elements(content)}
    except (ParseError, DefusedXmlException, TooMuchXML, UnicodeError, ValueError, LookupError):
        return {}


def _says(told: dict[str, str]) -> str:
    found = [told[name] for name in ("statusString", "subStatusCode", "errorMsg") if told.get(name)]
    return "".join(character for character in " ".join(found) if character.isprintable())[:200]


def _notification(target: PushTarget, host_id: int) -> str:
    try:
        ipaddress.ip_address(target.host)
    except ValueError:
        kind, tag = "hostname", "hostName"
    else:
        kind, tag = "ipaddress", "ipAddress"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><HttpHostNotification version="2.0" xmlns="{_SPACE}">'
        f"<id>{host_id}</id><url>{escape(target.path)}</url><protocolType>HTTP</protocolType>"
        f"<parameterFormatType>{target.form}</parameterFormatType>"
        f"<addressingFormatType>{kind}</addressingFormatType><{tag}>{escape(target.host)}</{tag}>"
        f"<portNo>{target.port}</portNo><httpAuthenticationMethod>none</httpAuthenticationMethod>"
        "</HttpHostNotification>"
    )
