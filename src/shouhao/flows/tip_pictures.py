"""Tip pictures: what a stranger sends becomes pixels and a fresh JPEG, or is refused.

Nothing of the file survives but what one sees: no place, no time, no camera, no name, no second file behind the first.
One is read at a time, since a picture takes far more memory than its file.
"""

import threading

import cv2
import numpy as np

from shouhao.faces.images import PictureLimits, read_picture
from shouhao.kernel.errors import Unavailable

_PIXELS_MAX = 24_000_000
_KEPT_PIXELS = 4_000_000  #: a long screenshot of a chat can still be read
_KEPT_SIDE_MAX_PX = 4096  #: what is marked and shown later is no longer
_QUALITY = 85
_WAIT_S = 20.0
_ONE = threading.Lock()


def written_anew(data: bytes, *, bytes_max: int) -> bytes:
    """A picture as a JPEG of its pixels alone, made smaller where it is large.

    Raises:
        PictureRefused: it is no JPEG, PNG, WebP or BMP, is damaged, or claims to be too large.
        Unavailable: too many are being read.
    """
    limits = PictureLimits(bytes_max=bytes_max, pixels_max=_PIXELS_MAX, side_max_px=20_000)
    if not _ONE.acquire(timeout=_WAIT_S):
        raise Unavailable("tip_pictures")
    try:
        pixels = read_picture(data, limits=limits)
        height, width = pixels.shape[:2]
        scale = min(1.0, (_KEPT_PIXELS / (height * width)) ** 0.5, _KEPT_SIDE_MAX_PX / max(height, width))
        if scale < 1.0:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            pixels = np.ascontiguousarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
        done, written = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    finally:
        _ONE.release()
    if not done:
        raise Unavailable("tip_pictures")
    return written.tobytes()
