"""First come: at the release time every planned slot opens, and the desk takes requests as they arrive.

Simple, and won by whoever is fastest; for sessions that are not contested. Kinds that make speed gain nothing
stand beside this file.
"""

from shouhao.booking.release.policy import Part


def parts(capacity: int) -> dict[Part, int]:
    """Every slot is everybody's.

    >>> parts(8)
    {'public': 8}
    """
    return {"public": capacity}
