"""Lists for staff: budgets, thresholds and what they rest on, calibrations, people too alike, photographs of staff."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field, FiniteFloat
from sqlalchemy import Connection

from shouhao.faces.derivation import UNREACHED_WORDS
from shouhao.faces.store import threshold_versions
from shouhao.flows.once import DONE
from shouhao.flows.watch_closeness import give_staff_photo
from shouhao.flows.watch_thresholds import Standing, add_calibration, ask_list_change, derive_due, standing_of
from shouhao.staff.model import Role, require
from shouhao.watch.store.close_pairs import ClosePair, decide_pair, open_pairs, withdraw_staff_photos
from shouhao.watch.store.lists import ListTerms, add_list, all_calibrations, all_lists, find_list
from shouhao.watch.store.watchlist import count_by_state
from shouhao.web.console.watchlist import KEEPERS, READERS, AskedShown, ReasonBody
from shouhao.web.depends import Here, OnDuty, RawBody, StaffWrite
from shouhao.web.description import failures, raw_body
from shouhao.web.fields import Body, Id, Instant, LongText, ShortText, Shown

routes = APIRouter(prefix="/api/v1/staff", tags=["watchlist"])

CALIBRATION_MAX_BYTES = 16 * 1024 * 1024
STAFF_PHOTO_MAX_BYTES = 5 * 1024 * 1024
LIST_READERS: tuple[Role, ...] = (*READERS, "it", "monitoring")
_WRITE = failures(400, 401, 403, 404, 409, 413, 415, 422)

ListId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]


class TermsBody(Body):
    """What a list is, and what it may cost."""

    name: ShortText
    ground: LongText
    false_alarms_a_day: Annotated[FiniteFloat, Field(gt=0, le=10_000)]
    shadow_band_cos: Annotated[FiniteFloat, Field(ge=0, le=0.3)] = 0.05
    open: bool = True


class NewListBody(TermsBody):
    """A list that begins with nobody on it."""

    list_id: ListId


class ChangedTermsBody(TermsBody, ReasonBody):
    """Other terms, and why."""


class ListShown(Shown):
    """A list."""

    list_id: str
    name: str
    ground: str
    false_alarms_a_day: float
    shadow_band_cos: float
    open: bool
    version: int
    entries: dict[str, int]
    created_at: Instant
    changed_at: Instant


class ListsShown(Shown):
    """Every list."""

    lists: list[ListShown]


class WordsShown(Shown):
    """The same sentence in both languages."""

    zh: str
    en: str


class DerivedShown(Shown):
    """What a derivation made now would give."""

    threshold_cos: float
    fmr_needed: float
    fmr: float
    false_alarms_a_day: float
    tmr: float | None
    reached: bool
    extrapolated: bool
    why_not: WordsShown | None


class ThresholdShown(Shown):
    """One version of a threshold, with what it was derived from."""

    pack: str
    version: int
    similarity_cos: float
    derived_from: dict[str, Any]
    set_at: Instant


class StandingShown(Shown):
    """A list's threshold for one pack."""

    pack: str
    set: ThresholdShown | None
    by_hand: bool
    now: DerivedShown | None
    list_size: int
    passages_a_day: int
    passages_are: Literal["counted", "assumed"]


class ThresholdsShown(Shown):
    """How a list's thresholds stand, and every one it ever had, the newest first."""

    list_id: str
    packs: list[StandingShown]
    history: list[ThresholdShown]


class CalibrationShown(Shown):
    """A measurement of the hospital's own."""

    calibration_id: str
    pack: str
    sha256: str
    made_at: str
    added_at: Instant
    smallest_fmr: float
    tail_holds: bool


class CalibrationList(Shown):
    """The newest first; the newest of a pack counts."""

    calibrations: list[CalibrationShown]


class PairShown(Shown):
    """Two people of whom one may be taken for the other."""

    pair_id: str
    entry_id: str
    other_entry_id: str | None
    operator_id: str | None
    pack: str
    similarity_cos: float
    asked_cos: float
    found_at: Instant
    decision: str | None


class PairList(Shown):
    """Pairs that wait for a person, the most alike first."""

    pairs: list[PairShown]


class DecisionBody(Body):
    """What a pair is."""

    decision: Literal["same_person", "different_people", "wrong_photo", "staff_listed"]


class PhotoKept(Shown):
    """A photograph of one's own."""

    photo_id: str


