"""The access register as CSV, for a spreadsheet that runs nothing of what somebody wrote as their reason.

A cell that begins like a formula gets an apostrophe before it, as spreadsheets themselves mark text; the file begins
with a byte order mark, without which they take Chinese for another encoding.
Source: OWASP, CSV Injection.
"""

import csv
import io
from collections.abc import Mapping, Sequence

from shouhao.kernel.clock import iso
from shouhao.staff.register import Look

COLUMNS = (
    "id",
    "at",
    "operator_id",
    "operator_name",
    "unit",
    "data_class",
    "what",
    "reason",
    "authority",
    "records",
    "canary",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "＝", "＋", "－", "＠")


def register_csv(looks: Sequence[Look], names: Mapping[str, str]) -> bytes:
    """The rows, in the order in which they are given.

    Args:
        names: of operators, by id.
    """
    written = io.StringIO(newline="")
    writer = csv.writer(written, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    for look in looks:
        writer.writerow(
            [
                _cell(text)
                for text in (
                    look.id,
                    iso(look.at_us),
                    look.operator_id,
                    names.get(look.operator_id, ""),
                    look.unit or "",
                    look.data_class,
                    look.what,
                    look.reason,
                    look.authority,
                    str(look.records),
                    "1" if look.canary else "0",
                )
            ]
        )
    return "\ufeff".encode() + written.getvalue().encode()


def _cell(text: str) -> str:
    return "'" + text if text.lstrip(" \u3000").startswith(_FORMULA) else text
