"""Record: everything that happened, as rows of small numbers; texts are written out once, at the end.

Events are told one by one. Requests that are no events (pages, pictures, polls, a script's hammering) are told as
trains: how many, from when, how far apart, by which connection; traffic.py makes the single requests of them, all at
once. So a day of ten million lines takes half a million words.
"""

from typing import NamedTuple

import msgspec

from shouhao.kernel.events import EVENT_KINDS, EventKind

KIND_NUMBERS: dict[str, int] = {kind: n for n, kind in enumerate(EVENT_KINDS)}

NOBODY = 0  #: the connection of what nobody sent: a session's end, a release
NONE = -1


class Pool:
    """Texts by number."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """The text's number, a new one if it is new."""
        known = self._numbers.get(text)
        if known is None:
            known = self._numbers[text] = len(self.texts)
            self.texts.append(text)
        return known

    def add(self, text: str) -> int:
        """A text that is not asked for again."""
        self.texts.append(text)
        return len(self.texts) - 1


class Client(NamedTuple):
    """One connection: who, with what, from where. Numbers into the pools, -1 for none."""

    channel: str | None
    account: int
    device: int
    token: int
    ip: int
    agent: int


class Train(NamedTuple):
    """Requests in a row."""

    start_us: int
    hits: int
    gap_us: int
    style: int  #: see `HUMAN` and the others
    spread: int  #: thousandths of a log-normal's sigma; for a metronome, its jitter in microseconds
    client: int  #: the first of them
    clients: int  #: how many it goes through
    pages: int  #: which pages, see `Record.pages`
    session: int  #: what is asked for; each one that is answered with a conflict is a refusal
    patient: int  #: for whom


HUMAN, METRONOME, RANDOM = 0, 1, 2


class Page(NamedTuple):
    """What one request asks for, and what it gets."""

    request: str  #: method and path
    status: int
    size: int  #: bytes, typically
    weight: float


class Row(NamedTuple):
    """One event."""

    at_us: int
    kind: int
    client: int
    patient: int
    payer: int
    department: int
    session: int
    slot: int
    released_us: int
    staff: int
    latency: int  #: tenths of a millisecond
    face: int
    frame: int
    detail: int


class Record:
    """What is told while the days go by."""

    def __init__(self) -> None:
        self.ips, self.agents, self.devices, self.payers = Pool(), Pool(), Pool(), Pool()
        self.tokens, self.patients, self.details, self.pictures = Pool(), Pool(), Pool(), Pool()
        self.clients: list[Client] = [Client(None, NONE, NONE, NONE, NONE, NONE)]
        self.rows: list[Row] = []
        self.trains: list[Train] = []
        self.pages: list[tuple[Page, ...]] = []
        self._pages: dict[tuple[Page, ...], int] = {}

    def client(
        self,
        channel: str,
        *,
        account: int = NONE,
        device: str | None = None,
        token: int = NONE,
        ip: str,
        agent: str,
    ) -> int:
        """A connection's number."""
        known = NONE if device is None else self.devices.number(device)
        self.clients.append(Client(channel, account, known, token, self.ips.number(ip), self.agents.number(agent)))
        return len(self.clients) - 1

    def counter(self, channel: str) -> int:
        """A connection of staff's own: only the channel is known."""
        self.clients.append(Client(channel, NONE, NONE, NONE, NONE, NONE))
        return len(self.clients) - 1

    def event(
        self,
        at_us: int,
        kind: EventKind,
        client: int,
        *,
        patient: int = NONE,
        payer: int = NONE,
        department: int = NONE,
        session: int = NONE,
        slot: int = NONE,
        released_us: int = NONE,
        staff: int = NONE,
        latency: int = NONE,
        face: int = NONE,
        frame: int = NONE,
        detail: int = NONE,
    ) -> None:
        """Tell of an event."""
        self.rows.append(
            Row(
                at_us,
                KIND_NUMBERS[kind],
                client,
                patient,
                payer,
                department,
                session,
                slot,
                released_us,
                staff,
                latency,
                face,
                frame,
                detail,
            )
        )

    def said(self, detail: dict[str, str]) -> int:
        """The number of a detail that many events share."""
        return self.details.number(msgspec.json.encode(detail).decode())

    def train(
        self,
        start_us: int,
        count: int,
        *,
        gap_s: float,
        client: int,
        pages: tuple[Page, ...],
        style: int = HUMAN,
        spread: float = 0.8,
        clients: int = 1,
        session: int = NONE,
        patient: int = NONE,
    ) -> None:
        """Tell of requests in a row.

        Args:
            spread: sigma of the log-normal gap; for a metronome, its jitter in seconds.
            clients: that many connections, from `client` on, take turns by chance.
            session: these are requests for one of its slots; each that meets a conflict is an event, too.
        """
        known = self._pages.get(pages)
        if known is None:
            known = self._pages[pages] = len(self.pages)
            self.pages.append(pages)
        unit = 1_000_000 if style == METRONOME else 1000
        self.trains.append(
            Train(
                start_us,
                count,
                round(gap_s * 1_000_000),
                style,
                round(spread * unit),
                client,
                clients,
                known,
                session,
                patient,
            )
        )
