"""Tables of the staff room: operators, their sign-ins and training, approvals, the access register.

Rows of `access_register` are only ever added: triggers of the migration refuse every change, whoever asks.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from shouhao.store.schema import Identifier, identifier, instant, metadata

operators = Table(
    "operators",
    metadata,
    identifier("id", primary_key=True),
    Column("name", Text, nullable=False),
    identifier("roles"),  # comma-separated, of staff.model.ROLES
    identifier("doctor_id", nullable=True),  # set when the operator is a doctor
    identifier("key_hash", unique=True),  # who has no key has the hash of one that nobody knows
    Column("active", Boolean, nullable=False),
    instant("created_at_us"),
    Column("unit", Text, nullable=True),  # 部门
)

logins = Table(
    "staff_logins",
    metadata,
    Column("operator_id", Identifier, ForeignKey(operators.c.id), primary_key=True),
    identifier("login", unique=True),
    Column("password_hash", Text, nullable=True),  # argon2id, with its parameters and salt
    instant("password_set_at_us", nullable=True),
    identifier("one_time_hash", nullable=True),  # of a random one-time login that waits for its first use
    instant("one_time_until_us", nullable=True),
    Column("factor_sealed", Text, nullable=True),  # secret of the second factor
    Column("factor_offered_sealed", Text, nullable=True),  # one that was shown and not yet confirmed
    Column("factor_last_step", BigInteger, nullable=True),  # no code of this step or an earlier one counts again
)

sessions = Table(
    "staff_sessions",
    metadata,
    identifier("id_hash", primary_key=True),  # of the random value in the cookie
    identifier("public_id", unique=True),  # names it in events
    Column("operator_id", Identifier, ForeignKey(operators.c.id), nullable=False),
    identifier("stage"),  # setup: may only set a password and a second factor; full
    identifier("zone"),  # network in which it began
    instant("began_at_us"),
    instant("seen_at_us"),
    instant("ends_at_us"),
    instant("ended_at_us", nullable=True),
)
Index("ix_staff_sessions_operator_id", sessions.c.operator_id)

throttles = Table(
    "staff_throttles",
    metadata,
    identifier("key", primary_key=True),  # pair, address or login, each hashed
    Column("failures", Integer, nullable=False),
    instant("failed_at_us"),
    instant("until_us"),
)

known_addresses = Table(
    "staff_known_addresses",
    metadata,
    identifier("key", primary_key=True),  # login and address, hashed
    instant("signed_in_at_us"),
)

trainings = Table(
    "staff_trainings",
    metadata,
    identifier("id", primary_key=True),
    Column("operator_id", Identifier, ForeignKey(operators.c.id), nullable=False),
    Column("trained_by", Text, nullable=False),
    Column("document", Text, nullable=False),  # where the proof lies: number of a certificate, of a minute
    instant("until_us"),
    instant("recorded_at_us"),
    identifier("recorded_by", nullable=True),
)
Index("ix_staff_trainings_operator_id", trainings.c.operator_id)

approvals = Table(
    "approvals",
    metadata,
    identifier("id", primary_key=True),
    identifier("kind"),
    identifier("subject"),
    Column("payload", Text, nullable=False),  # JSON, fixed when it was asked
    identifier("payload_sha256"),
    Column("reason", Text, nullable=False),
    identifier("asked_by"),
    Column("needed", Integer, nullable=False),
    identifier("state"),  # asked, approved, refused, used, expired, withdrawn
    instant("asked_at_us"),
    instant("ends_at_us"),
    instant("changed_at_us"),
)
Index("ix_approvals_state", approvals.c.state, approvals.c.ends_at_us)

approval_decisions = Table(
    "approval_decisions",
    metadata,
    Column("approval_id", Identifier, ForeignKey(approvals.c.id), nullable=False),
    identifier("operator_id"),  # or "system", where it could not be done any more
    Column("approve", Boolean, nullable=False),
    Column("reason", Text, nullable=False),  # in the person's words; the system's is JSON: code, zh, en
    identifier("payload_sha256"),  # what this person decided about
    instant("at_us"),
    PrimaryKeyConstraint("approval_id", "operator_id"),
)

access_register = Table(
    "access_register",
    metadata,
    identifier("id", primary_key=True),
    instant("at_us"),
    identifier("operator_id"),
    Column("unit", Text, nullable=True),
    identifier("data_class"),  # face, trail, health, identity, case, other
    Column("what", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("authority", Text, nullable=False),
    Column("records", Integer, nullable=False),
    Column("canary", Boolean, nullable=False),  # one of the records is a canary
)
Index(  # holds all that counting needs
    "ix_access_register_operator_id",
    access_register.c.operator_id,
    access_register.c.at_us,
    access_register.c.data_class,
    access_register.c.records,
)

look_warnings = Table(
    "look_warnings",
    metadata,
    identifier("id", primary_key=True),
    instant("at_us"),
    identifier("operator_id"),
    identifier("counter"),  # trail, health, other
    identifier("span"),  # day, month
    Column("records", Integer, nullable=False),
    Column("warn_at", Integer, nullable=False),
)
Index("ix_look_warnings_operator_id", look_warnings.c.operator_id, look_warnings.c.at_us)

canaries = Table(
    "canaries",
    metadata,
    identifier("record_id", primary_key=True),
    identifier("marked_by"),
    instant("marked_at_us"),
)
