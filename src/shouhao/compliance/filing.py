"""Filing: what the county's police are told of the cameras, generated from the register (Video Regulation 14).

The unit, the places, the number and kinds of devices and how long pictures are kept, and what changed since the last
filing. A person sends it; the reference that comes back is handed in as a record.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from shouhao.compliance.facts import FilingChange, LiveCamera, filed_form, filing_change
from shouhao.compliance.records import FiledCamera, PoliceFiling
from shouhao.kernel.clock import iso


@dataclass(frozen=True, slots=True, kw_only=True)
class FilingForm:
    """The form, filled in."""

    unit: str
    cameras: tuple[FiledCamera, ...]
    kinds: tuple[tuple[str, int], ...]  #: make and model, and how many
    retention_days: int | None
    change: FilingChange
    made_at_us: int


def filing_form(
    cameras: Sequence[LiveCamera], filing: PoliceFiling | None, *, unit: str, retention_days: int | None, now_us: int
) -> FilingForm:
    """The form of the cameras that are live now, against what was filed last."""
    filed = tuple(filed_form(camera) for camera in cameras)
    return FilingForm(
        unit=unit,
        cameras=filed,
        kinds=tuple(sorted(Counter(camera.kind for camera in filed).items())),
        retention_days=retention_days,
        change=filing_change(tuple(cameras), filing),
        made_at_us=now_us,
    )


def form_text(form: FilingForm) -> str:
    """The form as a text to be printed and stamped."""
    kept = "未确定" if form.retention_days is None else f"{form.retention_days} 日"
    lines = [
        "公共安全视频图像信息系统备案表（依据《公共安全视频图像信息系统管理条例》第十四条）",
        f"单位：{form.unit}",
        f"制表时间：{iso(form.made_at_us)[:19]}",
        f"设备数量：{len(form.cameras)}",
        *(f"  {kind or '型号未登记'}：{count} 台" for kind, count in form.kinds),
        f"图像保存期限：{kept}",
        "安装位置：",
        *(f"  {number}. {camera.id} {camera.place} {camera.kind}" for number, camera in enumerate(form.cameras, 1)),
        "与上次备案相比：" if form.change.any else "与上次备案相比：无变动",
    ]
    for title, changed in (
        ("新增", form.change.added),
        ("拆除或停用", form.change.removed),
        ("变动", form.change.changed),
    ):
        lines += [f"  {title} {camera.id} {camera.place} {camera.kind}" for camera in changed]
    return "\n".join(line.rstrip() for line in lines) + "\n"
