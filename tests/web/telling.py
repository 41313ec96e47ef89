"""What tests of tips stand on: a served hospital a module, a browser without a name, pictures good and hostile."""

import base64
import io
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any

import httpx
from PIL import ExifTags, Image, ImageDraw

from shouhao.detect.store.findings import FindingRow, Kept, add_findings
from shouhao.detect.store.runs import Run, begin_run
from shouhao.store.engine import Database
from web.served import NOW_US, Hospital, served

WHAT = "今早在三楼分诊台旁，一名男子加价 800 元卖李医生的号"
MARKUP = '<img src=x onerror="window.hacked=1">"\'><script>window.hacked=1</script>'
FIELDS = ("what", "where", "when", "about", "offered", "price", "wechat", "phone", "platform", "link", "teller")


@contextmanager
def hospital_of(template: Path, folder: Path) -> Iterator[Hospital]:
    """A hospital on a database of its own."""
    path = folder / "shouhao.sqlite3"
    shutil.copy(template, path)
    with served(f"sqlite:///{path}", folder) as running:
        yield running


def keep_finding(db: Database, finding_id: str) -> None:
    """Something that detectors found, as far as lists know it."""
    run = Run(
        id=f"run-{finding_id}",
        key=finding_id,
        live=False,
        name="night",
        taken_at_us=NOW_US,
        changed_at_us=NOW_US,
        from_at_us=None,
        to_at_us=None,
        certain=0,
        strong=1,
        leads=0,
        rings=0,
        hits=1,
        events=1,
        reasons={},
        level_from={"lead": 1.0},
        findings_sha256="0",
        report_sha256="0",
        agree=True,
    )
    found = FindingRow(
        run_id=run.id,
        finding_id=finding_id,
        subject_kind="account",
        subject_hash="0",
        level="strong",
        score_milli=3000,
        first_at_us=NOW_US,
        last_at_us=NOW_US,
        members=0,
        speaks_for=0,
        state="open",
        version=0,
        stands=True,
        said_at_us=NOW_US,
        card="",
    )
    with db.write() as connection:
        begin_run(connection, run)
        add_findings(connection, Kept(findings=[found], bodies=[], reasons=[], members=[]))


def later(hospital: Hospital) -> None:
    """An hour passes, and nothing that was told before is counted any more."""
    hospital.clock.advance(seconds=3601)


def tell(hospital: Hospital, **fields: Any) -> dict[str, str]:
    """A tip as the page tells it: its number and code, and its id beside them."""
    said = hospital.channel().post("/tips", json={"what": WHAT, **fields})
    assert said.status_code == 201, said.text
    tip_id = hospital.events("tip_told")[-1]["detail"]["tip_id"]
    return {**said.json(), "tip_id": tip_id}


def send_picture(hospital: Hospital, given: dict[str, str], picture: bytes) -> httpx.Response:
    asked = {"reference": given["reference"], "code": given["code"], "picture": base64.b64encode(picture).decode()}
    return hospital.channel().post("/tips/pictures", json=asked)


def screenshot(size: tuple[int, int] = (390, 700), *, words: str = "huangniu: 800 RMB") -> Image.Image:
    """A chat as it looks on a phone."""
    picture = Image.new("RGB", size, (237, 237, 237))
    pen = ImageDraw.Draw(picture)
    for n in range(4):
        left = 20 if n % 2 else size[0] // 3
        box = (left, 40 + 120 * n, left + size[0] // 2 + 40, 110 + 120 * n)
        pen.rounded_rectangle(box, 12, fill=(149, 236, 105) if n % 2 == 0 else (255, 255, 255))
        pen.text((left + 16, 64 + 120 * n), words, fill=(30, 30, 30))
    return picture


def photographed() -> bytes:
    """A JPEG that says where, when and with which phone it was taken, with a thumbnail's worth of secrets behind it."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "SecretPhone"
    exif[ExifTags.Base.DateTime] = "2026:03:02 08:00:00"
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps.update({1: "N", 2: (31.0, 13.0, 50.0), 3: "E", 4: (121.0, 28.0, 10.0)})
    out = io.BytesIO()
    screenshot().save(out, "JPEG", exif=exif, quality=90, comment=b"SecretComment")
    return out.getvalue() + b"PK\x03\x04SecretZip<script>alert(1)</script>"


class Stranger:
    """A browser of somebody who never signs in."""

    def __init__(self, hospital: Hospital) -> None:
        self.http = httpx.Client(base_url=hospital.public.removesuffix("/api/v1"), follow_redirects=False, timeout=20)

    def form_of(self, path: str, action: str) -> dict[str, str]:
        """The hidden fields of a form on a page."""
        return self.hidden(self.http.get(path).text, action)

    def hidden(self, page: str, action: str) -> dict[str, str]:
        form = re.search(rf'<form method="post" action="{re.escape(action)}".*?</form>', page, re.DOTALL)
        assert form is not None, page
        return {
            name: unescape(value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form[0])
        }

    def send(self, action: str, fields: dict[str, str], *pictures: bytes, **rest: Any) -> httpx.Response:
        """A form with pictures, as a browser sends it: one empty file where none was chosen."""
        chosen = [("pictures", (f"{n}.jpg", one, "image/jpeg")) for n, one in enumerate(pictures)]
        files = chosen or [("pictures", ("", b"", "application/octet-stream"))]
        return self.http.post(action, data=fields, files=files, **rest)

    def close(self) -> None:
        self.http.close()


def given_on(page: str) -> tuple[str, str]:
    """Number and code as they stand on the page."""
    number, code = re.findall(r'<strong class="key">([0-9A-Z-]+)</strong>', page)
    return number, code
