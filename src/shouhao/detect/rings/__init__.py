"""Rings: who belongs together, by what, and how that is told."""
