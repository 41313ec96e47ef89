"""XML of cameras, read step by step: no entities, no document types, and an end to depth, number and size.

Source: defusedxml against expansion; what it does not bound, the number and depth of elements, is counted here.
"""

from collections.abc import Iterator
from io import BytesIO
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import iterparse

BYTES_MOST = 32 * 1024 * 1024
_ELEMENTS_MOST = 50_000
_DEPTH_MOST = 64


class TooMuchXML(ValueError):  # noqa: N818 - the fault is the sender's, and no error of ours
    """More or deeper than any camera's message."""


def elements(data: bytes) -> Iterator[tuple[str, str]]:
    """Name without its namespace, and text, of each element at its end.

    Raises:
        TooMuchXML: too long, too many, too deep.
        ParseError, DefusedXmlException: it is not XML, or not harmless.
    """
    for element, _ in _ended(data):
        yield local(element.tag), (element.text or "")[:10_000]


def tree(data: bytes) -> Element:
    """The whole, once it was counted.

    Raises:
        TooMuchXML, ParseError, DefusedXmlException: as above.
    """
    root = None
    for element, depth in _ended(data, keep=True):
        if depth == 0:
            root = element
    if root is None:
        raise TooMuchXML("no element")
    return root


def local(tag: object) -> str:
    """A name without its namespace.

    >>> local("{http://www.onvif.org/ver10/schema}Object")
    'Object'
    """
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _ended(data: bytes, *, keep: bool = False) -> Iterator[tuple[Element, int]]:
    if len(data) > BYTES_MOST:
        raise TooMuchXML("bytes")
    depth = count = 0
    for event, element in iterparse(BytesIO(data), events=("start", "end"), forbid_dtd=True):
        if event == "start":
            depth += 1
            count += 1
            if count > _ELEMENTS_MOST or depth > _DEPTH_MOST:
                raise TooMuchXML("elements")
            continue
        depth -= 1
        yield element, depth
        if not keep:
            element.clear()
