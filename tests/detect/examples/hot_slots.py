"""Sessions that vanish in seconds and others that do not; nobody is to be accused of wanting them."""

from detect.detector_checks import Example
from detect.people import Rows, honest_week

EXAMPLE = Example(
    guilty=Rows(),
    too_little=Rows(events=honest_week(people=300).events[:2_000]),
    finds=frozenset(),
    codes=frozenset(),
    accuses=False,
)
