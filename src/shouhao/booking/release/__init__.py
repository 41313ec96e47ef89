"""Release policies, one file each: how the slots of a session reach patients."""
