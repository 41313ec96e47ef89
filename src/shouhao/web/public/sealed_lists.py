"""Sealed lists: the trees of the last few sealed draws, so that thousands who ask for their proof cost one building.

A sealed list never changes, so nothing here grows old.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass

from shouhao.booking.release.draw_file import sealed_leaves
from shouhao.booking.release.seal import merkle_levels, proof_in
from shouhao.booking.store.draws import Draw, entries_of_draw
from shouhao.booking.store.draws_seen import TOOK_PART
from shouhao.flows.draws import published_entry
from shouhao.kernel.errors import Tampered
from shouhao.store.engine import Database

_KEPT = 8  #: draws; one of 50,000 entries takes about 30 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What shows that an entry stands in the sealed list."""

    leaf: str  #: the entry, byte for byte as in the published file
    index: int
    size: int
    hashes: tuple[str, ...]  #: hex


@dataclass(frozen=True, slots=True)
class _Tree:
    leaves: list[bytes]
    levels: list[list[bytes]]
    index_of: dict[str, int]


class SealedLists:
    """Gives proofs out of sealed draws."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._lock = threading.Lock()
        self._trees: OrderedDict[str, _Tree] = OrderedDict()

    def proof(self, draw: Draw, entry_id: str) -> Proof | None:
        """The proof of an entry of a sealed draw, or None when it does not stand in the list.

        Raises:
            Tampered: the entries or terms are not what was sealed.
        """
        tree = self._tree(draw)
        index = tree.index_of.get(entry_id)
        if index is None:
            return None
        return Proof(
            leaf=tree.leaves[index].decode(),
            index=index,
            size=len(tree.leaves),
            hashes=tuple(one.hex() for one in proof_in(tree.levels, index)),
        )

    def _tree(self, draw: Draw) -> _Tree:
        with self._lock:  # who asks meanwhile waits for this building instead of doing the same
            tree = self._trees.get(draw.id)
            if tree is None:
                tree = self._trees[draw.id] = self._build(draw)
                while len(self._trees) > _KEPT:
                    self._trees.popitem(last=False)
            self._trees.move_to_end(draw.id)
            return tree

    def _build(self, draw: Draw) -> _Tree:
        with self._db.read() as connection:
            known = entries_of_draw(connection, draw.id, *TOOK_PART)
        leaves = sealed_leaves(draw.terms or {}, [published_entry(draw, entry) for entry in known])
        levels = merkle_levels(leaves)
        if levels[-1][0].hex() != draw.root:
            raise Tampered(f"draw {draw.id}: entries or terms are not what was sealed")
        # The first leaf is the terms; entries follow by id.
        return _Tree(leaves, levels, {entry_id: n for n, entry_id in enumerate(sorted(e.id for e in known), start=1)})
