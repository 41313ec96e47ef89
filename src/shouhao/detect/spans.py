"""Spans: lengths of time as people say them, in the unit in which they are easy to hold."""

from shouhao.detect.model import Says
from shouhao.kernel.clock import DAY_US, HOUR_US, MINUTE_US, SECOND_US

_MILLI_US = 1_000
#: From which length on a unit is used, its length, and its words.
_UNITS = (
    (2 * DAY_US, DAY_US, "天", "days"),
    (2 * HOUR_US, HOUR_US, "小时", "h"),
    (MINUTE_US, MINUTE_US, "分钟", "min"),
    (SECOND_US, SECOND_US, "秒", "s"),
    (_MILLI_US, _MILLI_US, "毫秒", "ms"),
)


def span(us: int) -> Says:
    """A length of time.

    >>> span(1_400_000).zh, span(90_000_000).en, span(-20_000).en, span(0).zh
    ('1.4 秒', '1.5 min', '−20 ms', '0 秒')
    """
    for least_us, unit_us, zh, en in _UNITS:
        if abs(us) >= least_us:
            told = f"{float(f'{us / unit_us:.3g}'):,g}".replace("-", "−")
            return Says(zh=f"{told} {zh}", en=f"{told} {en}")
    return Says(zh=f"{us} 微秒", en=f"{us} µs") if us else Says(zh="0 秒", en="0 s")
