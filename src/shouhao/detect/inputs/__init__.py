"""Inputs: exported access logs and events become the tables `hits` and `events`, each row with the place of its bytes.

`read.py` is the way in. A file is never dropped in silence: it is read, read as far as it goes with the byte where
reading stopped, or refused by name.
"""
