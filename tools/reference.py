"""Write the reference pages from the code they describe; `--check` only tells which are stale (exit 1)."""

import asyncio
import contextlib
import importlib
import io
import json
import pkgutil
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import httpx
import typer
from pydantic import SecretStr
from pydantic.fields import FieldInfo

import shouhao
from shouhao.booking.limits import LimitsPolicy
from shouhao.booking.release.antenatal import AntenatalPolicy, antenatal_body, antenatal_from
from shouhao.booking.release.policy import ReleasePolicy, release_body, release_from
from shouhao.cli.main import app as command_line
from shouhao.kernel.errors import InvalidInput, Refused
from shouhao.kernel.events import EVENT_KINDS, EXPORT_COLUMNS
from shouhao.patients.policy import BindingPolicy
from shouhao.settings import Settings, env_name
from shouhao.web.console.app import console_app
from shouhao.web.errors import status_of
from shouhao.web.public.app import public_app
from shouhao.wiring import assemble

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"
WORDS = Path(__file__).resolve().parent / "words"

_MADE = "本页由代码生成(`make docs`)。 This page is written from the code (`make docs`).\n\n"

SETTINGS_INTRO = """# 设置 Settings

本页由代码生成(`make docs`)。每项设置可以写在环境变量里,也可以写在文件里:`SHOUHAO_SETTINGS_FILE` 指向一个
TOML 文件(用“名称”一列)或环境变量文件(用“环境变量”一列)。命令行选项优先于环境变量,环境变量优先于文件。
`mode = "production"` 时,只要有一项不安全,系统就列出全部问题并拒绝启动。密码与密钥没有默认值。

This page is written from the code (`make docs`). Each setting may stand in the environment or in a file:
`SHOUHAO_SETTINGS_FILE` names a TOML file (column “name”) or a file of environment variables (column “environment”).
Options of the command line win over the environment, that over the file. With `mode = "production"` the system lists
everything that is unsafe and does not start. No secret has a default.

| 名称 name | 环境变量 environment | 默认 default | 单位 unit | 保密 secret | 说明 help |
|---|---|---|---|---|---|
"""

REFUSALS_INTRO = f"""# 拒绝 Refusals

{_MADE}`code` 不会改变,程序只应依据它判断;文字可以改进。花括号中的词由数据填入。
The `code` is stable and is what a program should look at; the words may be bettered. Words in braces are filled in.

`status` 是 HTTP 状态;`exit 1` 只出现在命令行。 `status` is the HTTP status; `exit 1` is heard on the command line only.

此外 Besides: `unavailable` 503 (系统繁忙,`Retry-After` 秒后再试 busy, try again after `Retry-After` seconds),
`internal` 500 (系统内部错误,`request_id` 可在日志中找到原因 a bug; `request_id` finds it in the log).

| code | status | 中文 | English |
|---|---|---|---|
"""

CLI_INTRO = f"""# 命令行 Command line

{_MADE}退出状态 Exit status: 0 完成 done, 1 正当的“否” a correct "no" (invalid, refused, an invariant broken),
2 用法错误 wrong usage, 3 依赖不可用 a dependency is missing or away.

`shouhao --settings FILE ...` 在任何命令之前指定设置文件。 names the settings file, before any command.
"""

EVENTS_INTRO = f"""# 事件 Events

{_MADE}每次状态变化都在同一事务中写下一个事件;`shouhao events export FILE` 导出为 CSV、JSON Lines 或 Parquet。
Each change of state writes its event in the same transaction; `shouhao events export FILE` writes them out. Every id is
a pseudonym; no event holds a name, an ID number or a phone.

## 列 Columns

"""

HTTP_INTRO = f"""# HTTP

{_MADE}两个服务各有一份 OpenAPI 描述:`GET /api/v1/openapi.json`(无需密钥)。
Each of the two servers describes itself in full at `GET /api/v1/openapi.json`, without a key.

- 错误一律为 Every error is `{{"error": {{"code", "message", "field", "request_id"}}}}`; the codes stand in
  [refusals.md](refusals.md).
- `Accept-Language: en` 得到英文 gives English; otherwise 中文.
- `Idempotency-Key`: 同一请求重试时使用同一个键,得到第一次的答复。 The same key for each retry of one request,
  which then hears the first answer again.
- `channel_key`: `X-Channel-Key: NAME.KEY`. `sign_in`, `operator_key`: `Authorization: Bearer TOKEN`.
"""

POLICIES_INTRO = f"""# 策略 Policies

{_MADE}策略是数据:`POST /api/v1/staff/policies/KIND` 申请一个新版本(角色 outpatient_office),写明理由与生效时间,
另一人(角色 approver)批准后才成为版本;旧版本永不改变,未写出的项取默认值。页面为“策略”。
A policy is data: `POST /api/v1/staff/policies/KIND` asks for a version with its reason and its moment (role
outpatient_office), and it is one when somebody else (role approver) agrees; no version is ever changed. What a version
leaves out keeps the default. The page is “Policies”; [how](../how-to/release-policies.md).
"""

