"""Errors: a correct "no", a dependency that is away, a record that was changed. All else is a bug.

A refusal explains itself in Chinese and English from its own data; which HTTP status it gets is known in
`web/errors.py` alone.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class Refused(Exception):  # noqa: N818 - the word of the house: a correct "no" is not an error
    """A correct "no". Subclasses set `code`, `zh`, `en`; the messages may use the data as `{name}`.

    Attributes:
        code: stable dotted code that scripts and pages rely on.
        field: the field of the request that breaks the rule, or None.
        data: what the messages and the caller need to know; never a name, an ID number or a phone.
    """

    code: ClassVar[str] = "refused"
    zh: ClassVar[str] = "请求被拒绝"
    en: ClassVar[str] = "The request was refused"

    def __init__(self, field: str | None = None, **data: Any) -> None:
        super().__init__(self.code)
        self.field = field
        self.data: Mapping[str, Any] = data

    def says(self, language: str) -> str:
        """The reason in `zh` or `en`."""
        template = self.en if language == "en" else self.zh
        return template.format(**self.data)

    def __str__(self) -> str:
        """Code and data, as in logs."""
        return f"{self.code} {dict(self.data)}" if self.data else self.code


class InvalidInput(Refused):
    """A field does not keep its rule."""

    code = "invalid"
    zh = "{field} 不符合规则：{rule_zh}"
    en = "{field} breaks the rule: {rule_en}"

    def __init__(self, field: str, *, zh: str, en: str) -> None:
        super().__init__(field, rule_zh=zh, rule_en=en)

    def says(self, language: str) -> str:
        """The reason in `zh` or `en`, naming the field."""
        rule = self.data["rule_en"] if language == "en" else self.data["rule_zh"]
        colon = ": " if language == "en" else "："
        return f"{self.field}{colon}{rule}"


class NotFound(Refused):
    """There is no such thing, or it is not this caller's to see; the two are not told apart."""

    code = "not_found"
    zh = "没有找到：{what}"
    en = "Not found: {what}"

    def __init__(self, what: str, field: str | None = None) -> None:
        super().__init__(field, what=what)


class Unavailable(Exception):  # noqa: N818 - as above
    """A dependency or a queue cannot take this now; trying again later may work.

    Attributes:
        retry_after_s: how long to wait before trying again.
    """

    code: ClassVar[str] = "unavailable"
    zh: ClassVar[str] = "系统繁忙，请稍后再试"
    en: ClassVar[str] = "Busy, please try again shortly"

    def __init__(self, what: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(what)
        self.what = what
        self.retry_after_s = retry_after_s

    def says(self, language: str) -> str:
        """The reason in `zh` or `en`."""
        return self.en if language == "en" else self.zh


class Tampered(Exception):  # noqa: N818 - as above
    """A record does not match its seal. Never caught except where it becomes an alarm."""
