"""Problems: what was wrong in the inputs, counted by rule, with file, line and byte of the first thousand of each.

A rule says whether something was lost by it (a line put aside, reading that stopped): then the run ends with exit
status 1. All else is worth knowing and loses nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

KEPT = 1_000  #: of each rule; all are counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that was wrong, and where."""

    file: str
    line: int | None  #: counted from 1
    byte: int | None  #: from 0, after decompression
    rule: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Rule:
    """What a rule says, in words that may use the data as `{name}`."""

    zh: str
    en: str
    loses: bool = False  #: a line or more is not in the tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """All problems of one rule in one file."""

    first: Problem  #: by byte and line
    count: int
    loses: bool  #: something of the file is not in the tables


#: They end the reading of a file; what was lost by them is no number of lines.
_REST_OF_FILE = frozenset({"stopped", "after_the_end"})

RULES: Mapping[str, Rule] = {
    # files
    "stopped": Rule(
        "文件在此处损坏或被截断，读到第 {at} 字节（解压后）为止：{why_zh}",
        "The file is damaged or cut off here; read up to byte {at} (after decompression): {why_en}",
        loses=True,
    ),
    "cut_line": Rule("最后一行不完整，未分析", "The last line is cut off and was put aside", loses=True),
    "after_the_end": Rule(
        "压缩数据之后还有 {bytes} 字节无法识别的内容",
        "{bytes} bytes after the compressed data are not understood",
        loses=True,
    ),
    "given_twice": Rule("同一文件给出了两次，只读一次", "The same file was given twice and is read once"),
    "empty_file": Rule("文件是空的", "The file is empty"),
    # lines
    "line_too_long": Rule(
        "这一行有 {bytes} 字节，超过上限 {limit}，未分析",
        "This line has {bytes} bytes, over {limit}; put aside",
        loses=True,
    ),
    "nul_bytes": Rule("行中有空字节（NUL）", "The line holds NUL bytes"),
    "gb18030": Rule("不是 UTF-8，已按 GB18030 解码", "Not UTF-8; decoded as GB18030"),
    "gb18030_file": Rule(
        "文件不是 UTF-8，各行已按 GB18030 解码", "The file is not UTF-8; its lines are decoded as GB18030"
    ),
    "not_text": Rule(
        "既不是 UTF-8 也不是 GB18030，无法解码的字节已替换",
        "Neither UTF-8 nor GB18030; the bytes that could not be decoded were replaced",
    ),
    "not_the_form": Rule("不符合日志格式，未分析", "Does not have the form of the log; put aside", loses=True),
    "time_backwards": Rule("时间比前一行早 {seconds} 秒", "{seconds} s earlier than the line before"),
    "time_ahead": Rule("时间在未来：{at}", "Lies in the future: {at}"),
    # between files
    "overlap": Rule("{lines} 行与 {other} 相同，只计一次", "{lines} lines are those of {other} and are counted once"),
    "equal_lines": Rule(
        "{lines} 行与 {other} 中的行相同，但两文件并非同一日志，均计入",
        "{lines} lines equal lines of {other}, yet the files are not one log; both are counted",
    ),
    # events
    "no_rows": Rule("没有读到一行数据", "Not a single row of data was read"),
    "title_above": Rule(
        "表头之前的 {lines} 行是标题，已跳过", "{lines} lines above the headings are a title and were passed over"
    ),
    "too_few_columns": Rule(
        "只有 {found} 列，应为 {wanted} 列，未分析", "{found} columns where {wanted} are needed; put aside", loses=True
    ),
    "too_many_columns": Rule(
        "有 {found} 列，应为 {wanted} 列，未分析", "{found} columns where {wanted} are expected; put aside", loses=True
    ),
    "unclosed_quote": Rule(
        "引号没有闭合，这一行未分析", "A quotation mark is not closed; the line was put aside", loses=True
    ),
    "not_json": Rule("不是 JSON 对象，未分析", "Not a JSON object; put aside", loses=True),
    "no_time": Rule("没有时间，未分析", "No time; put aside", loses=True),
    "excel_serial_date": Rule(
        "时间是 Excel 序列号 {value}，无法确知时刻，未分析；请以文本格式导出时间",
        "The time is the Excel serial number {value}; put aside. Export times as text",
        loses=True,
    ),
    "time_unreadable": Rule("时间无法识别：{value}，未分析", "Not a time: {value}; put aside", loses=True),
    "no_kind": Rule("没有事件类型，未分析", "No kind of event; put aside", loses=True),
    "unknown_kind": Rule(
        "未知的事件类型：{value}；若是我们的某一类，可用 --map 指明，如 --map booked={value}",
        "Unknown kind of event: {value}; if it is one of ours, name it, as --map booked={value}",
    ),
    "zone_assumed": Rule(
        "时间没有时区，按北京时间（Asia/Shanghai）理解", "Times without a zone; read as those of Asia/Shanghai"
    ),
    "date_alone": Rule(
        "{rows} 行只有日期、没有时刻，按 0 点理解，快慢与先后无从判断；请导出到秒",
        "{rows} rows have a date without a time of day and are taken for midnight: nobody's speed can be told from"
        " them. Export seconds too",
    ),
    "says_none": Rule(
        "{rows} 行的 {column} 写作“{value}”，按空值处理",
        "{rows} rows have “{value}” for {column}; treated as empty",
    ),
    "digits_lost": Rule(
        "{column} 的编号被 Excel 写成 {value}，位数已丢失，按空值处理",
        "{column} was turned into {value} by a spreadsheet, its digits are lost; treated as empty",
    ),
    "value_unreadable": Rule(
        "{column} 无法识别：{value}，按空值处理", "{column} cannot be read: {value}; treated as empty"
    ),
    "rows_alike": Rule(
        "{rows} 行与前面的行完全相同且没有编号，无法判断是否重复导出，均计入",
        "{rows} rows say just what earlier ones say and have no id; whether they were exported twice cannot be told;"
        " all are counted",
    ),
    "event_twice": Rule("事件 {event_id} 重复出现，只计一次", "Event {event_id} stands here again; counted once"),
    "event_differs": Rule(
        "事件 {event_id} 重复出现且内容不同，以最早的为准，这一条未分析",
        "Event {event_id} stands here again with other content; the earliest counts, this one was put aside",
        loses=True,
    ),
    "heading_unused": Rule(
        "{heading} 与 {used} 都像是 {column}，采用后者，前者留在 detail 中",
        "{heading} and {used} both look like {column}; the latter is used, the former is kept in detail",
    ),
}


