"""Lines as nginx writes them, field by field, with its escapes."""

from datetime import datetime, timedelta, timezone

SHANGHAI = timezone(timedelta(hours=8))
START_US = 1_795_564_800_000_000  #: 2026-11-25 08:00 at the hospital


def at(seconds=0):
    return START_US + round(seconds * 1_000_000)


def time_local(at_us, zone=SHANGHAI):
    return datetime.fromtimestamp(at_us / 1e6, zone).strftime("%d/%b/%Y:%H:%M:%S %z")


def escaped(value):
    """As nginx's default escaping writes a value."""
    if value in (None, ""):
        return "-"
    return "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\x{b:02X}" for b in value.encode())


def combined(seconds=0, *, ip="1.2.3.4", user=None, request="GET / HTTP/1.1", status=200, size=5, referer=None, ua="x"):
    """One line of nginx's combined format, without its line end."""
    return (
        f'{ip} - {escaped(user)} [{time_local(at(seconds))}] "{escaped(request)}" {status} {size} '
        f'"{escaped(referer)}" "{escaped(ua)}"'
    )
