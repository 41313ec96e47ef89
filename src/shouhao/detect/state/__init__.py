"""State: what nightly runs keep of the nights before."""
