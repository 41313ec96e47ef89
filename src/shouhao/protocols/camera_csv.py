"""Cameras and walking times as CSV, the way a security office keeps them in a spreadsheet: read, and written.

UTF-8 with or without a mark, or GBK; comma, semicolon or tab; Chinese or English headings. Every line that cannot be is
told with its number and rule; the caller takes a file in whole or not at all. Spreadsheets turn 20 digits into a
number and text that begins with = into a formula: device ids are written as text, and no cell begins a formula.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from shouhao.kernel.errors import InvalidInput, Refused
from shouhao.watch.cameras import Camera, NewCamera, Place, check_camera, check_id, check_place
from shouhao.watch.model import Source, ZoneKind
from shouhao.watch.ways import Way, both_ways, check_way

T = TypeVar("T")

MOST_BYTES = 8 * 1024 * 1024
MOST_CAMERAS = 2_000
MOST_WAY_ROWS = 20_000
_BAD_TOLD = 200
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_TEXT_CELL = re.compile(r'=?"?(.*?)"?', re.DOTALL)
_SCIENTIFIC = re.compile(r"[0-9](\.[0-9]+)?[eE]\+?[0-9]{1,2}")

#: The first heading of each is how it is written; they are compared without case, spaces, underscores and brackets.
_CAMERA_HEADINGS: Mapping[str, tuple[str, ...]] = {
    "id": ("摄像机编号", "id", "cameraid", "编号"),
    "device_id": ("设备编号", "deviceid", "国标编号", "设备编码"),
    "name": ("摄像机名称", "name", "名称"),
    "place_id": ("位置编号", "placeid"),
    "building": ("楼宇", "building", "楼栋"),
    "floor": ("楼层", "floor"),
    "place": ("位置", "place", "placename"),
    "zone": ("区域类型", "zone", "区域"),
    "x": ("平面图横坐标", "x"),
    "y": ("平面图纵坐标", "y"),
    "angle_deg": ("朝向角度", "angledeg", "angle", "角度"),
    "source": ("接入方式", "source"),
    "group": ("分组", "group", "groupid"),
    "kind": ("型号", "kind", "model"),
    "digest": ("须口令", "digest", "digestrequired"),
    "password": ("口令", "password"),
    "stream": ("视频流地址", "stream", "rtsp"),
    "state": ("状态", "state"),
}
_WAY_HEADINGS: Mapping[str, tuple[str, ...]] = {
    "from": ("起点", "from", "fromid"),
    "to": ("终点", "to", "toid"),
    "shortest_s": ("最短秒数", "shortests", "shortest"),
    "usual_s": ("通常秒数", "usuals", "usual"),
}
_OPTIONAL = {"group", "kind", "digest", "password", "stream", "state", "angle_deg"}
_ZONES: Mapping[str, ZoneKind] = {
    "entrance": "entrance",
    "出入口": "entrance",
    "入口": "entrance",
    "window": "window",
    "挂号窗口": "window",
    "窗口": "window",
    "pharmacy": "pharmacy",
    "药房": "pharmacy",
    "clinic_door": "clinic_door",
    "诊室门外": "clinic_door",
    "诊室门口": "clinic_door",
    "other": "other",
    "其他": "other",
}
_SOURCES: Mapping[str, Source] = {
    "gat1400": "gat1400",
    "ga/t1400": "gat1400",
    "isapi": "isapi",
    "onvif": "onvif",
    "shots": "shots",
    "rtsp": "shots",
}
_YES = {
    "1": True,
    "true": True,
    "yes": True,
    "是": True,
    "0": False,
    "false": False,
    "no": False,
    "否": False,
    "": True,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLine:
    """A line that cannot be, and why."""

    line: int
    field: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraFile:
    """What a file of cameras held."""

    places: tuple[Place, ...]
    cameras: tuple[NewCamera, ...]
    bad: tuple[BadLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WayFile:
    """What a file of walking times held."""

    ways: tuple[Way, ...]
    bad: tuple[BadLine, ...]


class FileRefused(Refused):
    """Some lines cannot be; nothing of the file was taken in."""

    code = "watch.file_refused"
    zh = "文件有 {count} 处错误，未导入任何内容：\n{listed_zh}"
    en = "The file has {count} mistakes and nothing of it was taken in:\n{listed_en}"

    def __init__(self, bad: Sequence[BadLine]) -> None:
        self.bad = tuple(bad)
        super().__init__(
            count=len(bad),
            listed_zh="\n".join(f"第 {one.line} 行 {one.field}：{one.zh}" for one in bad[:_BAD_TOLD]),
            listed_en="\n".join(f"line {one.line}, {one.field}: {one.en}" for one in bad[:_BAD_TOLD]),
        )


def read_cameras(data: bytes) -> CameraFile:
    """Read a file of cameras with their places; never raises for what stands in it."""
    places: dict[str, Place] = {}
    cameras: dict[str, NewCamera] = {}
    devices: dict[str, int] = {}
    bad: list[BadLine] = []
    for line, row in _rows(data, _CAMERA_HEADINGS, bad, most=MOST_CAMERAS):
        try:
            place = check_place(
                Place(id=row["place_id"], building=row["building"], floor=row["floor"], name=row["place"])
            )
            if places.get(place.id, place) != place:
                zh, en = "同一编号在前面是另一处", "another place stands for this id above"
                raise InvalidInput("place_id", zh=zh, en=en)
            new = _camera(row, place)
            if new.camera.id in cameras:
                raise InvalidInput("id", zh="重复", en="it stands twice")
            if new.camera.device_id in devices:
                first = devices[new.camera.device_id]
                raise InvalidInput("device_id", zh=f"与第 {first} 行相同", en=f"that of line {first}")
        except Refused as rule:
            bad.append(_bad(line, rule))
            continue
        places[place.id] = place
        cameras[new.camera.id] = new
        devices[new.camera.device_id] = line
    return CameraFile(places=tuple(places.values()), cameras=tuple(cameras.values()), bad=tuple(bad))


def read_ways(data: bytes, *, symmetric: bool = False) -> WayFile:
    """Read a file of walking times; never raises for what stands in it.

    Args:
        symmetric: a way whose reverse the file does not give is as long back as there.
    """
    ways: dict[tuple[str, str], Way] = {}
    bad: list[BadLine] = []
    for line, row in _rows(data, _WAY_HEADINGS, bad, most=MOST_WAY_ROWS):
        try:
            way = check_way(
                Way(
                    from_id=check_id("from", row["from"]),
                    to_id=check_id("to", row["to"]),
                    shortest_s=_number("shortest_s", row["shortest_s"]),
                    usual_s=_number("usual_s", row["usual_s"]),
                )
            )
            if (way.from_id, way.to_id) in ways:
                raise InvalidInput("to", zh="同一方向重复", en="the same way stands twice")
        except Refused as rule:
            bad.append(_bad(line, rule))
            continue
        ways[way.from_id, way.to_id] = way
    found = list(ways.values())
    return WayFile(ways=tuple(both_ways(found) if symmetric else found), bad=tuple(bad))


def write_cameras(cameras: Sequence[Camera]) -> str:
    """Cameras with their places, without anything secret; read again, it changes nothing."""
    return _written(
        [name for name in _CAMERA_HEADINGS if name not in {"password", "stream"}],
        _CAMERA_HEADINGS,
        [
            {
                "id": _safe(c.id),
                "device_id": f'="{c.device_id}"',
                "name": _safe(c.name),
                "place_id": _safe(c.place_id),
                "building": _safe(c.building),
                "floor": _safe(c.floor),
                "place": _safe(c.place_name),
                "zone": c.zone,
                "x": f"{c.x:g}",
                "y": f"{c.y:g}",
                "angle_deg": f"{c.angle_deg:g}",
                "source": c.source,
                "group": _safe(c.group_id),
                "kind": _safe(c.kind),
                "digest": "是" if c.digest_required else "否",
                "state": c.state,
            }
            for c in cameras
        ],
    )


def write_ways(ways: Sequence[Way]) -> str:
    """Walking times."""
    rows = [
        {
            "from": _safe(w.from_id),
            "to": _safe(w.to_id),
            "shortest_s": f"{w.shortest_s:g}",
            "usual_s": f"{w.usual_s:g}",
        }
        for w in ways
    ]
    return _written(list(_WAY_HEADINGS), _WAY_HEADINGS, rows)


def _camera(row: Mapping[str, str], place: Place) -> NewCamera:
    device_id = row["device_id"]
    if _SCIENTIFIC.fullmatch(device_id):
        zh, en = (
            "被电子表格改成了科学计数法，请将该列设为文本",
            "a spreadsheet made it a number; format the column as text",
        )
        raise InvalidInput("device_id", zh=zh, en=en)
    camera = Camera(
        id=row["id"],
        device_id=device_id,
        name=row["name"],
        place_id=place.id,
        building=place.building,
        floor=place.floor,
        place_name=place.name,
        x=_number("x", row["x"]),
        y=_number("y", row["y"]),
        zone=_word("zone", row["zone"], _ZONES),
        angle_deg=_number("angle_deg", row.get("angle_deg") or "0"),
        source=_word("source", row["source"], _SOURCES),
        group_id=row.get("group", ""),
        kind=row.get("kind", ""),
        digest_required=_word("digest", row.get("digest", ""), _YES),
    )
    return NewCamera(
        camera=check_camera(camera), password=row.get("password") or None, stream=row.get("stream") or None
    )


def _number(field: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if not abs(value) < 1e6 or len(cell) > 20:  # noqa: PLR2004 - no figure here comes near
        raise InvalidInput(field, zh="须为数字", en="a number")
    return value


def _word(field: str, cell: str, known: Mapping[str, T]) -> T:
    bare = re.sub(r"\s", "", cell).lower()
    if bare not in known:
        listed = ", ".join(word for word in known if word)
        raise InvalidInput(field, zh=f"只能是 {listed}", en=f"one of {listed}")
    return known[bare]


def _rows(
    data: bytes, headings: Mapping[str, tuple[str, ...]], bad: list[BadLine], *, most: int
) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row that has cells, by the names of its columns, with the number of its first line."""
    text = _text(data, bad)
    if text is None:
        return
    first = text[: text.find("\n")] if "\n" in text else text
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    columns: dict[str, int] | None = None
    taken = 0
    while True:
        line = rows.line_num + 1
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error:
            bad.append(BadLine(line=line, field="row", zh="引号使用有误", en="quotation marks are not used properly"))
            return
        if not any(cell.strip() for cell in cells):
            continue
        if columns is None:
            columns = _columns(cells, headings, line, bad)
            if columns is None:
                return
            continue
        taken += 1
        if taken > most:
            bad.append(BadLine(line=line, field="row", zh=f"超过 {most} 行", en=f"more than {most} rows"))
            return
        yield line, {name: _cell(cells[at]) if at < len(cells) else "" for name, at in columns.items()}


