"""Memory: Python's collector of cycles, told that a server is not a script.

A server's thousands of live requests look like young garbage to it; looking through all of them again and again is what
the slowest answers wait for.
"""

import gc

_YOUNG, _MIDDLE, _OLD = 20_000, 20, 50  #: CPython's defaults are 700, 10, 10


def settle() -> None:
    """Leave what exists now alone for good, and look less often; call once, when everything is set up."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