class Removed(Shown):
    """How many were deleted."""

    removed: int


@routes.get("/watchlist/lists", responses=failures(401, 403), summary="布控名单 Watch lists")
def lists(operator: OnDuty, system: Here) -> ListsShown:
    """名单、依据与误报预算。 Lists, their ground and what they may cost."""
    require(operator, *LIST_READERS)
    with system.db.read() as connection:
        found = [_list_shown(connection, one.id) for one in all_lists(connection)]
    return ListsShown(lists=found)


@routes.post(
    "/watchlist/lists", status_code=201, responses=_WRITE, response_model=ListShown, summary="新建名单 Begin a list"
)
def add(body: NewListBody, operator: OnDuty, write: StaffWrite) -> Response:
    """空名单；预算以后须两人更改。 With nobody on it; its terms are later changed by four eyes."""
    require(operator, "security")

    def act(connection: Connection) -> dict[str, Any]:
        add_list(connection, body.list_id, _terms(body), now_us=write.now_us, staff_id=operator.id)
        return _list_shown(connection, body.list_id).model_dump(mode="json")

    return write.answer(act, status=201)


@routes.post(
    "/watchlist/lists/{list_id}/terms",
    status_code=202,
    responses=_WRITE,
    response_model=AskedShown,
    summary="申请更改名单条款 Ask for other terms",
)
def change(list_id: ListId, body: ChangedTermsBody, operator: OnDuty, write: StaffWrite) -> Response:
    """误报预算放宽即阈值放宽，故须另一人批准。 A larger budget is a laxer threshold, so another must agree."""
    require(operator, "security")

    def act(connection: Connection) -> dict[str, Any]:
        asked = ask_list_change(
            connection, list_id, _terms(body), reason=body.reason, operator=operator, now_us=write.now_us
        )
        return {"approval_id": asked}

    return write.answer(act, status=202)


@routes.get(
    "/watchlist/lists/{list_id}/thresholds", responses=failures(401, 403, 404, 422), summary="阈值及其依据 Thresholds"
)
def thresholds(list_id: ListId, operator: OnDuty, system: Here) -> ThresholdsShown:
    """现行阈值、推导输入、若现在推导会得到什么。 What stands, what it rests on, and what would follow now."""
    require(operator, *LIST_READERS)
    with system.db.read() as connection:
        find_list(connection, list_id)
        history = threshold_versions(connection, "watchlist", list_id)
    now = standing_of(system.watchlist, list_id, now_us=system.clock.now_us())
    return ThresholdsShown(
        list_id=list_id,
        packs=[_standing_shown(one) for one in now],
        history=[_threshold_shown(one) for one in history],
    )


@routes.get("/watchlist/calibrations", responses=failures(401, 403), summary="校准结果 Calibrations")
def calibrations(operator: OnDuty, system: Here) -> CalibrationList:
    """每个模型以最新的为准。 The newest of a pack counts."""
    require(operator, *LIST_READERS)
    with system.db.read() as connection:
        found = all_calibrations(connection)
    return CalibrationList(
        calibrations=[
            CalibrationShown(
                calibration_id=one.id,
                pack=one.pack,
                sha256=one.sha256,
                made_at=one.made_at,
                added_at=one.added_at_us,
                smallest_fmr=float(one.known["smallest_fmr"]),
                tail_holds=bool(one.known["tail_holds"]),
            )
            for one in found
        ]
    )


@routes.post(
    "/watchlist/calibrations",
    status_code=201,
    responses=_WRITE,
    openapi_extra=raw_body("application/json"),
    summary="导入校准结果 Hand in a calibration.json",
)
def calibrate(data: RawBody, operator: OnDuty, system: Here, write: StaffWrite) -> Response:
    """`shouhao faces calibrate` 的输出；阈值随即重新推导。 Thresholds are derived anew from it at once."""
    require(operator, "security", "it")

    def act(connection: Connection) -> dict[str, Any]:
        kept = add_calibration(connection, data, operator=operator, now_us=write.now_us)
        return {"calibration_id": kept.id, "pack": kept.pack}

    said = write.act(act)
    if said.status == DONE:
        derive_due(system.watchlist, now_us=write.now_us)
    return write.told(said, status=201)


