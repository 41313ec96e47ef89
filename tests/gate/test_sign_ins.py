"""Sign-ins: a token is believed only as this house made it, and only until it ends."""

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouhao.gate import store
from shouhao.gate.model import SignIn, SignInRefused, SignInSettings
from shouhao.gate.sign_ins import SignInKey, end_sign_in, is_ended, new_sign_in
from shouhao.kernel.clock import MINUTE_US
from shouhao.store import event_log

NOW = 1_760_000_000_000_000
SIGN_IN = SignIn(account_id="ac_1", channel="app", sign_in_id="si_1", device_id="d-1", expires_at_us=NOW + 100)
KEY = SignInKey(b"k" * 32)
TOKEN = KEY.issue(SIGN_IN)


def fresh() -> SignInKey:
    """The same key in a process that has read nothing yet."""
    return SignInKey(b"k" * 32)


@given(
    account_id=st.text(max_size=40),
    channel=st.text(max_size=40),
    device_id=st.none() | st.text(max_size=60),
    expires_at_us=st.integers(NOW + 1, 2**63 - 1),
)
def test_what_was_issued_is_read(account_id, channel, device_id, expires_at_us):
    sign_in = replace(SIGN_IN, account_id=account_id, channel=channel, device_id=device_id, expires_at_us=expires_at_us)
    token = KEY.issue(sign_in)
    assert token.isascii()
    for key in (fresh(), KEY, KEY):
        assert key.read(token, NOW) == sign_in


def test_every_changed_character_is_noticed():
    for place, character in enumerate(TOKEN):
        changed = TOKEN[:place] + ("A" if character != "A" else "B") + TOKEN[place + 1 :]
        with pytest.raises(SignInRefused):
            KEY.read(changed, NOW)


@given(st.text() | st.just("1." + "A" * 43) | st.integers(0, len(TOKEN) - 1).map(lambda n: TOKEN[:n]))
def test_what_is_not_a_token_is_refused(token):
    with pytest.raises(SignInRefused):
        KEY.read(token, NOW)


@pytest.mark.parametrize("token", [TOKEN + "=", TOKEN + "\n", " " + TOKEN, TOKEN + "A", "2" + TOKEN[1:], "A" * 5000])
def test_a_token_has_one_spelling(token):
    with pytest.raises(SignInRefused):
        fresh().read(token, NOW)


def test_another_house_cannot_make_one():
    with pytest.raises(SignInRefused):
        KEY.read(SignInKey(b"x" * 32).issue(SIGN_IN), NOW)


def test_an_outlived_token_is_refused_remembered_or_not():
    key = fresh()
    assert key.read(TOKEN, NOW + 99) == SIGN_IN
    for reader in (key, fresh()):
        with pytest.raises(SignInRefused):
            reader.read(TOKEN, NOW + 100)


def test_a_signed_text_of_another_form_is_refused():
    signed = b"1." + base64.urlsafe_b64encode(b"not msgpack").rstrip(b"=")
    with pytest.raises(SignInRefused):
        KEY.read((signed + KEY._mac(signed)).decode(), NOW)


def test_memory_is_bounded_and_forgets_no_meaning():
    key = SignInKey(b"k" * 32, remembered=4)
    tokens = [key.issue(replace(SIGN_IN, sign_in_id=f"si_{n}")) for n in range(50)]
    for _ in range(2):
        assert [key.read(token, NOW).sign_in_id for token in tokens] == [f"si_{n}" for n in range(50)]
    assert len(key._young) + len(key._old) <= 8


def test_forged_tokens_leave_no_trace_in_memory():
    key = fresh()
    with pytest.raises(SignInRefused):
        key.read(TOKEN[:-1], NOW)
    assert not key._young


def test_a_short_key_is_no_key():
    with pytest.raises(ValueError, match="31 bytes"):
        SignInKey(b"k" * 31)


def test_a_sign_in_too_long_for_a_token_is_not_issued():
    with pytest.raises(ValueError, match="does not fit"):
        KEY.issue(replace(SIGN_IN, device_id="x" * 1000))


def test_a_sign_in_lasts_half_an_hour():
    sign_in = new_sign_in("ac_1", channel="app", device_id=None, settings=SignInSettings(), now_us=NOW)
    assert sign_in.expires_at_us == NOW + 30 * MINUTE_US
    assert sign_in.sign_in_id.startswith("si_")


def test_an_ended_sign_in_is_known_as_ended_once(db):
    for _ in range(2):
        with db.write() as connection:
            end_sign_in(connection, SIGN_IN, reason="signed_out", now_us=NOW)
    with db.read() as connection:
        assert is_ended(connection, "si_1")
        assert not is_ended(connection, "si_2")
        assert store.ended_among(connection, ["si_0", "si_1", "si_2"]) == {"si_1"}
        assert store.ended_among(connection, []) == set()
        rows = [row for chunk in event_log.read(connection) for row in chunk]
    assert [(r["kind"], r["session_token"], r["account_id"]) for r in rows] == [("logged_out", "si_1", "ac_1")]
    assert TOKEN not in str(rows)


def test_ended_sign_ins_are_forgotten_once_they_would_have_expired(db):
    with db.write() as connection:
        end_sign_in(connection, SIGN_IN, reason="signed_out", now_us=NOW)
        assert store.forget_ended_sign_ins(connection, now_us=SIGN_IN.expires_at_us - 1) == 0
        assert store.forget_ended_sign_ins(connection, now_us=SIGN_IN.expires_at_us) == 1
