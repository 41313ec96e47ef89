"""Figures: numbers, times and spans as people read them, the times in the hospital's zone."""

import math

from shouhao.kernel.clock import from_us

_MOST_ODDS = 10_000  # beyond it nobody knows the data well enough
_MOST_LOG_ODDS = math.log(_MOST_ODDS)
_PLAIN_FROM, _WHOLE_FROM, _PLAIN_TO = 1e-3, 1e3, 1e6


def count(value: int) -> str:
    """A count.

    >>> count(1234567)
    '1,234,567'
    """
    return f"{value:,}"


def figure(value: float) -> str:
    """A measured value, to three digits where it is no whole number.

    >>> figure(1240.0), figure(0.41234), figure(35.27), figure(0.0000123), figure(3e9)
    ('1,240', '0.412', '35.3', '1.2e-5', '3.0e9')
    """
    if not math.isfinite(value):
        return "–" if math.isnan(value) else ("∞" if value > 0 else "−∞")
    size = abs(value)
    if size and not _PLAIN_FROM <= size < _PLAIN_TO:
        mantissa, exponent = f"{size:.1e}".split("e")
        told = f"{mantissa}e{int(exponent)}"
    elif value == int(value) or size >= _WHOLE_FROM:
        told = f"{size:,.0f}"
    else:
        told = f"{size:.{max(0, 2 - math.floor(math.log10(size)))}f}".rstrip("0").rstrip(".")
    return f"−{told}" if value < 0 else told


def weight(value: float) -> str:
    """A weight in log-odds, with its sign.

    >>> weight(3.14), weight(-0.5), weight(-0.0)
    ('+3.14', '−0.50', '0.00')
    """
    return f"{value:+.2f}".replace("-", "−") if value else "0.00"


def odds(score: float) -> str:
    """Log-odds as a ratio.

    >>> odds(0.0), odds(3.0), odds(-3.0), odds(30.0)
    ('1 : 1', '20 : 1', '1 : 20', '> 10,000 : 1')
    """
    ratio = math.exp(min(abs(score), _MOST_LOG_ODDS + 1))
    told = f"{float(f'{min(ratio, _MOST_ODDS):.2g}'):,g}"
    beyond = ratio > _MOST_ODDS
    if score >= 0:
        return f"{'> ' if beyond else ''}{told} : 1"
    return f"{'< ' if beyond else ''}1 : {told}"


def moment(at_us: int) -> str:
    """Date and time to the millisecond, in the hospital's zone.

    >>> moment(0)
    '1970-01-01 08:00:00.000'
    """
    return from_us(at_us).strftime("%Y-%m-%d %H:%M:%S.") + f"{at_us // 1000 % 1000:03}"


def second(at_us: int) -> str:
    """Date and time to the second.

    >>> second(0)
    '1970-01-01 08:00:00'
    """
    return from_us(at_us).strftime("%Y-%m-%d %H:%M:%S")


def stretch(first_us: int, last_us: int) -> str:
    """From one second to another; the day once where both are on one.

    >>> stretch(0, 60_000_000)
    '1970-01-01 08:00:00–08:01:00'
    """
    first, last = second(first_us), second(last_us)
    return f"{first}–{last[11:] if first[:10] == last[:10] else last}"


def size(size_bytes: int) -> str:
    """The size of a file.

    >>> size(950), size(5_300_000_000)
    ('950 B', '5.3 GB')
    """
    value, units = float(size_bytes), ["B", "kB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:  # noqa: PLR2004 - as SI has it
        value, units = value / 1000, units[1:]
    return f"{size_bytes} B" if units[0] == "B" else f"{value:.1f} {units[0]}"
