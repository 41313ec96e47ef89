"""Networks: who runs which network, from a table that the hospital keeps, for the prefixes that were seen.

A table is CSV with the headings `network`, `asn` and `name`, or those of the GeoLite2 ASN files. Networks of all sizes
may stand in it, one inside another; of several that hold an address the smallest counts.
"""

import csv
import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import ibis
import pyarrow as pa

from shouhao.detect.identifiers import prefix_of
from shouhao.detect.model import Tables
from shouhao.kernel.errors import InvalidInput

_HEADINGS = {
    "network": ("network", "cidr", "prefix"),
    "asn": ("asn", "autonomous_system_number"),
    "name": ("name", "autonomous_system_organization"),
}
_SCHEMA = pa.schema([("prefix", pa.string()), ("asn", pa.int64()), ("name", pa.string())])

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Operator:
    """Who runs a network."""

    asn: int
    name: str


@dataclass(frozen=True, slots=True)
class Networks:
    """A table that was read."""

    _by_length: Mapping[tuple[int, int], Mapping[int, Operator]]  #: IP version and length of the prefix; its bits

    def operator_of(self, address: str) -> Operator | None:
        """Who runs the smallest network that holds this address; None for none, and for what is no address.

        >>> read = Networks({(4, 8): {10: Operator(64500, "one")}, (4, 16): {10 << 8 | 1: Operator(64501, "other")}})
        >>> read.operator_of("10.1.2.3").asn, read.operator_of("10.2.2.3").asn, read.operator_of("11.0.0.1")
        (64501, 64500, None)
        """
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return None
        for length in range(found.max_prefixlen, -1, -1):
            of_length = self._by_length.get((found.version, length))
            if of_length is not None and (operator := of_length.get(_bits(found, length))) is not None:
                return operator
        return None


def read_networks(path: Path) -> Networks:
    """Read a table.

    Raises:
        InvalidInput: it cannot be read, lacks a heading, or a line of it is wrong; names the line.
    """
    by_length: dict[tuple[int, int], dict[int, Operator]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, row in _rows(csv.reader(file)):
                try:
                    network = ipaddress.ip_network(row["network"].strip(), strict=False)
                    operator = Operator(int(row["asn"].strip().upper().removeprefix("AS")), row["name"].strip())
                except ValueError:
                    raise _wrong(f"第 {number} 行无效", f"line {number} is wrong") from None
                of_length = by_length.setdefault((network.version, network.prefixlen), {})
                of_length[_bits(network.network_address, network.prefixlen)] = operator
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _wrong(f"{path.name} 无法读取", f"{path.name} cannot be read") from error
    return Networks(by_length)


def networks_of(tables: Tables, known: Networks) -> ibis.Table | None:
    """Those of the table that were seen: prefix, asn, name, as `Tables.networks` takes them; None without addresses."""
    if "hits.ip" not in tables.has:
        return None
    hits = tables.hits.filter(tables.hits.ip.notnull())
    seen = hits.group_by(prefix=prefix_of(hits.ip)).agg(ip=hits.ip.min())
    found = []
    for row in seen.filter(seen.prefix != "").to_pyarrow().to_pylist():
        operator = known.operator_of(row["ip"])
        if operator is not None:
            found.append({"prefix": row["prefix"], "asn": operator.asn, "name": operator.name})
    found.sort(key=lambda row: str(row["prefix"]))
    return ibis.memtable(pa.Table.from_pylist(found, _SCHEMA))


def _rows(lines: Iterator[list[str]]) -> Iterator[tuple[int, dict[str, str]]]:
    """Number and the three columns of each line after the headings."""
    headings = [one.strip().lower() for one in next(lines, [])]
    places = {}
    for column, names in _HEADINGS.items():
        place = next((headings.index(name) for name in names if name in headings), None)
        if place is None:
            raise _wrong(f"缺少列 {column}", f"lacks the column {column}")
        places[column] = place
    for number, line in enumerate(lines, start=2):
        if not any(line):
            continue
        if len(line) <= max(places.values()):
            raise _wrong(f"第 {number} 行列数不足", f"line {number} has too few columns")
        yield number, {column: line[place] for column, place in places.items()}


def _bits(address: _Address, length: int) -> int:
    return int(address) >> (address.max_prefixlen - length)


def _wrong(zh: str, en: str) -> InvalidInput:
    return InvalidInput("networks", zh=zh, en=en)
