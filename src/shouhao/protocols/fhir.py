"""FHIR R4 Schedule and Slot, read into a plan.

Validated by `fhir.resources`, which offers R4B (4.3) and not R4 (4.0): the resources read here, Schedule, Slot,
Practitioner and Location, are the same in both, so R4 messages pass unchanged.

A Schedule's practitioner is the doctor; its specialty, else its service type, else its location is the department.
Slots of one schedule, day and half become one session, numbered by their start. `free` slots are offered. `busy` and
`busy-tentative` slots are somebody's already: they keep their number and are withheld. `busy-unavailable` and
`entered-in-error` slots, and those of a schedule that is not active, are left out. What FHIR has no element for
stands in extensions of a Slot or its Schedule (the Slot's wins), or is a default of the caller:
`urn:shouhao:fhir:fee` (valueMoney in CNY or valueDecimal in yuan), `urn:shouhao:fhir:release-at` (valueInstant or
valueDateTime), `urn:shouhao:fhir:kind` (valueCode), `urn:shouhao:fhir:hot` (valueBoolean).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from fhir.resources.R4B.location import Location
from fhir.resources.R4B.practitioner import Practitioner
from fhir.resources.R4B.schedule import Schedule
from fhir.resources.R4B.slot import Slot
from pydantic import ValidationError

from shouhao.booking.schedule import (
    KINDS,
    BadRow,
    Department,
    Doctor,
    Half,
    Kind,
    Place,
    PlannedSession,
    PlannedSlot,
    ReleaseRule,
    SchedulePlan,
    Stopped,
    bad_rows,
    broken_rules,
    check_id,
    check_name,
    half_of,
    session_id_of,
)
from shouhao.kernel.clock import day_of, to_us
from shouhao.kernel.errors import InvalidInput
from shouhao.protocols.fhir_json import RawResource, split_resources

EXTENSION = "urn:shouhao:fhir:"
_OFFERED = {"free": False, "busy": True, "busy-tentative": True}  # whether it is withheld
_LEFT_OUT = {"busy-unavailable", "entered-in-error"}
_MODELS: dict[str, Any] = {"Schedule": Schedule, "Slot": Slot, "Practitioner": Practitioner, "Location": Location}


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What is taken where neither a Slot nor its Schedule says it; None makes that a bad row."""

    kind: Kind = "general"
    fee_cents: int | None = None
    release: ReleaseRule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FHIRSchedule:
    """What a message held."""

    plan: SchedulePlan
    bad: tuple[BadRow, ...]
    stopped: Stopped | None
    left_out: Mapping[str, int]  #: how many slots were left out on purpose, by why


@dataclass(frozen=True, slots=True, kw_only=True)
class _Terms:
    """What all slots of one session share."""

    kind: Kind
    fee_cents: int
    release_at_us: int
    hot: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    """A schedule that was understood."""

    department: Department
    doctor: Doctor | None
    active: bool
    resource: Any


@dataclass(slots=True, kw_only=True)
class _Group:
    """Slots of one schedule, day, half and kind."""

    schedule: _Open
    day: date
    half: Half
    terms: _Terms
    place: Place
    slots: list[tuple[int, int, bool]] = field(default_factory=list)


def read_fhir_schedule(data: bytes, *, now_us: int, defaults: Defaults | None = None) -> FHIRSchedule:
    """Read a Bundle, a list of resources, one resource, or NDJSON; never raises for what stands in it."""
    raw = split_resources(data)
    bad = list(raw.bad)
    known: dict[str, Any] = {}
    found: list[tuple[RawResource, Any]] = []
    for resource in raw.resources:
        try:
            model = _validated(resource.body)
        except InvalidInput as rule:
            bad.extend(bad_rows([rule], resource.place))
            continue
        if model is not None:
            found.append((resource, model))
            known[f"{resource.body['resourceType']}/{model.id}"] = model
            if resource.full_url is not None:
                known[resource.full_url] = model
    schedules = _schedules(found, known, bad)
    left_out: Counter[str] = Counter()
    groups = _groups(found, known, schedules, defaults or Defaults(), left_out, bad)
    sessions = _sessions(groups, now_us, bad)
    used = {session.id for session in sessions}
    opened = [group.schedule for group in groups.values() if _id_of(group) in used]
    return FHIRSchedule(
        plan=SchedulePlan(
            departments=tuple({s.department.id: s.department for s in opened}.values()),
            doctors=tuple({s.doctor.id: s.doctor for s in opened if s.doctor is not None}.values()),
            sessions=tuple(sessions),
        ),
        bad=tuple(bad),
        stopped=raw.stopped,
        left_out=dict(left_out),
    )


