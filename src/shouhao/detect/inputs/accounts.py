"""Accounts: a line that names none gets the one that the events name for its session, else for its device.

Only where they name just one: a session or a device of several accounts tells nothing. It is looked up once, when the
logs are read, so that a query that does not ask for accounts pays for no join.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from shouhao.detect.inputs.cut_reading import CutWay
from shouhao.detect.inputs.hit_reading import Way

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

KEYS = ("session_token", "device_id")  #: in the order in which they are believed
_OFFSET_BITS = 44  #: sixteen terabytes of one file


def join_accounts(
    connection: "DuckDBPyConnection", tables: Mapping[str, pa.Table], ways: Mapping[str, Way | CutWay]
) -> tuple[Mapping[str, pa.Table], int]:
    """The relations of lines with a column `joined`, where any line gets an account; and how many lines do.

    Args:
        tables: by the name under which each is registered; their lines in the order of source and byte.
    """
    accounts = _make_lookups(connection)
    made: dict[str, pa.Table] = {}
    count = 0
    for relation, table in tables.items():
        found = connection.sql(_query(ways[relation].select(relation))).to_arrow_table()
        codes = np.zeros(len(table), np.int32)
        none = np.ones(len(table), np.bool_)
        at = np.searchsorted(_keys(table), _keys(found))
        codes[at], none[at] = found["code"].to_numpy(), False
        joined = pa.DictionaryArray.from_arrays(pa.array(codes, mask=none), accounts)
        made[relation] = table.append_column("joined", joined)
        count += len(found)
    return (made, count) if count else (tables, 0)


def _make_lookups(connection: "DuckDBPyConnection") -> pa.Array:
    """Which session and which device is whose, by number; and the accounts so numbered."""
    connection.execute(
        """CREATE OR REPLACE TEMP TABLE shouhao_accounts AS
        SELECT account_id, CAST(row_number() OVER (ORDER BY account_id) - 1 AS INTEGER) AS code
        FROM (SELECT DISTINCT account_id FROM events WHERE account_id IS NOT NULL)"""
    )
    for key in KEYS:
        connection.execute(
            f"""CREATE OR REPLACE TEMP TABLE shouhao_account_by_{key} AS
            SELECT {key}, min(code) AS code FROM events JOIN shouhao_accounts USING (account_id)
            WHERE {key} IS NOT NULL GROUP BY {key} HAVING min(code) = max(code)"""
        )
    named = connection.sql("SELECT account_id FROM shouhao_accounts ORDER BY code").to_arrow_table()
    return pa.array(named["account_id"].to_pylist(), pa.string())


def _query(lines: str) -> str:
    joins = " ".join(f"LEFT JOIN shouhao_account_by_{key} by_{key} ON by_{key}.{key} = h.{key}" for key in KEYS)
    code = f"coalesce({', '.join(f'by_{key}.code' for key in KEYS)})"
    return (
        f"SELECT h.source, h.byte_start, {code} AS code FROM ({lines}) h {joins} "
        f"WHERE h.account_id IS NULL AND {code} IS NOT NULL"
    )


def _keys(table: pa.Table) -> Any:
    source = table["source"].to_numpy().astype(np.int64)
    return (source << _OFFSET_BITS) | table["byte_start"].to_numpy()
