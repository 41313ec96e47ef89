"""Tips as somebody hostile sends them: floods, guesses, forms of other sites, markup, and pictures that are none."""

import asyncio
import io
import re
import struct
import zlib

import pytest
from PIL import Image
from sqlalchemy import func, select
from starlette.requests import Request

from shouhao.cases import tips_store
from shouhao.cases.tips_tables import tips
from shouhao.store.answers import answers
from shouhao.web.public.pages.uploads import Uploads, UploadsBusy
from shouhao.web.public.pages.visit import Visits
from web.served import Hospital, error_of
from web.telling import (
    FIELDS,
    MARKUP,
    WHAT,
    Stranger,
    given_on,
    hospital_of,
    later,
    photographed,
    screenshot,
    send_picture,
    tell,
)

SECRETS = (b"Secret", b"Exif", b"<script", b"PK\x03\x04", b"GPS")


@pytest.fixture(scope="module")
def running(sqlite_template, tmp_path_factory):
    with hospital_of(sqlite_template, tmp_path_factory.mktemp("tips")) as one:
        yield one


@pytest.fixture
def hospital(running: Hospital) -> Hospital:
    later(running)
    return running


@pytest.fixture
def stranger(hospital: Hospital):
    one = Stranger(hospital)
    yield one
    one.close()


