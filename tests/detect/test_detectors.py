"""Every registered detector passes the shared checks; one without an example fails."""

import pytest

from detect.detector_checks import CHECKS, example_of, spares_honest_people
from shouhao.detect.rules import DETECTORS

_DETECTOR = {kind: kind() for kind in DETECTORS}


def test_codes_are_different():
    codes = [kind.code for kind in DETECTORS]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("kind", DETECTORS, ids=lambda kind: kind.__name__)
def test_every_detector(kind, check):
    check(_DETECTOR[kind], example_of(kind))


@pytest.mark.parametrize("kind", DETECTORS, ids=lambda kind: kind.__name__)
def test_no_detector_accuses_honest_people(kind):
    spares_honest_people(_DETECTOR[kind])
