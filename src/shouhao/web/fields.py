"""Fields: the kinds of values that requests hold, with the rule each keeps and how it is described.

PostgreSQL stores no null byte in a text and no number beyond 64 bits, so neither gets past here. What a value means
is checked by the room that it is for, which says so in both languages.
"""

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StrictInt,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from shouhao.kernel.clock import iso, to_us

MAX_INT = 2**63 - 1

_LONGEST_MOMENT = 40
_FIRST_YEAR, _LAST_YEAR = 1970, 9998


class Body(BaseModel):
    """What a caller sends; nothing that is not known, and nothing of it in a traceback."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        """Nothing of the person."""
        return []


class Shown(BaseModel):
    """What a caller is shown."""

    model_config = ConfigDict(frozen=True)


def _no_null_byte(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("null_byte", "must not hold a null byte")
    return text


def _day(value: object) -> date:
    if isinstance(value, str) and len(value) == len("2026-01-01"):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise PydanticCustomError("day", "must be a day as YYYY-MM-DD")


def _moment(value: object) -> int:
    """Microseconds of ISO 8601 text with a zone."""
    if isinstance(value, str) and len(value) <= _LONGEST_MOMENT:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            pass
        else:
            if moment.tzinfo is not None and _FIRST_YEAR < moment.year < _LAST_YEAR:
                return to_us(moment)
    raise PydanticCustomError("moment", "must be a moment as ISO 8601 with a zone, such as 2026-01-01T08:00:00+08:00")


_TEXT = {"pattern": r"^[^\u0000]*$"}

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]
ShortText = Annotated[str, Field(max_length=200, json_schema_extra=_TEXT), AfterValidator(_no_null_byte)]
LongText = Annotated[str, Field(max_length=2000, json_schema_extra=_TEXT), AfterValidator(_no_null_byte)]
Whole = Annotated[StrictInt, Field(ge=0, le=MAX_INT)]  #: a whole number, nought or more, that a database can hold
Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
Moment = Annotated[int, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
#: An instant in an answer: microseconds inside, ISO 8601 with the hospital's offset outside.
Instant = Annotated[
    int, PlainSerializer(iso, return_type=str), WithJsonSchema({"type": "string", "format": "date-time"})
]
