"""Watch ready: photographs fetched while people are registered, cameras hung before the server starts, or why not."""

import shutil
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from shouhao.kernel.errors import Refused, Unavailable
from shouhao.lab.cast import Cast
from shouhao.lab.known_face import Watch, hang_cameras
from shouhao.lab.photographs import LISTED, get_photographs
from shouhao.wiring import System


def fetch_photographs(given_back: ExitStack, into: Path) -> Future[Path]:
    """Photographs of the package index, on their way into a folder that is made anew."""
    shutil.rmtree(into, ignore_errors=True)
    return given_back.enter_context(ThreadPoolExecutor(max_workers=1)).submit(get_photographs, into)


def ready_watch(system: System, cast: Cast, photographs: "Future[Path] | Path | None") -> Watch | Mapping[str, Any]:
    """The watch as it stands before the server starts; where it cannot be, what the report says of that.

    Args:
        photographs: a folder of one's own, of whom the first with two photographs is listed; or those on their way;
            None: the chapter is not wanted.
    """
    if photographs is None:
        return not_shown("未要求", "not asked for")
    try:
        if isinstance(photographs, Path):
            return hang_cameras(system, cast, photographs, listed=None)
        return hang_cameras(system, cast, photographs.result(), listed=LISTED)
    except (Refused, Unavailable) as error:
        return not_shown(error.says("zh"), error.says("en"))


def not_shown(zh: str, en: str) -> dict[str, Any]:
    """The chapter of the cameras where it cannot be told."""
    return {"ran": False, "took_s": 0.0, "why": {"zh": zh, "en": en}}