def _validated(body: dict[str, Any]) -> Any:
    """The resource, or None when it is of a kind that says nothing about schedules."""
    model = _MODELS.get(body["resourceType"])
    if model is None:
        return None
    if body.get("modifierExtension"):
        # FHIR: a receiver that does not understand a modifier must not act on the resource.
        raise InvalidInput("modifierExtension", zh="不支持", en="is not supported")
    try:
        return model.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        # The library's own words may repeat the value, which may name a person.
        missing = first["type"].endswith("missing")
        raise InvalidInput(
            path,
            zh="必填" if missing else "不符合 FHIR R4",
            en="is required" if missing else "does not keep FHIR R4",
        ) from None
    except (ValueError, TypeError, RecursionError):
        raise InvalidInput("$", zh="不符合 FHIR R4", en="does not keep FHIR R4") from None


def _schedules(found: list[tuple[RawResource, Any]], known: Mapping[str, Any], bad: list[BadRow]) -> dict[int, _Open]:
    """Each schedule that was understood, by the identity of its resource."""
    opened: dict[int, _Open] = {}
    for resource, model in found:
        if not isinstance(model, Schedule):
            continue
        try:
            opened[id(model)] = _open(model, known)
        except InvalidInput as rule:
            bad.extend(bad_rows([rule], resource.place))
    return opened


def _open(schedule: Any, known: Mapping[str, Any]) -> _Open:
    practitioners = [actor for actor in schedule.actor if _kind_of(actor) == "Practitioner"]
    if len(practitioners) > 1:
        raise InvalidInput("actor", zh="只能有一名医师", en="there may be one practitioner only")
    department = _department(schedule, known)
    doctor = None
    if practitioners:
        person = known.get(practitioners[0].reference)
        doctor = Doctor(
            id=check_id("actor.reference", _id_in(practitioners[0].reference, person)),
            department_id=department.id,
            name_zh=check_name("actor.display", _person_name(person) or practitioners[0].display or ""),
            title_zh=check_name("qualification", _title(person), required=False),
        )
    return _Open(department=department, doctor=doctor, active=schedule.active is not False, resource=schedule)


def _department(schedule: Any, known: Mapping[str, Any]) -> Department:
    for path, concepts in (("specialty", schedule.specialty), ("serviceType", schedule.serviceType)):
        for concept in concepts or []:
            for coding in concept.coding or []:
                if coding.code:
                    name = concept.text or coding.display or coding.code
                    return Department(id=check_id(f"{path}.coding.code", coding.code), name_zh=check_name(path, name))
    for actor in schedule.actor:
        if _kind_of(actor) == "Location":
            place = known.get(actor.reference)
            key = check_id("actor.reference", _id_in(actor.reference, place))
            return Department(
                id=key, name_zh=check_name("actor.display", getattr(place, "name", None) or actor.display or key)
            )
    raise InvalidInput(
        "specialty", zh="须有专科、服务类型或地点之一", en="a specialty, service type or location is needed"
    )


def _kind_of(reference: Any) -> str | None:
    """What a reference points to, from its own words."""
    if reference.type:
        return str(reference.type)
    parts = (reference.reference or "").split("/")
    return parts[-2] if len(parts) > 1 else None


def _id_in(reference: str | None, target: Any) -> str:
    return str(target.id) if target is not None and target.id else (reference or "").rsplit("/", 1)[-1]


def _person_name(person: Any) -> str:
    for name in getattr(person, "name", None) or []:
        written = name.text or "".join([name.family or "", *(name.given or [])])
        if written:
            return str(written)
    return ""


def _title(person: Any) -> str:
    for qualification in getattr(person, "qualification", None) or []:
        if qualification.code.text:
            return str(qualification.code.text)
    return ""


def _groups(
    found: list[tuple[RawResource, Any]],
    known: Mapping[str, Any],
    schedules: Mapping[int, _Open],
    defaults: Defaults,
    left_out: Counter[str],
    bad: list[BadRow],
) -> dict[tuple[int, date, Half, Kind], _Group]:
    groups: dict[tuple[int, date, Half, Kind], _Group] = {}
    for resource, slot in found:
        if not isinstance(slot, Slot):
            continue
        try:
            why = _add(slot, resource.place, known, schedules, defaults, groups)
        except InvalidInput as rule:
            bad.extend(bad_rows([rule], resource.place))
            continue
        if why is not None:
            left_out[why] += 1
    return groups


