"""Watch bytes: pictures and documents in requests as base64, and in answers that no cache and no page keeps."""

import base64
import binascii
from typing import Annotated

from fastapi import Response
from pydantic import Field

from shouhao.kernel.errors import InvalidInput

#: A file in a JSON body; ten megabytes, in base64.
Encoded = Annotated[str, Field(max_length=14_000_000, json_schema_extra={"contentEncoding": "base64"})]


def decoded(text: str, field: str) -> bytes:
    """The bytes of a file that stands in a JSON body.

    Raises:
        InvalidInput: it is no base64.
    """
    try:
        return base64.b64decode(text.encode(), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput(field, zh="须为 base64 编码", en="must be base64") from None


def private(data: bytes, media_type: str, *, download: str | None = None) -> Response:
    """Bytes that one person may see now; that nothing between keeps them is said with every answer of this app."""
    headers = {} if download is None else {"content-disposition": f'attachment; filename="{download}"'}
    return Response(data, media_type=media_type, headers=headers)
