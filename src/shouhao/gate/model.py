"""Gate: what a channel, a code sent to a phone and a short sign-in are, and the rules they keep.

Pure: no storing, no clock, no chance. Storing is in store.py, what uses it in channels.py, phone_codes.py, sign_ins.py.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from shouhao.kernel.clock import DAY_US, SECOND_US
from shouhao.kernel.errors import InvalidInput, Refused

#: Channels every hospital may have; partners are `platform:NAME`.
CHANNEL_NAMES: tuple[str, ...] = ("app", "wechat", "web", "phone", "kiosk", "window")

_PLATFORM = re.compile(r"platform:[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
_MAINLAND = "+86"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A way in which patients reach the hospital; its key is known to its servers alone."""

    name: str
    active: bool
    created_at_us: int
    changed_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """Who is signed in, on which channel, until when."""

    account_id: str
    channel: str
    sign_in_id: str  #: pseudonym of the sign-in, fit for events
    device_id: str | None
    expires_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInSettings:
    """How long a sign-in lasts."""

    life_s: int = 1800


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneCodeSettings:
    """How long a code lives, how often it may be tried, and how often a phone may get one."""

    life_s: int = 300
    attempts: int = 5
    gap_s: int = 60  #: from one code to the next
    per_day: int = 10  #: in any 24 hours


class ChannelExists(Refused):
    """There is a channel of this name already, active or not."""

    code = "gate.channel_exists"
    zh = "渠道 {channel} 已存在"
    en = "There is already a channel {channel}"


class ChannelRefused(Refused):
    """The channel is unknown, not active, or the key is not its key; the three are not told apart."""

    code = "gate.channel_refused"
    zh = "渠道或其密钥无效"
    en = "The channel or its key is not valid"


class PhoneCodeTooOften(Refused):
    """This phone was sent a code too recently or too often."""

    code = "gate.phone_code_too_often"
    zh = "验证码发送过于频繁，请在 {retry_after_s} 秒后再试"
    en = "Codes were asked for too often; try again in {retry_after_s} seconds"


class PhoneCodeRefused(Refused):
    """The code is wrong, expired, used, tried too often or another channel's; these are not told apart."""

    code = "gate.phone_code_refused"
    zh = "验证码错误或已失效"
    en = "The code is wrong or no longer valid"


class SignInRefused(Refused):
    """The sign-in is malformed, forged, expired or ended; these are not told apart."""

    code = "gate.sign_in_refused"
    zh = "登录已失效，请重新登录"
    en = "The sign-in is no longer valid; please sign in again"


def check_channel_name(name: str) -> str:
    """The name itself, when it is one that a channel may have.

    >>> check_channel_name("platform:city-health")
    'platform:city-health'

    Raises:
        InvalidInput: it is not.
    """
    if name in CHANNEL_NAMES or _PLATFORM.fullmatch(name):
        return name
    known = ", ".join(CHANNEL_NAMES)
    raise InvalidInput(
        "channel",
        zh=f"只能是 {known} 或 platform：名称（小写字母、数字、- 和 _,最多 32 个）",
        en=f"must be one of {known}, or platform:NAME (a-z, 0-9, - and _, at most 32)",
    )


def key_hash(key: str) -> str:
    """What is stored of a random key; it has 256 bits, so a plain hash cannot be searched."""
    return hashlib.sha256(key.encode()).hexdigest()


def mask_phone(phone_e164: str) -> str:
    """A phone as its owner recognises it and nobody else can dial it.

    >>> mask_phone("+8613812341234")
    '138****1234'
    """
    digits = phone_e164.removeprefix(_MAINLAND).removeprefix("+")
    shown = 4 if len(digits) > 8 else 2  # noqa: PLR2004 - a short number keeps fewer digits in sight
    return f"{digits[: shown - 1]}****{digits[-shown:]}"


def wait_before_next_code_us(sent_at_us: Sequence[int], *, settings: PhoneCodeSettings, now_us: int) -> int:
    """How long a phone must wait for its next code; 0 when it may have one now.

    `sent_at_us` tells when it was sent codes in the last 24 hours at least, oldest first.
    """
    recent = [at_us for at_us in sent_at_us if at_us > now_us - DAY_US]
    waits = [0]
    if recent:
        waits.append(recent[-1] + settings.gap_s * SECOND_US - now_us)
    if len(recent) >= settings.per_day:
        waits.append(recent[-settings.per_day] + DAY_US - now_us)
    return max(waits)
