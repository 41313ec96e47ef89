"""Digest: the RFCs' own examples, and everything that somebody who listens on the line could try."""

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouhao.protocols.gat1400_digest import Algorithm, Credentials, DigestGate, read_credentials, response_of

PASSWORD = "correct horse"
PATH = "/VIID/System/Register"
NOW_US = 1_700_000_000_000_000
SECOND_US = 1_000_000


def asked(gate: DigestGate, *, password: str = PASSWORD, now_us: int = NOW_US, **changed: str) -> Credentials:
    """What a device answers to a fresh challenge."""
    offered = read_credentials(gate.challenge(now_us=now_us) + f', uri="{PATH}", response="-", username="u"')
    assert offered is not None
    mine = replace(offered, nc="00000001", cnonce="c1", qop="auth")
    return signed(replace(mine, **changed), password=password)


def signed(mine: Credentials, *, password: str = PASSWORD, method: str = "POST") -> Credentials:
    return replace(mine, response=response_of(mine, password=password, method=method))


def check(
    gate: DigestGate, mine: Credentials, *, now_us: int = NOW_US, password: str | None = PASSWORD, path: str = PATH
) -> str:
    return gate.check(mine, password=password, method="POST", path=path, now_us=now_us)


@pytest.fixture
def gate() -> DigestGate:
    return DigestGate(realm="shouhao")


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_answers_of_rfc_7616_are_ours(algorithm: Algorithm, response: str) -> None:
    told = Credentials(
        username="Mufasa",
        realm="http-auth@example.org",
        nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        uri="/dir/index.html",
        response="",
        qop="auth",
        nc="00000001",
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )
    assert response_of(told, password="Circle of Life", method="GET", algorithm=algorithm) == response


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_another_implementation_is_understood(algorithm: Algorithm) -> None:
    gate = DigestGate(realm="shouhao", algorithm=algorithm)
    auth = httpx.DigestAuth("31010600001190000001", PASSWORD)

    def exchanged() -> Iterator[httpx.Request]:
        flow = auth.auth_flow(httpx.Request("POST", f"http://x{PATH}"))
        request = next(flow)
        while True:
            yield request
            headers = {"www-authenticate": gate.challenge(now_us=NOW_US)}
            request = flow.send(httpx.Response(401, headers=headers, request=request))

    requests = exchanged()
    assert "authorization" not in next(requests).headers
    mine = read_credentials(next(requests).headers["authorization"])
    assert mine is not None
    assert check(gate, mine) == "right"


def test_the_right_password_comes_in_once_for_each_count(gate: DigestGate) -> None:
    mine = asked(gate)
    assert check(gate, mine) == "right"
    assert check(gate, mine) == "stale"
    assert check(gate, signed(replace(mine, nc="00000002"))) == "right"
    assert check(gate, signed(replace(mine, nc="00000002"))) == "stale"


def test_requests_that_overtake_each_other_come_in_and_only_once(gate: DigestGate) -> None:
    mine = asked(gate, nc="00000005")
    assert check(gate, mine) == "right"
    for number in (3, 4, 1, 2, 6):
        later = signed(replace(mine, nc=f"{number:08x}"))
        assert check(gate, later) == "right"
        assert check(gate, later) == "stale"


@given(numbers=st.lists(st.integers(0, 200), max_size=60))
def test_no_count_is_ever_taken_twice(numbers: list[int]) -> None:
    gate = DigestGate(realm="shouhao")
    mine = asked(gate)
    taken = [n for n in numbers if check(gate, signed(replace(mine, nc=f"{n:08x}"))) == "right"]
    assert len(taken) == len(set(taken))
    assert 0 not in taken


def test_a_nonce_ends(gate: DigestGate) -> None:
    mine = asked(gate)
    assert check(gate, mine, now_us=NOW_US + 301 * SECOND_US) == "stale"
    assert check(gate, mine, now_us=NOW_US - SECOND_US) == "stale"  # nobody issues one in the future


