"""Store: the tables of the watch, read and written, one subject a file."""
