"""Faces: what a face check leaves in an export when it leaves anything: hashes of the face, the frame and the backdrop.

Two pictures of one person give nearly the same face hash and quite another frame; a second try within seconds gives
nearly the same frame, too. A kiosk has one camera and one backdrop for everybody; twins are close.
"""

import random

from shouhao.kernel.clock import SECOND_US
from shouhao.lab.scalping.chance import around, blurred, hexadecimal, picture
from shouhao.lab.scalping.world import World

_SAME_FACE, _SAME_FRAME = 14, 30  # bits
_TRIES_AGAIN = 0.18


def show_face(
    world: World, rng: random.Random, client: int, at_us: int, patient: int, *, backdrop: int | None = None
) -> None:
    """A face check before a hot slot; now and then it takes a second try.

    Args:
        backdrop: of a camera that stands still; None: wherever they hold the phone.
    """
    frame, behind = picture(rng), picture(rng) if backdrop is None else backdrop
    face = world.face_of(patient)
    while True:
        checked(world, client, at_us, patient, face=blurred(rng, face, _SAME_FACE), frame=frame, backdrop=behind)
        if rng.random() > _TRIES_AGAIN:
            return
        at_us += round(around(rng, 7, 0.5) * SECOND_US)
        frame = blurred(rng, frame, _SAME_FRAME) if rng.random() < 0.5 else picture(rng)  # noqa: PLR2004 - half hold still


def checked(world: World, client: int, at_us: int, patient: int, *, face: int, frame: int, backdrop: int) -> None:
    """Tell of one face check."""
    record = world.record
    record.event(
        at_us,
        "face_checked",
        client,
        patient=patient,
        face=record.pictures.add(hexadecimal(face)),
        frame=record.pictures.add(hexadecimal(frame)),
        detail=record.details.add(f'{{"backdrop_hash":"{hexadecimal(backdrop)}"}}'),
    )
