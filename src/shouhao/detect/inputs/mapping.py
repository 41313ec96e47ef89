"""Mapping: `--map COLUMN=NAME`, a column of ours and what a log's variable or an export's heading for it is called.

`--map KIND=WORD` likewise: a kind of event and what an export calls it.
"""

from collections.abc import Iterable, Mapping, Sequence

from shouhao.detect.inputs.hit_reading import MAPPABLE
from shouhao.kernel.errors import InvalidInput
from shouhao.kernel.events import EVENT_KINDS, EXPORT_COLUMNS

Names = Mapping[str, tuple[str, ...]]  #: of each column; the first that a file has counts
_COLUMNS = tuple(dict.fromkeys((*MAPPABLE, *EXPORT_COLUMNS)))


def parse_mapping(given: Iterable[str]) -> Names:
    """The mapping of a command line; a column may be named again, once for the logs and once for the events.

    Raises:
        InvalidInput: it has no `=`, or there is no such column.

    >>> parse_mapping(["account_id=cookie_uid", "account_id=用户编号"])
    {'account_id': ('cookie_uid', '用户编号')}
    """
    names: dict[str, list[str]] = {}
    for one in given:
        column, equals, name = (part.strip() for part in one.partition("="))
        if not (equals and name):
            raise InvalidInput("map", zh=f"{one} 应为 列=名称", en=f"{one} should be COLUMN=NAME")
        names.setdefault(column, []).append(name)
    return names_of(names)


def names_of(mapping: Mapping[str, str | Sequence[str]] | None) -> Names:
    """A mapping with all names of each column.

    Raises:
        InvalidInput: there is no such column.
    """
    for column in mapping or {}:
        if column not in _COLUMNS and column not in EVENT_KINDS:
            has = "、".join(_COLUMNS)
            raise InvalidInput(
                "map",
                zh=f"没有 {column} 列，也没有这类事件；列有：{has}",
                en=f"there is no column and no kind of event {column}; columns: {has}",
            )
    return {column: (names,) if isinstance(names, str) else tuple(names) for column, names in (mapping or {}).items()}


def check_used(names: Names, used: Iterable[tuple[str, str]]) -> None:
    """See that every name was found somewhere: what is spelled wrong must not go unnoticed.

    Raises:
        InvalidInput: a name is neither a variable of the log format nor a heading of an event file.
    """
    found = set(used)
    for column, several in names.items():
        for name in several:
            if (column, name) not in found:
                raise InvalidInput(
                    "map",
                    zh=f"{column}={name}：日志格式中没有这个变量，事件文件中也没有这一列或这类事件",
                    en=f"{column}={name}: neither a variable of the log format nor a heading or kind of an event file",
                )
