"""Online: which devices have registered, from where, and whether they are still there.

It lives in this process alone: after a restart every device is told to register anew, which takes each a second. After
Register a GA/T 1400 device says only its name, so what it proved holds for the address that it proved it from and for
no other; a name that comes from elsewhere is a stranger's.
"""

from collections import OrderedDict
from dataclasses import dataclass

from shouhao.kernel.clock import MINUTE_US, SECOND_US
from shouhao.watch.cameras import KEEPALIVE_S, MISSES

_ALIVE_US = MISSES * KEEPALIVE_S * SECOND_US
_WRONG_MOST = 20  #: answers of one address in a minute; then it is not listened to for the rest of it
_ADDRESSES_KEPT = 10_000


@dataclass(slots=True)
class Device:
    """One device that registered."""

    device_id: str
    camera_id: str
    address: str
    proven: bool  #: it showed its password
    heard_at_us: int


class Online:
    """The devices that are there. Used by one event loop."""

    def __init__(self) -> None:
        self._devices: dict[str, Device] = {}

    def __len__(self) -> int:
        return len(self._devices)

    def register(self, device: Device) -> None:
        """Keep a device that may come in, from where it came last."""
        self._devices[device.device_id] = device

    def find(self, device_id: str, *, address: str, now_us: int) -> Device | None:
        """The device, if it registered from this address and was heard within three keep-alives; it is heard now."""
        device = self._devices.get(device_id)
        if device is None or device.address != address:
            return None
        if now_us - device.heard_at_us > _ALIVE_US:
            del self._devices[device_id]
            return None
        device.heard_at_us = max(device.heard_at_us, now_us)
        return device

    def forget(self, device_id: str) -> None:
        """A device said good-bye, or is no camera of ours any more."""
        self._devices.pop(device_id, None)

    def forget_silent(self, *, now_us: int) -> int:
        """Drop those that are not there any more; how many are."""
        for device_id in [one.device_id for one in self._devices.values() if now_us - one.heard_at_us > _ALIVE_US]:
            del self._devices[device_id]
        return len(self._devices)


class Attempts:
    """How often an address answered wrongly: passwords of cameras are short, and guessing is cheap."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def may_try(self, address: str, *, now_us: int) -> bool:
        """Whether an answer of this address is looked at."""
        minute, count = self._wrong.get(address, (0, 0))
        return minute != now_us // MINUTE_US or count < _WRONG_MOST

    def was_wrong(self, address: str, *, now_us: int) -> None:
        """Count a wrong answer."""
        minute, count = self._wrong.pop(address, (0, 0))
        current = now_us // MINUTE_US
        self._wrong[address] = (current, count + 1 if minute == current else 1)
        while len(self._wrong) > _ADDRESSES_KEPT:
            self._wrong.popitem(last=False)