def test_a_nonce_of_another_process_asks_to_try_again_and_lets_nobody_in(gate: DigestGate) -> None:
    other = DigestGate(realm="shouhao")
    assert check(gate, asked(other)) == "stale"
    assert check(gate, asked(other, password="guessed")) == "wrong"


@pytest.mark.parametrize(
    "changed",
    [
        {"nonce": "AAAA"},
        {"nonce": ""},
        {"realm": "elsewhere"},
        {"qop": "auth-int"},
        {"nc": "1"},
        {"nc": "0000000g"},
        {"cnonce": ""},
        {"uri": "/VIID/System/UnRegister"},
        {"uri": "http://x/VIID/Faces"},
        {"algorithm": "SHA-256"},
        {"algorithm": "MD5-sess"},
    ],
)
def test_what_is_not_as_it_was_offered_lets_nobody_in(gate: DigestGate, changed: dict[str, str]) -> None:
    assert check(gate, asked(gate, **changed)) != "right"


def test_a_whole_url_is_the_same_target(gate: DigestGate) -> None:
    assert check(gate, asked(gate, uri=f"http://10.1.1.1:8082{PATH}")) == "right"


def test_the_wrong_password_and_the_unknown_device_are_wrong_alike(gate: DigestGate) -> None:
    assert check(gate, asked(gate, password="guess")) == "wrong"
    assert check(gate, asked(gate), password=None) == "wrong"
    assert check(gate, asked(gate, password=""), password=None) == "wrong"


def test_a_device_that_knows_no_qop_gets_one_use_of_its_nonce(gate: DigestGate) -> None:
    mine = asked(gate, qop="", nc="", cnonce="")
    assert check(gate, mine) == "right"
    assert check(gate, mine) == "stale"


def test_a_nonce_spelt_otherwise_is_not_counted_anew(gate: DigestGate) -> None:
    mine = asked(gate)
    assert check(gate, mine) == "right"
    for other in (
        mine.nonce + "=",
        mine.nonce + "\n",
        " " + mine.nonce,
        mine.nonce[:-1] + chr(ord(mine.nonce[-1]) + 1),
    ):
        assert check(gate, signed(replace(mine, nonce=other))) != "right"


def test_strangers_leave_nothing_behind(gate: DigestGate) -> None:
    for number in range(2000):
        gate.challenge(now_us=NOW_US)
        check(gate, replace(asked(gate, password="guess"), nc=f"{number:08x}"))
    assert len(gate._counted) == 0


def test_very_many_live_nonces_make_everybody_ask_anew_and_none_replayable(gate: DigestGate) -> None:
    first = asked(gate)
    assert check(gate, first) == "right"
    for _ in range(10_000):
        check(gate, asked(gate))
    assert len(gate._counted) <= 10_000
    assert check(gate, first) == "stale"


def test_the_server_shows_that_it_knows_the_password_too(gate: DigestGate) -> None:
    mine = asked(gate)
    proof = response_of(mine, password=PASSWORD, method="")
    assert f'rspauth="{proof}"' in gate.answer(mine, password=PASSWORD)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic dTpw",
        "Digest",
        'Digest nonce="a", uri="/x"',
        'Digest nonce="a", uri="/x", response="r", uri="/y"',
        'Digest nonce="a" uri="/x" response="r"',
        "Digest " + "a=b," * 2000,
        'Digest nonce="a, uri="/x", response="r"',
    ],
)
def test_a_header_that_is_no_whole_digest_is_none(header: str) -> None:
    assert read_credentials(header) is None


@given(header=st.text(max_size=300))
def test_no_header_makes_reading_raise(header: str) -> None:
    read_credentials("Digest " + header)


def test_quotes_commas_and_spaces_inside_are_read() -> None:
    told = read_credentials(r'digest username="a \"b\", c" , nonce="n",uri="/x?a=b,c",response=r , nc=00000001')
    assert told is not None
    assert (told.username, told.uri, told.response, told.nc) == ('a "b", c', "/x?a=b,c", "r", "00000001")
