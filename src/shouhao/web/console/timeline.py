"""Timeline of an alarm: one self-contained page for whoever takes the matter over, Chinese first, made to be printed.

It says what was seen, what people did and when, and which targets were kept, with the hashes of the frozen pictures, so
that a picture which comes later can be told to be the one. It names no listed person. Faces are on it only with an
approval of the kind `export`, used once, each look on record and marked.
Source: the record of Huashan Hospital's case of 25 September 2024 (9:50, 10:06, 10:40).
"""

import base64
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlalchemy import Connection

from shouhao.flows import alarm_pictures
from shouhao.flows.alarm_pictures import Which
from shouhao.kernel.clock import SECOND_US, day_of, from_us, iso
from shouhao.kernel.errors import InvalidInput, NotFound
from shouhao.kernel.markup import Markup, element, raw, text
from shouhao.staff import approvals, register
from shouhao.staff.model import Operator, Role, require
from shouhao.staff.store import list_operators
from shouhao.watch.alarm import Alarm
from shouhao.watch.alarm_words import OUTCOME_WORDS, STEP_WORDS, TARGET_WORDS
from shouhao.watch.response import RunningClock, clocks
from shouhao.watch.store.alarms import StepTaken, find_alarm, response_in_force, steps_of
from shouhao.watch.store.cameras import list_cameras, list_places
from shouhao.watch.store.sightings import of_alarm
from shouhao.watch.store.stills import find_still
from shouhao.watch.store.watchlist import shown
from shouhao.watch.watchlist import GROUND_WORDS
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Body, Id, LongText, ShortText, Shown
from shouhao.wiring import System
from shouhao.wiring.watch import alarm_pictures as pictures_of

routes = APIRouter(prefix="/api/v1/staff", tags=["alarms"])

EXPORTING = "导出报警时间线 exporting the timeline"  #: the reason where nobody wrote another one
_EXPORTING: tuple[Role, ...] = ("security", "police_liaison")

_STYLE = """
:root{color-scheme:light}*{box-sizing:border-box}
body{margin:0 auto;max-width:190mm;padding:8mm;color:#16242a;font:10.5pt/1.45 "Noto Sans CJK SC","PingFang SC",
"Microsoft YaHei",system-ui,sans-serif}
h1{font-size:15pt;margin:0}h2{font-size:11.5pt;margin:5mm 0 1.5mm;border-bottom:1px solid #9fb0b6;padding-bottom:1mm}
.en{color:#4d5f66;font-size:8.5pt}p{margin:1mm 0}
dl{display:grid;grid-template-columns:max-content 1fr max-content 1fr;gap:.6mm 3mm;margin:2mm 0}
dt{color:#4d5f66}dd{margin:0}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.7mm 2mm .7mm 0;
border-bottom:1px solid #dfe6e8}th{font-weight:600;color:#4d5f66;font-size:9pt}
.n{font-variant-numeric:tabular-nums;white-space:nowrap}
.late{color:#a3241d;font-weight:600}.code{font:7pt/1.4 ui-monospace,Consolas,monospace;overflow-wrap:anywhere}
figure{display:inline-block;margin:1mm 4mm 1mm 0;max-width:58mm}img{max-width:100%;max-height:52mm;display:block}
figcaption{font-size:8.5pt;color:#4d5f66}footer{margin-top:4mm;font-size:8.5pt;color:#4d5f66}
.wide{overflow-x:auto}@media (max-width:600px){body{padding:4mm}dl{grid-template-columns:max-content 1fr}}
@page{size:A4;margin:9mm}
@media print{body{padding:0;max-width:none;font-size:8.5pt;line-height:1.3}img{max-height:34mm}
h2{margin-top:2.5mm;break-after:avoid}th,td{padding:.4mm 2mm .4mm 0}tr,figure{break-inside:avoid}}
"""


class ExportBody(Body):
    """Why faces have to leave the house."""

    reason: LongText


class ExportShown(Shown):
    """A request that waits for a second person."""

    approval_id: str
    state: str


@routes.post(
    "/alarms/{alarm_id}/export-requests",
    status_code=201,
    response_model=ExportShown,
    responses=failures(400, 401, 403, 404, 409, 415, 422),
    summary="申请导出含人脸的时间线 Ask for a timeline with faces",
)
def ask(alarm_id: Id, body: ExportBody, operator: OnDuty, write: StaffWrite) -> Response:
    """须经另一人批准，只能使用一次。 A second person decides; good for one export."""
    require(operator, *_EXPORTING)

    def act(connection: Connection) -> dict[str, Any]:
        if find_alarm(connection, alarm_id) is None:
            raise NotFound("alarm", "alarm_id")
        asked = approvals.ask(
            connection,
            kind="export",
            subject=f"alarm:{alarm_id}",
            payload={"alarm_id": alarm_id, "what": "timeline with pictures"},
            reason=body.reason,
            operator=operator,
            now_us=write.now_us,
        )
        return ExportShown(approval_id=asked.id, state=asked.state).model_dump(mode="json")

    return write.answer(act, status=201)