def _text(data: bytes, bad: list[BadLine]) -> str | None:
    """The text of a file, or what is wrong with it, with the line."""
    if len(data) > MOST_BYTES:
        most = MOST_BYTES // 1024 // 1024
        bad.append(BadLine(line=1, field="file", zh=f"超过 {most} MB", en=f"larger than {most} MB"))
        return None
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        zh, en = "这是电子表格文件，请另存为 CSV", "a spreadsheet; save it as CSV"
        bad.append(BadLine(line=1, field="file", zh=zh, en=en))
        return None
    at = data.find(b"\0")
    for encoding in ("utf-8-sig", "gb18030") if at < 0 else ():
        try:
            return data.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            at = max(at, error.start)
    line = data.count(b"\n", 0, at) + 1
    bad.append(BadLine(line=line, field="file", zh="不是 UTF-8 或 GBK 文本", en="neither UTF-8 nor GBK text"))
    return None


def _columns(
    cells: Sequence[str], headings: Mapping[str, tuple[str, ...]], line: int, bad: list[BadLine]
) -> dict[str, int] | None:
    known = {_bare(heading): name for name, words in headings.items() for heading in words}
    columns: dict[str, int] = {}
    for at, cell in enumerate(cells):
        name = known.get(_bare(cell))
        if name is not None and name in columns:
            bad.append(BadLine(line=line, field=name, zh="表头重复", en="the heading stands twice"))
            return None
        if name is not None:
            columns[name] = at
    missing = [name for name in headings if name not in columns and name not in _OPTIONAL]
    for name in missing:
        zh = f"缺少表头 {headings[name][0]}"
        bad.append(BadLine(line=line, field=name, zh=zh, en=f"the heading {name} is missing"))
    return None if missing else columns


def _bare(heading: str) -> str:
    return re.sub(r"\(.*?\)|[\s_]", "", unicodedata.normalize("NFKC", heading)).lower()


def _cell(cell: str) -> str:
    """A cell without what spreadsheets, and `_safe`, put around texts."""
    bare = cell.strip().removeprefix("'")
    found = _TEXT_CELL.fullmatch(bare) if bare.startswith('="') else None
    return bare if found is None else found[1]


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _bad(line: int, rule: Refused) -> BadLine:
    if isinstance(rule, InvalidInput):
        zh, en = str(rule.data["rule_zh"]), str(rule.data["rule_en"])
    else:
        zh, en = rule.says("zh"), rule.says("en")
    return BadLine(line=line, field=rule.field or "row", zh=zh, en=en)


def _written(names: Sequence[str], headings: Mapping[str, tuple[str, ...]], rows: Sequence[Mapping[str, str]]) -> str:
    """With a mark, so that spreadsheets read the Chinese as what it is."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([headings[name][0] for name in names])
    writer.writerows([[row[name] for name in names] for row in rows])
    return "\ufeff" + out.getvalue()
