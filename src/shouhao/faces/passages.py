"""Passages: the captures of one person passing one camera, of which the best are fused into one thing to ask about.

A camera sends one to many pictures of a passage, in any order. Which captures belong together is decided by whoever
tracks; here nothing is random and nothing is remembered, so that the same captures always give the same probe.
"""

from collections.abc import Sequence

import numpy as np

from shouhao.faces.model import Embedding, Face, PackMixed, Probe, Purpose

#: More frames of one passage add nothing that the best of them have not said: they err alike.
FRAMES_AT_MOST = 8
#: A frame with less than this share of the best one's score is left out.
_WORTH_A_PLACE = 0.5
#: Power of the score that a frame weighs with.
_WEIGHT_POWER = 2


def best_shots(faces: Sequence[Face], *, at_most: int = FRAMES_AT_MOST) -> list[Face]:
    """The faces of one passage that are worth comparing, the best first; equal ones stay in their order."""
    ranked = sorted(faces, key=lambda face: -face.quality.score)
    if not ranked:
        return []
    least = ranked[0].quality.score * _WORTH_A_PLACE
    return [face for face in ranked[:at_most] if face.quality.score >= least]


def fuse(faces: Sequence[Face]) -> Embedding:
    """The mean of the faces' vectors, weighted by quality, of length 1.

    Args:
        faces: of one person, one at least, all of one pack.

    Raises:
        PackMixed: they are of several packs.
    """
    first = faces[0].pack
    for face in faces:
        if face.pack != first:
            raise PackMixed(asked=face.pack, gallery=first)
    weights = np.array([face.quality.score for face in faces], np.float64) ** _WEIGHT_POWER
    if not weights.any():
        weights[:] = 1
    mean = (np.stack([face.embedding for face in faces]) * weights[:, None]).sum(0)
    length = float(np.linalg.norm(mean))
    if length == 0:
        return faces[0].embedding
    return np.asarray(mean / length, np.float32)


def probe_of(faces: Sequence[Face], purpose: Purpose) -> Probe:
    """What one passage, or one photograph, asks about: its best shots, fused.

    Args:
        faces: of one person, one at least.
    """
    chosen = best_shots(faces)
    return Probe(
        purpose=purpose,
        embedding=fuse(chosen),
        pack=chosen[0].pack,
        quality=chosen[0].quality.score,
        frames=len(chosen),
    )
