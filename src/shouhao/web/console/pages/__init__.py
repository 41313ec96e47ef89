"""The console's pages: one shell and plain ES modules over the staff's API; no build step, no state on the server."""
