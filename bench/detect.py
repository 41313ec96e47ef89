"""Detection: reading, detectors 1 and 2 from the log file on, all detectors on made-up days, and following events live.

`--full` takes ten million lines and a million events; without it all of it ends within minutes.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from bench.detect_counting import counting_figures
from bench.detect_inputs import inputs_figures
from bench.detect_live import live_figures
from bench.detect_whole import whole_figures
from bench.harness import Figure

INPUT_LINES, COUNTED_ROWS, LIVE_EVENTS = 500_000, 1_000_000, 400_000
FULL_INPUT_LINES, FULL_COUNTED_ROWS, FULL_LIVE_EVENTS = 2_000_000, 10_000_000, 2_400_000


@contextmanager
def figures(*, full: bool = False) -> Iterator[Sequence[Figure]]:
    """All figures of detection."""
    with ExitStack() as stack:
        lines, rows, events = (
            (FULL_INPUT_LINES, FULL_COUNTED_ROWS, FULL_LIVE_EVENTS)
            if full
            else (INPUT_LINES, COUNTED_ROWS, LIVE_EVENTS)
        )
        yield [
            *stack.enter_context(inputs_figures(lines)),
            *counting_figures(rows),
            *stack.enter_context(whole_figures("large" if full else "small")),
            *stack.enter_context(live_figures(events)),
        ]
