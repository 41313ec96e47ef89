"""Bonds: all edges from which rings are made, whatever they rest on; joined for run.py."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from shouhao.detect.model import Speaks, Suspicion, Tables
from shouhao.detect.rings.cohorts import cohort_edges, suspects_edges, suspects_of
from shouhao.detect.rings.joining import Edge, edges_in, edges_of, hand_over_edges


def bonds(tables: Tables, said: Sequence[Suspicion | Speaks], *, everybody: int) -> list[Edge]:
    """What accounts share, slots that they hand each other, and what rules have found together.

    Args:
        everybody: how many accounts there are.
    """
    suspects = suspects_of(said)
    shared = edges_in(tables, suspects=suspects).to_pyarrow()
    theirs = shared.filter(pc.is_in(shared["member"], value_set=pa.array(sorted(suspects), pa.string())))
    return [
        *edges_of(shared),
        *suspects_edges(theirs.to_pylist(), suspects=suspects, everybody=everybody),
        *hand_over_edges(said),
        *cohort_edges(said),
    ]
