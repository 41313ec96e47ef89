"""The detectors, one a file; adding one is one file here and one line in `DETECTORS`."""

from shouhao.detect.model import Detector
from shouhao.detect.rules.attendance import Attendance
from shouhao.detect.rules.bursts import Bursts
from shouhao.detect.rules.customers import Customers
from shouhao.detect.rules.face_batches import FaceBatches
from shouhao.detect.rules.farms import Farms
from shouhao.detect.rules.fleets import Fleets
from shouhao.detect.rules.hammering import Hammering
from shouhao.detect.rules.hand_over import HandOver
from shouhao.detect.rules.hot_slots import HotSlots
from shouhao.detect.rules.insiders import Insiders
from shouhao.detect.rules.metronomes import Metronomes
from shouhao.detect.rules.regulars import Regulars
from shouhao.detect.rules.rotation import Rotation
from shouhao.detect.rules.sign_up_phones import SignUpPhones
from shouhao.detect.rules.snipers import Snipers
from shouhao.detect.rules.swapped_patients import SwappedPatients

DETECTORS: tuple[type[Detector], ...] = (
    Bursts,
    Hammering,
    Rotation,
    Metronomes,
    Snipers,
    HotSlots,
    Farms,
    Fleets,
    HandOver,
    SwappedPatients,
    FaceBatches,
    Insiders,
    Attendance,
    Customers,
    SignUpPhones,
    Regulars,
)
