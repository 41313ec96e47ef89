"""Live: the engine led along an event log."""