@routes.get("/watchlist/close-pairs", responses=failures(401, 403, 422), summary="过于相似的人 People too alike")
def pairs(operator: OnDuty, system: Here, limit: Annotated[int, Query(ge=1, le=500)] = 200) -> PairList:
    """待人工判断；照片另行查看。 They wait for a person; photographs are looked at on their own."""
    require(operator, *READERS)
    with system.db.read() as connection:
        found = open_pairs(connection, limit=limit)
    return PairList(pairs=[_pair_shown(one) for one in found])


@routes.post(
    "/watchlist/close-pairs/{pair_id}",
    responses=_WRITE,
    response_model=PairShown,
    summary="判断一对 Say what a pair is",
)
def decide(pair_id: Id, body: DecisionBody, operator: OnDuty, write: StaffWrite) -> Response:
    """不会自动列入或移除任何人。 Nobody is listed or taken off by it."""
    require(operator, *KEEPERS)

    def act(connection: Connection) -> dict[str, Any]:
        after = decide_pair(connection, pair_id, body.decision, staff_id=operator.id, now_us=write.now_us)
        return _pair_shown(after).model_dump(mode="json")

    return write.answer(act)


@routes.post(
    "/watchlist/staff-photos",
    status_code=201,
    responses=_WRITE,
    openapi_extra=raw_body("image/jpeg", "image/png"),
    summary="自愿提供本人照片 Give a photograph of oneself",
)
def give(data: RawBody, operator: OnDuty, system: Here) -> PhotoKept:
    """自愿，可随时撤回；名单将与之比对。 Freely, and taken back at any time; the list is held against it."""
    looked = system.watchlist.look_at_one(data, field="photo")
    photo_id = give_staff_photo(system.watchlist, looked, operator=operator, now_us=system.clock.now_us())
    return PhotoKept(photo_id=photo_id)


@routes.delete("/watchlist/staff-photos", responses=failures(401), summary="撤回本人照片 Take one's photographs back")
def take_back(operator: OnDuty, system: Here) -> Removed:
    """全部删除。 All of them are deleted."""
    with system.db.write() as connection:
        removed = withdraw_staff_photos(connection, operator.id, now_us=system.clock.now_us())
    return Removed(removed=removed)


def _terms(body: TermsBody) -> ListTerms:
    return ListTerms(
        name=body.name,
        ground=body.ground,
        false_alarms_a_day=body.false_alarms_a_day,
        shadow_band_cos=body.shadow_band_cos,
        open=body.open,
    )


def _list_shown(connection: Connection, list_id: str) -> ListShown:
    one = find_list(connection, list_id)
    return ListShown(
        list_id=one.id,
        name=one.terms.name,
        ground=one.terms.ground,
        false_alarms_a_day=one.terms.false_alarms_a_day,
        shadow_band_cos=one.terms.shadow_band_cos,
        open=one.terms.open,
        version=one.version,
        entries=count_by_state(connection, list_id),
        created_at=one.created_at_us,
        changed_at=one.changed_at_us,
    )


def _threshold_shown(one: Any) -> ThresholdShown:
    return ThresholdShown(
        pack=one.pack,
        version=one.version,
        similarity_cos=one.similarity_cos,
        derived_from=dict(one.derived_from),
        set_at=one.set_at_us,
    )


def _standing_shown(one: Standing) -> StandingShown:
    words = None if one.now is None or one.now.why_not is None else UNREACHED_WORDS[one.now.why_not]
    return StandingShown(
        pack=one.pack,
        set=None if one.set is None else _threshold_shown(one.set),
        by_hand=one.by_hand,
        now=None
        if one.now is None
        else DerivedShown(
            threshold_cos=one.now.threshold_cos,
            fmr_needed=one.now.fmr_needed,
            fmr=one.now.fmr,
            false_alarms_a_day=one.now.false_alarms_a_day,
            tmr=one.now.tmr,
            reached=one.now.reached,
            extrapolated=one.now.extrapolated,
            why_not=None if words is None else WordsShown(zh=words[0], en=words[1]),
        ),
        list_size=one.list_size,
        passages_a_day=one.traffic.passages_a_day,
        passages_are=one.traffic.basis,
    )


def _pair_shown(one: ClosePair) -> PairShown:
    return PairShown(
        pair_id=one.id,
        entry_id=one.entry_id,
        other_entry_id=one.other_entry_id,
        operator_id=one.operator_id,
        pack=one.pack,
        similarity_cos=one.similarity_cos,
        asked_cos=one.asked_cos,
        found_at=one.found_at_us,
        decision=one.decision,
    )