RELEASE_INTRO = """
## `release:SCOPE`

放号策略。`SCOPE` 为 `everywhere`、`kind:类别`、`department:科室` 或 `doctor:医生`，范围最窄者优先；各项含义见
[公平放号](../concepts/fairness.md)。未写出的项取默认值，写出的节可以只含部分项。
How slots reach patients. The narrowest of `everywhere`, `kind:KIND`, `department:ID` and `doctor:ID` rules;
[fairness](../concepts/fairness.md) says what each does. A section may hold some of its rules alone.
"""

ANTENATAL_INTRO = """
## `antenatal`

建档策略，见[建档](../how-to/antenatal-registration.md)。 [Antenatal registration](../how-to/antenatal-registration.md).
"""


def settings_page() -> str:
    """The page of all settings, in the order of the code."""
    return SETTINGS_INTRO + "".join(_row(name, field) for name, field in Settings.model_fields.items())


def _row(name: str, field: FieldInfo) -> str:
    extra = field.json_schema_extra
    told: Mapping[str, Any] = extra if isinstance(extra, dict) else {}
    choices = " \\| ".join(f"`{choice}`" for choice in _choices(field.annotation))
    default = "" if field.default is None else f"`{field.default}`"
    help_text = f"{told['zh']}<br>{field.description}" + (f"<br>{choices}" if choices else "")
    return _cells(f"`{name}`", f"`{env_name(name)}`", default, told["unit"], _yes(_secret(field, told)), help_text)


