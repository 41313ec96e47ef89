"""Settings: everything a hospital may choose, each with its name, default, unit and help in two languages.

Read once, by the command line, from the environment (`SHOUHAO_NAME`) and an optional file; each room is handed its
own small value and never this object. No secret has a default. docs/reference/settings.md is written from here.
"""

import os
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from shouhao.booking.decide import HoldTimes
from shouhao.booking.desk import DeskSettings
from shouhao.cases.tips import TipLimits
from shouhao.flows.watch_desk import WatchSettings
from shouhao.flows.work import WorkSettings
from shouhao.gate.model import PhoneCodeSettings, SignInSettings
from shouhao.kernel.errors import Refused
from shouhao.staff.sessions import SessionSettings
from shouhao.store.vault import CryptoProfile, read_master_key

PREFIX = "SHOUHAO_"
_MIB = 1024 * 1024
_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
_ADAPTER = r"[A-Za-z_][\w.]*:[A-Za-z_]\w*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with the settings; never the value itself, which may be a secret."""

    setting: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityLine:
    """What a line to an identity authority needs."""

    url: str
    client_cert_file: Path
    client_key_file: Path
    ca_file: Path
    public_key_file: Path


class SettingsRefused(Refused):
    """The system does not start with these settings."""

    code = "settings.refused"
    zh = "设置有问题，系统不启动：\n{listed_zh}"
    en = "The system does not start with these settings:\n{listed_en}"

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__(
            listed_zh="\n".join(f"- {env_name(p.setting)}:{p.zh}" for p in problems),
            listed_en="\n".join(f"- {env_name(p.setting)}: {p.en}" for p in problems),
        )


def setting(default: Any, zh: str, en: str, *, unit: str = "", secret: bool = False, **rules: Any) -> Any:
    """A field that carries what the reference page tells of it."""
    return Field(default, description=en, json_schema_extra={"zh": zh, "unit": unit, "secret": secret}, **rules)


def _networks(value: object) -> object:
    """Networks as one text with commas, or as a list in a TOML file; no host bits, for they would be a mistake."""
    if isinstance(value, str):
        return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())
    if isinstance(value, list):
        return tuple(ip_network(part) for part in value)
    return value


