"""A woman corrects the dates of her own application, as long as the draw of its month is not made.

Before the draw nothing hangs on the dates but the month, and her entry in a month is the same however often she
applies: withdrawing and applying again in one unit of work gains nothing and loses nothing. Afterwards staff correct
them with her papers before them (antenatal.py).
"""

from sqlalchemy import Connection

from shouhao.booking.antenatal import Application, Pregnancy, WrongApplicationState, expected_due_day
from shouhao.booking.release.antenatal import month_of
from shouhao.flows.antenatal import apply, locked, withdraw
from shouhao.flows.give_back import Caller
from shouhao.kernel.clock import day_of
from shouhao.store.vault import Vault


def correct_own_dates(
    connection: Connection, *, vault: Vault, application_id: str, stated: Pregnancy, caller: Caller, now_us: int
) -> Application:
    """The application that takes the place of hers, with other dates; refused, everything stays as it was.

    Raises:
        ApplicationUnknown: none of this caller's.
        WrongApplicationState: its draw is made, or it has ended.
        Refused, InvalidInput, Unavailable: as `apply`.
    """
    target = month_of(expected_due_day(stated, today=day_of(now_us)))
    # Months are locked from the earliest one on, whichever of the two that is.
    application, _ = locked(connection, application_id, caller, also=target)
    if application.state != "entered":
        raise WrongApplicationState("application_id", state=application.state)
    withdraw(connection, application_id=application_id, caller=caller, now_us=now_us)
    return apply(
        connection,
        vault=vault,
        patient_id=application.patient_id,
        stated=stated,
        caller=caller,
        now_us=now_us,
    )
