"""On site: kiosks, windows, the phone line for elders, and doctors who add a slot for somebody they know to be ill.

One kiosk serves hundreds of people a day with one device, one camera and one address. Most extra slots are honest: in
office hours for somebody who came far, at night by the doctor on duty for the same chronic patients, who then come.
"""

from collections.abc import Sequence

from shouhao.kernel.clock import HOUR_US, SECOND_US
from shouhao.lab.scalping.accounts import Account
from shouhao.lab.scalping.afterwards import attend, pick_open
from shouhao.lab.scalping.chance import around, picture, poisson, soon
from shouhao.lab.scalping.desk import Booking
from shouhao.lab.scalping.faces import show_face
from shouhao.lab.scalping.hospital import Doctor, Session
from shouhao.lab.scalping.record import NONE
from shouhao.lab.scalping.visits import latency, search
from shouhao.lab.scalping.world import World

_ACCOUNTS_A_KIOSK = 4000
_KIOSK_PEOPLE = 100  # a day
_OPENS, _CLOSES = 7.5, 17.0
_DOCTORS_A_WINDOW = 20
_WINDOW_PEOPLE, _LINE_PEOPLE = 18, 8  # a day each
_ADDS = 0.06  # extra slots a doctor and day
_NIGHT_DOCTORS = 0.05
_INSURED = 0.3  # of those who come in person


def open_site(world: World) -> None:
    """Set up machines and staff, and plan their days."""
    kiosks = _kiosks(world)
    counters = max(2, len(world.hospital.doctors) // _DOCTORS_A_WINDOW)
    window, line = world.record.counter("window"), world.record.counter("phone")
    staff = [world.hospital.add_staff(world.ids) for _ in range(counters + 1)]
    world.check_in = [*((client, NONE) for client in kiosks for _ in range(3)), *((window, one) for one in staff)]
    for day in world.days:
        for client in kiosks:
            _plan(world, client, NONE, day, _KIOSK_PEOPLE)
        for one in staff[:-1]:
            _plan(world, window, one, day, _WINDOW_PEOPLE)
        _plan(world, line, staff[-1], day, _LINE_PEOPLE * counters // 2)


def _kiosks(world: World) -> list[int]:
    """One model, numbered through, behind one address of the house: as a farm would look."""
    model, gateway = world.shop.model(), world.net.intranet()
    count = max(1, world.options.scale.honest_accounts // _ACCOUNTS_A_KIOSK)
    batch = f"KS86{world.rng.randrange(10**6):06d}"
    clients = []
    for n in range(count):
        device = f"{batch}{world.rng.randrange(100):02d}{n:03d}"
        world.device_kinds[device] = "kiosk"
        clients.append(world.record.client("kiosk", device=device, ip=gateway, agent=f"HospitalKiosk/2.1 ({model})"))
    world.ip_kinds[gateway] = "kiosk"
    world.ip_kinds |= dict.fromkeys(world.net.hospital_wifi, "hospital_wifi")
    world.ip_kinds |= dict.fromkeys(world.net.carriers, "carrier")
    world.ip_kinds |= dict.fromkeys(world.net.offices, "office")
    return clients


def _plan(world: World, client: int, staff: int, day: int, people: int) -> None:
    rng = world.rng
    backdrop = picture(rng)
    for _ in range(poisson(rng, people / 2) + poisson(rng, people / 2)):
        at_us = world.moment(day, rng.triangular(_OPENS, _CLOSES, 8.6))
        world.at(at_us, lambda now: _serve(world, client, staff, backdrop, now))


def _serve(world: World, client: int, staff: int, backdrop: int, now_us: int) -> None:
    """Somebody without an account, at a machine, a window or on the phone, wants something soon."""
    rng, patient = world.rng, world.new_patient()
    department = rng.randrange(len(world.hospital.department_ids))
    machine = staff == NONE
    if machine:
        search(world, client, now_us, department)
        if rng.random() < 0.15:  # noqa: PLR2004 - those who pick face to sign in
            show_face(world, rng, client, now_us + soon(rng, 3), patient, backdrop=backdrop)
    then_us = now_us + round((8 + around(rng, 20, 0.5)) * SECOND_US)
    world.at(then_us, lambda now: _book(world, client, staff, patient, department, now))


def _book(world: World, client: int, staff: int, patient: int, department: int, now_us: int) -> None:
    rng = world.rng
    found = pick_open(world, department, now_us, count=1)
    if not found:
        return
    spoken = latency(rng, 9.0) if staff == NONE else NONE
    booking = world.desk.book(now_us, client, patient, found[0], latency=spoken, pick=rng.random())
    if booking is not None:
        payer = world.insurer if rng.random() < _INSURED else world.new_payer()
        world.at(now_us + soon(rng, 30), lambda now: _settle(world, booking, client, payer, now))


def _settle(world: World, booking: Booking, client: int, payer: int, now_us: int) -> None:
    if world.desk.pay(now_us, booking, client, payer):
        attend(world, booking, comes=world.rng.random() < 0.97)  # noqa: PLR2004 - they are nearly there


def doctors_add(world: World, chronic: Sequence[Account]) -> None:
    """Honest extra slots: in office hours for anybody, at night for the same ill few."""
    rng, screen = world.rng, world.record.counter("window")
    doctors = world.hospital.doctors
    on_duty = rng.sample(doctors, max(2, round(_NIGHT_DOCTORS * len(doctors))))
    patients = {doctor.number: rng.sample(chronic, min(len(chronic), rng.randint(4, 8))) for doctor in on_duty}
    for day in world.days:
        for doctor in doctors:
            for _ in range(poisson(rng, _ADDS)):
                world.at(world.moment(day, rng.uniform(8, 17)), _adding(world, doctor, world.new_patient(), screen))
        for doctor in on_duty:
            for account in patients[doctor.number]:
                account.doctor = doctor.number
            night = rng.uniform(19.5, 23.8)
            for account in rng.sample(patients[doctor.number], rng.randint(0, 3)):
                night = min(23.95, night + rng.uniform(0.02, 0.3))
                world.at(world.moment(day, night), _adding(world, doctor, account.patients[0], screen))


def _adding(world: World, doctor: Doctor, patient: int, screen: int) -> "_Adding":
    return _Adding(world, doctor, patient, screen)


class _Adding:
    """One extra slot to come."""

    __slots__ = ("_doctor", "_patient", "_screen", "_world")

    def __init__(self, world: World, doctor: Doctor, patient: int, screen: int) -> None:
        self._world, self._doctor, self._patient, self._screen = world, doctor, patient, screen

    def __call__(self, now_us: int) -> None:
        session = next_session(self._world, self._doctor, now_us)
        if session is None:
            return
        world = self._world
        looked_us = now_us - round(around(world.rng, 50, 0.5) * SECOND_US)
        world.record.event(looked_us, "viewed", self._screen, patient=self._patient, staff=self._doctor.staff)
        booking = world.desk.add(now_us, self._doctor.staff, self._patient, session, self._screen)
        if booking is not None:
            attend(world, booking, comes=world.rng.random() < 0.95)  # noqa: PLR2004 - whoever was given one comes


def next_session(world: World, doctor: Doctor, now_us: int) -> Session | None:
    """The doctor's next half-day that is at least an hour away."""
    later = (s for s in world.hospital.of_doctor[doctor.number] if s.start_us > now_us + HOUR_US)
    return next(later, None)
