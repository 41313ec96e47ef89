"""Story: one day of one hospital, told in chapters: last night's detection, the morning's release, a known face.

One data folder, one database, one running server for all of it, so that whoever signs in afterwards finds everything:
the findings, the releases, the alarms and what became of them. Chapters overlap where nothing is measured: the night is
analysed while people are registered, and people walk past cameras while the morning's unpaid slots run out.
"""

import dataclasses
import fcntl
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

from shouhao.kernel.clock import day_of, iso
from shouhao.kernel.errors import Refused, Unavailable
from shouhao.lab.cast import Cast, seed_cast
from shouhao.lab.chapters import Chapter, Teller
from shouhao.lab.checks import as_rows
from shouhao.lab.known_face import Watch, usable_pack_name, walk_past, watch_checks
from shouhao.lab.machine import machine_facts
from shouhao.lab.morning import (
    MorningSettings,
    Seeded,
    hand_on,
    morning_report,
    rush_in,
    seed_morning,
    walk_through,
    walking_door,
)
from shouhao.lab.night import Night, NightSettings, night_checks, night_report
from shouhao.lab.running_server import RunningServer, reserved_port
from shouhao.lab.told_tip import tell_tip
from shouhao.lab.watch_ready import fetch_photographs, ready_watch
from shouhao.settings import Settings
from shouhao.store.migrate import upgrade
from shouhao.wiring import System, assemble

VERSION = 4  #: of report.json

_MARK = "made-by-shouhao-demo"


class FolderInUse(Refused):
    """The data folder was not made by a demo, so it is not replaced."""

    code = "demo.folder_in_use"
    zh = "{folder} 不是演示生成的数据目录，不会被覆盖；请用 --out 另选目录"
    en = "{folder} was not made by a demo and is not replaced; choose another with --out"


class DemoRuns(Refused):
    """Another demo runs on this folder."""

    code = "demo.runs"
    zh = "另一个演示正在使用 {folder}；请先结束它，或用 --out 另选目录"
    en = "Another demo runs on {folder}; end it first, or choose another folder with --out"


