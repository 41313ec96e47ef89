"""Phone codes: tried a few times, used once, by the channel that asked, and no answer tells more than no."""

import io
import re
import threading

import pytest
from sqlalchemy import func, select

from shouhao.gate import store
from shouhao.gate.model import (
    PhoneCodeRefused,
    PhoneCodeSettings,
    PhoneCodeTooOften,
    mask_phone,
    wait_before_next_code_us,
)
from shouhao.gate.phone_codes import ConsoleCodeSender, PhoneCodes
from shouhao.gate.tables import phone_codes
from shouhao.kernel.clock import DAY_US, MINUTE_US, SECOND_US
from shouhao.kernel.errors import Unavailable
from shouhao.kernel.randomness import SystemRandomness
from shouhao.store.engine import Database
from shouhao.store.vault import Vault

NOW = 1_760_000_000_000_000
PHONE = "+8613812341234"
OTHER = "+8613912341234"
VAULT = Vault(b"m" * 32)


class KeptCodes:
    """A sender that keeps what it was given."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []
        self.away = False

    def send(self, phone_e164, code, language):
        if self.away:
            raise Unavailable("sms")
        self.sent.append((phone_e164, code, language))


class Desk:
    """Phone codes with a sender whose codes can be read."""

    def __init__(self, db: Database) -> None:
        self.sender = KeptCodes()
        self.codes = PhoneCodes(db, VAULT, self.sender, settings=PhoneCodeSettings(), randomness=SystemRandomness())

    def send(self, phone: str = PHONE, *, channel: str = "app", now_us: int = NOW) -> str:
        self.codes.send(phone, channel=channel, language="zh", now_us=now_us)
        return self.sender.sent[-1][1]

    def use(self, code: str, *, phone: str = PHONE, channel: str = "app", now_us: int = NOW + 1) -> bool:
        try:
            self.codes.use(phone, code, channel=channel, now_us=now_us)
        except PhoneCodeRefused:
            return False
        return True


@pytest.fixture
def desk(db: Database) -> Desk:
    return Desk(db)


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


def test_the_sent_code_is_taken_once(desk):
    code = desk.send()
    assert re.fullmatch(r"[0-9]{6}", code)
    assert desk.sender.sent == [(PHONE, code, "zh")]
    assert desk.use(code)
    assert not desk.use(code)


def test_neither_phone_nor_code_is_stored(desk, db):
    code = desk.send()
    with db.read() as connection:
        row = str(connection.execute(select(phone_codes.c.phone_hash, phone_codes.c.code_hash)).one())
    assert "13812341234" not in row
    assert code not in re.findall("[0-9]+", row)


def test_five_wrong_tries_end_a_code_although_each_was_refused(desk):
    code = desk.send()
    assert [desk.use(wrong(code)) for _ in range(5)] == [False] * 5
    assert not desk.use(code)


def test_four_wrong_tries_leave_one(desk):
    code = desk.send()
    assert [desk.use(wrong(code)) for _ in range(4)] == [False] * 4
    assert desk.use(code)


def test_a_code_ends_after_its_life(desk):
    code = desk.send()
    assert not desk.use(code, now_us=NOW + 5 * MINUTE_US)
    assert desk.use(code, now_us=NOW + 5 * MINUTE_US - 1)


def test_another_phone_or_channel_cannot_use_it_nor_wear_it_out(desk):
    code = desk.send()
    for _ in range(6):
        assert not desk.use(code, channel="web")
        assert not desk.use(code, phone=OTHER)
    assert desk.use(code)


def test_a_newer_code_ends_the_older_one(desk):
    old = desk.send()
    new = desk.send(channel="web", now_us=NOW + MINUTE_US)
    assert not desk.use(old, now_us=NOW + MINUTE_US + 1)
    assert desk.use(new, channel="web", now_us=NOW + MINUTE_US + 1)


def test_every_refusal_reads_the_same(desk):
    code = desk.send()
    said = []
    for phone, given in ((PHONE, wrong(code)), (OTHER, code), (PHONE, "x"), (PHONE, "")):
        with pytest.raises(PhoneCodeRefused) as refusal:
            desk.codes.use(phone, given, channel="app", now_us=NOW + 1)
        said.append((str(refusal.value), refusal.value.field, dict(refusal.value.data)))
    assert len({str(s) for s in said}) == 1


def test_a_phone_gets_one_code_a_minute(desk):
    desk.send()
    with pytest.raises(PhoneCodeTooOften) as refusal:
        desk.send(now_us=NOW + MINUTE_US - 1)
    assert refusal.value.data == {"retry_after_s": 1}
    desk.send(OTHER)
    desk.send(now_us=NOW + MINUTE_US)
    assert len(desk.sender.sent) == 3


def test_a_phone_gets_ten_codes_a_day(desk):
    for n in range(10):
        desk.send(now_us=NOW + n * MINUTE_US)
    with pytest.raises(PhoneCodeTooOften) as refusal:
        desk.send(now_us=NOW + 10 * MINUTE_US)
    assert refusal.value.data == {"retry_after_s": 24 * 3600 - 600}
    desk.send(now_us=NOW + DAY_US)


def test_using_codes_up_does_not_lift_the_limits(desk):
    assert desk.use(desk.send())
    with pytest.raises(PhoneCodeTooOften):
        desk.send(now_us=NOW + 2)


def test_a_code_that_could_not_be_sent_counts(desk):
    desk.sender.away = True
    with pytest.raises(Unavailable):
        desk.send()
    desk.sender.away = False
    with pytest.raises(PhoneCodeTooOften):
        desk.send(now_us=NOW + 1)


def at_once(count: int, act) -> list[object]:
    """What each of `count` threads got that acted at the same moment."""
    gate = threading.Barrier(count)
    got: list[object] = []

    def run() -> None:
        gate.wait()
        try:
            got.append(act())
        except PhoneCodeTooOften as refusal:
            got.append(refusal.code)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


def test_requests_at_the_same_moment_send_one_code(desk, db):
    got = at_once(6, desk.send)
    assert got.count("gate.phone_code_too_often") == 5
    assert len(desk.sender.sent) == 1
    with db.read() as connection:
        assert connection.execute(select(func.count()).select_from(phone_codes)).scalar() == 1


def test_a_code_used_at_the_same_moment_is_used_once(desk):
    code = desk.send()
    assert at_once(5, lambda: desk.use(code)).count(True) == 1


def test_tries_at_the_same_moment_do_not_share_a_count(desk, db):
    code = desk.send()
    at_once(8, lambda: desk.use(wrong(code)))
    with db.read() as connection:
        assert connection.execute(select(phone_codes.c.attempts)).scalar() == 5


def test_old_codes_are_forgotten(desk, db):
    desk.send()
    desk.send(now_us=NOW + DAY_US)
    with db.write() as connection:
        assert store.forget_phone_codes(connection, before_us=NOW + DAY_US) == 1


def test_the_console_shows_the_code_and_not_the_phone():
    stream = io.StringIO()
    ConsoleCodeSender(stream).send(PHONE, "482913", "zh")
    assert stream.getvalue() == "[phone code] 138****1234 -> 482913\n"


@pytest.mark.parametrize(("phone", "shown"), [("+14155550123", "141****0123"), ("+6831234", "6****34")])
def test_a_masked_phone_cannot_be_dialled(phone, shown):
    assert mask_phone(phone) == shown


def test_codes_of_yesterday_do_not_count():
    settings = PhoneCodeSettings(per_day=1, gap_s=1)
    assert wait_before_next_code_us([NOW - DAY_US], settings=settings, now_us=NOW) == 0
    assert wait_before_next_code_us([NOW - DAY_US + SECOND_US], settings=settings, now_us=NOW) == SECOND_US