def _add(
    slot: Any,
    place: Place,
    known: Mapping[str, Any],
    schedules: Mapping[int, _Open],
    defaults: Defaults,
    groups: dict[tuple[int, date, Half, Kind], _Group],
) -> str | None:
    """Put a slot into its group, or tell why it is left out."""
    reference = slot.schedule.reference or ""
    target = known.get(reference) or known.get("/".join(reference.split("/")[-2:]))
    schedule = schedules.get(id(target))
    if schedule is None:
        raise InvalidInput(
            "schedule.reference", zh="没有随附这个排班", en="the schedule was not given or not understood"
        )
    if slot.status in _LEFT_OUT:
        return str(slot.status)
    if slot.status not in _OFFERED:
        raise InvalidInput("status", zh="须为 FHIR R4 的号源状态", en="not a status of FHIR R4 slots")
    if not schedule.active:
        return "schedule-not-active"
    if slot.overbooked:
        return "overbooked"
    starts_at_us, ends_at_us = to_us(slot.start), to_us(slot.end)
    if starts_at_us >= ends_at_us:
        raise InvalidInput("end", zh="结束时间须晚于开始时间", en="must be later than the start")
    day, half = day_of(starts_at_us), half_of(starts_at_us)
    terms = _terms(slot, schedule, day, defaults)
    group = groups.setdefault(
        (id(target), day, half, terms.kind), _Group(schedule=schedule, day=day, half=half, terms=terms, place=place)
    )
    if group.terms != terms:
        raise InvalidInput(
            "extension", zh="同一场次的费用、放号时间须一致", en="fee, release and hot must agree within a session"
        )
    group.slots.append((starts_at_us, ends_at_us, _OFFERED[slot.status]))
    return None


def _terms(slot: Any, schedule: _Open, day: date, defaults: Defaults) -> _Terms:
    told: dict[str, Any] = {}
    for extension in [*(schedule.resource.extension or []), *(slot.extension or [])]:
        if extension.url.startswith(EXTENSION):
            told[extension.url.removeprefix(EXTENSION)] = extension
    kind = told["kind"].valueCode if "kind" in told else defaults.kind
    if kind not in KINDS:
        raise InvalidInput(EXTENSION + "kind", zh="须为 " + "、".join(KINDS), en="one of " + ", ".join(KINDS))
    fee_cents = _cents(told["fee"]) if "fee" in told else defaults.fee_cents
    if fee_cents is None:
        raise InvalidInput(EXTENSION + "fee", zh="没有费用也没有缺省值", en="there is neither a fee nor a default")
    release_at_us = defaults.release.release_at_us(day) if defaults.release is not None else None
    if "release-at" in told:
        moment = told["release-at"].valueInstant or told["release-at"].valueDateTime
        if not isinstance(moment, datetime) or moment.tzinfo is None:
            raise InvalidInput(EXTENSION + "release-at", zh="须为带时区的时间", en="a time with its zone")
        release_at_us = to_us(moment)
    if release_at_us is None:
        raise InvalidInput(
            EXTENSION + "release-at", zh="没有放号时间也没有缺省值", en="there is neither a release time nor a default"
        )
    hot = bool(told["hot"].valueBoolean) if "hot" in told else False
    return _Terms(kind=kind, fee_cents=fee_cents, release_at_us=release_at_us, hot=hot)


def _cents(extension: Any) -> int:
    yuan = extension.valueDecimal
    if extension.valueMoney is not None:
        yuan = extension.valueMoney.value if extension.valueMoney.currency == "CNY" else None
    cents = Decimal(yuan) * 100 if yuan is not None and Decimal(yuan).is_finite() else Decimal("0.5")
    if cents != cents.to_integral_value():
        raise InvalidInput(
            EXTENSION + "fee", zh="须为人民币元，最多两位小数", en="an amount in CNY with at most two decimals"
        )
    return int(cents)


def _id_of(group: _Group) -> str:
    doctor = group.schedule.doctor
    return session_id_of(
        group.schedule.department.id,
        doctor.id if doctor is not None else None,
        day=group.day,
        half=group.half,
        kind=group.terms.kind,
    )


def _sessions(groups: Mapping[Any, _Group], now_us: int, bad: list[BadRow]) -> list[PlannedSession]:
    sessions: dict[str, PlannedSession] = {}
    for group in groups.values():
        session = _session(group)
        broken = broken_rules(session, now_us=now_us)
        if session.id in sessions:
            broken.append(
                InvalidInput("schedule", zh="与另一排班是同一场次", en="the same session as another schedule's")
            )
        if broken:
            bad.extend(bad_rows(broken, group.place))
        else:
            sessions[session.id] = session
    return list(sessions.values())


def _session(group: _Group) -> PlannedSession:
    slots = tuple(
        PlannedSlot(number=number, starts_at_us=starts_at_us, ends_at_us=ends_at_us, withheld=withheld)
        for number, (starts_at_us, ends_at_us, withheld) in enumerate(sorted(group.slots), start=1)
    )
    doctor = group.schedule.doctor
    session = PlannedSession(
        id=_id_of(group),
        department_id=group.schedule.department.id,
        doctor_id=doctor.id if doctor is not None else None,
        day=group.day,
        half=group.half,
        kind=group.terms.kind,
        starts_at_us=slots[0].starts_at_us,
        ends_at_us=max(slot.ends_at_us for slot in slots),
        fee_cents=group.terms.fee_cents,
        capacity=len(slots),
        release_at_us=group.terms.release_at_us,
        hot=group.terms.hot,
        source="fhir",
        place=group.place,
    )
    return replace(session, slots=slots)
