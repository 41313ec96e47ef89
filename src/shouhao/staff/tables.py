"""Tables of the staff room: operators with roles and keys."""

from sqlalchemy import Boolean, Column, Table, Text

from shouhao.store.schema import identifier, instant, metadata

operators = Table(
    "operators",
    metadata,
    identifier("id", primary_key=True),
    Column("name", Text, nullable=False),
    identifier("roles"),  # comma-separated: window, reviewer, outpatient_office, approver, it, auditor
    identifier("doctor_id", nullable=True),  # set when the operator is a doctor
    identifier("key_hash", unique=True),
    Column("active", Boolean, nullable=False),
    instant("created_at_us"),
)