def stands_for(n: int, total: int) -> int:
    """How many problems the kept one of this number, from 0, tells of: the last that is kept, of all behind it too."""
    return total - KEPT + 1 if n == KEPT - 1 else 1


class Problems:
    """Collects problems; what it gives depends on what was added, not on the order."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._kept: dict[str, list[Problem]] = {}
        self._groups: dict[tuple[str, str], Group] = {}

    def add(
        self, rule: str, file: str, *, line: int | None = None, byte: int | None = None, count: int = 1, **data: Any
    ) -> None:
        """One problem, or `count` of them of which this is the first.

        Args:
            data: what the words of the rule use.
        """
        self._counts[rule] = self._counts.get(rule, 0) + count
        kept, group = self._kept.setdefault(rule, []), self._groups.get((rule, file))
        if len(kept) >= KEPT and group is not None and (byte is None or _place(group.first) <= (byte, line or 0)):
            self._groups[(rule, file)] = replace(group, count=group.count + count)
            return
        words = RULES[rule]
        told = {name: _short(value) for name, value in data.items()}
        one = Problem(
            file=file, line=line, byte=byte, rule=rule, zh=words.zh.format(**told), en=words.en.format(**told)
        )
        first = one if group is None else min(group.first, one, key=_place)
        before = 0 if group is None else group.count
        self._groups[(rule, file)] = Group(first=first, count=before + count, loses=words.loses)
        if len(kept) < KEPT:
            kept.append(one)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many of each rule, in the order of the rules' names."""
        return dict(sorted(self._counts.items()))

    @property
    def loses(self) -> bool:
        """Whether a line or more of the inputs is not in the tables."""
        return any(RULES[rule].loses for rule in self._counts)

    @property
    def groups(self) -> tuple[Group, ...]:
        """All problems by file and rule, in the order in which the first ones stand in the files."""
        return tuple(sorted(self._groups.values(), key=lambda one: (one.first.file, _place(one.first), one.first.rule)))

    def lines_lost(self, file: str) -> int:
        """How many lines of a file are not in the tables, as far as they can be told from each other."""
        return sum(
            group.count
            for (rule, of), group in self._groups.items()
            if of == file and group.loses and rule not in _REST_OF_FILE
        )

    def __iter__(self) -> Iterator[Problem]:
        """The kept ones, by rule, file and byte."""
        for _, kept in sorted(self._kept.items()):
            yield from sorted(kept, key=lambda p: (p.file, -1 if p.byte is None else p.byte, p.line or 0, p.en))

    def __len__(self) -> int:
        """How many there were."""
        return sum(self._counts.values())


def write_problems(problems: Iterable[Problem], path: Path) -> None:
    """Write problems as JSON Lines, as `problems.jsonl` beside the findings."""
    with path.open("wb") as file:
        file.write(msgspec.json.Encoder().encode_lines(list(problems)))


def _place(one: Problem) -> tuple[int, int]:
    return -1 if one.byte is None else one.byte, one.line or 0


def _short(value: Any) -> Any:
    """A value from the inputs, short enough for a sentence and with nothing in it that a terminal would obey."""
    if not isinstance(value, str):
        return value
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in value[:60])
    return f"{text}…" if len(value) > 60 else text  # noqa: PLR2004 - as above
