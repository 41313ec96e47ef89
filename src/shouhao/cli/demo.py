"""`shouhao demo`: one day of a seeded hospital as a story, its report, and then the hospital to look at."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from shouhao.lab.chapters import Chapter, Teller, quiet

if TYPE_CHECKING:
    from shouhao.lab.story import Stage

_PIPE_WIDTH = 200  #: a pipe has no edge at which to break lines
_CODE = "import pyotp; print(pyotp.TOTP(input('密钥 secret: ')).now())"


def demo(
    headless: Annotated[bool, typer.Option("--headless", help="写完报告即结束 End once the report is written")] = False,
    out: Annotated[
        Path, typer.Option("--out", help="报告与数据的目录 Folder of the report and the data", file_okay=False)
    ] = Path("demo-out"),
    patients: Annotated[
        int, typer.Option("--patients", help="抢号的患者数 Patients in the rush", min=20, max=20_000)
    ] = 4000,
    faces: Annotated[
        Path | None,
        typer.Option(
            "--faces",
            help="自己的照片，每人一个子目录；不填则从软件包源取固定的几张 "
            "Photographs, one folder a person; without it a few pinned ones from the package index",
            file_okay=False,
            exists=True,
        ),
    ] = None,
    known_face: Annotated[bool, typer.Option(help="也演示“认出名单上的人” Whether the known face is shown too")] = True,
) -> None:
    """示范医院的一天：昨夜检测、抽签放号、认出名单上的人；写出报告。 One day as a story, and its report."""
    # Imported here: it takes half a second that every other command would wait for.
    from shouhao.lab.morning import MorningSettings  # noqa: PLC0415
    from shouhao.lab.report import write_report  # noqa: PLC0415
    from shouhao.lab.story import StorySettings, run_story  # noqa: PLC0415

    console = Console()
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    out.mkdir(parents=True, exist_ok=True)

    def then(report: Mapping[str, Any], stage: "Stage") -> None:
        _, page = write_report(report, out)
        stop_telling()
        _summarise(console, report, page)
        if not headless:
            _linger(console, stage, report)

    before = signal.signal(signal.SIGTERM, _end)  # so that the server is ended too
    try:
        with _telling(console) as teller:
            stop_telling = teller.stop
            settings = StorySettings(morning=MorningSettings(patients=patients), known_face=known_face, faces=faces)
            report = run_story(out, settings, teller=teller, then=then)
    finally:
        signal.signal(signal.SIGTERM, before)
    if not report["ok"]:
        raise typer.Exit(1)


@contextmanager
def _telling(console: Console) -> Iterator[Teller]:
    """Chapters and progress on a terminal, silence in a pipe."""
    if not console.is_terminal:
        yield quiet()
        return
    with console.status("守号 Shouhao") as status:

        def ended(chapter: Chapter) -> None:
            when = f"{chapter.when:<6}" if chapter.when else ""
            console.print(f"[bold]{when}{chapter.zh}[/bold]  [dim]{chapter.en}[/dim]  {chapter.took_s:.0f} s")
            console.print(f"      {chapter.says_zh}\n      [dim]{chapter.says_en}[/dim]", highlight=False)

        def now(zh: str, en: str) -> None:
            status.update(f"{zh} [dim]{en}[/dim]")

        yield Teller(now=now, ended=ended, stop=status.stop)


def _summarise(console: Console, report: Mapping[str, Any], page: Path) -> None:
    checks = [*report["invariants"], *report["answers"]]
    broken = [c for c in checks if not c["holds"]]
    booking_ms, traffic = report["latency"]["booking_ms"], report["traffic"]
    told = [] if console.is_terminal else report["chapters"]  # a terminal heard them one by one
    rows = [(f"{c['when']} {c['zh']}".strip(), f"{c['says']['zh']}  ({c['took_s']:.0f} s)") for c in told]
    rows += [
        ("团伙 gang", _gang(report)),
        ("请求 requests", f"{traffic['requests']:,}, {traffic['unanswered']} 无答复 unanswered"),
        ("预约延迟 latency", f"p50 {booking_ms.get('p50', 0):.0f} ms, p99 {booking_ms.get('p99', 0):.0f} ms"),
        ("新患者全程 new patient", "通过 all the way" if report["walk"]["ok"] else "未走完 did not get all the way"),
        ("核对 checks", f"{len(checks) - len(broken)}/{len(checks)} 通过 hold"),
        ("用时 took", f"{report['took_s']:.0f} s"),
    ]
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in rows:
        table.add_row(name, value)
    console.print(table)
    for check in broken:
        console.print(f"✗ {check['zh']} {check['en']}: {check['broken']}", style="red")
    console.print(f"报告 report: {page}", soft_wrap=True)


def _gang(report: Mapping[str, Any]) -> str:
    """What the gang's many accounts brought it in the draws."""
    gang, draws = report["gang"], report["draws"]
    entries, won = (
        {who: sum(d[part][who] for d in draws) for who in ("patients", "gang")} for part in ("entries", "won")
    )
    return (
        f"{gang['persons']} 人 {gang['accounts']} 个账号 accounts：抽签报名 entries {entries['gang']}/"
        f"{sum(entries.values()):,}，中签 won {won['gang']}/{sum(won.values())}"
    )


