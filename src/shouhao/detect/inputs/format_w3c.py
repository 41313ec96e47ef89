"""W3C extended logs read by DuckDB: no field holds a blank, so that counting them is all there is to do."""

from collections.abc import Sequence

from shouhao.detect.inputs.apache_format import Variable
from shouhao.detect.inputs.format_text import Found
from shouhao.detect.inputs.log_format import Part


class W3cLine:
    """The one way of such a format."""

    parsed = "string_split(line, ' ')"

    def __init__(self, parts: Sequence[Part]) -> None:
        self._names = [part.name for part in parts if isinstance(part, Variable)]

    def alone(self, variable: str) -> Found | None:
        """How a variable is read; None if the format does not have it."""
        if variable == "time_w3c":
            date, time = self.alone("w3c_date"), self.alone("w3c_time")
            return None if date is None or time is None else Found(f"{date.sql} || ' ' || {time.sql}")
        if variable not in self._names:
            return None
        return Found(f"split_part(line, ' ', {self._names.index(variable) + 1})")

    def field(self, variable: str) -> Found | None:
        """How a variable is read from `parsed`."""
        return Found(f"parsed[{self._names.index(variable) + 1}]") if variable in self._names else None

    @property
    def form(self) -> str:
        """Whether a line has as many fields, and is none of those that tell of the log."""
        return f"NOT starts_with(line, '#') AND len({self.parsed}) = {len(self._names)}"
