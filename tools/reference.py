"""Write the reference pages from the code they describe; `--check` only tells which are stale (exit 1)."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from shouhao.settings import Settings, env_name

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"

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


def settings_page() -> str:
    """The page of all settings, in the order of the code."""
    return SETTINGS_INTRO + "".join(_row(name, field) for name, field in Settings.model_fields.items())


def _row(name: str, field: FieldInfo) -> str:
    extra = field.json_schema_extra
    told: Mapping[str, Any] = extra if isinstance(extra, dict) else {}
    choices = " \\| ".join(f"`{choice}`" for choice in _choices(field.annotation))
    default = "" if field.default is None else f"`{field.default}`"
    help_text = f"{told['zh']}<br>{field.description}" + (f"<br>{choices}" if choices else "")
    cells = (f"`{name}`", f"`{env_name(name)}`", default, told["unit"], "是 yes" if _secret(field, told) else "")
    return "| " + " | ".join((*cells, help_text)) + " |\n"


def _choices(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _secret(field: FieldInfo, told: Mapping[str, Any]) -> bool:
    return bool(told["secret"]) or SecretStr in get_args(field.annotation)


PAGES: dict[Path, Callable[[], str]] = {FOLDER / "settings.md": settings_page}


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