def _linger(console: Console, stage: "Stage", report: Mapping[str, Any]) -> None:
    """Say where everything is and who may look; then wait, and pass codes for phones on."""
    settings = stage.system.settings
    at = f"http://{settings.console_host}:{settings.console_port}"

    def say(line: str) -> None:
        console.print(line, soft_wrap=True, markup=False, highlight=False)

    say("")
    say(f"患者页面 patients   http://{settings.public_host}:{settings.public_port}/")
    say(f"控制台   console    {at}/")
    say(f"保安页面 guard      {at}/guard")
    say(f"摄像机   cameras    http://{settings.internal_host}:{settings.internal_port}/VIID")
    finding_id = report["night"]["strongest"]
    if finding_id:
        say(f"昨夜最强的发现 last night's strongest finding: {at}/finding/{finding_id}")
    say("")
    say("登录名 login、一次性口令 one-time（24 小时内有效，只显示一次 good for 24 h, shown once）：")
    for one in stage.cast.logins:  # a table would cut on a narrow terminal what has to be typed whole
        say(f"{one.login:<7}  {one.one_time}  {at}{one.path}")
        say(f"         {one.zh} {one.en}")
    say("首次登录设置密码（至少 12 个字符）并绑定动态口令。 The first sign-in sets a password and a second factor.")
    say(f'没有身份验证器时 without an authenticator: {sys.executable} -c "{_CODE}"')
    if sys.stdin.isatty() and not isinstance(stage.watch, Mapping):
        say(
            "按回车：名单上的人再走过一次，监控墙上会响。 "
            "Press Enter: the listed person walks past once more, and the wall rings."
        )
        threading.Thread(target=_again, args=(stage, say), name="again", daemon=True).start()
    say("服务器继续运行，按 Ctrl-C 结束。 The server goes on until Ctrl-C.")
    try:
        for phone, code in stage.server.codes():
            say(f"验证码 code for {phone}: {code}")
    except KeyboardInterrupt:
        console.print("结束 Ending")


def _again(stage: "Stage", say: Callable[[str], None]) -> None:
    """For each Enter, somebody walks past a camera."""
    from shouhao.lab.known_face import Watch, walk_past_again  # noqa: PLC0415 - as above
    from shouhao.watch.response import ResponsePolicy  # noqa: PLC0415 - as above

    leaves_until = time.monotonic() + ResponsePolicy().leaving_s  # who was led away raises nothing on the way out
    for _ in sys.stdin:
        left_s = leaves_until - time.monotonic()
        if left_s > 0:
            say(f"他正被带离，{left_s:.0f} 秒后再经过。 He is being led away and comes back in {left_s:.0f} s.")
            time.sleep(left_s)
        if isinstance(stage.watch, Watch):
            walk_past_again(stage.system, stage.watch)
            say("有人走过了 1 层门诊入口的摄像机。 Somebody walked past the camera at the entrance.")


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(143)  # what a shell reports of a program that was asked to end
