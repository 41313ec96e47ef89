"""A hospital to try things on: its schedule, its patients, its morning."""
