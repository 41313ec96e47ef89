"""Masks: how an id of a finding is shown to whoever has given no reason to see it. Pure.

Its kind and a few letters stay, so that two of them can be told apart on a page; of an address its network.
"""

import re
from collections.abc import Iterable

from shouhao.detect.found_lines import Found
from shouhao.detect.model import Says
from shouhao.detect.report.visible import visible

_LEAST_SHOWN = 8  # letters from which on four of them give nothing away
_LEAST_SOUGHT = 6  # shorter ones are words and figures of every sentence
_MOST_SHOWN = 300
_V4 = re.compile(r"(\d{1,3}\.\d{1,3})\.\d{1,3}(?:\.\d{1,3})?(?:/\d+)?")
_V6 = re.compile(r"([0-9a-fA-F]*:[0-9a-fA-F]*):[0-9a-fA-F:.]*(?:/\d+)?")


def masked(kind: str, subject_id: str) -> str:
    """An id with a few letters of it.

    A ring's own name is a digest of its members and stays; so does nothing else.

    >>> masked("account", "acct_1234567"), masked("ip", "203.0.113.9"), masked("prefix", "2001:db8:7::/48")
    ('ac…67', '203.0.*.*', '2001:db8:*')
    >>> masked("patient", "p-17"), masked("ring", "ring-2481b024fe82ebe2")
    ('p…', 'ring-2481b024fe82ebe2')
    """
    if kind == "ring":
        return shown(subject_id)
    if kind in {"ip", "prefix"}:
        if v4 := _V4.fullmatch(subject_id):
            return f"{v4[1]}.*.*"
        if v6 := _V6.fullmatch(subject_id):
            return f"{v6[1]}:*"
    if len(subject_id) < _LEAST_SHOWN:
        return f"{visible(subject_id[:1])}…"
    return f"{visible(subject_id[:2])}…{visible(subject_id[-2:])}"


def shown(text: str) -> str:
    """A text from outside with every character to be seen, and no longer than a page can hold."""
    return visible(text, most=_MOST_SHOWN)


def without_ids(says: Says, subjects: Iterable[tuple[str, str]]) -> Says:
    """A sentence with each id that it names masked; sentences of our rules name none, those of a changed file may.

    Args:
        subjects: kind and id of everybody in the finding.
    """
    zh, en = says.zh, says.en
    for kind, subject_id in sorted(subjects, key=lambda one: (-len(one[1]), one)):
        if len(subject_id) >= _LEAST_SOUGHT and kind != "ring" and (subject_id in zh or subject_id in en):
            zh, en = (text.replace(subject_id, masked(kind, subject_id)) for text in (zh, en))
    return Says(zh=shown(zh), en=shown(en))


def headline(found: Found) -> Says:
    """The reason that weighs most, without ids."""
    first = max(found.reasons, key=lambda one: one.weight, default=None)
    if first is None:
        return Says(zh="没有写明理由", en="No reason is given")
    subjects = [(one.kind, one.id) for one in (found.subject, *found.members)]
    return without_ids(first.says, subjects)
