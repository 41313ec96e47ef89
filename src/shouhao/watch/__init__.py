"""The watch: cameras, captures, the watchlist, alarms, trails and dispatch."""
