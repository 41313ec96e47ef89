"""The patients' pages: server-rendered, phone first, and a client of the API like any other channel."""
