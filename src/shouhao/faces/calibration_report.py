"""Calibration report: calibration.json for machines and calibration.html for people, the second from the first alone.

The page is one file without scripts and without network; which language shows is a matter of its style sheet. It holds
numbers and names of folders, or numbers in place of names, and never a picture of anybody.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from shouhao.faces import calibration_sections as sections
from shouhao.faces.calibrate import Calibration
from shouhao.faces.calibration_budget import budget
from shouhao.faces.packs import Pack
from shouhao.kernel.errors import Refused
from shouhao.kernel.markup import element, raw, text

FORMAT = "shouhao.calibration/1"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"  # holds in any browser: no script, no network


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """A file that gave no face."""

    name: str  #: below the folder of people
    refusal: Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """What was measured on."""

    people: tuple[str, ...]  #: names of folders, by the number of the person
    photographs: tuple[str, ...]  #: names of files below the folder, by row of the embeddings
    subjects: tuple[int, ...]  #: the person of each row
    sha256: tuple[str, ...]  #: of every file that was read, usable or not
    unusable: tuple[Unusable, ...]
    several_faces: int  #: photographs with more than one face, of which the one nearest the middle was taken

    @property
    def digest(self) -> str:
        """SHA-256 of the sorted hashes, one a line: the same photographs, whatever they are called."""
        return hashlib.sha256("\n".join(sorted(self.sha256)).encode()).hexdigest()


def report_of(found: Calibration, *, pack: Pack, data: DataSet, made_at: str, names: bool = True) -> dict[str, Any]:
    """Everything as plain values, ready for JSON.

    Args:
        made_at: ISO 8601.
        names: name folders and files; without it people and photographs are numbers.
    """
    measured: dict[str, Any] = msgspec.to_builtins(found)
    name = _Names(data, names=names)
    measured["too_close"], measured["mislabelled"] = _close(found, name), _mislabelled(found, name)
    return {
        "format": FORMAT,
        "made_at": made_at,
        "pack": {
            "name": pack.name,
            "id": pack.id,
            "zh": pack.zh,
            "en": pack.en,
            "licence": pack.licence,
            "for_trying_out": pack.for_trying_out,
        },
        "data": {
            "files_read": len(data.sha256),
            "files_sha256": data.digest,
            "unusable": len(data.unusable),
            "several_faces": data.several_faces,
            "names": names,
        },
        "measured": measured,
        "unusable": [_unusable(one, n + 1, names=names) for n, one in enumerate(data.unusable)],
    }


def write_calibration(report: Mapping[str, Any], out: Path) -> tuple[Path, Path]:
    """Write `calibration.json` and `calibration.html` into a folder; their paths."""
    out.mkdir(parents=True, exist_ok=True)
    as_json, as_page = out / "calibration.json", out / "calibration.html"
    told = json.dumps(report, ensure_ascii=False, indent=1, allow_nan=False)
    as_json.write_text(told + "\n", encoding="utf-8")
    as_page.write_text(page(report), encoding="utf-8")
    return as_json, as_page


def page(report: Mapping[str, Any]) -> str:
    """The whole page."""
    style = resources.files("shouhao.faces").joinpath("calibration.css").read_text(encoding="utf-8")
    head = (
        '<meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{text('人脸阈值校准 Face threshold calibration')}</title><style>{style}</style>"
    )
    parts: Sequence[str] = [
        sections.heading(report),
        sections.tiles(report),
        budget(report),
        sections.verification(report),
        sections.identification(report),
        sections.too_close(report),
        sections.mislabelled(report),
        sections.unusable(report),
        sections.limits(report),
        sections.repeat(report),
    ]
    body = sections.switch() + element("main", *map(raw, parts))
    return f'<!doctype html>\n<html lang="zh-CN"><head>{head}</head><body>{body}</body></html>\n'


class _Names:
    """How people and photographs are called."""

    def __init__(self, data: DataSet, *, names: bool) -> None:
        self._data, self._names = data, names

    def person(self, subject: int) -> str:
        return self._data.people[subject] if self._names else f"#{subject + 1}"

    def photograph(self, row: int) -> str:
        if self._names:
            return self._data.photographs[row]
        subject = self._data.subjects[row]
        before = sum(other == subject for other in self._data.subjects[:row])
        return f"#{subject + 1}/{before + 1}"


def _unusable(one: Unusable, number: int, *, names: bool) -> dict[str, str]:
    return {
        "file": one.name if names else f"#{number}",
        "code": one.refusal.code,
        "zh": one.refusal.says("zh"),
        "en": one.refusal.says("en"),
    }


def _close(found: Calibration, name: "_Names") -> list[dict[str, Any]]:
    return [
        {
            "first": name.person(pair.first_subject),
            "second": name.person(pair.second_subject),
            "first_photograph": name.photograph(pair.first_row),
            "second_photograph": name.photograph(pair.second_row),
            "similarity_cos": pair.similarity_cos,
            "pairs": pair.pairs,
        }
        for pair in found.too_close
    ]


def _mislabelled(found: Calibration, name: "_Names") -> list[dict[str, Any]]:
    return [
        {
            "photograph": name.photograph(one.row),
            "person": name.person(one.subject),
            "own_cos": one.own_cos,
            "other": name.person(one.other_subject),
            "other_photograph": name.photograph(one.other_row),
            "other_cos": one.other_cos,
        }
        for one in found.mislabelled
    ]
