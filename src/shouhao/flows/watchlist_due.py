"""Watchlist due: what has to happen to the watchlist at its time. Ends come before beginnings.

A worker of its own does it: looking at the faces of a whole list takes minutes, for which no release may wait.
"""

from shouhao.flows.watch_approved import apply_due
from shouhao.flows.watch_closeness import hold_against_due
from shouhao.flows.watch_desk import WatchDesk
from shouhao.flows.watch_thresholds import derive_due
from shouhao.flows.watchlist import enrol_due
from shouhao.flows.watchlist_ends import expire_due, remind_of_reviews
from shouhao.flows.watchlist_exchange import check_due
from shouhao.flows.watchlist_listing import end_due, list_due
from shouhao.flows.work import Duty


def watchlist_duties(desk: WatchDesk) -> list[Duty]:
    """What ends by itself, what follows an approval, and thresholds that follow their list."""
    return [
        Duty(name="watch_expire", do=lambda now_us: expire_due(desk, now_us=now_us), every_s=5.0),
        Duty(name="watch_approved", do=lambda now_us: apply_due(desk, now_us=now_us), every_s=2.0),
        Duty(name="watch_bundles", do=lambda now_us: check_due(desk, now_us=now_us), every_s=5.0),
        Duty(name="watch_list", do=lambda now_us: list_due(desk, now_us=now_us), every_s=5.0),
        Duty(name="watch_thresholds", do=lambda now_us: derive_due(desk, now_us=now_us), every_s=60.0),
        Duty(name="watch_enrol", do=lambda now_us: enrol_due(desk, now_us=now_us), every_s=5.0),
        Duty(name="watch_close", do=lambda now_us: hold_against_due(desk, now_us=now_us), every_s=15.0),
        Duty(name="watch_reviews", do=lambda now_us: remind_of_reviews(desk, now_us=now_us), every_s=600.0),
        Duty(name="watch_bundles_over", do=lambda now_us: end_due(desk, now_us=now_us), every_s=600.0),
    ]