def _choices(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _secret(field: FieldInfo, told: Mapping[str, Any]) -> bool:
    return bool(told["secret"]) or SecretStr in get_args(field.annotation)


def _yes(value: object) -> str:
    return "是 yes" if value else ""


def _cells(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |\n"


_EXTRAS = frozenset({"pyspark"})  # packages that only some installs have; modules that need them define no refusal


def refusals_page() -> str:
    """Every refusal of every room, by its code."""
    kinds = sorted(refusals(), key=lambda kind: (kind.code, kind.__name__))
    return REFUSALS_INTRO + "".join(
        _cells(f"`{kind.code}`", _status(kind), _one_line(kind.zh), _one_line(kind.en)) for kind in kinds
    )


def refusals() -> list[type[Refused]]:
    """All classes of refusals; importing every module brings them in."""
    for module in pkgutil.walk_packages(shouhao.__path__, "shouhao."):
        if ".migrations" in module.name:
            continue
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            if error.name not in _EXTRAS:
                raise
    found, waiting = [], [Refused]
    while waiting:
        waiting.extend(kinds := waiting.pop().__subclasses__())
        found += [kind for kind in kinds if kind.__module__.startswith("shouhao.")]
    return found


def _status(kind: type[Refused]) -> str:
    on_command_line = kind.__module__.split(".")[1] in {"settings", "lab", "cli"}
    return "exit 1" if on_command_line else str(status_of(kind.code))


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def cli_page() -> str:
    """Every command with its arguments and options."""
    return CLI_INTRO + "".join(_command(words, command) for words, command in commands())


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that does something, under its words, groups apart."""
    yield from _within("shouhao", typer.main.get_command(command_line))


def _within(words: str, command: Any) -> Iterator[tuple[str, Any]]:
    below: Mapping[str, Any] = getattr(command, "commands", {})
    if not below:
        yield words, command
    for name, one in below.items():
        yield from _within(f"{words} {name}", one)


def _command(words: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    usage = " ".join([words, *(p.name.upper() if p.required else f"[{p.name.upper()}]" for p in arguments)])
    rows = "".join(_parameter(p) for p in command.params if p.name != "help")
    table = f"\n| | 默认 default | 说明 help |\n|---|---|---|\n{rows}" if rows else ""
    return f"\n## `{usage}`\n\n{_one_line(command.help or '')}\n{table}"


def _parameter(parameter: Any) -> str:
    name = parameter.name.upper() if parameter.param_type_name == "argument" else ", ".join(parameter.opts)
    plain = parameter.default is None or parameter.default is False or callable(parameter.default)
    default = "" if plain or parameter.required else f"`{parameter.default}`"
    return _cells(f"`{name}`", default, _one_line(parameter.help or ""))


def events_page() -> str:
    """Columns and kinds of events, each with its meaning."""
    columns, kinds = _words("event_columns"), _words("event_kinds")
    text = EVENTS_INTRO + "| 列 column | 含义 meaning |\n|---|---|\n"
    text += "".join(_cells(f"`{name}`", columns[name]) for name in EXPORT_COLUMNS)
    text += "\n## 种类 Kinds\n\n| kind | 含义 meaning |\n|---|---|\n"
    return text + "".join(_cells(f"`{kind}`", kinds[kind]) for kind in EVENT_KINDS)


def _words(page: str) -> dict[str, str]:
    lines = (WORDS / f"{page}.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split(": ", 1) for line in lines if line)


def http_page() -> str:
    """The routes of both servers, from the descriptions that they serve."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):  # Edge logs a line
        system = assemble(Settings(data_dir=Path(folder), database_url=SecretStr(f"sqlite:///{folder}/none.sqlite3")))
        documents = [asyncio.run(_described(app)) for app in (public_app(system), console_app(system))]
        system.close()
    titles = ("患者接口 Patients (`public`, 8080)", "工作人员接口 Staff (`console`, 8081)")
    return HTTP_INTRO + "".join(_routes(title, document) for title, document in zip(titles, documents, strict=True))


async def _described(app: Any) -> Mapping[str, Any]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://shouhao") as client:
        document: Mapping[str, Any] = (await client.get("/api/v1/openapi.json")).raise_for_status().json()
    return document


def _routes(title: str, document: Mapping[str, Any]) -> str:
    rows = ""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            success = next(status for status in operation["responses"] if status.startswith("2"))
            rows += _cells(f"`{method.upper()} {path}`", _needs(operation), success, _one_line(operation["summary"]))
    return f"\n## {title}\n\n| 接口 route | 需要 needs | 成功 success | |\n|---|---|---|---|\n{rows}"


def _needs(operation: Mapping[str, Any]) -> str:
    keys = " 或 or ".join(" + ".join(together) for together in operation.get("security", []))
    once = any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", []))
    return f"{keys}, `Idempotency-Key`" if once else keys


def policies_page() -> str:
    """Every kind of policy with its rules and their defaults."""
    plain = _policy("booking_limits", LimitsPolicy) + _policy("binding", BindingPolicy)
    release = _nested("release_policy", release_body(ReleasePolicy()), release_from)
    antenatal = _nested("antenatal_policy", antenatal_body(AntenatalPolicy()), antenatal_from)
    return f"{POLICIES_INTRO}{plain}{RELEASE_INTRO}{release}{ANTENATAL_INTRO}{antenatal}"


def _policy(kind: str, policy: type[Any]) -> str:
    explained = _words("policies")
    rows = "".join(_cells(f"`{f.name}`", f"`{f.default}`", explained[f.name]) for f in fields(policy))
    return f"\n## `{kind}`\n\n| 项 rule | 默认 default | 含义 meaning |\n|---|---|---|\n{rows}"


def _nested(page: str, body: Mapping[str, Any], reader: Callable[[Mapping[str, Any]], object]) -> str:
    """A policy of sections: each rule by its whole name, with its default, what is taken, and its meaning."""
    explained = _words(page)
    rows = "".join(
        _cells(f"`{name}`", f"`{json.dumps(default)}`", _taken(name, reader), explained[name])
        for name, default in rules_of(body, explained)
    )
    return f"\n| 项 rule | 默认 default | 取值 taken | 含义 meaning |\n|---|---|---|---|\n{rows}"


def rules_of(body: Mapping[str, Any], explained: Mapping[str, str], before: str = "") -> Iterator[tuple[str, Any]]:
    """The rules of a policy's body by their whole names; a section that is explained as one is one."""
    for name, value in body.items():
        whole = f"{before}{name}"
        if isinstance(value, Mapping) and whole not in explained:
            yield from rules_of(value, explained, f"{whole}.")
        else:
            yield whole, value


def _taken(name: str, reader: Callable[[Mapping[str, Any]], object]) -> str:
    """What a rule may be, in the words of the refusal of what it may not be."""
    body: Any = -(10**12)
    for part in reversed(name.split(".")):
        body = {part: body}
    try:
        reader(body)
    except InvalidInput as bad:
        least_most = re.search(r"from (\d+) to (\d+)", bad.says("en"))
        if least_most is not None:
            return f"{least_most[1]} – {least_most[2]}"
        zh, en = (re.sub(r"^.*?(应为|must be) ?", "", bad.says(language)) for language in ("zh", "en"))
        return f"{zh} · {en}"
    raise ValueError(name)


PAGES: dict[Path, Callable[[], str]] = {
    FOLDER / "settings.md": settings_page,
    FOLDER / "refusals.md": refusals_page,
    FOLDER / "cli.md": cli_page,
    FOLDER / "events.md": events_page,
    FOLDER / "http.md": http_page,
    FOLDER / "policies.md": policies_page,
}


def stale() -> list[Path]:
    """Pages that do not say what the code says."""
    return [path for path, page in PAGES.items() if not path.exists() or path.read_text(encoding="utf-8") != page()]


if __name__ == "__main__":
    behind = stale()
    for path in behind:
        print(f"{'stale' if '--check' in sys.argv else 'written'}: {path.name}")
        if "--check" not in sys.argv:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(PAGES[path](), encoding="utf-8")
    sys.exit(1 if behind and "--check" in sys.argv else 0)
