"""Events: what rooms tell each other and what `analyze` reads, one row an event.

The columns are an outside contract: hospitals export them and scripts read them. All ids are pseudonyms; an
event never holds a name, an ID number or a phone.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, get_args

EventKind = Literal[
    "account_registered",
    "patient_bound",
    "logged_in",
    "viewed",
    "searched",
    "booked",
    "refused",
    "cancelled",
    "paid",
    "expired",
    "waitlisted",
    "offered",
    "accepted",
    "checked_in",
    "no_show",
    "extra_slot_added",
    "face_checked",
    "draw_entered",
    "complained",
    # What the house records beyond the patient's path:
    "patient_registered",
    "patient_verified",
    "patient_edited",
    "patient_unbound",
    "guardian_bound",
    "guardian_removed",
    "photo_submitted",
    "photo_decided",
    "logged_out",
    "released",
    "schedule_imported",
    "refunded",
    "extra_slot_requested",
    "extra_slot_refused",
    "policy_changed",
    "channel_changed",
    "staff_changed",
    # Draws, waitlists, and what becomes of returned slots:
    "draw_opened",
    "draw_withdrawn",
    "draw_sealed",
    "draw_made",
    "draw_contribution",
    "waitlist_left",
    "slot_moved",
    "care_proof_recorded",
    "care_proof_revoked",
    "people_declared_apart",
    # What people agreed to:
    "consent_given",
    "consent_withdrawn",
    # Antenatal registration:
    "antenatal_applied",
    "antenatal_waiting",
    "antenatal_granted",
    "antenatal_confirmed",
    "antenatal_lapsed",
    "antenatal_withdrawn",
    "antenatal_assessed",
    "antenatal_corrected",
    "antenatal_referred",
    "antenatal_offer_changed",
    "antenatal_month",
    # The galleries of faces:
    "face_enrolled",
    "face_erased",
    "face_threshold_set",
    "face_pack_changed",
    # Staff at work:
    "staff_signed_in",
    "staff_sign_in_refused",
    "staff_signed_out",
    "approval_changed",
    "record_looked_at",
    "looks_warned",
    "canary_opened",
    # The law as switches:
    "switch_record_added",
    "switch_changed",
    # The watch:
    "camera_changed",
    "camera_health",
    "capture_not_understood",
    "still_frozen",
    "watch_entry_changed",
    "watch_list_changed",
    "watch_bundle_changed",
    "sighted",
    "alarm_raised",
    "alarm_step",
    "alarm_escalated",
    "dispatched",
    "trail_opened",
    "shift_handed_over",
    "shift_taken_over",
    "recording_searched",
    "frequent_lead_changed",
    "frequent_purged",
    # Tips:
    "tip_told",
    "tip_changed",
    "tips_erased",
    # Findings of the detectors, taken in and judged:
    "findings_taken",
    "finding_judged",
    "findings_erased",
]
EVENT_KINDS: tuple[str, ...] = get_args(EventKind)


class Event(NamedTuple):
    """One thing that happened, at its source's time. A tuple: thousands are made a second."""

    at_us: int  #: microseconds since 1970-01-01 UTC, at the source
    kind: EventKind
    channel: str | None = None  #: app, wechat, web, phone, kiosk, window, platform:NAME
    account_id: str | None = None
    patient_id: str | None = None
    payer_id: str | None = None
    device_id: str | None = None
    session_token: str | None = None  #: pseudonym of the sign-in, never the token itself
    ip: str | None = None
    user_agent: str | None = None
    department_id: str | None = None
    doctor_id: str | None = None
    session_id: str | None = None
    slot_id: str | None = None
    released_at_us: int | None = None
    staff_id: str | None = None
    latency_ms: float | None = None  #: from page shown to request, where known
    face_hash: str | None = None
    frame_hash: str | None = None
    detail: Mapping[str, Any] = MappingProxyType({})  #: anything else, as JSON


#: Column names of an exported event, in order; instants are written as ISO 8601 text or timestamps.
EXPORT_COLUMNS: tuple[str, ...] = (
    "event_id",
    *({"at_us": "at", "released_at_us": "released_at"}.get(name, name) for name in Event._fields),
)
