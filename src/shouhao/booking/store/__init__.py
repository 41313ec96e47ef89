"""The booking room's SQL, one subject a file."""
