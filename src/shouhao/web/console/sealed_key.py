"""Sealed key: an answer that holds a new key is kept sealed, so that a retry hears it and the database does not."""

from collections.abc import Mapping
from typing import Any

from shouhao.store.vault import Vault

_PURPOSE = "answer.key"
_SEALED = "key_sealed"


def sealed(vault: Vault, answer: Mapping[str, Any], *, key: str) -> dict[str, Any]:
    """The answer as it is kept."""
    return {**answer, _SEALED: vault.seal(key, purpose=_PURPOSE)}


def opened(vault: Vault, kept: Mapping[str, Any]) -> dict[str, Any]:
    """The answer as it is shown.

    Raises:
        Tampered: somebody changed what was kept.
    """
    rest = {name: value for name, value in kept.items() if name != _SEALED}
    return {**rest, "key": vault.open(kept[_SEALED], purpose=_PURPOSE)}
