"""Face batch: where a hot slot asks for a face, one recording or one room serves many patients, at a machine's rate."""

from shouhao.kernel.clock import HOUR_US, SECOND_US
from shouhao.lab.scalping.accounts import Account
from shouhao.lab.scalping.chance import around, blurred, picture, soon
from shouhao.lab.scalping.faces import checked
from shouhao.lab.scalping.gangs.gang import Gang, cover, days_of_work, seize, sold_before
from shouhao.lab.scalping.hospital import Session
from shouhao.lab.scalping.visits import arrive, bind, latency, view

_ACCOUNTS = 10
_TRACES = ("same_frame", "one_backdrop", "machine_rate")
_RECODED, _SAME_ROOM = 6, 4  # bits turned by sending a frame again, and by the light in a room


def plan(gang: Gang) -> None:
    """Half of the accounts send one recording, half sit people down before one wall."""
    rng = gang.rng
    for _ in range(gang.size(_ACCOUNTS)):
        account = gang.recruit("runner", traces=_TRACES)
        cover(gang, account, looks=rng.randint(1, 3))
    wall, recordings = picture(rng), [(picture(rng), picture(rng)) for _ in range(2)]
    for day in days_of_work(gang, 0.8):
        targets = gang.targets(day)
        if not targets:
            continue
        release_us = targets[0].released_us
        at_us = release_us - round(rng.uniform(200, 500) * SECOND_US)
        together = [s for s in targets if s.released_us == release_us]
        for n, account in enumerate(gang.accounts):
            at_us += round((1.9 + rng.gauss(0, 0.08)) * SECOND_US)
            recording = recordings[n // 2 % len(recordings)] if n % 2 else None
            _one(gang, account, together[n % len(together)], at_us, wall, recording)


def _one(
    gang: Gang, account: Account, session: Session, at_us: int, wall: int, recording: tuple[int, int] | None
) -> None:
    world, rng = gang.world, gang.rng
    patient = gang.customer()

    def binds(now: int) -> None:
        bind(world, arrive(world, rng, account, now, pages=3), now + soon(rng, 20), patient)

    def shows(now: int) -> None:
        client = arrive(world, rng, account, now - soon(rng, 5), pages=4)
        view(world, client, now - soon(rng, 2), session)
        face, frame = recording or (world.face_of(patient), picture(rng))
        checked(
            world,
            client,
            now,
            patient,
            face=blurred(rng, face, _RECODED),
            frame=blurred(rng, frame, _RECODED) if recording else frame,
            backdrop=blurred(rng, wall, _SAME_ROOM),
        )
        seize(
            gang,
            account,
            patient,
            [session],
            client=client,
            at_us=session.released_us + round(around(rng, 0.35, 0.4) * SECOND_US),
            step_s=0.4,
            waited=latency(rng, 0.5),
            won=lambda won, booking, then: sold_before(gang, won, booking, then),
        )

    if at_us > world.start_us:
        world.at(at_us - round(rng.uniform(0.2, 4) * HOUR_US), binds)
        world.at(at_us, shows)