@dataclass(frozen=True, slots=True, kw_only=True)
class StorySettings:
    """How big the story is."""

    morning: MorningSettings = field(default_factory=MorningSettings)
    night: NightSettings = field(default_factory=NightSettings)
    known_face: bool = True  #: whether people walk past simulated cameras as well, one of them listed
    faces: Path | None = None  #: photographs of one's own for it, one folder a person
    host: str = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What stands while the story is told."""

    out: Path
    system: System
    server: RunningServer
    settings: StorySettings
    cast: Cast
    teller: Teller
    watch: Watch | Mapping[str, Any]  #: where there is none, what the report says of that


def run_story(
    out: Path,
    settings: StorySettings,
    *,
    teller: Teller,
    then: Callable[[Mapping[str, Any], Stage], None],
    program: Sequence[str] | None = None,
) -> Mapping[str, Any]:
    """Tell the whole story and return its report; the server is ended in any case.

    Args:
        out: `out/data` and `out/night` are made anew.
        then: given the report while the server still runs.
        program: another server than the real one, for tests.
    Raises:
        FolderInUse, DemoRuns: `out/data` holds something else than an earlier demo, or one that still runs.
        Unavailable: the server does not start, or the night's analysis fails.
    """
    started = time.monotonic()
    with ExitStack() as given_back:
        data = _fresh_folder(out, given_back)
        ports = tuple(given_back.enter_context(reserved_port(settings.host)) for _ in range(3))
        chosen = _server_settings(data, settings, ports)
        yesterday = day_of(time.time_ns() // 1000) - timedelta(days=1)
        night = given_back.enter_context(Night(out.resolve() / "night", yesterday, settings.night))
        photographs = settings.faces or (
            fetch_photographs(given_back, out.resolve() / "photographs") if settings.known_face else None
        )
        with teller.chapter("setting", "", "示范医院", "The hospital") as chapter:
            upgrade(chosen.open_url())
            system = assemble(chosen)
            given_back.callback(system.close)
            seeded = seed_morning(system, settings.morning, teller.now)
            cast = seed_cast(system)
            teller.now("布控：登记摄像机、提名、两人批准", "The watch: cameras, a proposal, two who approve")
            watch = ready_watch(system, cast, photographs if settings.known_face else None)
            _setting_says(chapter, seeded)
        more: dict[str, Any] = {} if program is None else {"program": program}
        server = RunningServer(_given(chosen), host=settings.host, port=ports[0], log_file=out / "server.log", **more)
        with server:
            teller.now("启动服务", "Starting the server")
            ready_s = server.wait_ready()
            stage = Stage(
                out=out, system=system, server=server, settings=settings, cast=cast, teller=teller, watch=watch
            )
            report = _tell(stage, seeded, night)
            report["server"]["ready_s"] = round(ready_s, 2)
            report["took_s"] = round(time.monotonic() - started, 1)
            then(report, stage)
            return report


def _tell(stage: Stage, seeded: Seeded, night: Night) -> dict[str, Any]:
    """The three chapters, and the report of all of them."""
    system, teller = stage.system, stage.teller
    with teller.chapter("night", "昨夜", "从昨天的日志与预约中找出号贩", "Scalpers in yesterday's logs") as chapter:
        teller.now("昨夜：分析昨天的日志与预约", "Last night: yesterday's logs and bookings are analysed")
        slept = night_report(system, night, night.wait(), name=f"昨夜检测 {night.last_day:%m-%d} Last night")
        _night_says(chapter, slept)
    with ThreadPoolExecutor(max_workers=1) as beside:
        with teller.chapter("morning", "07:58", "抽签与放号", "The draws and the release") as chapter:
            teller.now("一位新患者走完全程", "One new patient goes all the way")
            walk = walk_through(stage.server, seeded, system)
            rushed = rush_in(system, stage.server, seeded, stage.settings.morning, teller.now)
            seen = beside.submit(_walk_past, stage)
            teller.now("未支付的号到期，交给候补的人", "Unpaid slots run out and go to those who wait")
            settled = hand_on(system, seeded, rushed, stage.settings.morning)
            tell_tip(walking_door(stage.server, seeded))
            teller.now("核对数据库与每一个答复", "Checking the database and every answer")
            morning = morning_report(
                system, stage.server, seeded, walk=walk, rushed=rushed, settled=settled, out=stage.out
            )
            _morning_says(chapter, morning, seeded)
        with teller.chapter("watch", "09:50", "认出名单上的人", "A known face") as chapter:
            known = seen.result()
            _watch_says(chapter, known)
    return _report(stage, seeded, morning, slept, known, most_open=rushed.rush.most_open)


def _report(
    stage: Stage,
    seeded: Seeded,
    morning: dict[str, Any],
    slept: dict[str, Any],
    known: Mapping[str, Any],
    *,
    most_open: int,
) -> dict[str, Any]:
    told = [*morning["answers"], *as_rows(night_checks(slept)), *(as_rows(watch_checks(known)) if known["ran"] else [])]
    settings, names = stage.settings, stage.system.settings
    return {
        "version": VERSION,
        "made_at": iso(stage.system.clock.now_us()),
        "hospital": {"zh": names.hospital_name_zh, "en": names.hospital_name_en},
        "ok": morning["walk"]["ok"] and all(c["holds"] for c in [*morning["invariants"], *told]),
        "chapters": [chapter.as_row() for chapter in stage.teller.chapters],
        "seeded": dict(seeded.facts),
        "settings": {**dataclasses.asdict(settings.morning), "known_face": settings.known_face},
        "server": {"host": settings.host, "most_open": most_open, "gang_connections": len(seeded.crowd.gang)},
        **morning,
        "answers": told,
        "night": slept,
        "known_face": known,
        "machine": machine_facts(),
    }


def _fresh_folder(out: Path, given_back: ExitStack) -> Path:
    """The data folder, empty and ours alone; what an earlier demo left there, and beside it, is thrown away."""
    data = out.resolve() / "data"
    if data.exists() and any(data.iterdir()):
        if not (data / _MARK).exists():
            raise FolderInUse("out", folder=str(data))
        with (data / _MARK).open("wb") as mark:
            _lock(mark, data)
            shutil.rmtree(data)
        shutil.rmtree(data.parent / "night", ignore_errors=True)
        for old in (*data.parent.glob("draw-dr_*.json"), *data.parent.glob("alarm-*.html")):
            old.unlink()
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    _lock(given_back.enter_context((data / _MARK).open("wb")), data)
    return data


def _lock(mark: IO[bytes], data: Path) -> None:
    """Hold the mark while the demo runs.

    Raises:
        DemoRuns: another demo holds it.
    """
    try:
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise DemoRuns("out", folder=str(data)) from error


def _server_settings(data: Path, settings: StorySettings, ports: Sequence[int]) -> Settings:
    """The same settings as the server's; given here, so that none of the environment's are taken but the models'."""
    named = Settings()  # where the models are is the environment's to say
    return Settings(
        mode="embedded",
        data_dir=data,
        database_url=None,
        master_key_file=None,
        crypto_profile="intl",
        identity_authority="format_only",
        payment_gateway="reference",
        phone_code_sender="console",
        models=named.models_dir,
        face_pack=_pack_of(named),
        public_host=settings.host,
        console_host=settings.host,
        internal_host=settings.host,
        public_port=ports[0],
        console_port=ports[1],
        internal_port=ports[2],
        hold_s=settings.morning.hold_s,
    )


