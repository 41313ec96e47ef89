"""The law as switches, clocks and records: what is off until a record says that it may be on."""
