"""A table of who runs which network: the smallest network counts, and a wrong line is named."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detect.tables import tables
from shouhao.detect.inputs.networks import networks_of, read_networks
from shouhao.kernel.errors import InvalidInput


def table(folder, *lines, headings="network,asn,name"):
    path = folder / "asn.csv"
    path.write_text("\n".join([headings, *lines]) + "\n", encoding="utf-8-sig")
    return path


@given(
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)), min_size=1, max_size=30),
    st.integers(0, 2**32 - 1),
)
def test_the_smallest_network_that_holds_an_address_counts(tmp_path_factory, given_networks, address):
    networks = [ipaddress.ip_network((number, length), strict=False) for number, length in given_networks]
    path = table(tmp_path_factory.mktemp("asn"), *(f"{one},{one.prefixlen},x" for one in networks))
    shown = ipaddress.ip_address(address)
    holding = [one.prefixlen for one in networks if shown in one]
    operator = read_networks(path).operator_of(str(shown))
    assert (operator and operator.asn) == (max(holding) if holding else None)


def test_headings_of_geolite_and_ipv6_are_taken(tmp_path):
    headings = "network,autonomous_system_number,autonomous_system_organization"
    known = read_networks(
        table(tmp_path, '2001:db8::/32,64500,"Cloud, Inc."', "1.0.0.0/24,AS64501,y", headings=headings)
    )
    assert known.operator_of("2001:db8:7::1").name == "Cloud, Inc."
    assert known.operator_of("1.0.0.9").asn == 64501
    assert known.operator_of("not an address") is None


@pytest.mark.parametrize(
    ("lines", "headings", "says"),
    [
        (["1.0.0.0/24,64500,a", "1.0.0.0/33,1,b"], "network,asn,name", "line 3"),
        (["1.0.0.0/24,x,a"], "network,asn,name", "line 2"),
        (["1.0.0.0/24"], "network,asn,name", "line 2"),
        (["1.0.0.0/24,1"], "network,asn", "name"),
    ],
)
def test_a_wrong_table_is_refused_with_its_line(tmp_path, lines, headings, says):
    with pytest.raises(InvalidInput, match=says):
        read_networks(table(tmp_path, *lines, headings=headings))


def test_only_networks_that_were_seen_are_handed_on(tmp_path):
    known = read_networks(table(tmp_path, "198.51.0.0/16,64500,rented", "203.0.113.0/24,64501,other"))
    over = tables(
        hits=[{"ip": "198.51.7.1", "at_us": 1}, {"ip": "198.51.7.2", "at_us": 2}, {"ip": "192.0.2.1", "at_us": 3}]
    )
    assert networks_of(over, known).to_pyarrow().to_pylist() == [
        {"prefix": "198.51.7.0/24", "asn": 64500, "name": "rented"}
    ]
