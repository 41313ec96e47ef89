"""A floor plan that does more than draw: every trick is refused or falls away, and what is kept runs nothing."""

import time
from xml.etree import ElementTree as ET

import cv2
import numpy as np
import pytest

from hospital import dump
from lawful import add_place
from shouhao.faces.model import PictureRefused
from shouhao.flows.cameras import read_plan
from shouhao.kernel.errors import NotFound, Refused
from shouhao.watch.plan import PlanRefused, read_svg
from shouhao.watch.store.plans import find_plan, list_plans, put_plan

NOW_US = 1_772_413_200_000_000
_NAMES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
SVG = f'<svg {_NAMES} viewBox="0 0 100 50" {{}}>{{}}</svg>'
WHERE = {"building": "门诊楼", "floor": "1F"}


def svg(inside="", attributes=""):
    return SVG.format(attributes, inside).encode()


def upload(db, data, **where):
    plan = read_plan(data, **(WHERE | where))
    with db.write() as connection:
        put_plan(connection, plan, staff_id="op_1", now_us=NOW_US)


def kept(db):
    with db.read() as connection:
        return find_plan(connection, "门诊楼", "1F")


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        "<g><script/></g>",
        '<image href="http://10.0.0.1/x.png"/>',
        '<image href="data:image/svg+xml;base64,AAAA"/>',
        "<foreignObject><p>x</p></foreignObject>",
        '<use href="#a"/>',
        '<a href="javascript:alert(1)"><rect/></a>',
        '<rect onclick="alert(1)"/>',
        '<rect OnLoad="alert(1)"/>',
        '<animate attributeName="href" to="javascript:alert(1)"/>',
        '<set attributeName="onload" to="x"/>',
        "<style>@import url(http://10.0.0.1)</style>",
        '<rect style="fill:url(http://10.0.0.1/#a)"/>',
        '<rect style="fill:red;background:\\75rl(//x)"/>',
        '<rect fill="url(//10.0.0.1/a.svg#b)"/>',
        '<rect fill="URL(  http://10.0.0.1 )"/>',
        '<rect xlink:href="http://10.0.0.1"/>',
        '<g xml:base="http://10.0.0.1/"/>',
        '<rect src="x"/>',
        '<filter id="a"/>',
        '<mask id="a"/>',
        '<pattern id="a"/>',
        '<x:script xmlns:x="http://www.w3.org/1999/xhtml">alert(1)</x:script>',
        '<script xmlns="">alert(1)</script>',
        '<script xmlns="http://www.w3.org/2000/svg" xmlns:inkscape="http://www.inkscape.org/">alert(1)</script>',
    ],
)
def test_what_does_more_than_draw_is_refused_and_nothing_is_kept(sqlite_db, inside):
    add_place(sqlite_db, now_us=NOW_US)
    before = dump(sqlite_db)
    with pytest.raises(PlanRefused):
        upload(sqlite_db, svg(inside))
    assert dump(sqlite_db) == before


@pytest.mark.parametrize(
    "data",
    [
        b'<!DOCTYPE svg [<!ENTITY a "aaaa">]>' + svg("&a;"),
        b'<!DOCTYPE svg SYSTEM "http://10.0.0.1/x.dtd">' + svg(),
        b'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + svg("<text>&x;</text>"),
        b"<svg/>",
        b"<html><body/></html>",
        b"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 0 0'/>",
        b"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1e9 1'/>",
        b"<svg xmlns='http://www.w3.org/2000/svg' viewBox='nan nan nan nan'/>",
        b"<svg",
        svg("<g>" * 100 + "</g>" * 100),
        svg("<g/>" * 60_000),
        svg("<title>" + "x" * (5 << 20) + "</title>"),
        b"<?xml version='1.0' encoding='no-such'?>" + svg(),
    ],
)
def test_bombs_entities_and_files_that_are_no_plan_are_refused_quickly(data):
    began = time.perf_counter()
    with pytest.raises(PlanRefused):
        read_svg(data, **WHERE)
    assert time.perf_counter() - began < 5


def test_what_drawing_programs_leave_behind_falls_away(sqlite_db):
    add_place(sqlite_db, now_us=NOW_US)
    given = (
        b'<?xml-stylesheet href="http://10.0.0.1/x.css"?><!-- <script/> -->'
        b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape" '
        b'width="297mm" height="210mm" inkscape:version="1.3"><metadata><x/></metadata>'
        b'<inkscape:grid/><g inkscape:label="walls" style="fill:#eee;-inkscape-font:x">'
        b'<path d="M0 0 L10 10" fill="url(#shade)"/><text x="1">\xe6\x8c\x82\xe5\x8f\xb7 &lt;b&gt;</text></g></svg>'
    )
    upload(sqlite_db, given)
    plan = kept(sqlite_db)
    assert (plan.media_type, plan.width, plan.height) == ("image/svg+xml", 297, 210)
    for gone in (b"stylesheet", b"script", b"inkscape", b"metadata", b"<b>"):
        assert gone not in plan.content
    assert "挂号".encode() in plan.content
    root = ET.fromstring(plan.content)  # noqa: S314 - written by us
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert read_svg(plan.content, **WHERE).content == plan.content  # what is written is read as itself


def test_a_picture_leaves_nothing_but_its_pixels(sqlite_db):
    add_place(sqlite_db, now_us=NOW_US)
    drawn, picture = cv2.imencode(".jpg", np.full((200, 300, 3), 200, np.uint8))
    assert drawn
    hidden = picture.tobytes()[:2] + b"\xff\xe1\x00\x22Exif\x00\x00" + b"<script>" * 3 + b"\0\0" + picture.tobytes()[2:]
    upload(sqlite_db, hidden + b"<svg onload=alert(1)>")
    plan = kept(sqlite_db)
    assert (plan.media_type, plan.width, plan.height) == ("image/png", 300, 200)
    assert plan.content.startswith(b"\x89PNG")
    assert b"<script>" not in plan.content
    assert b"<svg" not in plan.content


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\nbroken", b"%PDF-1.7", b"\xff\xd8\xff"])
def test_bytes_that_are_no_picture_are_refused(sqlite_db, data):
    add_place(sqlite_db, now_us=NOW_US)
    with pytest.raises(PictureRefused):
        upload(sqlite_db, data)
    assert kept(sqlite_db) is None


def test_a_plan_is_of_a_floor_on_which_something_is(sqlite_db):
    with pytest.raises(NotFound):
        upload(sqlite_db, svg())
    with sqlite_db.read() as connection:
        assert list_plans(connection) == []
    assert issubclass(PlanRefused, Refused)
