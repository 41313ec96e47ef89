"""Hit files: lines that were cut, as Parquet files, for as long as a run lasts.

Texts are written as the dictionaries that they already are, which costs a third of taking them into a table; queries
read the columns that they ask for and know how many rows there are.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from shouhao.kernel.errors import Unavailable

_GROWING = ("byte_start", "byte_end", "at_us")  #: of which differences are written


def write_hit_files(tables: Mapping[str, pa.Table], folder: Path, *, threads: int) -> Mapping[str, list[Path]]:
    """Write tables of hits, each into a few files; a column `joined` fills in for missing accounts.

    Raises:
        Unavailable: there is no room.
    """
    from pyarrow import parquet  # noqa: PLC0415 - takes a while, and wanted for large logs alone

    def write(path: Path, batches: list[pa.RecordBatch]) -> None:
        texts = [one.name for one in batches[0].schema if pa.types.is_dictionary(one.type)]
        encoding = dict.fromkeys(_GROWING, "DELTA_BINARY_PACKED")
        with parquet.ParquetWriter(
            path, batches[0].schema, compression="none", use_dictionary=texts, column_encoding=encoding
        ) as file:
            for batch in batches:
                file.write_batch(batch, row_group_size=len(batch))

    written: dict[str, list[Path]] = {}
    with ThreadPoolExecutor(max(1, threads), "write") as pool:
        for relation, table in tables.items():
            batches = [_with_accounts(batch) for batch in table.to_batches()]
            size = -(-len(batches) // max(1, threads))
            parts = [batches[n : n + size] for n in range(0, len(batches), size)]
            written[relation] = [folder / f"{relation}_{n}.parquet" for n in range(len(parts))]
            try:
                list(pool.map(write, written[relation], parts))
            except OSError as error:
                raise Unavailable(f"room for what is read ({error.strerror})") from None
    return written


def _with_accounts(batch: pa.RecordBatch) -> pa.RecordBatch:
    if "joined" not in batch.schema.names:
        return batch
    joined = batch["joined"]
    rest = batch.drop_columns("joined")
    if "account_id" not in rest.schema.names:
        return rest.append_column("account_id", joined)
    own = rest["account_id"].cast(pa.string())
    account = pc.coalesce(own, joined.cast(pa.string())).dictionary_encode()
    return rest.set_column(rest.schema.get_field_index("account_id"), "account_id", account)
