"""The database, once: engine, unit of work, batches, event log, answers, invariants, vault, migrations."""