def counted(hospital: Hospital, table) -> int:
    with hospital.system.db.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def png_of(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packed = zlib.compress(b"\0" * 1_000_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def gif() -> bytes:
    out = io.BytesIO()
    screenshot((64, 64)).save(out, "GIF")
    return out.getvalue()


def test_place_time_camera_and_what_hides_behind_a_picture_are_gone(hospital: Hospital) -> None:
    sent = photographed()
    assert all(secret in sent for secret in (b"Secret", b"Exif", b"<script", b"PK\x03\x04"))
    given = tell(hospital)
    assert send_picture(hospital, given, sent).status_code == 201
    with hospital.system.db.read() as connection:
        (picture_id,) = tips_store.picture_ids(connection, [given["tip_id"]])[given["tip_id"]]
        kept = tips_store.open_picture(connection, hospital.system.vault, given["tip_id"], picture_id)
    assert kept is not None
    assert not [secret for secret in SECRETS if secret in kept]
    shown = Image.open(io.BytesIO(kept))
    assert (shown.format, dict(shown.getexif()), shown.info.get("comment")) == ("JPEG", {}, None)


@pytest.mark.parametrize(
    "picture",
    [
        b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><rect width="99" height="99"/></svg>',
        b"<!doctype html><script>alert(1)</script>" + b" " * 100,
        gif(),
        b"%PDF-1.7\n" + b"0" * 200,
        b"\xff\xd8\xff" + b"0" * 500,
        photographed()[:4000],
        png_of(60_000, 60_000),
        png_of(6_000, 6_000),
        b"\xff\xd8\xff" + b"\0" * (5 * 1024 * 1024 + 1),
        b"",
    ],
    ids=["svg", "html", "gif", "pdf", "no jpeg", "cut off", "bomb", "large bomb", "heavy", "empty"],
)
def test_what_is_no_picture_is_refused_and_nothing_of_it_is_kept(hospital: Hospital, picture: bytes) -> None:
    given, before = tell(hospital), counted(hospital, answers)
    said = send_picture(hospital, given, picture)
    assert (said.status_code, error_of(said)["code"]) == (422, "faces.picture_refused")
    with hospital.system.db.read() as connection:
        assert tips_store.picture_ids(connection, [given["tip_id"]]) == {}
    assert counted(hospital, answers) == before, "a refused picture leaves no row behind"


def test_a_flood_from_one_address_ends_and_leaves_nothing_behind(hospital: Hospital) -> None:
    web = hospital.channel()
    statuses = [web.post("/tips", json={"what": WHAT}).status_code for _ in range(30)]
    assert statuses == [201] * 30
    told, kept = counted(hospital, tips), counted(hospital, answers)
    for _ in range(10):
        said = web.post("/tips", json={"what": WHAT})
        assert (said.status_code, error_of(said)["code"]) == (429, "cases.tips_too_often")
        assert 0 < int(said.headers["retry-after"]) <= 3600
    assert (counted(hospital, tips), counted(hospital, answers)) == (told, kept)
    assert web.get("/tips").status_code == 429, "said before anybody writes"


def test_a_code_is_not_guessed_over_http_and_the_right_one_waits_with_the_wrong_ones(hospital: Hospital) -> None:
    given, web = tell(hospital), hospital.channel()
    asked = {"reference": given["reference"], "code": "0000-0000-0000"}
    assert {web.post("/tips/look-up", json=asked).status_code for _ in range(10)} == {404}
    for code in ("0000-0000-0001", given["code"]):
        said = web.post("/tips/look-up", json={**asked, "code": code})
        assert (said.status_code, error_of(said)["code"]) == (429, "cases.tip_code_tries")
        assert int(said.headers["retry-after"]) > 0
    later(hospital)
    assert web.post("/tips/look-up", json={**asked, "code": given["code"]}).status_code == 200


def test_a_form_of_another_site_or_another_browser_tells_nothing(hospital: Hospital, stranger: Stranger) -> None:
    fields = {**stranger.form_of("/tip", "/tip"), "what": WHAT}
    other, before = Stranger(hospital), counted(hospital, tips)
    other.http.get("/tip")
    try:
        assert stranger.send("/tip", {**fields, "seal": ""}).status_code == 403
        assert stranger.send("/tip", {**fields, "seal": "0" * 64}).status_code == 403
        assert other.send("/tip", fields).status_code == 403
        for site in ("cross-site", "same-site"):
            assert stranger.send("/tip", fields, headers={"sec-fetch-site": site}).status_code == 403
        assert stranger.http.post("/tip", content=b"what=x", headers={"content-type": "text/plain"}).status_code == 403
        broken = {"content-type": "multipart/form-data; boundary=x"}
        assert stranger.http.post("/tip", content=b"--y\r\nnothing", headers=broken).status_code == 403
        assert (
            stranger.http.post("/tip", content=b"", headers={"content-type": "multipart/form-data"}).status_code == 403
        )
    finally:
        other.close()
    assert counted(hospital, tips) == before
    assert stranger.send("/tip", fields).status_code == 200
    assert counted(hospital, tips) == before + 1


def test_a_form_that_is_sent_twice_tells_once_and_shows_the_same_code(hospital: Hospital, stranger: Stranger) -> None:
    fields, before = {**stranger.form_of("/tip", "/tip"), "what": WHAT}, counted(hospital, tips)
    pages = [stranger.send("/tip", fields, photographed()).text for _ in range(2)]
    assert given_on(pages[0]) == given_on(pages[1])
    assert counted(hospital, tips) == before + 1
    number, code = given_on(pages[0])
    seen = hospital.channel().post("/tips/look-up", json={"reference": number, "code": code}).json()
    assert seen["pictures"] == 1


def test_whoever_goes_back_and_writes_on_is_told_and_may_send_it_as_another(
    hospital: Hospital, stranger: Stranger
) -> None:
    fields, before = {**stranger.form_of("/tip", "/tip"), "what": WHAT}, counted(hospital, tips)
    number, code = given_on(stranger.send("/tip", fields).text)
    again = stranger.send("/tip", {**fields, "what": WHAT + "，他又来了"})
    assert again.status_code == 422
    assert "刚才那一次已经收到了" in again.text
    assert "他又来了</textarea>" in again.text
    anew = {**stranger.hidden(again.text, "/tip"), "what": WHAT + "，他又来了"}
    assert given_on(stranger.send("/tip", anew).text) != (number, code)
    assert counted(hospital, tips) == before + 2
    keys = {**stranger.form_of("/tip/follow", "/tip/follow"), "reference": number, "code": code}
    followed = stranger.http.post("/tip/follow", data=keys).text
    more = stranger.hidden(followed, "/tip/more")
    assert "已补充" in stranger.send("/tip/more", {**more, "words": "第一次"}).text
    changed = stranger.send("/tip/more", {**more, "words": "第二次"})
    assert changed.status_code == 422
    assert "第二次</textarea>" in changed.text
    anew = {**stranger.hidden(changed.text, "/tip/more"), "words": "第二次"}
    assert "<dd>2 次</dd>" in stranger.send("/tip/more", anew).text


def test_markup_in_any_field_comes_back_as_text_when_a_form_is_refused(stranger: Stranger) -> None:
    fields = {**stranger.form_of("/tip", "/tip"), **dict.fromkeys(FIELDS, MARKUP), "price": MARKUP * 3}
    said = stranger.send("/tip", fields)
    assert said.status_code == 422
    assert "<img" not in said.text
    assert "<script>" not in said.text
    assert said.text.count("&lt;img src=x") >= len(FIELDS), "nothing that was typed is lost"
    assert "“要价”：" in said.text
    policy = said.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_a_picture_that_is_none_does_not_keep_the_words_from_being_told(stranger: Stranger) -> None:
    said = stranger.send("/tip", {**stranger.form_of("/tip", "/tip"), "what": WHAT}, b"<svg/>", photographed())
    assert said.status_code == 200
    assert "第 1 张图片：" in said.text
    assert "第 2 张图片：" not in said.text
    assert given_on(said.text)


def test_what_is_larger_than_a_form_may_be_is_refused(hospital: Hospital, stranger: Stranger) -> None:
    fields, before = {**stranger.form_of("/tip", "/tip"), "what": WHAT}, counted(hospital, tips)
    heavy = b"\xff\xd8\xff" + b"\0" * (22 * 1024 * 1024)
    assert stranger.send("/tip", fields, heavy).status_code == 413
    many = dict.fromkeys((f"f{n}" for n in range(200)), "1")
    assert stranger.send("/tip", {**fields, **many}).status_code == 403
    assert stranger.send("/tip", fields, *[photographed()] * 6).status_code == 403
    assert counted(hospital, tips) == before


def test_slow_senders_of_pictures_keep_nobody_from_telling_in_words() -> None:
    visits = Visits(b"k" * 32, secure=False, body_max=65_536)
    uploads = Uploads(visits, bytes_max=1_000_000)

    def request(length: int, address: str, never: asyncio.Event) -> Request:
        async def receive():
            await never.wait()
            return {"type": "http.request", "body": b"", "more_body": False}

        headers = [(b"content-type", b"multipart/form-data; boundary=x"), (b"content-length", str(length).encode())]
        return Request(
            {"type": "http", "method": "POST", "path": "/tip", "headers": headers, "client": (address, 1)}, receive
        )

    async def story() -> None:
        never = asyncio.Event()
        visit = visits.of(request(1, "192.0.2.1", never))
        slow = [
            asyncio.create_task(uploads.form(request(900_000, f"192.0.2.{n // 2}", never), visit)) for n in range(4)
        ]
        await asyncio.sleep(0)
        with pytest.raises(UploadsBusy):  # a third of one address, while there is room for others
            await uploads.form(request(900_000, "192.0.2.0", never), visit)
        slow += [asyncio.create_task(uploads.form(request(900_000, f"192.0.2.{n}", never), visit)) for n in (8, 9)]
        await asyncio.sleep(0)
        with pytest.raises(UploadsBusy):  # or one more of anybody
            await uploads.form(request(900_000, "192.0.2.77", never), visit)
        words = asyncio.create_task(uploads.form(request(500, "192.0.2.0", never), visit))
        await asyncio.sleep(0)
        assert not words.done(), "words are read and wait for nobody's turn"
        for task in (*slow, words):
            task.cancel()
        await asyncio.gather(*slow, words, return_exceptions=True)
        assert uploads._reading.total() == 0

    asyncio.run(story())


def test_somebody_who_is_signed_in_tells_without_a_name_all_the_same(hospital: Hospital, stranger: Stranger) -> None:
    phone = "13800138044"
    fields = stranger.form_of("/sign-in", "/sign-in/code")
    stranger.http.post("/sign-in/code", data={**fields, "phone": phone})
    fields = stranger.form_of("/sign-in", "/sign-in/code")
    code = hospital.outbox.codes[f"+86{phone}"]
    assert stranger.http.post("/sign-in", data={**fields, "phone": phone, "code": code}).status_code == 303
    account_id = hospital.events("logged_in")[-1]["account_id"]
    assert stranger.send("/tip", {**stranger.form_of("/tip", "/tip"), "what": WHAT}).status_code == 200
    told = hospital.events("tip_told")[-1]
    named = ("account_id", "device_id", "session_token", "ip", "user_agent", "patient_id")
    assert [told[name] for name in named] == [None] * len(named)
    with hospital.system.db.read() as connection:
        kept = repr(connection.execute(select(tips).where(tips.c.id == told["detail"]["tip_id"])).one())
    assert account_id not in kept
    assert stranger.http.cookies["sh_device"] not in kept


def test_number_and_code_stand_in_no_address(stranger: Stranger) -> None:
    page = stranger.send("/tip", {**stranger.form_of("/tip", "/tip"), "what": WHAT}).text
    number, code = given_on(page)
    fields = {**stranger.form_of("/tip/follow", "/tip/follow"), "reference": number, "code": code}
    said = stranger.http.post("/tip/follow", data=fields)
    assert said.status_code == 200
    assert not re.search(rf'(href|action)="[^"]*({code}|{number})', said.text)
    assert said.headers["cache-control"] == "no-store"
