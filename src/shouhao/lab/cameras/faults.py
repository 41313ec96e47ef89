"""Faults: what real cameras do wrong, each with the share of posts (or devices) that it befalls."""

from collections.abc import Iterable, Mapping
from random import Random
from types import MappingProxyType

from shouhao.kernel.errors import InvalidInput

#: What each is. Those of devices befall a share of the devices, the others a share of the posts.
FAULTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "drop": ("抓拍未发出", "the capture is never sent"),
        "late": ("延后补传，抓拍时间仍为当时", "sent later, with the time of then"),
        "duplicate": ("同一人脸编号重复推送", "the same FaceID is sent again"),
        "wrong_mime": ("Content-Type 与 FileFormat 均不符", "Content-Type and FileFormat say something else"),
        "swapped": ("场景图与人脸图类型互换", "scene and crop are called each other"),
        "no_scene": ("没有场景图", "there is no scene"),
        "broken_base64": ("图片编码损坏", "the picture's base64 is broken"),
        "wrapped_base64": ("图片编码按行折断", "the picture's base64 is broken into lines"),
        "address_only": ("只有图片地址", "only an address of the picture"),
        "single_object": ("列表写成单个对象", "a single object where the list should be"),
        "gbk": ("GBK 编码", "letters in GBK"),
        "stall": ("传输中停顿 20 秒", "a stall of 20 s in the middle"),
        "oversize": ("20 MB 图片", "a picture of 20 MB"),
        "crowd": ("一次推送 200 张人脸", "200 faces in one post"),
        "replay": ("重放注册请求", "a Register that was listened to is sent again"),
        "skew": ("设备时钟不准（按设备）", "the device's clock is wrong (devices)"),
    }
)
OF_DEVICES = frozenset({"skew"})


def read_faults(given: Iterable[str]) -> dict[str, float]:
    """`NAME=SHARE` texts as shares.

    >>> read_faults(["drop=0.01", "stall=1"])
    {'drop': 0.01, 'stall': 1.0}

    Raises:
        InvalidInput: a name that is none, or a share that is not from 0 to 1.
    """
    shares: dict[str, float] = {}
    for one in given:
        name, _, share = one.partition("=")
        try:
            value = float(share)
        except ValueError:
            value = -1.0
        if name not in FAULTS or not 0 <= value <= 1:
            known = ", ".join(FAULTS)
            raise InvalidInput("fault", zh=f"须为 名称=比例，名称为 {known}", en=f"NAME=SHARE, NAME one of {known}")
        shares[name] = value
    return shares


def chosen(shares: Mapping[str, float], rng: Random) -> frozenset[str]:
    """What befalls one post."""
    return frozenset(
        name for name, share in shares.items() if name not in OF_DEVICES and share and rng.random() < share
    )
