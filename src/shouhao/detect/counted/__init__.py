"""Counted: what the rules judge by, one subject a file; nothing here says what a count means."""