def _texts(value: object) -> object:
    """Texts as one text with commas, or as a list in a TOML file."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return tuple(value) if isinstance(value, list) else value


class Settings(BaseSettings):
    """All settings. Values given in code win over the environment, that over the file, that over the defaults."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True)

    # The whole
    mode: Literal["embedded", "production"] = setting(
        "embedded",
        "embedded：单进程试用，首次运行自动生成密钥；production：正式运行，设置不安全则拒绝启动",
        "embedded: one process, for trying out, makes its keys on first run; production: refuses unsafe settings",
    )
    data_dir: Path = setting(Path("data"), "数据目录", "Folder of the data")
    database_url: SecretStr | None = setting(
        None,
        "数据库地址：sqlite:///路径 或 postgresql+psycopg://...;不填则为数据目录中的 SQLite 文件",
        "Database: sqlite:///PATH or postgresql+psycopg://...; without it, a SQLite file in the data folder",
        secret=True,
    )
    crypto_profile: CryptoProfile = setting(
        "intl",
        "新数据的加密算法：intl 为 AES-GCM 与 HMAC-SHA-256,sm 为国密 SM4-GCM 与 HMAC-SM3",
        "What new data is sealed with: intl is AES-GCM and HMAC-SHA-256, sm is SM4-GCM and HMAC-SM3",
    )
    master_key_file: Path | None = setting(
        None,
        "主密钥文件（32 字节，权限 0600）;embedded 模式不填则为数据目录中的 master.key",
        "File of the master key (32 bytes, mode 0600); in embedded mode, without it, master.key in the data folder",
    )
    hospital_name_zh: str = setting("示范医院", "医院中文名称", "Name of the hospital in Chinese", min_length=1)
    hospital_name_en: str = setting("Demo Hospital", "医院英文名称", "Name of the hospital in English", min_length=1)
    privacy_contact_zh: str = setting(
        "门诊办公室",
        "个人信息事项找谁（电话、邮箱或地点），写在告知里",
        "Whom to ask about personal data, in Chinese",
        min_length=1,
    )
    privacy_contact_en: str = setting(
        "the outpatient office", "同上，英文", "Whom to ask about personal data, in English", min_length=1
    )

    # Servers
    public_host: str = setting("127.0.0.1", "患者接口监听地址", "Address on which patients' requests are heard")
    public_port: int = setting(8080, "患者接口端口", "Port of patients' requests", ge=1, le=65535)
    console_host: str = setting("127.0.0.1", "工作人员控制台监听地址", "Address of the staff console")
    console_port: int = setting(8081, "工作人员控制台端口", "Port of the staff console", ge=1, le=65535)
    internal_host: str = setting(
        "127.0.0.1",
        "摄像机等院内设备的监听地址；应只在设备网内可达",
        "Address on which cameras are heard; to be reached from their network alone",
    )
    internal_port: int = setting(8082, "摄像机等院内设备的端口", "Port of cameras", ge=1, le=65535)
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_networks)] = setting(
        (),
        "本院反向代理的网段，以逗号分隔；仅当请求来自其中时，才从请求头取得来访地址，否则以连接地址为准",
        "Networks of the hospital's own proxies, with commas; only from them is a header believed about the caller's "
        "address",
    )
    proxy_header: Literal["x-forwarded-for", "forwarded"] = setting(
        "x-forwarded-for",
        "代理写入来访地址的请求头；另一个请求头不读取",
        "The header in which these proxies write the caller's address; the other one is not read",
    )
    console_zones: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_networks)] = setting(
        (),
        "工作人员控制台只应答的网段，以逗号分隔；试用时不填则仅限本机，正式运行必须填写",
        "Networks that the staff console answers, with commas; in embedded mode, without it, this machine alone; "
        "production needs it",
    )
    console_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_texts)] = setting(
        (),
        "控制台在浏览器中的地址（如 https://console.hospital.lan），以逗号分隔；不填则以请求的 Host 为准",
        "Addresses of the console in browsers, such as https://console.hospital.lan, with commas; without it, the "
        "request's own Host",
    )
    staff_idle_s: int = setting(
        900,
        "工作人员无操作多久后须重新登录",
        "How long staff may be idle before they sign in again",
        unit="s",
        ge=60,
        le=7200,
    )
    staff_session_s: int = setting(
        28_800, "工作人员一次登录的最长时间", "How long one sign-in of staff lasts at most", unit="s", ge=300, le=43_200
    )
    max_body_bytes: int = setting(64 * 1024, "请求体上限", "Largest request body", unit="B", ge=1024)
    max_photo_bytes: int = setting(5 * _MIB, "人工审核照片上限", "Largest photo for review", unit="B", ge=1024)
    idempotency_keep_h: int = setting(
        48, "幂等键的保留时间", "How long answers to idempotency keys are kept", unit="h", ge=1
    )
    worker_tick_s: float = setting(1.0, "后台任务间隔", "How often the worker looks for work", unit="s", gt=0)
    invariants_every_s: float = setting(
        300.0, "后台核对数据不变式的间隔", "How often the invariants of the data are checked", unit="s", gt=0
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = setting("INFO", "日志级别", "Least level that is logged")
    log_format: Literal["json", "console"] = setting(
        "json", "日志格式：json 每行一条，console 便于阅读", "json: one object a line; console: for reading"
    )

    # Booking
    desk_batch_max: int = setting(512, "每个事务最多处理的请求数", "Requests in one transaction, at most", ge=1)
    desk_gather_ms: float = setting(
        2.0, "一批中第一个请求等待其他请求的时间", "How long the first of a batch waits for others", unit="ms", ge=0
    )
    desk_queue_max: int = setting(
        4096,
        "每条通道最多排队的请求数，超过则请稍后再试",
        "Requests that may wait in one lane; more are asked to retry",
        ge=1,
    )
    desk_lanes: int = setting(
        2, "并行事务数（SQLite 恒为 1）", "Transactions under way at once (SQLite: always 1)", ge=1
    )
    desk_apart: bool | None = setting(
        None,
        "预约处理放在单独进程：不填则 PostgreSQL 为是、SQLite 为否",
        "Whether the desk runs in a process of its own; without it: yes on PostgreSQL, no on SQLite",
    )
    hold_s: int = setting(900, "待支付号源的保留时间", "How long an unpaid slot is held", unit="s", ge=1)
    hold_cap_s: int = setting(
        1800, "保留时间的上限，延长也不会超过", "The longest a slot is held, whatever prolongs it", unit="s", ge=1
    )

    # Signing in
    sign_in_s: int = setting(1800, "登录有效期", "How long a sign-in lasts", unit="s", ge=60, le=86_400)
    phone_code_sender: str = setting(
        "console",
        "验证码发送方式：console 打印到终端，仅供试用；或医院自己的实现，写作 包.模块：名称",
        "What sends codes: console prints them, for trying out; or the hospital's own, as package.module:name",
        pattern=f"^(console|{_ADAPTER})$",
    )
    phone_code_s: int = setting(300, "验证码有效期", "How long a code lives", unit="s", ge=30, le=3600)
    phone_code_attempts: int = setting(5, "每个验证码可尝试的次数", "Tries at one code", ge=1, le=10)
    phone_code_gap_s: int = setting(
        60, "同一手机号两次发送的最短间隔", "Least time between two codes to one phone", unit="s", ge=1
    )
    phone_code_per_day: int = setting(
        10, "同一手机号 24 小时内的发送上限", "Codes to one phone in any 24 hours", ge=1, le=100
    )

    # Identity authority
    identity_authority: Literal["format_only", "http"] = setting(
        "format_only",
        "实名核验：format_only 仅核对证件格式，不能用于正式运行；http 为权威机构接口",
        "Who confirms identities: format_only looks at the form alone and is not for production; http asks one",
    )
    identity_name: str = setting(
        "authority",
        "权威机构名称，记入核验来源",
        "Name of the authority, kept with each check",
        pattern="^[a-z0-9_-]+$",
    )
    identity_url: str | None = setting(
        None, "权威机构接口地址(https)", "Address of the authority (https)", pattern="^https://"
    )
    identity_client_cert_file: Path | None = setting(None, "双向 TLS 客户端证书", "Client certificate of mutual TLS")
    identity_client_key_file: Path | None = setting(
        None, "双向 TLS 客户端私钥（权限 0600）", "Client key of mutual TLS (mode 0600)"
    )
    identity_ca_file: Path | None = setting(None, "权威机构的 CA 证书", "CA certificate of the authority")
    identity_public_key_file: Path | None = setting(
        None, "验证权威机构签名的 Ed25519 公钥", "Ed25519 public key that signs the authority's answers"
    )
    identity_timeout_s: float = setting(3.0, "单次核验超时", "Longest wait for one answer", unit="s", gt=0, le=60)
    identity_retries: int = setting(2, "核验失败后的重试次数", "Further tries after a failure", ge=0, le=10)
    identity_breaker_failures: int = setting(
        5, "连续失败多少次后暂停询问", "Failures in a row after which the authority is left alone", ge=1
    )
    identity_breaker_open_s: float = setting(30.0, "暂停询问的时间", "How long it is then left alone", unit="s", gt=0)

    # Randomness beacon of draws
    beacon_url: str | None = setting(
        None,
        "公共随机信标的 HTTP 接口地址（drand，https），不填则由两人手工录入",
        "HTTP address of a public randomness beacon (drand, https); without it two people write its value down",
        pattern="^https://",
    )
    beacon_name: str = setting(
        "drand",
        "该信标的名称，与放号策略中 draw.beacon 一致时才使用",
        "Name of that beacon; it serves the draws whose policy names it in draw.beacon",
        pattern="^[a-z0-9_-]{1,40}$",
    )
    beacon_ca_file: Path | None = setting(
        None,
        "信标服务器的 CA 证书，不填则用系统所信任的",
        "CA certificate of the beacon's server; without it, those that the system trusts",
    )
    beacon_timeout_s: float = setting(3.0, "单次取数超时", "Longest wait for one value", unit="s", gt=0, le=30)

    # Pages and payment
    patient_pages: bool = setting(
        True,  # noqa: FBT003 - a default, as the others
        "患者端口是否提供网页（作为 web 渠道）；只用医院自己的 App 时可关闭",
        "Whether the patients' port serves pages, as the channel web; off where the hospital has only its own app",
    )
    payment_page_origin: str | None = setting(
        None,
        "支付页面的来源，如 https://pay.example.cn；网页只允许跳转到此处支付",
        "Origin of the payment page, such as https://pay.example.cn; pages lead nowhere else to pay",
        pattern="^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?$",
    )
    payment_gateway: str = setting(
        "reference",
        "支付网关：reference 为演示实现，不能用于正式运行；或医院自己的实现，写作 包.模块：名称",
        "Payment gateway: reference is for trying out, not for production; or the hospital's own, package.module:name",
        pattern=f"^(reference|{_ADAPTER})$",
    )
    payment_key_file: Path | None = setting(
        None, "验证支付通知的密钥文件（权限 0600）", "File of the key that payment notices are checked with (mode 0600)"
    )

    # Tips
    tip_keep_days: int = setting(
        365, "举报的保存期，到期删除", "How long tips are kept; then they are erased", unit="d", ge=1, le=1096
    )
    tips_an_hour: int = setting(
        120, "每小时最多接收的举报数，全院合计", "Tips taken an hour, from everybody together", ge=1, le=10_000
    )
    tips_an_address: int = setting(
        30,
        "同一网络地址每小时最多接收的举报数；候诊厅无线网络常共用一个地址",
        "Tips taken an hour from one address; a waiting hall's Wi-Fi may have one for everybody",
        ge=1,
        le=10_000,
    )
    tips_waiting_most: int = setting(
        2000, "未看的举报达到此数时暂停接收", "Tips that nobody has opened, at which no more are taken", ge=1
    )
    security_phone: str | None = setting(
        None,
        "保卫处电话，显示在举报页面",
        "The security office's phone, shown on the page of tips",
        pattern=r"^[0-9+\-() ]{3,30}$",
    )

    # Findings
    findings_dir: Path | None = setting(
        None,
        "分析结果所在目录：其中每个子目录是一次 shouhao analyze 的输出，完成后自动收入；不填则只能用命令收入",
        "Folder of results: each folder in it is the output of a shouhao analyze, taken in by itself once it is whole; "
        "without it, by command alone",
    )
    findings_keep_days: int = setting(
        180,
        "检测发现的保存期，自收入（实时分析则自最后一次变化）起算，到期连同判断一并删除",
        "How long findings are kept, from when they were taken in, or of a live run from when they last changed; then "
        "they are erased with what was judged of them",
        unit="d",
        ge=1,
        le=3660,
    )

    # Cameras
    camera_platform_id: str = setting(
        "31010600001180000001",
        "本系统在 GA/T 1400 中的平台编号（20 位数字）",
        "Id of this system as a GA/T 1400 platform (20 digits)",
        pattern="^[0-9]{20}$",
    )
    camera_digest: Literal["MD5", "SHA-256"] = setting(
        "MD5",
        "设备注册的摘要算法；GA/T 1400 设备一般只支持 MD5",
        "Digest that devices register with; GA/T 1400 devices as a rule know MD5 alone",
    )
    camera_body_bytes: int = setting(
        48 * _MIB, "摄像机一次推送的上限", "Largest message of a camera", unit="B", ge=_MIB, le=60 * _MIB
    )
    camera_body_s: float = setting(60.0, "一次推送的最长时间", "Longest time for one message", unit="s", gt=0, le=600)
    camera_in_flight_bytes: int = setting(
        256 * _MIB,
        "全部摄像机正在传输、尚未落盘的数据上限",
        "What all cameras' messages hold in memory before they are on disk, at most",
        unit="B",
        ge=16 * _MIB,
    )
    camera_connections: int = setting(1024, "摄像机连接数上限", "Connections of cameras, at most", ge=8, le=60_000)

    # Streams
    pull_frames_a_s: float = setting(
        5.0,
        "每路视频每秒分析的画面数",
        "Pictures of each stream that are looked at a second",
        unit="1/s",
        ge=0.2,
        le=25,
    )
    pull_detect_px: int = setting(
        960,
        "找人脸时画面长边缩到的像素数（32 的倍数）；越大越能找到远处的小脸，也越慢",
        "What the longer side of a picture is brought to for finding faces, a multiple of 32; larger finds faces that "
        "are farther away, and takes longer",
        unit="px",
        ge=320,
        le=1920,
        multiple_of=32,
    )
    pull_silent_s: float = setting(
        10.0, "多久没有数据则重连视频流", "Nothing for so long, and a stream is opened anew", unit="s", ge=2, le=120
    )
    pull_stall_s: float = setting(
        20.0,
        "拉流进程多久没有反应则强制结束并重启",
        "A pulling process that does nothing for so long is killed and started again",
        unit="s",
        ge=4,
        le=300,
    )
    pull_memory_mib: int = setting(
        320,
        "拉流进程的内存上限：1 GiB 之外，每路视频再加多少；0 为不限",
        "Memory of a pulling process, at most: so much for each stream, beside 1 GiB; 0: no limit",
        unit="MiB",
        ge=0,
    )
    pull_dir: Path | None = setting(
        None,
        "代替摄像机的图片目录与视频文件所在目录；不填则为数据目录中的 pull",
        "Folder of the folders and files that stand in for cameras; without it, pull in the data folder",
    )
    search_frames_a_s: float = setting(
        4.0, "检索录像时每秒分析的画面数", "Pictures of a recording looked at a second", unit="1/s", ge=0.2, le=25
    )
    recordings_dir: Path | None = setting(
        None,
        "提交检索的录像所在目录；不填则为数据目录中的 recordings",
        "Folder into which recordings to be searched are put; without it, recordings in the data folder",
    )

    # The watch
    spool_bytes: int = setting(
        4096 * _MIB,
        "每个写入方待处理抓拍的上限，超过则请摄像机稍后重发",
        "What may wait in one writer's spool; beyond it cameras are asked to send again later",
        unit="B",
        ge=16 * _MIB,
    )
    spool_free_bytes: int = setting(
        256 * _MIB, "为数据库保留的磁盘空间", "Room on the disk that is left to the database", unit="B", ge=0
    )
    capture_late_s: float = setting(
        60.0,
        "抓拍晚到多久后，报警只作记录、无须出警",
        "How late a capture may arrive and still send somebody",
        unit="s",
        gt=0,
    )
    passage_gap_s: float = setting(
        10.0,
        "同一人经过同一摄像机，两次抓拍间隔多久以上算作另一次经过",
        "How far apart two captures of one person before one camera are two passages",
        unit="s",
        gt=0,
        le=60,
    )

    # The watchlist
    watch_term_days: int = setting(
        180,
        "布控条目的默认期限，到期自动终止并清除",
        "How long an entry of the watchlist stands unless two people approve it anew",
        unit="d",
        ge=1,
        le=366,
    )
    watch_review_days: int = setting(
        90, "布控条目多久须复核一次", "How often somebody looks at an entry again", unit="d", ge=1, le=366
    )
    watch_passages_a_day: int = setting(
        20_000,
        "抓拍人次尚未统计时假定的每日通行人次",
        "Passages a day that thresholds are derived from until cameras were counted for some days",
        ge=1,
    )
    watch_drift_share: float = setting(
        0.2,
        "名单规模或人次变化超过此比例时重新推导阈值",
        "By what share list or traffic must change before a threshold is derived anew",
        ge=0.01,
        le=1,
    )

    # Faces
    models: Path | None = setting(
        None,
        "人脸模型文件所在目录，断网医院可预先放入；不填则为数据目录中的 models",
        "Folder of the face models, where a hospital without internet puts them; without it, models in the data folder",
    )
    models_mirror: str | None = setting(
        None,
        "模型镜像地址(https)，替代模型包清单中的下载地址",
        "Mirror of the models (https), in place of the addresses in the packs' manifests",
        pattern="^https://",
    )
    face_pack: str = setting(
        "opencv-zoo",
        "人脸模型包；更换后须重新提取底库特征",
        "Pack of face models; after a change the galleries are embedded anew",
        pattern="^[a-z0-9][a-z0-9-]{0,39}$",
    )
    face_device: Literal["cpu", "gpu"] = setting(
        "cpu",
        "人脸模型运行于处理器(OpenVINO)还是显卡(ONNX Runtime)",
        "Where the face models run: the processor (OpenVINO) or a graphics card (ONNX Runtime)",
    )
    face_threads: int = setting(2, "人脸引擎使用的线程数", "Threads of the face engine", ge=1, le=64)
    face_keys_dir: Path | None = setting(
        None,
        "每位人员的底库密钥所在目录，不得与数据库备份放在一起；不填则为数据目录中的 face-keys",
        "Folder of each enrolled person's key, never kept beside backups of the database; without it, face-keys in the "
        "data folder",
    )
    frequent_same_cos: float = setting(
        0.5,
        "高频来访计数：两次到访视为相似的最低相似度；偏低会把不同的人并在一起",
        "Counting frequent visitors: likeness from which two visits are alike; too low, and people become one",
        gt=0,
        lt=1,
    )
    frequent_days: int = setting(
        4,
        "高频来访计数：统计期内到访超过多少天成为线索",
        "Counting frequent visitors: on more days of the window than these, a visitor becomes a lead",
        unit="d",
        ge=1,
        le=6,
    )
    frequent_exclude_patients: bool = setting(
        True,  # noqa: FBT003 - a default, as the others
        "高频来访计数：线索给人看之前，先与当日有预约、且单独同意这一用途的患者逐一比对并排除；关闭时不询问患者",
        "Counting frequent visitors: before people see a lead it is held against patients with an appointment that day "
        "who agreed to this use; off, nobody is asked for it",
    )
    face_memory_lock: Literal["required", "best_effort"] = setting(
        "best_effort",
        "底库特征能否被换出到磁盘：required 时内存无法锁定则不打开底库",
        "Whether templates may be swapped to disk: with required a gallery does not open where memory cannot be locked",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - secrets are named by path instead
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Where values come from, strongest first."""
        return init_settings, env_settings, dotenv_settings, TomlConfigSettingsSource(settings_cls)

    def open_url(self) -> str:
        """The database's URL, password and all: for opening it, never for showing."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir / 'shouhao.sqlite3'}"

    def master_key_path(self) -> Path:
        """Where the master key is kept."""
        return self.master_key_file or self.data_dir / "master.key"

    def master_key(self) -> bytes:
        """The master key; embedded mode makes one on first use, production never does."""
        return read_master_key(self.master_key_path(), create=self.mode == "embedded")

    @property
    def models_dir(self) -> Path:
        """Where the files of face models lie."""
        return self.models or self.data_dir / "models"

    @property
    def pull_folder(self) -> Path:
        """Where files and folders lie that stand in for cameras."""
        return self.pull_dir or self.data_dir / "pull"

    @property
    def recordings_folder(self) -> Path:
        """Where recordings lie that may be searched."""
        return self.recordings_dir or self.data_dir / "recordings"

    @property
    def spool_dir(self) -> Path:
        """Where arrivals wait, sealed, until they are worked off."""
        return self.data_dir / "spool"

    def face_keys_path(self) -> Path:
        """Where the keys of enrolled people lie."""
        return self.face_keys_dir or self.data_dir / "face-keys"

    def desk(self) -> DeskSettings:
        """What the booking desk is set up with; SQLite has one writer, so one lane."""
        return DeskSettings(
            batch_max=self.desk_batch_max,
            gather_ms=self.desk_gather_ms,
            queue_max=self.desk_queue_max,
            lanes=1 if _is_sqlite(self.open_url()) else self.desk_lanes,
        )

    def desk_is_apart(self) -> bool:
        """Whether the desk runs in a process of its own. On SQLite it shares this process's turn at the one writer."""
        return not _is_sqlite(self.open_url()) if self.desk_apart is None else self.desk_apart

    def zones(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks that the console answers; without the setting this machine alone."""
        return self.console_zones or _LOOPBACK

    def staff_sessions(self) -> SessionSettings:
        """How long staff stay signed in."""
        return SessionSettings(idle_s=self.staff_idle_s, longest_s=self.staff_session_s)

    def holds(self) -> HoldTimes:
        """How long a slot waits for its payment."""
        return HoldTimes(hold_s=self.hold_s, cap_s=self.hold_cap_s)

    def work(self) -> WorkSettings:
        """How the worker looks for what is due."""
        return WorkSettings(
            tick_s=self.worker_tick_s,
            invariants_every_s=self.invariants_every_s,
            answers_kept_h=self.idempotency_keep_h,
        )

    def identity_line(self) -> IdentityLine:
        """Where the identity authority is and how both ends prove themselves.

        Raises:
            SettingsRefused: a part is not set.
        """
        parts = {name: getattr(self, f"identity_{name}") for name in IdentityLine.__dataclass_fields__}
        missing = [_missing(f"identity_{name}") for name, value in parts.items() if value is None]
        if missing:
            raise SettingsRefused(missing)
        return IdentityLine(**parts)

    def watch(self) -> WatchSettings:
        """What a hospital chooses about its watchlist."""
        return WatchSettings(
            term_days=self.watch_term_days,
            review_days=self.watch_review_days,
            drift_share=self.watch_drift_share,
            passages_a_day=self.watch_passages_a_day,
            lock_required=self.face_memory_lock == "required",
        )

    def tip_limits(self) -> TipLimits:
        """How many tips are taken."""
        return TipLimits(
            an_hour=self.tips_an_hour,
            an_address_hour=self.tips_an_address,
            waiting_most=self.tips_waiting_most,
            call=self.security_phone,
        )

    def sign_in(self) -> SignInSettings:
        """What sign-ins are issued with."""
        return SignInSettings(life_s=self.sign_in_s)

    def phone_codes(self) -> PhoneCodeSettings:
        """What codes sent to phones keep to."""
        return PhoneCodeSettings(
            life_s=self.phone_code_s,
            attempts=self.phone_code_attempts,
            gap_s=self.phone_code_gap_s,
            per_day=self.phone_code_per_day,
        )


def env_name(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def load_settings(file: Path | None = None, **given: Any) -> Settings:
    """Read the settings once.

    Args:
        file: TOML when its name ends in `.toml`, otherwise lines of `SHOUHAO_NAME=value`; without it, the file
            that SHOUHAO_SETTINGS_FILE names, if any.
        **given: values that win over all others, such as options of the command line.

    Raises:
        SettingsRefused: a value breaks its rule, a name is unknown, or the file cannot be read.
    """
    named = os.environ.get(f"{PREFIX}SETTINGS_FILE")
    file = file or (Path(named) if named else None)
    if file is not None and not file.is_file():
        raise SettingsRefused([Problem(setting="settings_file", zh=f"没有文件 {file}", en=f"there is no file {file}")])
    try:
        if file is None:
            return Settings(**given)
        if file.suffix != ".toml":
            return Settings(_env_file=file, **given)
        return _settings_with_toml(file)(**given)
    except ValidationError as error:
        raise SettingsRefused([_problem(dict(detail)) for detail in error.errors(include_input=False)]) from None
    except ValueError:  # TOML and UTF-8 errors quote the file, which may hold a password
        raise SettingsRefused(
            [Problem(setting="settings_file", zh=f"无法读取 {file}", en=f"{file} cannot be read")]
        ) from None


def _settings_with_toml(file: Path) -> type[Settings]:
    class FromTOML(Settings):
        model_config = SettingsConfigDict(toml_file=file)

    return FromTOML


def _problem(detail: dict[str, Any]) -> Problem:
    name = ".".join(str(part) for part in detail["loc"]).lower().removeprefix(PREFIX.lower())
    return Problem(setting=name, zh=f"不符合规则({detail['msg']})", en=str(detail["msg"]))


def check_start(settings: Settings) -> list[Problem]:
    """Look at what the settings mean together, before anything is opened; returns what deserves a warning.

    Raises:
        SettingsRefused: with every problem at once, so that an operator corrects them in one round.
    """
    problems = [*_contradictions(settings), *_open_keys(settings)]
    warnings: list[Problem] = []
    if settings.mode == "production":
        problems += _unfit_for_production(settings)
        if _is_sqlite(settings.open_url()):
            zh, en = "SQLite 只适合单机运行", "SQLite serves one machine only"
            warnings.append(Problem(setting="database_url", zh=zh, en=en))
    if problems:
        raise SettingsRefused(problems)
    return warnings


def _contradictions(settings: Settings) -> list[Problem]:
    problems = []
    try:
        known = make_url(settings.open_url()).get_backend_name() in {"sqlite", "postgresql"}
    except ArgumentError:
        known = False
    if not known:
        zh, en = "只能是 SQLite 或 PostgreSQL 的地址", "must be the URL of a SQLite or PostgreSQL database"
        problems.append(Problem(setting="database_url", zh=zh, en=en))
    if settings.hold_cap_s < settings.hold_s:
        problems.append(
            Problem(setting="hold_cap_s", zh="不能小于 hold_s", en="must not be less than hold_s"),
        )
    if settings.identity_authority == "http":
        if settings.identity_url is None:
            problems.append(_missing("identity_url"))
        for name in ("client_cert_file", "client_key_file", "ca_file", "public_key_file"):
            path = getattr(settings, f"identity_{name}")
            if path is None or not path.is_file():
                problems.append(_missing(f"identity_{name}"))
    if settings.beacon_ca_file is not None and not settings.beacon_ca_file.is_file():
        problems.append(_missing("beacon_ca_file"))
    return problems


def _open_keys(settings: Settings) -> list[Problem]:
    """Keys that exist and that others on the machine can read."""
    keys = {
        "master_key_file": settings.master_key_path(),
        "identity_client_key_file": settings.identity_client_key_file,
        "payment_key_file": settings.payment_key_file,
    }
    zh, en = "其他用户可以读取，权限须为 0600", "others can read it; its mode must be 0600"
    return [
        Problem(setting=name, zh=zh, en=en)
        for name, path in keys.items()
        if path is not None and path.exists() and path.stat().st_mode & 0o077
    ]


def _unfit_for_production(settings: Settings) -> list[Problem]:
    problems = []
    if settings.master_key_file is None or not settings.master_key_file.is_file():
        problems.append(_missing("master_key_file"))
    if settings.payment_key_file is None or not settings.payment_key_file.is_file():
        problems.append(_missing("payment_key_file"))
    if not settings.console_zones:
        zh, en = (
            "没有设置：控制台只应答所列网段",
            "is not set: the console answers the networks that it names, and no others",
        )
        problems.append(Problem(setting="console_zones", zh=zh, en=en))
    elif any(zone.prefixlen == 0 for zone in settings.console_zones):
        zh, en = "不能是所有网络", "must not be every network there is"
        problems.append(Problem(setting="console_zones", zh=zh, en=en))
    for name, trial in (
        ("identity_authority", "format_only"),
        ("phone_code_sender", "console"),
        ("payment_gateway", "reference"),
    ):
        if getattr(settings, name) == trial:
            zh, en = f"{trial} 仅供试用，不能用于正式运行", f"{trial} is for trying out, not for production"
            problems.append(Problem(setting=name, zh=zh, en=en))
    return problems


def _missing(name: str) -> Problem:
    return Problem(setting=name, zh="没有设置，或文件不存在", en="is not set, or there is no such file")


def _is_sqlite(url: str) -> bool:
    return url.startswith("sqlite")
