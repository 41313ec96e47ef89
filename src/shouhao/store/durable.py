"""Durable files: a name that was added to a folder, or removed from it, survives a power cut."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make what was added to or removed from a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
