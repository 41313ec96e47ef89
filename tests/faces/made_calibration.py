"""A calibration of people who do not exist, as it is reported; one folder has a name that tries to be markup."""

import hashlib
from types import SimpleNamespace

import numpy as np

from faces.made_people import made
from shouhao.faces.budget import Budget
from shouhao.faces.calibrate import calibrate
from shouhao.faces.calibration_report import DataSet, Unusable, report_of
from shouhao.faces.model import NoFace, PictureRefused

SEED = 20261125
HOSTILE = '<img src="http://evil.invalid/x.png" onerror=alert(1)>'


def a_report(people=300, *, names=True, for_trying_out=False, alarms=1.0, twice=False):
    embeddings, subjects = made(people, np.random.default_rng(SEED), least=2)
    if twice:
        again = np.flatnonzero(subjects == 2)
        embeddings = np.concatenate([embeddings, embeddings[again]])
        subjects = np.concatenate([subjects, np.full(len(again), people)])
    found = calibrate(
        embeddings,
        subjects,
        budget=Budget(false_alarms_a_day=alarms, passages_a_day=1000, list_size=50),
        seed=1,
    )
    folders = tuple(HOSTILE if n == 2 else f"person {n}" for n in range(int(subjects.max()) + 1))
    data = DataSet(
        people=folders,
        photographs=tuple(f"{folders[n]}/{row}.jpg" for row, n in enumerate(subjects.tolist())),
        subjects=tuple(subjects.tolist()),
        sha256=tuple(hashlib.sha256(bytes(row)).hexdigest() for row in embeddings),
        unusable=(
            Unusable(
                name=f"{HOSTILE}/empty.jpg", refusal=PictureRefused(reason="empty", why_zh="文件为空", why_en="empty")
            ),
            Unusable(name="person 4/wall.jpg", refusal=NoFace()),
        ),
        several_faces=3,
    )
    pack = SimpleNamespace(
        name="own", id="own@0123456789ab", zh="自有模型", en="our own", licence="ours", for_trying_out=for_trying_out
    )
    return report_of(found, pack=pack, data=data, made_at="2026-11-25T08:00:00+08:00", names=names), data
