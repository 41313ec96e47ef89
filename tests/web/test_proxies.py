"""Whose address it is: a header is believed as far as our own proxies wrote it, and no further."""

from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouhao.settings import Settings, SettingsRefused, load_settings
from shouhao.web.proxies import Proxies, behind, caller_address
from web.served import served

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"), ip_network("192.0.2.7"))
PROXIES = Proxies(trusted=TRUSTED)


def seen(peer: str | None, *lines: str, header: str = "x-forwarded-for", proxies: Proxies = PROXIES) -> str | None:
    return caller_address(peer, [(header.encode(), line.encode("latin-1")) for line in lines], proxies)


def test_a_stranger_is_not_believed_about_anything() -> None:
    assert seen("203.0.113.9", "198.51.100.1") == "203.0.113.9"
    assert seen("203.0.113.9", "10.0.0.1") == "203.0.113.9"
    assert seen(None, "198.51.100.1") is None
    assert seen("unix", "198.51.100.1") == "unix"


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        (["198.51.100.1"], "198.51.100.1"),
        (["6.6.6.6, 198.51.100.1"], "198.51.100.1"),
        (["6.6.6.6", "198.51.100.1"], "198.51.100.1"),
        (["6.6.6.6, 198.51.100.1, 10.0.0.2, 192.0.2.7"], "198.51.100.1"),
        (["10.9.9.9, 198.51.100.1"], "198.51.100.1"),
        (["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        (["198.51.100.1:4711"], "198.51.100.1"),
        (["2001:db8::1"], "2001:db8::1"),
        (["[2001:DB8::1]:4711"], "2001:db8::1"),
        (["::ffff:198.51.100.1"], "198.51.100.1"),
        (["198.51.100.1, fd00::2"], "198.51.100.1"),
    ],
)
def test_the_rightmost_address_that_is_not_ours_is_the_callers(lines: list[str], address: str) -> None:
    assert seen("10.0.0.1", *lines) == address
    assert seen("::ffff:10.0.0.1", *lines) == address


@pytest.mark.parametrize(
    "line",
    [
        "",
        " ",
        ",",
        "unknown",
        "_hidden",
        "198.51.100.256",
        "1.2.3.4.5",
        "198.51.100.1; drop",
        "[::1",
        "\xff\xfe",
        "x" * 9999,
    ],
)
def test_what_is_no_address_leaves_the_proxys_own(line: str) -> None:
    assert seen("10.0.0.1", line) == "10.0.0.1"
    assert seen("10.0.0.1", f"198.51.100.1, {line}, 10.0.0.2") == "10.0.0.2"
    assert seen("10.0.0.1") == "10.0.0.1"


def test_a_long_chain_of_our_own_is_not_followed_for_ever() -> None:
    assert seen("10.0.0.1", "6.6.6.6," + "10.0.0.2," * 5000 + "10.0.0.3") == "10.0.0.2"


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("for=198.51.100.1", "198.51.100.1"),
        ('For="[2001:db8::1]:4711";proto=https', "2001:db8::1"),
        ("proto=https;for=198.51.100.1;by=10.0.0.1", "198.51.100.1"),
        ("for=6.6.6.6, for=198.51.100.1", "198.51.100.1"),
        ("for=6.6.6.6;for=198.51.100.1", "10.0.0.1"),
        ("for=_gazonk", "10.0.0.1"),
        ("by=6.6.6.6", "10.0.0.1"),
        ('for="6.6.6.6, for=198.51.100.1', "198.51.100.1"),
    ],
)
def test_forwarded_is_read_the_same_way(line: str, address: str) -> None:
    assert seen("10.0.0.1", line, header="forwarded", proxies=Proxies(trusted=TRUSTED, header="forwarded")) == address


def test_the_header_that_our_proxy_does_not_write_is_not_read() -> None:
    headers = [(b"forwarded", b"for=6.6.6.6"), (b"x-forwarded-for", b"198.51.100.1")]
    assert caller_address("10.0.0.1", headers, PROXIES) == "198.51.100.1"
    assert caller_address("10.0.0.1", headers[:1], PROXIES) == "10.0.0.1"
    other = Proxies(trusted=TRUSTED, header="forwarded")
    assert caller_address("10.0.0.1", headers[1:], other) == "10.0.0.1"


@given(st.lists(st.binary(max_size=60), max_size=4))
def test_whatever_the_caller_writes_left_of_the_truth_changes_nothing(made_up: list[bytes]) -> None:
    headers = [(b"x-forwarded-for", line) for line in made_up]
    assert caller_address("10.0.0.1", [*headers, (b"x-forwarded-for", b"198.51.100.1")], PROXIES) == "198.51.100.1"


def test_without_proxies_the_app_is_the_app() -> None:
    async def app(*_: object) -> None:
        raise AssertionError

    assert behind(app, Proxies(trusted=())) is app


def test_networks_are_set_as_text_or_as_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().trusted_proxies == ()
    monkeypatch.setenv("SHOUHAO_TRUSTED_PROXIES", "10.0.0.0/8, fd00::/8,192.0.2.7")
    assert load_settings().trusted_proxies == TRUSTED
    monkeypatch.setenv("SHOUHAO_TRUSTED_PROXIES", "10.0.0.1/8")
    with pytest.raises(SettingsRefused):
        load_settings()
    monkeypatch.delenv("SHOUHAO_TRUSTED_PROXIES")
    file = tmp_path / "shouhao.toml"
    file.write_text('trusted_proxies = ["10.0.0.0/8", "fd00::/8", "192.0.2.7"]\n', encoding="utf-8")
    assert load_settings(file).trusted_proxies == TRUSTED


@pytest.mark.parametrize(("trusted", "ip"), [("127.0.0.0/8", "198.51.100.1"), ("", "127.0.0.1")])
def test_every_route_records_the_same_address(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: str, ip: str
) -> None:
    monkeypatch.setenv("SHOUHAO_TRUSTED_PROXIES", trusted)
    monkeypatch.setenv("SHOUHAO_CONSOLE_ZONES", "127.0.0.0/8,198.51.100.0/24")
    with served(sqlite_url, tmp_path) as hospital:
        member = hospital.member()
        member.headers["X-Forwarded-For"] = "6.6.6.6, 198.51.100.1"
        patient_id = hospital.patient_of(member)
        booking = hospital.booking_of(member, patient_id)
        assert member.post(f"/bookings/{booking['id']}/return").status_code == 200
        window = hospital.staff("window")
        window.headers["X-Forwarded-For"] = "198.51.100.1"
        asked = {"patient_id": patient_id, "session_id": hospital.session_today}
        window.post("/bookings", json=asked)
        told = [e["ip"] for kind in ("booked", "cancelled", "refused") for e in hospital.events(kind)]
        assert told == [ip] * 3
