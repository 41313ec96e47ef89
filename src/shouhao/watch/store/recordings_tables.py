"""Tables of recordings: clips that were kept around alarms, and searches of recordings with what they found.

A search leaves its hits and a record that it was made; of anybody else in the recording nothing stands here, and of the
face that was searched for no template.
"""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, PrimaryKeyConstraint, Table, Text

from shouhao.store.schema import identifier, instant, metadata

clips = Table(
    "watch_clips",
    metadata,
    identifier("still_id", primary_key=True),
    identifier("alarm_id"),
    identifier("camera_id"),
    instant("from_us"),
    instant("to_us"),
)
Index("ix_watch_clips_alarm_id", clips.c.alarm_id)

searches = Table(
    "recording_searches",
    metadata,
    identifier("id", primary_key=True),
    identifier("approval_id", unique=True),
    identifier("operator_id"),
    identifier("look_id"),  # its row of the access register
    identifier("probe_sha256", nullable=True),  # of the photograph that was searched for
    identifier("entry_id", nullable=True),  # or the watch entry
    identifier("camera_id", nullable=True),  # which made the recordings
    identifier("pack"),
    Column("threshold_cos", Float, nullable=False),
    instant("from_us"),  # the time box
    instant("until_us"),
    identifier("state"),  # running, done, aborted, failed
    instant("started_at_us"),
    instant("ended_at_us", nullable=True),
    Column("searched_s", Float, nullable=False),  # of recordings
    Column("pictures", Integer, nullable=False),  # that were looked at
    Column("faces", Integer, nullable=False),  # that were compared
)
Index("ix_recording_searches_started_at_us", searches.c.started_at_us)

#: Each file as it was handed in, and how far it could be read.
files = Table(
    "recording_files",
    metadata,
    Column("search_id", ForeignKey("recording_searches.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("name", Text, nullable=False),  # without its folder
    identifier("sha256", nullable=True),
    Column("size_bytes", BigInteger, nullable=False),
    instant("began_at_us", nullable=True),
    identifier("began_known_from", nullable=True),  # given, name, metadata, file
    Column("duration_s", Float, nullable=False),  # as it says
    identifier("stopped"),  # ended, or why it could not be read to its end
    Column("position_s", Float, nullable=False),  # up to which it was read
    Column("byte", BigInteger, nullable=True),
    Column("corrupt", Integer, nullable=False),  # packets that were passed over
    PrimaryKeyConstraint("search_id", "number"),
)

hits = Table(
    "recording_hits",
    metadata,
    identifier("id", primary_key=True),
    Column("search_id", ForeignKey("recording_searches.id"), nullable=False),
    Column("file_number", Integer, nullable=False),
    Column("position_s", Float, nullable=False),
    instant("seen_at_us"),
    identifier("camera_id", nullable=True),
    identifier("place_id", nullable=True),
    Column("similarity_cos", Float, nullable=False),
    Column("threshold_cos", Float, nullable=False),
    Column("quality", Float, nullable=False),
    Column("frames", Integer, nullable=False),
    identifier("crop_id"),
    identifier("scene_id"),
)
Index("ix_recording_hits_search_id", hits.c.search_id, hits.c.seen_at_us)
