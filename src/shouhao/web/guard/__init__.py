"""The guard's page: one page for a phone, which works with one hand and a poor network."""
