"""The one call that we make to a camera: a device that takes it, one that refuses, one that lies, one that floods."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from shouhao.kernel.errors import Unavailable
from shouhao.protocols.gat1400_digest import DigestGate, read_credentials
from shouhao.protocols.isapi_configure import ConfigureRefused, DeviceLine, PushTarget, configure_push
from web.served import free_port

PATH = "/isapi/events/31010600001190000001/0123456789abcdef0123456789abcdef0123"
PASSWORD = "of the device"
NOW_US = 1_700_000_000_000_000
SAYS_OK = "<ResponseStatus><statusCode>1</statusCode><statusString>OK</statusString></ResponseStatus>"


class Camera:
    """A device that speaks enough of ISAPI, and asks for digest."""

    def __init__(self) -> None:
        self.told = b""
        self.keeps = True
        self.status, self.says = 200, SAYS_OK
        self.gate = DigestGate(realm="IP Camera(C1234)")

    def handle(self, request: Any) -> None:
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length)
        told = read_credentials(request.headers.get("Authorization", ""))
        verdict = "none" if told is None else self.check(told, request)
        if verdict != "right":
            request.send_response(401)
            request.send_header("WWW-Authenticate", self.gate.challenge(now_us=NOW_US))
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        if request.command == "PUT" and self.status == 200 and self.keeps:
            self.told = body
        says = self.says.encode() if request.command == "PUT" else self.told
        request.send_response(self.status)
        request.send_header("Content-Length", str(len(says)))
        request.end_headers()
        request.wfile.write(says)

    def check(self, told: Any, request: Any) -> str:
        return self.gate.check(told, password=PASSWORD, method=request.command, path=request.path, now_us=NOW_US)


@pytest.fixture
def camera() -> Camera:
    return Camera()


@pytest.fixture
def base(camera: Camera) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            camera.handle(self)

        def do_GET(self) -> None:
            camera.handle(self)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def line(base: str, password: str = PASSWORD) -> DeviceLine:
    return DeviceLine(base=base, user="admin", password=password, timeout_s=5)


def test_a_device_is_told_where_to_push_and_holds_it(camera: Camera, base: str) -> None:
    configured = configure_push(line(base), PushTarget(host="10.0.0.5", port=8082, path=PATH))
    assert (configured.status, configured.says, configured.kept) == (200, "OK", True)
    assert b"<ipAddress>10.0.0.5</ipAddress><portNo>8082</portNo>" in camera.told
    assert b"<parameterFormatType>JSON</parameterFormatType>" in camera.told


def test_a_name_is_told_as_a_name(camera: Camera, base: str) -> None:
    configure_push(line(base), PushTarget(host="watch.hospital", port=80, path=PATH, form="XML"), host_id=2)
    assert b"<addressingFormatType>hostname</addressingFormatType><hostName>watch.hospital</hostName>" in camera.told
    assert b"<id>2</id>" in camera.told
    assert b"<parameterFormatType>XML</parameterFormatType>" in camera.told


def test_a_device_that_says_ok_and_holds_something_else_is_seen(camera: Camera, base: str) -> None:
    camera.keeps = False
    assert not configure_push(line(base), PushTarget(host="10.0.0.5", port=8082, path=PATH)).kept


def test_what_a_device_answers_is_told(camera: Camera, base: str) -> None:
    camera.status = 400
    camera.says = (
        "<ResponseStatus><statusString>Invalid Content</statusString>"
        "<subStatusCode>badParameters</subStatusCode></ResponseStatus>"
    )
    with pytest.raises(ConfigureRefused) as refused:
        configure_push(line(base), PushTarget(host="10.0.0.5", port=8082, path=PATH))
    assert refused.value.says("en") == "The device refused: HTTP 400 Invalid Content badParameters"


def test_a_wrong_password_is_said(base: str) -> None:
    with pytest.raises(ConfigureRefused) as refused:
        configure_push(line(base, "guess"), PushTarget(host="10.0.0.5", port=8082, path=PATH))
    assert refused.value.data["status"] == 401


@pytest.mark.parametrize("says", ["", "<a>", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "\x00"])
def test_an_answer_that_is_no_xml_is_no_fault(camera: Camera, base: str, says: str) -> None:
    camera.says = says
    assert configure_push(line(base), PushTarget(host="10.0.0.5", port=8082, path=PATH)).says == ""


def test_an_answer_without_end_is_not_read_to_it(camera: Camera, base: str) -> None:
    camera.says = "x" * 1_000_000
    with pytest.raises(Unavailable):
        configure_push(line(base), PushTarget(host="10.0.0.5", port=8082, path=PATH))


def test_a_device_that_does_not_answer_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        configure_push(line(f"http://127.0.0.1:{free_port()}"), PushTarget(host="10.0.0.5", port=8082, path=PATH))
