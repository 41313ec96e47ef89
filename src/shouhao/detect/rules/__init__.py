"""The detectors, one a file; adding one is one file here and one line in `DETECTORS`."""

from shouhao.detect.model import Detector

DETECTORS: tuple[type[Detector], ...] = ()
