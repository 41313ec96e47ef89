"""Generate: live the days, then write what a hospital would have kept of them, and the labels beside it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shouhao.lab.scalping.gangs import scalpers
from shouhao.lab.scalping.gangs.gang import Gang
from shouhao.lab.scalping.labels import labels, write_labels
from shouhao.lab.scalping.noise import machines
from shouhao.lab.scalping.on_site import doctors_add, open_site
from shouhao.lab.scalping.options import Options
from shouhao.lab.scalping.population import people
from shouhao.lab.scalping.traffic import events_and_hits
from shouhao.lab.scalping.world import World
from shouhao.lab.scalping.write_events import write_events
from shouhao.lab.scalping.write_logs import COMBINED, EXTENDED, Written, write_logs

LABELS = "labels.json"
INPUTS = "inputs"  #: folder of what a detector may see
NGINX = "nginx.conf"

Tell = Callable[[str, str], None]  #: Chinese, English


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """What was written."""

    logs: list[Written]
    events: list[Written]
    labels: Path
    found: dict[str, Any]  #: the labels themselves


def live(options: Options) -> tuple[World, list[Gang]]:
    """Let the days go by."""
    world = World(options)
    open_site(world)
    people(world)
    doctors_add(world, [account for account in world.accounts if account.kind == "chronic"])
    machines(world)
    gangs = scalpers(world)
    world.run()
    return world, gangs


def generate(options: Options, out: Path, *, tell: Tell = lambda _zh, _en: None) -> Generated:
    """Write a hospital's days to a folder: `inputs/` for a detector, `labels.json` for the judge."""
    tell("虚拟的几天正在过去", "The days go by")
    world, gangs = live(options)
    tell("由行为生成请求", "Requests are made of what people did")
    events, hits = events_and_hits(world)
    inputs = out / INPUTS
    inputs.mkdir(parents=True, exist_ok=True)
    tell(f"写入 {len(hits.at_us)} 行日志", f"Writing {len(hits.at_us)} log lines")
    logs = write_logs(world, hits, inputs)
    (inputs / NGINX).write_text(f"log_format portal '{COMBINED}';\nlog_format api '{EXTENDED}';\n", encoding="utf-8")
    tell(f"写入 {len(events)} 个事件", f"Writing {len(events)} events")
    written = write_events(world, events, inputs)
    found = labels(world, gangs, events, hits)
    write_labels(found, out / LABELS)
    return Generated(logs=logs, events=written, labels=out / LABELS, found=found)
