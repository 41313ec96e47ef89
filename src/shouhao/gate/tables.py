"""Tables of the gate: channels with their keys, codes sent to phones, sign-ins that were ended early."""

from sqlalchemy import Boolean, Column, Index, Integer, Table, Text, text

from shouhao.store.schema import identifier, instant, metadata

channels = Table(
    "channels",
    metadata,
    identifier("name", primary_key=True),  # app, wechat, web, phone, kiosk, window, platform:NAME
    identifier("key_hash"),
    Column("active", Boolean, nullable=False),
    instant("created_at_us"),
    instant("changed_at_us"),
)

phone_codes = Table(
    "phone_codes",
    metadata,
    identifier("id", primary_key=True),
    identifier("phone_hash"),
    identifier("code_hash"),
    identifier("channel"),
    Column("attempts", Integer, nullable=False),
    instant("created_at_us"),
    instant("expires_at_us"),
    instant("ended_at_us", nullable=True),  # used, or replaced by a newer one
)
Index("ix_phone_codes_phone_hash_created_at_us", phone_codes.c.phone_hash, phone_codes.c.created_at_us)
Index(  # two requests at the same moment cannot both get a code
    "uq_phone_codes_live",
    phone_codes.c.phone_hash,
    unique=True,
    sqlite_where=text("ended_at_us IS NULL"),
    postgresql_where=text("ended_at_us IS NULL"),
)

ended_sign_ins = Table(
    "ended_sign_ins",
    metadata,
    identifier("sign_in_id", primary_key=True),
    instant("expires_at_us"),
    Column("reason", Text, nullable=False),
)
