"""One face for five accounts, one frame for two, a phone that checks seven people a minute, and a frame sent again."""

import hashlib

from detect.bookings import event
from detect.detector_checks import Example
from detect.people import DAY_US, HOUR_US, MINUTE_US, SECOND_US, Rows, release_us
from shouhao.detect.model import Subject

AT_US = release_us(1) - HOUR_US


def picture(name: str) -> str:
    """A perceptual hash of 64 bits that is nobody else's."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def near(text: str, bits: int) -> str:
    """The same picture, saved anew: so many of its bits differ."""
    number = int(text, 16)
    for n in range(bits):
        number ^= 1 << (n * 17)
    return f"{number:016x}"


def check(at_us: int, account: str, patient: str, **more: str) -> Rows:
    """One face check; face and frame are nobody else's unless given."""
    own = {"face_hash": picture(f"face {patient} {at_us}"), "frame_hash": picture(f"frame {patient} {at_us}")}
    return Rows(events=[event("face_checked", at_us, {}, account, patient, **{**own, **more})])


def ordinary(count: int = 240) -> Rows:
    """People who are checked once, among them a mother who shows her own face for three children."""
    rows = Rows()
    for n in range(count):
        rows = rows.plus(check(AT_US + n * 7 * SECOND_US, f"checked{n}", f"checked-p{n}"))
    for n in range(3):
        rows = rows.plus(check(AT_US + n * MINUTE_US, "mother", f"child{n}", face_hash=picture("mother")))
    return rows


def batches(*, accounts: int, pair: int, a_minute: int, again: int) -> Rows:
    """The four patterns at sizes of choice."""
    rows = Rows()
    for n in range(accounts):
        shown = near(picture("sold face"), n % 3)
        rows = rows.plus(check(AT_US + n * HOUR_US, f"mask{n}", f"mask-p{n}", face_hash=shown))
    for n in range(pair):
        shown = picture("one file")
        rows = rows.plus(check(AT_US + n * HOUR_US, f"file{n}", f"file-p{n}", frame_hash=shown))
    for n in range(a_minute):
        rows = rows.plus(check(AT_US + n * 6 * SECOND_US, "belt", f"belt-p{n}"))
    for n in range(again):
        shown = picture("recording")
        rows = rows.plus(check(AT_US + n * DAY_US // 4, "looped", "looped-p", frame_hash=shown))
    return rows


def same_frame(accounts: int) -> Rows:
    """One file, sent to the bit in the name of so many."""
    rows = Rows()
    for n in range(accounts):
        rows = rows.plus(check(AT_US + n * DAY_US, f"copy{n}", f"copy-p{n}", frame_hash=picture("copied")))
    return rows


EXAMPLE = Example(
    guilty=ordinary().plus(batches(accounts=5, pair=2, a_minute=7, again=4)).plus(same_frame(3)),
    too_little=ordinary().plus(batches(accounts=2, pair=1, a_minute=3, again=2)),
    finds=frozenset(
        {
            *(Subject(kind="account", id=name) for name in ("mask0", "mask4", "file1", "belt", "looped", "copy2")),
            Subject(kind="device", id="d-belt"),
        }
    ),
    codes=frozenset(
        {
            "face_batches.one_face",
            "face_batches.one_frame",
            "face_batches.same_frame",
            "face_batches.machine_rate",
            "face_batches.replayed",
        }
    ),
    spared=frozenset({Subject(kind="account", id="mother"), Subject(kind="account", id="checked5")}),
)
