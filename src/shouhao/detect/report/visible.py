"""Visible: text from outside, shown so that nothing in it hides, moves or overwrites what stands beside it.

A log line is written by whoever sends the request: terminal escapes, bidi overrides that turn a path around, zero-width
letters that make two ids look the same. Each such character is shown as what it is. Letters that are read from right to
left stay letters; the style sheet holds their line in the order of its bytes.
"""

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from operator import itemgetter

_CONTROLS = (
    *("NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "TAB", "LF", "VT", "FF", "CR", "SO", "SI"),
    *("DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS", "US"),
)
_DELETE = 0x7F
_LONE_BYTES = range(0xDC80, 0xDD00)  # what Python makes of a byte that belongs to no character
_KEPT_SPACES = " \u3000"
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
#: Letters and marks that show nothing: fillers, joiners, variation selectors, a blank braille cell.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | frozenset(
    chr(n) for n in (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
)


@lru_cache(maxsize=1024)  # the same names stand beside thousands of lines
def visible(text: str, *, most: int | None = None) -> str:
    r"""The text with every character to be seen, cut to `most` of them.

    >>> visible("a\x1b[31m\u202eb"), visible("abcdef", most=4)
    ('a‹ESC›[31m‹U+202E›b', 'abc…')
    """
    if text.isascii() and text.isprintable() and (most is None or len(text) <= most):
        return text
    return "".join(shown for shown, _ in _cut(text, most))


def runs(text: str, *, most: int | None = None) -> Iterator[tuple[str, bool]]:
    r"""The same in stretches, each with whether it stands for what would not have been seen.

    An attacker can write "‹U+202E›" into a log; only this tells it from a real one.

    >>> list(runs("a\x00\x01b"))
    [('a', False), ('‹NUL›‹SOH›', True), ('b', False)]
    """
    for odd, pairs in groupby(_cut(text, most), key=itemgetter(1)):
        yield "".join(shown for shown, _ in pairs), odd


def _cut(text: str, most: int | None) -> Iterator[tuple[str, bool]]:
    """Pairs of what is shown and whether it stands for something hidden."""
    room = len(text) * len("‹U+10FFFF›") if most is None else most
    for n, char in enumerate(text):
        shown, odd = _shown(char)
        room -= len(shown)
        if room < 0 or (room == 0 and n + 1 < len(text)):
            yield "…", False
            return
        yield shown, odd


def _shown(char: str) -> tuple[str, bool]:
    if " " <= char <= "~":
        return char, False
    code = ord(char)
    if code < ord(" "):
        return f"‹{_CONTROLS[code]}›", True
    if code == _DELETE:
        return "‹DEL›", True
    if code in _LONE_BYTES:
        return f"‹\\x{code - _LONE_BYTES.start + 0x80:02X}›", True
    if char in _KEPT_SPACES or (unicodedata.category(char) not in _HIDDEN and char not in _BLANK):
        return char, False
    return f"‹U+{code:04X}›", True
