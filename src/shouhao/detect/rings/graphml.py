"""GraphML: rings as a file that graph programs open (Gephi, yEd, NetworkX)."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from shouhao.detect.rings.joining import Ring
from shouhao.kernel.clock import iso

_RETURN = {"\r": "&#13;"}  # a reader would make a line end of it
_KEYS = (
    ("ring", "node", "string"),
    ("kind", "node", "string"),
    ("label", "node", "string"),
    ("shared_by", "node", "int"),
    ("kind", "edge", "string"),
    ("weight", "edge", "double"),
    ("bridge", "edge", "boolean"),
    ("n", "edge", "int"),
    ("first_at", "edge", "string"),
    ("last_at", "edge", "string"),
)


def write_graphml(rings: Iterable[Ring], path: Path) -> None:
    """Write rings with members, identifiers and patients as nodes; the file appears when it is whole."""
    part = path.with_name(path.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{line}\n" for line in _lines(sorted(rings, key=lambda ring: ring.id)))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _lines(rings: Iterable[Ring]) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">'
    for name, of, kind in _KEYS:
        yield f'  <key id="{of}-{name}" for="{of}" attr.name="{name}" attr.type="{kind}"/>'
    yield '  <graph id="rings" edgedefault="undirected">'
    for ring in rings:
        yield from _ring(ring)
    yield "  </graph>"
    yield "</graphml>"


def _ring(ring: Ring) -> Iterator[str]:
    """One ring; ids are of the ring, so that an identifier that touches two is drawn in both."""
    for member in ring.members:
        yield from _node(f"{ring.id}/{member.kind}/{member.id}", ring=ring.id, kind=member.kind, label=member.id)
    identifiers = {(one.edge.kind, one.edge.value): one.shared_by for one in ring.edges}
    for (kind, value), shared_by in sorted(identifiers.items()):
        yield from _node(f"{ring.id}/by-{kind}/{value}", ring=ring.id, kind=kind, label=value, shared_by=shared_by)
    for patient in ring.patients:
        yield from _node(f"{ring.id}/patient/{patient}", ring=ring.id, kind="patient", label=patient)
    for one in ring.edges:
        edge = one.edge
        ends = (f"{ring.id}/{edge.member.kind}/{edge.member.id}", f"{ring.id}/by-{edge.kind}/{edge.value}")
        yield f"    <edge source={_attribute(ends[0])} target={_attribute(ends[1])}>"
        yield from _data(
            "edge",
            kind=edge.kind,
            weight=one.weight,
            bridge=str(one.bridge).lower(),
            n=edge.n,
            first_at=iso(edge.first_at_us),
            last_at=iso(edge.last_at_us),
        )
        yield "    </edge>"


def _node(name: str, **data: object) -> Iterator[str]:
    yield f"    <node id={_attribute(name)}>"
    yield from _data("node", **data)
    yield "    </node>"


def _data(of: str, **data: object) -> Iterator[str]:
    for name, value in data.items():
        yield f'      <data key="{of}-{name}">{escape(_written(str(value)), _RETURN)}</data>'


def _attribute(text: str) -> str:
    return quoteattr(_written(text), {"\n": "&#10;", "\t": "&#9;", "\r": "&#13;"})


def _written(text: str) -> str:
    """Without what XML cannot carry: control characters and lone surrogates, each shown as it is written in Python."""
    return "".join(c if _may_stand(c) else c.encode("unicode_escape").decode() for c in text)


def _may_stand(character: str) -> bool:
    code = ord(character)
    return code in {0x9, 0xA, 0xD} or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000  # noqa: PLR2004
