"""Texts that staff give: a reason, an authority, the name of a document. None of them may be empty or hide anything."""

from shouhao.kernel.errors import InvalidInput

_REASON_MAX = 1000
_SHORT_MAX = 200


def checked_reason(reason: str, *, field: str = "reason") -> str:
    """The reason without space around it.

    Raises:
        InvalidInput: it says nothing, is too long, or holds characters that cannot be seen.
    """
    return _checked(reason, field=field, longest=_REASON_MAX)


def checked_short(text: str, *, field: str) -> str:
    """A short text, likewise; at most 200 characters."""
    return _checked(text, field=field, longest=_SHORT_MAX)


def _checked(text: str, *, field: str, longest: int) -> str:
    text = text.strip()
    seen = text.replace("\n", " ").replace("\r", " ").replace("\t", " ")
    if not text or len(text) > longest or not seen.isprintable():
        raise InvalidInput(
            field, zh=f"须填写，最多 {longest} 个可见字符", en=f"is needed: 1 to {longest} printable characters"
        )
    return text
