"""Event columns: which column of an export is which of ours, by its own heading, by `--map`, or by what others call it.

What is not recognised is kept in `detail` under its heading.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shouhao.detect.inputs.problems import Problems
from shouhao.kernel.errors import InvalidInput
from shouhao.kernel.events import EXPORT_COLUMNS

REQUIRED = ("at", "kind")
_A_VALUE = re.compile(r"\d{4}")  #: dates and ids, which no heading holds

#: What exports call our columns, without blanks, underscores and case.
_CALLED: Mapping[str, str] = {
    "event_id": "id 事件编号 事件号 事件id 事件标识 流水号 记录编号 记录号 日志编号 编号 logid recordid",
    "at": "at_us 时间 发生时间 操作时间 事件时间 创建时间 记录时间 time timestamp datetime eventtime createdat",
    "kind": "类型 事件类型 事件 操作 操作类型 动作 行为 业务类型 event eventtype eventkind action type",
    "channel": "渠道 来源渠道 预约渠道 挂号渠道 业务渠道 来源 source",
    "account_id": "账号 账户 账号编号 账户编号 账号id 账户id 用户 用户编号 用户id 用户标识 openid account userid uid",
    "patient_id": "患者 患者编号 患者id 病人编号 病人id 就诊人 就诊人编号 就诊人id 就诊卡 就诊卡号 patient patientno",
    "payer_id": "付款人 付款账号 付款人编号 付款人id 支付人 支付账号 支付账户 缴费人 payer payaccount",
    "device_id": "设备 设备号 设备编号 设备id 设备标识 设备指纹 device deviceno deviceid",
    "session_token": "会话 会话编号 会话id 会话标识 登录会话 令牌 token session sessiontoken",
    "ip": "ip地址 客户端ip 登录ip 来源ip 访问ip clientip remoteaddr ipaddress",
    "user_agent": "ua 浏览器 客户端 客户端标识 用户代理 useragent",
    "department_id": "科室 科室编号 科室代码 科室id department dept deptid deptcode",
    "doctor_id": "医生 医生编号 医生工号 医生id 医师 医师编号 doctor doctorno",
    "session_id": "排班 排班编号 排班id 班次 班次编号 出诊编号 出诊id schedule scheduleid",
    "slot_id": "号源 号源编号 号源id 号源标识 slot slotno",
    "released_at": "released_at_us 放号时间 开放时间 开放预约时间 releasetime releasedat",
    "staff_id": "工号 操作员 操作员编号 操作员工号 操作人 员工编号 职工编号 经办人 staff operator operatorid",
    "latency_ms": "耗时 耗时毫秒 延迟 延迟毫秒 latency elapsedms",
    "face_hash": "人脸哈希 人脸指纹 人脸摘要 facehash",
    "frame_hash": "画面哈希 画面指纹 帧哈希 帧指纹 framehash",
    "detail": "详情 明细 详细信息 扩展信息 附加信息 details extra",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Headings:
    """Where our columns stand among those of a file."""

    columns: Mapping[str, str]  #: column to heading
    others: tuple[str, ...]  #: headings that go to `detail`
    mapped: frozenset[tuple[str, str]]  #: columns and headings of the mapping that the file has


def recognise(
    headings: Sequence[str], *, file: str, mapping: Mapping[str, Sequence[str]], problems: Problems
) -> Headings:
    """Find our columns.

    Args:
        mapping: column to headings, the first that the file has before what is recognised.
    Raises:
        InvalidInput: the file has no time or no kind of event, or the same heading twice.
    """
    for heading in headings:
        if heading and list(headings).count(heading) > 1:
            raise InvalidInput(
                "events", zh=f"{file} 有两列都叫 {heading}", en=f"{file} has two columns named {heading}"
            )
    folded = {_folded(heading): heading for heading in reversed(headings)}
    columns = {
        column: [heading for heading in names if heading in headings][0]  # noqa: RUF015 - tested just below
        for column, names in mapping.items()
        if column in EXPORT_COLUMNS and any(heading in headings for heading in names)
    }
    mapped = frozenset(columns.items())
    for column in EXPORT_COLUMNS:
        taken = set(columns.values())
        called = [_folded(name) for name in (column, *_CALLED[column].split())]
        found = [folded[name] for name in dict.fromkeys(called) if name in folded and folded[name] not in taken]
        if not found or column in columns:
            continue
        columns[column] = found[0]
        for heading in found[1:]:
            problems.add("heading_unused", file, line=1, byte=0, heading=heading, used=found[0], column=column)
    _check(columns, headings, file)
    others = tuple(heading for heading in headings if heading and heading not in columns.values())
    return Headings(columns=columns, others=others, mapped=mapped)


def has_required(headings: Sequence[str], mapping: Mapping[str, Sequence[str]]) -> bool:
    """Whether headings name the columns without which a row says nothing."""
    folded = {_folded(heading) for heading in headings}
    return all(
        any(name in headings for name in mapping.get(column, ()))
        or any(_folded(name) in folded for name in (column, *_CALLED[column].split()))
        for column in REQUIRED
    )


def _check(columns: Mapping[str, str], headings: Sequence[str], file: str) -> None:
    for column in REQUIRED:
        if column not in columns:
            if any(_A_VALUE.search(heading) for heading in headings):
                raise InvalidInput(
                    "events",
                    zh=f"{file} 的第一行像是数据而不是表头，请导出带表头的文件",
                    en=f"{file} begins with what looks like data; export it with headings",
                )
            has = "、".join(headings[:30])
            raise InvalidInput(
                "events",
                zh=f"{file} 没有 {column} 列，可用 --map {column}=列名 指明；它有：{has}",
                en=f"{file} has no column {column}; name it with --map {column}=HEADING; it has: {has}",
            )


def _folded(heading: str) -> str:
    """A heading without what is spelled differently from export to export.

    >>> _folded(" User-ID（脱敏）")
    'userid'
    """
    text = unicodedata.normalize("NFKC", heading).lower()
    return "".join(c for c in text.split("(")[0] if c.isalnum())
