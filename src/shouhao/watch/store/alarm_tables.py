"""Tables of alarms: sightings, alarms with their steps, dispatches and posts of guards, escalations, labelled pairs.

Nobody is named here: entries, cameras and operators are ids of those who own them, pictures are ids of sealed stills.
"""

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, PrimaryKeyConstraint, Table, Text, text

from shouhao.store.schema import Serial, identifier, instant, metadata

alarms = Table(
    "alarms",
    metadata,
    identifier("id", primary_key=True),
    identifier("entry_id"),
    identifier("list_id"),
    identifier("place_id"),
    identifier("passage_id"),  # of the best sighting
    identifier("state"),
    Column("version", Integer, nullable=False),
    Column("late", Boolean, nullable=False),
    identifier("outcome", nullable=True),
    identifier("dispatch_id", nullable=True),  # of the guard who is sent, accepted or there
    identifier("guard_id", nullable=True),
    Column("sightings", Integer, nullable=False),
    identifier("last_camera_id"),
    instant("first_seen_at_us"),
    instant("last_seen_at_us"),
    instant("raised_at_us"),
    # When each step was taken, of the guard who is at it now:
    instant("acknowledged_at_us", nullable=True),
    instant("confirmed_at_us", nullable=True),
    instant("rejected_at_us", nullable=True),
    instant("dispatched_at_us", nullable=True),
    instant("declined_at_us", nullable=True),
    instant("accepted_at_us", nullable=True),
    instant("arrived_at_us", nullable=True),
    instant("outcome_at_us", nullable=True),
    instant("handed_to_police_at_us", nullable=True),
    instant("closed_at_us", nullable=True),
)
Index("ix_alarms_entry_id_place_id", alarms.c.entry_id, alarms.c.place_id, alarms.c.raised_at_us)
Index("ix_alarms_raised_at_us", alarms.c.raised_at_us)
_OPEN = text("closed_at_us IS NULL")
Index("ix_alarms_open", alarms.c.raised_at_us, sqlite_where=_OPEN, postgresql_where=_OPEN)

#: One row a person and place: whoever raises holds it, so that two cameras at once make one alarm.
alarm_turns = Table(
    "alarm_turns",
    metadata,
    identifier("entry_id"),
    identifier("place_id"),
    PrimaryKeyConstraint("entry_id", "place_id"),
)

#: A passage may be like two people of the list; each is a sighting of its own.
sightings = Table(
    "sightings",
    metadata,
    identifier("passage_id"),
    Column("alarm_id", ForeignKey("alarms.id"), nullable=False),
    identifier("camera_id"),
    identifier("place_id"),
    identifier("entry_id"),
    identifier("list_id"),
    identifier("photo_id"),
    instant("seen_at_us"),
    instant("arrived_at_us"),
    Column("similarity_cos", Float, nullable=False),
    Column("threshold_cos", Float, nullable=False),
    Column("quality", Float, nullable=False),
    Column("frames", Integer, nullable=False),
    identifier("pack"),
    identifier("crop_id", nullable=True),
    identifier("scene_id", nullable=True),
    Column("late", Boolean, nullable=False),
    PrimaryKeyConstraint("passage_id", "entry_id"),
)
Index("ix_sightings_alarm_id", sightings.c.alarm_id)
Index("ix_sightings_entry_id_seen_at_us", sightings.c.entry_id, sightings.c.seen_at_us)

#: Every still that was frozen for an alarm, those of lesser shots too: all are erased when it was somebody else.
alarm_stills = Table(
    "alarm_stills",
    metadata,
    Column("alarm_id", ForeignKey("alarms.id"), nullable=False),
    identifier("still_id"),
    instant("erased_at_us", nullable=True),
    PrimaryKeyConstraint("alarm_id", "still_id"),
)
Index("ix_alarm_stills_still_id", alarm_stills.c.still_id)

#: Only ever added to. `at_us` is when it happened as we believe it; when we heard it, and a phone's own time, stay too.
alarm_steps = Table(
    "alarm_steps",
    metadata,
    Column("alarm_id", ForeignKey("alarms.id"), nullable=False),
    Column("version", Integer, nullable=False),  # of the alarm after this step
    identifier("step"),
    identifier("state"),  # after it
    instant("at_us"),
    instant("heard_at_us"),
    instant("said_at_us", nullable=True),
    Column("believed", Boolean, nullable=False),
    identifier("actor_id", nullable=True),  # only the raising has none: a machine did it
    Column("reason", Text, nullable=False),
    identifier("outcome", nullable=True),
    identifier("dispatch_id", nullable=True),
    identifier("guard_id", nullable=True),
    PrimaryKeyConstraint("alarm_id", "version"),
)

dispatches = Table(
    "dispatches",
    metadata,
    identifier("id", primary_key=True),
    Column("alarm_id", ForeignKey("alarms.id"), nullable=False),
    identifier("guard_id"),
    identifier("sent_by"),
    identifier("state"),  # sent, accepted, arrived, done, declined, recalled
    instant("sent_at_us"),
    instant("ended_at_us", nullable=True),
)
_LIVE = text("ended_at_us IS NULL")
Index("uq_dispatches_live_guard", dispatches.c.guard_id, unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE)
Index("uq_dispatches_live_alarm", dispatches.c.alarm_id, unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE)
Index("ix_dispatches_guard_id_sent_at_us", dispatches.c.guard_id, dispatches.c.sent_at_us)

guard_posts = Table(
    "guard_posts",
    metadata,
    identifier("guard_id", primary_key=True),
    identifier("place_id", nullable=True),  # empty: off duty
    instant("since_us"),
)

alarm_escalations = Table(
    "alarm_escalations",
    metadata,
    Column("alarm_id", ForeignKey("alarms.id"), nullable=False),
    identifier("target"),
    instant("since_us"),  # what the clock was counted from: each clock escalates once
    instant("due_at_us"),
    instant("at_us"),
    PrimaryKeyConstraint("alarm_id", "target", "since_us"),
)

#: What changed, for whoever watches live; thrown away after a day.
alarm_feed = Table(
    "alarm_feed",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    identifier("alarm_id"),
    identifier("what"),  # raised, seen, step, escalated
    instant("at_us"),
    sqlite_autoincrement=True,  # a number that was thrown away is never given again
)
Index("ix_alarm_feed_at_us", alarm_feed.c.at_us)

#: Numbers alone: how alike two faces looked, and whether a person found them to be one person.
alarm_labels = Table(
    "alarm_labels",
    metadata,
    Column("alarm_id", ForeignKey("alarms.id"), nullable=False),
    Column("same_person", Boolean, nullable=False),
    identifier("list_id"),
    identifier("camera_id"),
    identifier("pack"),
    Column("similarity_cos", Float, nullable=False),
    Column("threshold_cos", Float, nullable=False),
    Column("quality", Float, nullable=False),
    Column("frames", Integer, nullable=False),
    instant("at_us"),
    PrimaryKeyConstraint("alarm_id"),
)
