"""Training: who was taught to handle faces and trails, by whom, until when; without it none is shown.

Records are only added; the newest one counts, so that a training is ended by a record that ends now.
Source: Personal Information Protection Law, art. 51 (4): regular training of those who handle personal information.
"""

from dataclasses import dataclass

from sqlalchemy import Connection

from shouhao.kernel.errors import InvalidInput, NotFound, Refused
from shouhao.kernel.events import Event
from shouhao.kernel.ids import new_id
from shouhao.staff import training_store as store
from shouhao.staff.texts import checked_short
from shouhao.store import event_log


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One record."""

    id: str
    operator_id: str
    trained_by: str
    document: str  #: where the proof lies
    until_us: int
    recorded_at_us: int
    recorded_by: str | None


class NotTrained(Refused):
    """No training that is still good: no face and no trail."""

    code = "staff.not_trained"
    zh = "没有有效的培训记录，不能查看人脸与轨迹"
    en = "Without a training that is still good no face and no trail is shown"


class TrainsThemselves(Refused):
    """Somebody would write down their own training."""

    code = "staff.trains_themselves"
    zh = "不能登记本人的培训"
    en = "Nobody writes down their own training"


def record_training(
    connection: Connection,
    operator_id: str,
    *,
    trained_by: str,
    document: str,
    until_us: int,
    now_us: int,
    staff_id: str | None = None,
) -> Training:
    """Write down that somebody was trained; `staff_id` is who writes, None from the command line.

    Raises:
        InvalidInput: who trained or the document is not named, or it is over already.
        NotFound: there is no active operator of this id.
        TrainsThemselves: nobody vouches for themselves.
    """
    if staff_id == operator_id:
        raise TrainsThemselves
    if not store.is_active(connection, operator_id):
        raise NotFound("operator")
    if until_us < now_us:
        raise InvalidInput("until", zh="不能早于现在", en="must not be in the past")
    training = Training(
        id=new_id("tn"),
        operator_id=operator_id,
        trained_by=checked_short(trained_by, field="trained_by"),
        document=checked_short(document, field="document"),
        until_us=until_us,
        recorded_at_us=now_us,
        recorded_by=staff_id,
    )
    store.add(connection, {name: getattr(training, name) for name in Training.__slots__})
    told = {"operator_id": operator_id, "change": "trained", "training_id": training.id, "until_us": until_us}
    event_log.append(connection, [Event(at_us=now_us, kind="staff_changed", staff_id=staff_id, detail=told)])
    return training


def training_of(connection: Connection, operator_id: str) -> Training | None:
    """The newest record of this person."""
    found = trainings_of(connection, operator_id)
    return found[0] if found else None


def trainings_of(connection: Connection, operator_id: str) -> list[Training]:
    """All records of this person, newest first."""
    return [
        Training(**{name: getattr(row, name) for name in Training.__slots__})
        for row in store.newest_first(connection, operator_id)
    ]


def trained_until(connection: Connection) -> dict[str, int]:
    """Until when each operator's training is good, by the newest record of each; it may be over."""
    return store.newest_ends(connection)


def require_training(connection: Connection, operator_id: str, *, now_us: int) -> None:
    """Go on when this person's training is still good.

    Raises:
        NotTrained: it is not, or there never was one.
    """
    training = training_of(connection, operator_id)
    if training is None or training.until_us <= now_us:
        raise NotTrained
