"""People who do not exist: embeddings with known true rates, whose impostors depend on each other as real ones do."""

import numpy as np

from shouhao.faces.rates import compare_all

DIMS = 24
ALIKE = np.random.default_rng(99).normal(size=(4, DIMS)) * 0.8


def made(people, chance, *, kind="groups", least=1, most=4):
    """Embeddings (n, DIMS) and numbers of people; `kind` says why some strangers resemble each other.

    plain: for no reason; groups: they come from the same of four groups; wolves: some resemble everybody.
    """
    each = chance.integers(least, most + 1, people)
    subjects = np.repeat(np.arange(people), each)
    faces = chance.normal(size=(people, DIMS))
    if kind == "groups":
        faces += ALIKE[chance.integers(0, len(ALIKE), people)]
    elif kind == "wolves":
        faces[:, 0] += 1.5 + 1.5 * chance.normal(size=people)
    unsteady = 0.9 * (0.6 + 0.8 * chance.random(people))
    vectors = faces[subjects] + chance.normal(size=(len(subjects), DIMS)) * unsteady[subjects, None]
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), subjects.astype(np.int64)


def made_compared(people, seed, **given):
    return compare_all(*made(people, np.random.default_rng(seed), **given))
