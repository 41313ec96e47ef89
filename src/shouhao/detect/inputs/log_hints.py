"""Log hints: what a log looks like that has another form than was said, and what to say instead."""

import re
from collections.abc import Sequence

from shouhao.detect.inputs.files import InputFile

_LOOKED_AT_BYTES = 1 << 16
_CLIENT = r"\S+ \S+ .*?\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] \"[^\"]*\" (?:\d{3}|-) (?:\d+|-)"
_QUOTED = r' "(?:[^"\\]|\\.)*"'
_LOOKS: Sequence[tuple[str, str, str]] = (
    (r"\{", "像是 JSON，请用 --log-format json", "looks like JSON: say --log-format json"),
    (
        r"#(?:Software|Version|Date|Fields|Remark):",
        "像是 IIS 的 W3C 日志，请用 --log-format w3c",
        "looks like a W3C log of IIS: say --log-format w3c",
    ),
    (
        r"\d{4}-\d\d-\d\dT\S+ (?:stdout|stderr) [FP] ",
        "每行前有容器运行时的前缀，请一并写入格式，如 '$head stdout F $remote_addr - …'",
        "has what a container runtime writes before each line; give that too: '$head stdout F $remote_addr - ...'",
    ),
    (
        r".*?\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d\.\d{3}\] ",
        "像是 HAProxy 日志，本程序不读取，请让它改写为 JSON 或 nginx 的格式",
        "looks like a log of HAProxy, which is not read; let it write JSON or a format of nginx",
    ),
    (
        r"(?:<\d+>)?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d |1 \d{4}-\d\d-\d\dT)",
        "每行前有 syslog 的前缀，请一并写入格式，如 '$head nginx: $remote_addr - …'",
        "has what syslog writes before each line; give that too: '$head nginx: $remote_addr - ...'",
    ),
    (rf"{_CLIENT}$", "像是 common，请用 --log-format common", "looks like common: say --log-format common"),
    (
        rf"{_CLIENT}{_QUOTED}{_QUOTED}$",
        "像是 combined，请用 --log-format combined",
        "looks like combined: say --log-format combined",
    ),
    (
        rf"{_CLIENT}{_QUOTED}{_QUOTED} ",
        "像是 combined 之后还有别的字段，请给出服务器配置中的 log_format",
        "looks like combined with more behind it: give the log_format of the server's configuration",
    ),
)
_UNKNOWN = (
    "请给出服务器配置中的 log_format 原文或 nginx.conf:名称",
    "give the log_format of the server's configuration, its text or nginx.conf:NAME",
)


def hint(files: Sequence[InputFile]) -> tuple[str, str]:
    """In Chinese and English, which file looks like what; nothing of what its lines say."""
    for file in files:
        start = bytes(file.text[:_LOOKED_AT_BYTES]).removeprefix(b"\xef\xbb\xbf")
        if not start:
            continue
        zh, en = _look_of(start)
        return f"{file.name} {zh}", f"{file.name} {en}"
    return _UNKNOWN


def _look_of(start: bytes) -> tuple[str, str]:
    if start[1::2].count(0) > len(start) // 4:
        return "像是 UTF-16，请另存为 UTF-8", "looks like UTF-16: save it as UTF-8"
    if b"\n" not in start and b"\r" in start:
        return "的换行符只有 CR，请改为 LF", "has CR alone as its line ends: make them LF"
    for line in start.decode(errors="replace").splitlines()[:20]:
        for pattern, zh, en in _LOOKS:
            if re.match(pattern, line):
                return zh, en
    zh, en = _UNKNOWN
    return f"的格式未能认出，{zh}", f"was not recognised: {en}"
