"""Scripts that wait for the release: one is there in milliseconds, one keeps its delay, one never looks at a page."""

from detect.detector_checks import Example
from detect.people import DAY_US, SECOND_US, Rows, release_us, session_of
from shouhao.detect.model import Subject

DAYS = (0, 1, 2, 3, 4)


def snipes(days: tuple[int, ...]) -> Rows:
    """Five that are fast, one that is as slow as people and always equally slow, one that books by day, unseen."""
    events = []
    for day in days:
        asks = [(f"fast{n}", 25_000 + (n * 7_321 + day * 9_973) % 40_000) for n in range(5)]
        asks.append(("even", 1_400_000 + (day * 7_919) % 20_000))
        for account, reaction_us in asks:
            events.append(
                {
                    "at_us": release_us(day) + reaction_us,
                    "released_at_us": release_us(day),
                    "kind": "booked",
                    "account_id": account,
                    "session_id": session_of("dr00", day),
                    "slot_id": f"{account}-{day}",
                }
            )
            look = {"kind": "viewed", "account_id": account, "doctor_id": "dr00"}
            events.append({"at_us": release_us(day) - 60 * SECOND_US, **look})
        for n in range(2):
            at_us = release_us(day) + DAY_US // 4 + n * 3_600 * SECOND_US
            events.append({"at_us": at_us, "kind": "booked", "account_id": "unseen", "slot_id": f"unseen-{day}-{n}"})
    return Rows(events=events)


EXAMPLE = Example(
    guilty=snipes(DAYS),
    too_little=snipes((0,)),
    finds=frozenset(Subject(kind="account", id=name) for name in ("fast0", "fast4", "even", "unseen")),
    codes=frozenset({"snipers.reaction", "snipers.same_moment", "snipers.no_browsing"}),
)
