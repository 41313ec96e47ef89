"""Noise: machines that mean no harm to anybody, or harm but not this one. No detector should call them scalpers.

The IT office's probe asks every minute for years; a search engine reads the pages; scanners of the Internet try doors;
a partner's system fetches the schedule every five minutes from one address.
"""

from shouhao.kernel.clock import DAY_US, MINUTE_US
from shouhao.lab.scalping.chance import dice
from shouhao.lab.scalping.pages import BAD_GATEWAY, OK
from shouhao.lab.scalping.record import METRONOME, RANDOM, Page
from shouhao.lab.scalping.world import World

_LAST_HTML = (
    Page("GET /robots.txt", OK, 310, 1),
    Page("GET /sitemap.xml", OK, 18_400, 2),
    Page("GET /", OK, 14_800, 6),
)
_DOORS = (
    Page("GET /.env", 404, 153, 3),
    Page("GET /wp-login.php", 404, 153, 3),
    Page("POST /boaform/admin/formLogin", 404, 153, 1),
    Page("GET /index.php?lang=../../../../tmp/x", 404, 153, 1),
    Page(
        "\\x16\\x03\\x01\\x00\\xEE\\x01\\x00\\x00", 400, 157, 1
    ),  # a TLS greeting on the wrong port, as nginx writes it
    Page("-", 400, 0, 1),
)
_BOT = "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)"
_SCAN = "Mozilla/5.0 zgrab/0.x"


def machines(world: World) -> None:
    """Set them going."""
    rng = dice(world.options.seed, "noise")
    days = len(world.days)
    probe = _machine(world, "monitor", world.net.intranet(), "Zabbix 6.0.13")
    health = (Page("GET /health", OK, 2, 99.8), Page("GET /health", BAD_GATEWAY, 552, 0.2))
    world.record.train(
        world.start_us + 7_130_000,
        days * 1440,
        gap_s=60,
        client=probe,
        pages=health,
        style=METRONOME,
        spread=0.004,
    )
    partner = _machine(world, "partner", world.net.data_centre(1, blocks=1)[0], "okhttp/4.12.0")
    schedule = (Page("GET /web/api/schedules/all?format=fhir", OK, 184_000, 1),)
    world.record.train(
        world.start_us, days * 288, gap_s=300, client=partner, pages=schedule, style=METRONOME, spread=0.9
    )
    size = world.options.scale.honest_accounts
    crawl = (*_LAST_HTML, *(Page(f"GET /doctors/{n}.html", OK, 9000 + 31 * n, 1) for n in range(60)))
    for ip in world.net.data_centre(3, blocks=1):
        bot = _machine(world, "search_bot", ip, _BOT)
        count = max(60, size // 20) * days // 10
        world.record.train(world.start_us, count, gap_s=days * 86_400 / count, client=bot, pages=crawl, style=RANDOM)
    for _ in range(20):
        scanner = _machine(world, "scanner", world.net.data_centre(1, blocks=1)[0], _SCAN)
        start_us = world.start_us + rng.randrange(days * DAY_US - 10 * MINUTE_US)
        world.record.train(start_us, rng.randint(5, 120), gap_s=0.3, client=scanner, pages=_DOORS)


def _machine(world: World, kind: str, ip: str, agent: str) -> int:
    world.ip_kinds[ip] = kind
    return world.record.client("machine", ip=ip, agent=agent)