def _pack_of(named: Settings) -> str:
    """The pack whose models are here; where none are, the setting as it stands, and the chapter says why."""
    try:
        return usable_pack_name(named)
    except (Refused, Unavailable):
        return named.face_pack


def _given(chosen: Settings) -> dict[str, str]:
    """What the server is told, by the names of its settings."""
    names = ("data_dir", "face_pack", "hold_s", "public_host", "console_host", "internal_host")
    ports = ("public_port", "console_port", "internal_port")
    return {name: str(getattr(chosen, name)) for name in (*names, *ports)} | {"models": str(chosen.models_dir)}


def _walk_past(stage: Stage) -> Mapping[str, Any]:
    """People walk past the cameras, where there are any."""
    if isinstance(stage.watch, Watch):
        return walk_past(stage.system, stage.cast, stage.watch, stage.out)
    return stage.watch


def _setting_says(chapter: Chapter, seeded: Seeded) -> None:
    facts = seeded.facts
    chapter.says(
        f"{facts['departments']} 个科室、{facts['doctors']} 位医生、{facts['patients']:,} 位实名患者",
        f"{facts['departments']} departments, {facts['doctors']} doctors, {facts['patients']:,} verified patients",
    )


def _night_says(chapter: Chapter, told: Mapping[str, Any]) -> None:
    chapter.took_s = told["made_s"] + told["analysed_s"] + told["taken_in_s"]
    lines, gangs, rings = told["hits"] + told["events"], len(told["gangs"]), told["rings_found"]
    strong, of, wrong = told["found"]["strong"], told["accounts"]["gang"], told["honest"]["count"]
    chapter.says(
        f"{lines:,} 行与事件；{gangs} 个团伙认出 {rings} 个，{of} 个号贩账号指出 {strong} 个，误指普通账号 {wrong} 个",
        f"{lines:,} lines and events; {rings} of {gangs} gangs, {strong} of {of} accounts, {wrong} honest accused",
    )


def _morning_says(chapter: Chapter, told: Mapping[str, Any], seeded: Seeded) -> None:
    entries = sum(sum(draw["entries"].values()) for draw in told["draws"])
    got, people = told["patients_who_got_one"], len(seeded.crowd.visitors)
    chapter.says(
        f"{people:,} 位患者，{entries:,} 份抽签报名，{len(told['draws'])} 次抽签；{got:,} 人得到过号",
        f"{people:,} patients, {entries:,} entries in {len(told['draws'])} draws; {got:,} got a slot",
    )


def _watch_says(chapter: Chapter, told: Mapping[str, Any]) -> None:
    chapter.took_s = told["took_s"]
    if not told["ran"]:
        chapter.says(f"未演示：{told['why']['zh']}", f"not shown: {told['why']['en']}")
        return
    chapter.says(
        f"{told['passages']} 人次经过，{told['found']} 处报警，漏 {told['missed']}，误 {told['false']}；"
        f"他人照片留存 {told['left']['open_pictures']}",
        f"{told['passages']} walked past, {told['found']} alarms, {told['missed']} missed, {told['false']} false; "
        f"{told['left']['open_pictures']} strangers' pictures kept",
    )
