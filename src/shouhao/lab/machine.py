"""Machine: what a figure was measured on, so that nobody compares it with another machine's unawares."""

import os
import platform
from importlib import metadata
from pathlib import Path

_LIBRARIES = ("uvicorn", "uvloop", "SQLAlchemy", "msgspec")
_GIB = 1024**3


def machine_facts() -> dict[str, str]:
    """Processor, memory, system and the libraries that matter for speed."""
    facts = {
        "cpu": _processor(),
        "cores": str(os.cpu_count() or 1),
        "memory": _memory(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }
    for name in _LIBRARIES:
        try:
            facts[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return facts


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / _GIB:.0f} GiB"
    except (AttributeError, OSError, ValueError):
        return "?"
