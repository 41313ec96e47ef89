"""Mine: whose entries and places an account is shown: those in which a person bound to it stands.

Others who stand in them are named to the account that entered them alone.
"""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection

from shouhao.patients.store import bindings_of_account


def my_patients(connection: Connection, account_id: str) -> list[str]:
    """The people who are bound to an account now."""
    return [b.patient_id for b in bindings_of_account(connection, account_id) if b.unbound_at_us is None]


def shown_people(people: Iterable[str], *, by: str | None, account_id: str, mine: Collection[str]) -> list[str]:
    """Those of these people whom the account may be told of.

    Args:
        by: the account that entered them, if any.
    """
    return [person for person in people if by == account_id or person in mine]
