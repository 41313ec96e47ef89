"""Detection: from exported logs and bookings, or the platform's own events, to findings that stand.

Inputs become two tables (inputs/), detectors count in them and judge (rules/), what is shared joins people into rings
(rings/), weights add up (scoring.py), and each claim is led back to its lines (evidence.py). run.py is the path. What a
folder holds afterwards is read back by night.py, sealed by sealing.py and kept in store/, for people to judge.
"""