@routes.get(
    "/alarms/{alarm_id}/timeline",
    response_class=Response,
    responses={200: {"description": "HTML", "content": {"text/html": {}}}, **failures(401, 403, 404, 409, 422)},
    summary="报警时间线（单页） Timeline of an alarm, one page",
)
def timeline(
    alarm_id: Id,
    operator: OnDuty,
    system: Here,
    reason: Annotated[ShortText, Query()] = EXPORTING,
    approval: Annotated[Id | None, Query()] = None,
) -> Response:
    """带 approval 时含带水印的人脸图片。 With an approval it carries the pictures, marked."""
    require(operator, "monitoring", "security", "police_liaison")
    now_us = system.clock.now_us()
    with system.db.read() as connection:
        alarm = find_alarm(connection, alarm_id)
    if alarm is None:
        raise NotFound("alarm", "alarm_id")
    if approval is not None:
        require(operator, *_EXPORTING)
    register.look(
        system.db,
        operator,
        data_class="case",
        what=f"alarm:{alarm_id}",
        reason=reason,
        authority=f"alarm:{alarm_id}" if approval is None else f"approval:{approval}",
        now_us=now_us,
    )
    pictures: list[tuple[str, bytes]] = []
    if approval is not None:
        pictures = _pictures(system, operator, alarm, approval, reason=reason, now_us=now_us)
    hospital = (system.settings.hospital_name_zh, system.settings.hospital_name_en)
    with system.db.read() as connection:
        page = page_of(connection, alarm, hospital=hospital, operator=operator, pictures=pictures, now_us=now_us)
    headers = {
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox",
        "content-disposition": f'attachment; filename="{alarm_id}.html"',
    }
    return Response(page, media_type="text/html", headers=headers)


def page_of(
    connection: Connection,
    alarm: Alarm,
    *,
    hospital: tuple[str, str],
    operator: Operator,
    pictures: list[tuple[str, bytes]],
    now_us: int,
) -> str:
    """The page; every text that people wrote is escaped."""
    names = {one.id: one.name for one in list_operators(connection)}
    parts = [
        element("h1", text("报警处置时间线")),
        _line(f"Timeline of an alarm · {hospital[0]} · {hospital[1]} · {alarm.id}", "en"),
        _facts(connection, alarm),
        _two("处置经过", "What was done"),
        _history(steps_of(connection, alarm.id), names),
        _two("时限", "Targets"),
        _clocks(clocks(alarm, response_in_force(connection, now_us=now_us)), now_us=now_us),
        _two("抓拍记录", "What was seen"),
        _sightings(connection, alarm),
        *_figures(pictures),
        element(
            "footer",
            _line(
                "相似度是线索而非身份证明；处置均由人员决定。时间为本院时区，另存设备与接收时间。"
                f"导出人：{operator.name}（{operator.id}），{iso(now_us)}。"
            ),
            _line(
                "A similarity is a lead and proves nobody's identity; every measure was decided by a person. "
                "Times are the hospital's.",
                "en",
            ),
        ),
    ]
    head = element("meta", charset="utf-8") + element(
        "meta", name="viewport", content="width=device-width,initial-scale=1"
    )
    title = element("title", text(f"{alarm.id} 报警处置时间线"))
    style = element("style", raw(_STYLE))
    document = element("html", element("head", raw(head), title, style), element("body", *parts), lang="zh-CN")
    return f"<!doctype html>\n{document}"


def _pictures(
    system: System, operator: Operator, alarm: Alarm, approval_id: str, *, reason: str, now_us: int
) -> list[tuple[str, bytes]]:
    with system.db.read() as connection:
        asked = approvals.find(connection, approval_id)
    if asked.asked_by != operator.id:
        raise NotFound("approval", "approval")
    with system.db.write() as connection:
        approvals.use(connection, approval_id, kind="export", subject=f"alarm:{alarm.id}", now_us=now_us)
    found: list[tuple[str, bytes]] = []
    which: Which
    for which, words in (
        ("crop", "抓拍人脸 captured face"),
        ("listed", "底库照片 photograph of the list"),
        ("scene", "现场 scene"),
    ):
        try:
            picture = alarm_pictures.look(
                system.db,
                pictures_of(system),
                operator,
                alarm,
                which,
                reason=reason,
                authority=f"approval:{approval_id}",
                now_us=now_us,
            )
        except (NotFound, InvalidInput) as gone:
            found.append((f"{words}：{gone.says('zh')}", b""))
            continue
        found.append((words, picture))
    return found


def _line(words: str, class_: str = "") -> Markup:
    return element("p", text(words), class_=class_) if class_ else element("p", text(words))


def _two(zh: str, en: str) -> Markup:
    return element("h2", text(zh), raw(" "), element("span", text(en), class_="en"))


