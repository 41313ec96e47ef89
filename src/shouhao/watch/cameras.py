"""Cameras: where each hangs, what it may look at, and whether it is well.

A camera is registered with its place, its zone and its point on the floor's plan, and goes live only when somebody has
declared that its picture holds no forbidden place; names that say otherwise are refused whatever was declared (Face
Measures 13, Video Regulation 8). Health is told from what is heard: nothing here asks a camera anything. Plans are
read in plan.py, walking times in ways.py, storing is store/cameras.py's.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Literal, get_args

from shouhao.kernel.clock import DAY_US, SECOND_US
from shouhao.kernel.errors import InvalidInput, Refused
from shouhao.watch.model import Source, ZoneKind

CameraState = Literal["planned", "live", "off"]
HeardKind = Literal["register", "keepalive", "capture", "stream"]
HealthState = Literal["never", "online", "offline"]

#: Purposes that these are sealed for (store/vault.py).
SEALED_PASSWORD = "camera.password"  # noqa: S105 - a name of a purpose
SEALED_STREAM = "camera.stream"
KEEPALIVE_S = 90  #: between two signs of life
MISSES = 3  #: so many in a row, and a camera is offline
CLOCK_WARN_S = 5.0
OFFSETS_KEPT = 31  #: of the clock; their median is believed, so a flush of old captures does not move it
SIGN_LASTS_US = 31 * DAY_US  #: a sign is looked at once a month
QUIET_SHARE = 0.2  #: an hour with less than this share of the usual captures is told
QUIET_LEAST = 20  #: where fewer captures are usual, a quiet hour says nothing

_DEVICE_ID = re.compile(r"[0-9]{20}")
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_TEXT_MAX = 80

#: No camera looks into these, whatever stands beside the word.
_NEVER_ZH = re.compile(
    "厕所|卫生间|洗手间|盥洗|更衣|换衣|试衣|浴室|沐浴|淋浴|洗澡|公厕|化妆间|"
    "母婴室|哺乳|喂奶|挤奶|吸奶|客房|宿舍|值班休息|休息间|太平间"
)
_NEVER_EN = re.compile(
    r"\b(toilets?|restrooms?|rest rooms?|washrooms?|bathrooms?|lavator(y|ies)|w ?c|changing|dressing rooms?|"
    r"fitting rooms?|locker rooms?|showers?|nursing rooms?|lactation|breast ?feeding|dormitor(y|ies)|guest rooms?|"
    r"bedrooms?|morgue)\b"
)
#: Rooms in which patients are treated or sleep: their doors may be seen, their inside may not.
_INSIDE_ZH = re.compile(
    "病房|病室|产房|诊室|检查室|治疗室|手术室|抢救室|监护室|注射室|处置室|化验室|采精|取精|咨询室|"
    "谈话间|b超|超声室|输液室|透析室|内镜"
)
_INSIDE_EN = re.compile(
    r"\b(wards?|patient rooms?|delivery rooms?|consulting rooms?|examination rooms?|exam rooms?|treatment rooms?|"
    r"operating (rooms?|theatres?|theaters?)|intensive care|icu|ultrasound|infusion|dialysis|endoscopy)\b"
)
_OUTSIDE_ZH = re.compile("门口|门外|门前|入口|出口|走廊|大厅|楼道|候诊|通道|大门")
_OUTSIDE_EN = re.compile(r"\b(doors?|entrances?|exits?|corridors?|hall|lobby|gate|waiting area|outside)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where cameras hang: one alarm per person and place."""

    id: str
    building: str
    floor: str  #: as it stands beside the lift, e.g. 1F, B1
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """One camera, as it was registered, and what its clock was found to be."""

    id: str
    device_id: str  #: 20 digits (GA/T 1400): as the device names itself
    name: str
    place_id: str
    building: str  #: of the place
    floor: str  #: of the place
    place_name: str
    x: float  #: 0 to 1 from the left edge of the floor's plan
    y: float  #: 0 to 1 from its top
    zone: ZoneKind
    angle_deg: float  #: where it looks: 0 is up on the plan, clockwise
    source: Source
    group_id: str = ""  #: cameras of one group are pulled by one process
    kind: str = ""  #: make and model, for the filing with the police
    digest_required: bool = True  #: registering needs its password
    sealed_password: str | None = None
    sealed_stream: str | None = None  #: address of its stream, which holds a password as a rule
    declared_by: str | None = None  #: who declared that its picture holds no forbidden place
    declared_at_us: int | None = None
    sign_photo_id: str | None = None  #: still of the sign that tells people of the camera
    sign_taken_at_us: int | None = None
    clock_offset_us: int = 0  #: the device's clock less ours: the median of what was heard
    state: CameraState = "planned"
    live_since_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCamera:
    """A camera as somebody gives it: what is secret is not sealed yet, and left out to keep what is there."""

    camera: Camera
    password: str | None = field(default=None, repr=False)
    stream: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """When something of a camera was last heard, by kind."""

    camera_id: str
    registered_at_us: int | None = None
    kept_alive_at_us: int | None = None
    captured_at_us: int | None = None
    streamed_at_us: int | None = None
    clock_offsets_us: tuple[int, ...] = ()  #: the newest last
    offline: bool = False  #: it was told; kept so that each change is told once

    @property
    def heard_at_us(self) -> int | None:
        """The last sign of life of any kind: a capture tells as much as a keep-alive."""
        heard = (self.registered_at_us, self.kept_alive_at_us, self.captured_at_us, self.streamed_at_us)
        return max((at for at in heard if at is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Captures of the last whole hour against the same hour of the days before."""

    last: int
    usual: float | None  #: median of up to seven days; None: it is not known yet

    @property
    def quiet(self) -> bool:
        """So few that something is wrong: a lens turned away sends keep-alives as before."""
        return self.usual is not None and self.usual >= QUIET_LEAST and self.last < self.usual * QUIET_SHARE


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """Something about a camera that a person has to see to."""

    code: Literal["offline", "never_heard", "clock", "quiet", "sign_missing", "sign_old"]
    zh: str
    en: str


class ForbiddenPlace(Refused):
    """No camera of this system looks into such a place."""

    code = "watch.forbidden_place"
    zh = "该处不得安装人脸抓拍：{word}（人脸识别技术应用安全管理办法第13条、公共安全视频图像信息系统管理条例第8条）"
    en = "No face camera here: {word} (Face Measures article 13, Video Regulation article 8)"


class NotDeclared(Refused):
    """Nobody has declared that the picture holds no forbidden place."""

    code = "watch.place_not_declared"
    zh = "启用前须声明画面内没有卫生间、更衣、哺乳、病房、诊室内部等处所"
    en = "Before it goes live somebody declares that it sees into no toilet, changing, nursing, ward or treatment room"


class DeviceTaken(Refused):
    """Another camera has this device id."""

    code = "watch.device_taken"
    zh = "设备编号已被另一台摄像机使用"
    en = "Another camera has this device id"


class CameraOff(Refused):
    """The camera was taken out of service; it is registered anew, with a new declaration."""

    code = "watch.camera_off"
    zh = "摄像机已停用，须重新登记"
    en = "The camera was taken out of service; register it anew"


def check_id(field: str, value: str) -> str:
    """An id as files and forms give it.

    Raises:
        InvalidInput: empty, too long, or other characters.
    """
    if not _ID.fullmatch(value):
        raise InvalidInput(
            field, zh="须为 1 至 64 位字母、数字或 _ . : -", en="1 to 64 letters, digits or any of _ . : -"
        )
    return value


def check_device_id(value: str) -> str:
    """The device's own id.

    Raises:
        InvalidInput: it is not 20 digits.
    """
    if not _DEVICE_ID.fullmatch(value):
        raise InvalidInput("device_id", zh="须为 20 位数字", en="20 digits")
    return value


def check_text(field: str, text: str, *, most: int = _TEXT_MAX, empty: bool = False) -> str:
    """A name in its normal form: NFKC, no space around it.

    Raises:
        InvalidInput: empty, too long, or not printable.
    """
    normal = unicodedata.normalize("NFKC", text).strip()
    if (not normal and not empty) or len(normal) > most or not normal.isprintable():
        least = 0 if empty else 1
        raise InvalidInput(field, zh=f"须为 {least} 至 {most} 个可见字符", en=f"{least} to {most} printable characters")
    return normal


def check_place(place: Place) -> Place:
    """A place in normal form.

    Raises:
        ForbiddenPlace: its name says that no camera may hang there.
        InvalidInput: a field breaks its rule.
    """
    checked = Place(
        id=check_id("place_id", place.id),
        building=check_text("building", place.building),
        floor=check_text("floor", place.floor, most=20),
        name=check_text("place", place.name),
    )
    refuse_forbidden("place", checked.name)
    return checked


def check_camera(camera: Camera) -> Camera:
    """The same camera, when everything that people gave can be.

    Raises:
        ForbiddenPlace: its name says that it looks where no camera may.
        InvalidInput: a field breaks its rule.
    """
    check_id("id", camera.id)
    check_device_id(camera.device_id)
    refuse_forbidden("name", check_text("name", camera.name))
    check_text("kind", camera.kind, empty=True)
    if camera.group_id:
        check_id("group", camera.group_id)
    for axis, value in (("x", camera.x), ("y", camera.y)):
        if not 0 <= value <= 1:
            raise InvalidInput(axis, zh="须在 0 与 1 之间", en="from 0 to 1")
    if not 0 <= camera.angle_deg < 360:  # noqa: PLR2004 - of a circle
        raise InvalidInput("angle_deg", zh="须在 0 与 360 之间", en="from 0 to below 360")
    for word, given, known in (("zone", camera.zone, get_args(ZoneKind)), ("source", camera.source, get_args(Source))):
        if given not in known:
            listed = ", ".join(known)
            raise InvalidInput(word, zh=f"只能是 {listed}", en=f"one of {listed}")
    return camera


def refuse_forbidden(field: str, name: str) -> None:
    """Refuse a name that says that the picture holds a forbidden place; spaces and width of characters hide nothing.

    Raises:
        ForbiddenPlace: with the word.
    """
    normal = unicodedata.normalize("NFKC", name).casefold()
    latin = " ".join(re.sub(r"[^a-z0-9]+", " ", normal).split())
    bare = "".join(character for character in normal if character.isalnum())
    found = _NEVER_ZH.search(bare) or _NEVER_EN.search(latin)
    if found is None and not (_OUTSIDE_ZH.search(bare) or _OUTSIDE_EN.search(latin)):
        found = _INSIDE_ZH.search(bare) or _INSIDE_EN.search(latin)
    if found is not None:
        raise ForbiddenPlace(field, word=found.group())


def clock_offset_us(offsets_us: Sequence[int]) -> int:
    """The device's clock less ours, as it is believed; nought while nothing was heard."""
    return round(median(offsets_us)) if offsets_us else 0


def health_state(health: Health, *, now_us: int) -> HealthState:
    """Online while one of the last three signs of life came."""
    heard = health.heard_at_us
    if heard is None:
        return "never"
    return "offline" if now_us - heard > MISSES * KEEPALIVE_S * SECOND_US else "online"


def sign_is_fresh(camera: Camera, *, now_us: int) -> bool:
    """A photograph of its sign was taken within the month."""
    return camera.sign_taken_at_us is not None and now_us - camera.sign_taken_at_us <= SIGN_LASTS_US


def warnings_of(camera: Camera, health: Health, hours: Hours, *, now_us: int) -> list[Warned]:
    """What a person has to see to at a live camera; nothing for one that is planned or off."""
    if camera.state != "live":
        return []
    found = []
    state = health_state(health, now_us=now_us)
    if state == "offline":
        found.append(Warned(code="offline", zh="离线：连续三次没有保活", en="offline: three keep-alives missed"))
    if state == "never":
        found.append(Warned(code="never_heard", zh="启用后从未收到数据", en="live, and nothing was ever heard of it"))
    offset_s = camera.clock_offset_us / SECOND_US
    if abs(offset_s) > CLOCK_WARN_S:
        found.append(
            Warned(code="clock", zh=f"时钟相差 {offset_s:+.1f} 秒", en=f"its clock is off by {offset_s:+.1f} s")
        )
    if hours.quiet:
        zh = f"上一小时抓拍 {hours.last} 次，平时约 {hours.usual:.0f} 次"
        en = f"{hours.last} captures in the last hour, about {hours.usual:.0f} are usual"
        found.append(Warned(code="quiet", zh=zh, en=en))
    if camera.sign_taken_at_us is None:
        found.append(Warned(code="sign_missing", zh="没有提示标识照片", en="there is no photograph of its sign"))
    elif not sign_is_fresh(camera, now_us=now_us):
        found.append(
            Warned(code="sign_old", zh="提示标识照片已超过一个月", en="its sign was last seen over a month ago")
        )
    return found
