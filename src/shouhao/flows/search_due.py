"""Search due: searches of recordings whose process died are written down as failed; they had kept nothing."""

from shouhao.kernel.clock import DAY_US
from shouhao.store.engine import Database
from shouhao.watch.store.recordings import give_up_running

LONGEST_US = DAY_US  #: that a search may take


def searches_due(db: Database, *, now_us: int) -> int:
    """Give up what nobody can be searching any more; how many."""
    with db.write() as connection:
        return give_up_running(connection, before_us=now_us - LONGEST_US, now_us=now_us)
