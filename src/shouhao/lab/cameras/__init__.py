"""Simulated GA/T 1400 cameras: they register, keep alive, and push people who walk past, with faults on demand."""
