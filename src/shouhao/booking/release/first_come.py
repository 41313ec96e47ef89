"""First come: at the release time every planned slot opens, and the desk takes requests as they arrive.

Simple, and won by whoever is fastest; for sessions that are not contested. Kinds that make speed gain nothing
stand beside this file.
"""

from collections.abc import Sequence

from shouhao.booking.model import OpenSession


def to_open(sessions: Sequence[OpenSession]) -> list[str]:
    """Ids of the sessions whose slots all open now: the ones that are still planned."""
    return [session.id for session in sessions if session.state == "planned"]
