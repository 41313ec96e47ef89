"""Tables of what was found: runs, findings with what is sealed of them, what people judged.

Subjects, members and raw lines are personal data: they are sealed, and found again by a keyed hash. In the clear stand
figures, codes of rules and ids of our own.
"""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, PrimaryKeyConstraint, Table, Text

from shouhao.store.schema import identifier, instant, metadata

#: A run stays when its findings are erased, so that its folder is not taken in again.
finding_runs = Table(
    "finding_runs",
    metadata,
    identifier("id", primary_key=True),
    identifier("key", unique=True),  # of the file of findings, or of the first line of one that grows
    Column("live", Boolean, nullable=False),
    Column("name", Text, nullable=False),
    instant("taken_at_us"),
    instant("changed_at_us"),
    instant("from_at_us", nullable=True),
    instant("to_at_us", nullable=True),
    Column("certain", Integer, nullable=False),
    Column("strong", Integer, nullable=False),
    Column("leads", Integer, nullable=False),
    Column("rings", Integer, nullable=False),
    Column("hits", BigInteger, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("reasons", Text, nullable=False),  # JSON: how many findings have a reason of each code
    Column("level_from", Text, nullable=False),  # JSON: score from which a level is reached
    identifier("findings_sha256"),
    identifier("report_sha256"),
    Column("agree", Boolean, nullable=False),  # whether the two files tell the same findings
    instant("erased_at_us", nullable=True),
)

findings = Table(
    "findings",
    metadata,
    Column("run_id", ForeignKey("finding_runs.id"), nullable=False),
    identifier("finding_id"),
    identifier("subject_kind"),
    identifier("subject_hash"),
    identifier("level"),
    Column("score_milli", Integer, nullable=False),  # thousandths of log-odds
    instant("first_at_us"),
    instant("last_at_us"),
    Column("members", Integer, nullable=False),
    Column("speaks_for", Integer, nullable=False),
    identifier("state"),  # open, upheld, dismissed, watched
    Column("version", Integer, nullable=False),  # of a live run's line; nought otherwise
    Column("stands", Boolean, nullable=False),  # a live run may find it no more
    instant("said_at_us"),  # when we heard of it last
    Column("card", Text, nullable=False),  # sealed: who it is, and its headline
    PrimaryKeyConstraint("run_id", "finding_id"),
)
Index("ix_findings_run_id_score", findings.c.run_id, findings.c.score_milli, findings.c.finding_id)
Index("ix_findings_finding_id", findings.c.finding_id)
Index("ix_findings_subject_hash", findings.c.subject_hash)
Index("ix_findings_said_at_us", findings.c.said_at_us)

#: Apart from the rows that lists go through, for they are long.
finding_bodies = Table(
    "finding_bodies",
    metadata,
    identifier("run_id"),
    identifier("finding_id"),
    Column("sealed", Text, nullable=False),  # the line, and what the report tells of it, packed
    PrimaryKeyConstraint("run_id", "finding_id"),
)

finding_reasons = Table(
    "finding_reasons",
    metadata,
    identifier("run_id"),
    identifier("code"),
    identifier("finding_id"),
    PrimaryKeyConstraint("run_id", "code", "finding_id"),
)
Index("ix_finding_reasons_finding_id", finding_reasons.c.run_id, finding_reasons.c.finding_id)

#: Members of rings, so that a finding about one of them leads to its ring.
finding_members = Table(
    "finding_members",
    metadata,
    identifier("run_id"),
    identifier("member_hash"),
    identifier("finding_id"),
    PrimaryKeyConstraint("run_id", "member_hash", "finding_id"),
)
Index("ix_finding_members_finding_id", finding_members.c.run_id, finding_members.c.finding_id)

#: Only ever added to: a later judgement takes the place of an earlier one, which stays to be read.
finding_judgements = Table(
    "finding_judgements",
    metadata,
    identifier("id", primary_key=True),
    identifier("finding_id"),
    identifier("judgement"),  # upheld, dismissed, watched
    identifier("operator_id"),
    Column("reason", Text, nullable=False),  # sealed
    instant("at_us"),
)
Index("ix_finding_judgements_finding_id", finding_judgements.c.finding_id, finding_judgements.c.at_us)
