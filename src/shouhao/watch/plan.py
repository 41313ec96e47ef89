"""Floor plans: an SVG from outside, turned into one that draws and does nothing else.

An SVG is a program: it runs scripts, asks other machines, holds whole documents. So nothing of the upload is kept: what
is known to draw is read and written anew, and a file that holds anything else is refused with the name of what it
holds, since a plan that was silently cut would be a wrong plan. Pictures of plans are read by flows/cameras.py.
"""

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from shouhao.kernel.errors import Refused

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

PlanType = Literal["image/svg+xml", "image/png"]

MOST_BYTES = 4 * 1024 * 1024
MOST_ELEMENTS = 50_000
DEEPEST = 64
LARGEST_SIDE = 20_000.0
MOST_PICTURE_PIXELS = 24_000_000
_LONGEST_VALUE = 200_000  #: a path of a whole building

_NAMESPACE = "{http://www.w3.org/2000/svg}"
_DRAWS = re.compile(
    r"svg|g|path|rect|circle|ellipse|line|polyline|polygon|text|tspan|title|desc|defs|linearGradient|"
    r"radialGradient|stop|clipPath"
)
_SAYS = re.compile(
    r"id|class|d|x|y|x1|y1|x2|y2|cx|cy|r|rx|ry|fx|fy|dx|dy|width|height|points|viewBox|preserveAspectRatio|"
    r"transform|version|fill|fill-rule|fill-opacity|stroke|stroke-width|stroke-linecap|stroke-linejoin|"
    r"stroke-dasharray|stroke-dashoffset|stroke-opacity|stroke-miterlimit|opacity|color|display|visibility|"
    r"overflow|clip-rule|clip-path|font-family|font-size|font-weight|font-style|text-anchor|dominant-baseline|"
    r"letter-spacing|word-spacing|textLength|lengthAdjust|rotate|offset|stop-color|stop-opacity|gradientUnits|"
    r"gradientTransform|spreadMethod|clipPathUnits|vector-effect|shape-rendering|paint-order"
)
#: What drawing programs leave behind, in namespaces of their own: it draws nothing, so it goes without a word.
_LEFT_OUT_ELEMENTS = frozenset({"metadata"})
_STYLE = re.compile(r"\s*([a-z-]+)\s*:\s*([^;]*?)\s*(?:;|$)")
_REFERENCE = re.compile(r"url\(\s*[\"']?#[A-Za-z0-9_.:-]{1,100}[\"']?\s*\)")
_ASKS = re.compile(r"url\(|@|\\|expression|javascript:|data:|<|&#|/\*", re.IGNORECASE)
_LENGTH = re.compile(r"\s*([0-9]{1,6}(?:\.[0-9]{1,8})?)\s*(px|pt|mm|cm|in)?\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A floor's plan, as it is shown."""

    building: str
    floor: str
    media_type: PlanType
    content: bytes
    sha256: str
    width: int  #: px, or the units that its drawing has
    height: int


class PlanRefused(Refused):
    """The file cannot be a plan."""

    code = "watch.plan_refused"
    zh = "不能用作平面图：{why_zh}"
    en = "This cannot be a floor plan: {why_en}"

    def __init__(self, *, zh: str, en: str) -> None:
        super().__init__("plan", why_zh=zh, why_en=en)


def read_svg(data: bytes, *, building: str, floor: str) -> Plan:
    """A plan from an SVG file, written anew.

    Raises:
        PlanRefused: too large, not SVG, or it holds something that does more than draw.
    """
    from xml.etree.ElementTree import ParseError, tostring  # noqa: PLC0415 - writing only; defusedxml reads

    from defusedxml import DefusedXmlException  # noqa: PLC0415 - only uploads of plans need it
    from defusedxml.ElementTree import fromstring  # noqa: PLC0415 - as above

    if len(data) > MOST_BYTES:
        most = MOST_BYTES // 1024 // 1024
        raise PlanRefused(zh=f"超过 {most} MB", en=f"larger than {most} MB")
    try:
        root = fromstring(data, forbid_dtd=True)
    except DefusedXmlException as error:
        raise PlanRefused(zh="含有 DTD 或实体", en="it holds a DTD or an entity") from error
    except (ParseError, ValueError, LookupError, RecursionError) as error:
        raise PlanRefused(zh="不是有效的 SVG", en="not readable as SVG") from error
    if root.tag != f"{_NAMESPACE}svg":
        raise PlanRefused(zh="不是 SVG", en="not SVG")
    _clean(root)
    width, height = _size(root)
    root.set("viewBox", root.get("viewBox") or f"0 0 {width:g} {height:g}")
    for element in root.iter():
        element.tag = _name(element)
    root.set("xmlns", _NAMESPACE[1:-1])
    content = tostring(root, encoding="utf-8", xml_declaration=True)
    return plan_of(
        content, "image/svg+xml", building=building, floor=floor, width=math.ceil(width), height=math.ceil(height)
    )


def plan_of(content: bytes, media_type: PlanType, *, building: str, floor: str, width: int, height: int) -> Plan:
    """A plan of content that was written by us."""
    return Plan(
        building=building,
        floor=floor,
        media_type=media_type,
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        width=width,
        height=height,
    )


def looks_like_svg(data: bytes) -> bool:
    """Whether to read it as SVG: it begins as XML does; whether it is one is seen then."""
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    return head.startswith(b"<") or data[:2] in {b"\xff\xfe", b"\xfe\xff"}


def _clean(root: "Element") -> None:
    """Walk the tree, which may be deep, without recursion."""
    elements = 0
    waiting: list[tuple[Element, int]] = [(root, 1)]
    while waiting:
        element, depth = waiting.pop()
        elements += 1
        if elements > MOST_ELEMENTS or depth > DEEPEST:
            raise PlanRefused(zh="图形过多或嵌套过深", en="too many elements, or nested too deep")
        _clean_attributes(element)
        for child in list(element):
            if _left_out(child):
                element.remove(child)
                continue
            name = _name(child)
            if _DRAWS.fullmatch(name) is None:
                shown = name[:40].encode("ascii", "replace").decode()
                raise PlanRefused(zh=f"含有不允许的元素 {shown}", en=f"it holds the element {shown}")
            waiting.append((child, depth + 1))


def _left_out(child: "Element") -> bool:
    """Comments, processing instructions, metadata, and elements of drawing programs."""
    if not isinstance(child.tag, str):
        return True
    if child.tag.startswith(_NAMESPACE):
        return child.tag.removeprefix(_NAMESPACE) in _LEFT_OUT_ELEMENTS
    return child.tag.startswith(("{http://www.inkscape.org/", "{http://sodipodi.sourceforge.net/"))


def _name(element: "Element") -> str:
    tag = str(element.tag)
    return tag.removeprefix(_NAMESPACE) if tag.startswith(_NAMESPACE) else tag


def _clean_attributes(element: "Element") -> None:
    style = element.attrib.pop("style", None)
    if style is not None:
        for name, value in _declarations(style).items():
            if _SAYS.fullmatch(name):
                element.set(name, value)
    for name, value in list(element.attrib.items()):
        if name.startswith("{") and not name.endswith(("}href", "}base")):
            del element.attrib[name]  # of drawing programs; xml:space and the like
            continue
        if _SAYS.fullmatch(name) is None and not name.startswith(("data-", "aria-")):
            shown = name[:40].encode("ascii", "replace").decode()
            raise PlanRefused(zh=f"含有不允许的属性 {shown}", en=f"it holds the attribute {shown}")
        if len(value) > _LONGEST_VALUE or _ASKS.search(_REFERENCE.sub("", value)):
            shown = name[:40].encode("ascii", "replace").decode()
            raise PlanRefused(zh=f"属性 {shown} 引用外部内容", en=f"the attribute {shown} points elsewhere")


def _declarations(style: str) -> Mapping[str, str]:
    """The declarations of a style attribute; attributes of the same names draw the same, and the rest is decoration."""
    if len(style) > _LONGEST_VALUE or _ASKS.search(_REFERENCE.sub("", style)):
        raise PlanRefused(zh="样式引用外部内容", en="a style points elsewhere")
    return {found[1]: found[2] for found in _STYLE.finditer(style)}


def _size(root: "Element") -> tuple[float, float]:
    """Width and height of the drawing: those of its view box, or those that it gives."""
    box = re.split(r"[\s,]+", root.get("viewBox", "").strip())
    try:
        sides = [float(part) for part in box[2:]] if len(box) == 4 else []  # noqa: PLR2004 - x, y, width, height
    except ValueError:
        sides = []
    if not sides:
        given = [_LENGTH.fullmatch(root.get(name, "")) for name in ("width", "height")]
        sides = [float(found[1]) for found in given if found is not None]
    if len(sides) != 2 or not all(math.isfinite(side) and 1 <= side <= LARGEST_SIDE for side in sides):  # noqa: PLR2004
        raise PlanRefused(zh="没有可用的宽度与高度", en="it gives no usable width and height")
    return sides[0], sides[1]