def _facts(connection: Connection, alarm: Alarm) -> Markup:
    entry, best = shown(connection, alarm.best.entry_id), alarm.best
    places = {p.id: f"{p.building} {p.floor} {p.name}" for p in list_places(connection)}
    cameras = {c.id: c.name for c in list_cameras(connection)}
    ground = ("—", "") if entry is None else GROUND_WORDS[entry.ground_code]
    outcome = OUTCOME_WORDS.get(alarm.outcome or "", ("—", ""))
    pairs = (
        ("地点", places.get(best.place_id, best.place_id)),
        ("摄像机", cameras.get(best.camera_id, best.camera_id)),
        ("布控条目", best.entry_id),
        ("列入依据", f"{ground[0]} {ground[1]}"),
        ("首次抓拍", _at(alarm.first_seen_at_us)),
        ("系统报警", _at(alarm.raised_at_us) + ("（迟到数据 late）" if alarm.late else "")),
        ("相似度 / 阈值", f"{best.similarity_cos:.3f} / {best.threshold_cos:.3f}（{best.pack}，{best.frames} 帧）"),
        ("处置结果", f"{outcome[0]} {outcome[1]}"),
    )
    return element(
        "dl", *(part for zh, value in pairs for part in (element("dt", text(zh)), element("dd", text(value))))
    )


def _history(steps: list[StepTaken], names: Mapping[str, str]) -> Markup:
    rows = []
    first_us = steps[0].at_us if steps else 0
    for one in steps:
        zh, en = STEP_WORDS.get(one.step, (one.step, ""))
        if one.step == "outcome" and one.outcome is not None:
            zh, en = (f"{a}：{b}" for a, b in zip((zh, en), OUTCOME_WORDS[one.outcome], strict=True))
        waited_s = (one.heard_at_us - one.at_us) // SECOND_US
        note = one.reason + (f"（离线补报，迟 {waited_s} 秒）" if waited_s > 0 else "")
        if not one.believed:
            note += "（手机时间不可信，按接收时间）"
        who = ("系统 machine", "") if one.actor_id is None else (names.get(one.actor_id, ""), one.actor_id)
        rows.append(
            element(
                "tr",
                element("td", text(_at(one.at_us, first_us)), class_="n"),
                element("td", text(_after(one.at_us - first_us)), class_="n"),
                element("td", text(zh), raw(" "), element("span", text(en), class_="en")),
                element("td", text(who[0]), raw(" "), element("span", text(who[1]), class_="code")),
                element("td", text(note)),
            )
        )
    return _table(("时间 time", "历时 after", "步骤 step", "人员 by", "说明 note"), rows)


def _clocks(found: list[RunningClock], *, now_us: int) -> Markup:
    rows = []
    for clock in found:
        zh, en = TARGET_WORDS[clock.target]
        took = "—" if clock.done_at_us is None else _after(clock.done_at_us - clock.since_us)
        late = clock.is_late(now_us)
        state = ("超时 late" if late else "按时 in time") if clock.done_at_us is not None or late else "进行中 running"
        rows.append(
            element(
                "tr",
                element("td", text(f"{zh} {en}")),
                element("td", text(_after(clock.due_at_us - clock.since_us)), class_="n"),
                element("td", text(took), class_="n"),
                element("td", text(state), class_="late" if late else "n"),
            )
        )
    return _table(("目标 target", "时限 allowed", "用时 took", "结果 result"), rows)


def _sightings(connection: Connection, alarm: Alarm) -> Markup:
    cameras = {c.id: c.name for c in list_cameras(connection)}
    rows = []
    for seen in of_alarm(connection, alarm.id):
        hashes = []
        for kind, still_id in (("脸 face", seen.crop_id), ("景 scene", seen.scene_id)):
            still = None if still_id is None else find_still(connection, still_id)
            if still is not None:
                hashes.append(element("div", text(f"{kind} {still.sha256}")))
        rows.append(
            element(
                "tr",
                element("td", text(_at(seen.seen_at_us, alarm.raised_at_us)), class_="n"),
                element("td", text(cameras.get(seen.camera_id, seen.camera_id))),
                element("td", text(f"{seen.similarity_cos:.3f}"), class_="n"),
                element("td", *(hashes or [text("—")]), class_="code"),
            )
        )
    return _table(("抓拍时间 seen", "摄像机 camera", "相似度", "SHA-256"), rows)


def _figures(pictures: list[tuple[str, bytes]]) -> list[Markup]:
    if not pictures:
        return []
    figures = []
    for words, picture in pictures:
        source = f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"
        shown_as = [element("img", src=source, alt=words)] if picture else []
        figures.append(element("figure", *shown_as, element("figcaption", text(words))))
    return [_two("图片", "Pictures"), element("div", *figures)]


def _table(heads: tuple[str, ...], rows: list[Markup]) -> Markup:
    head = element("tr", *(element("th", text(one)) for one in heads))
    return element("div", element("table", element("thead", head), element("tbody", *rows)), class_="wide")


def _at(at_us: int, day_us: int | None = None) -> str:
    """Date and time; the time alone on the day of `day_us`."""
    form = "%H:%M:%S" if day_us is not None and day_of(at_us) == day_of(day_us) else "%Y-%m-%d %H:%M:%S"
    return from_us(at_us).strftime(form)


def _after(us: int) -> str:
    minutes, seconds = divmod(max(0, us) // SECOND_US, 60)
    return f"{minutes}′{seconds:02d}″"
